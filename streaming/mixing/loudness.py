"""Loudness and true peak, after EBU R128.

Source: ITU-R BS.1770-5 (K weighting, gating, true peak); EBU Tech 3341 (momentary).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streaming.timeline import BLOCK_SAMPLES

Array = NDArray[np.float64]
SILENCE_LUFS = -120.0
# (b, a) at 48 kHz, as printed in BS.1770: the head's shelf, then the low cut.
K_WEIGHTING: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...] = (
    ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585)),
    ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)),
)
# 400 ms are exactly 75 blocks.
_MOMENTARY_BLOCKS = 75
# So often a window of 400 ms is looked at.
STEP_BLOCKS = 19
_BIN_LU = 0.1
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_TAPS = 32
_OVERSAMPLING = 4
# The curve is reckoned for so many samples with one row of a product.
_STRETCH = 16


def to_lufs(power: float) -> float:
    """Return the loudness of a K-weighted power, both channels added."""
    return max(SILENCE_LUFS, -0.691 + 10.0 * float(np.log10(power))) if power > 0 else SILENCE_LUFS


def to_db(gain: float) -> float:
    """Return a gain in dB, -120 at least."""
    return max(-120.0, 20.0 * float(np.log10(gain))) if gain > 0 else -120.0


def to_gain(db: float) -> float:
    """Return the gain of a level in dB."""
    return float(10.0 ** (db / 20.0))


class BlockFilter:
    """A recursive filter that takes a whole block as one matrix product.

    The recursion, a sample at a time, would be slow in Python. Within a block the
    filter is a convolution with its impulse response, plus what its state still gives;
    both, and the state to come, are rows of one matrix.
    """

    def __init__(self, sections: Sequence[tuple[Sequence[float], Sequence[float]]], channels: int = 2) -> None:
        b: Array = np.ones(1)
        a: Array = np.ones(1)
        for section_b, section_a in sections:
            b, a = np.convolve(b, section_b), np.convolve(a, section_a)
        order = len(a) - 1
        step = np.zeros((order, order))
        step[0] = -a[1:]
        step[1:, :-1] += np.eye(order - 1)
        read = b[1:] - a[1:] * b[0]
        size = BLOCK_SAMPLES
        # Powers of the state's step: what a state gives after n samples.
        powers = [np.eye(order)]
        for _ in range(size):
            powers.append(powers[-1] @ step)
        response = np.array([b[0], *(read @ p[:, 0] for p in powers[: size - 1])])
        lag = np.arange(size)[:, None] - np.arange(size)[None]
        convolve = np.where(lag >= 0, response[np.maximum(lag, 0)], 0.0)
        ringing = np.stack([read @ p for p in powers[:size]])
        gather = np.stack([powers[size - 1 - n][:, 0] for n in range(size)], axis=1)
        self._rows = np.block([[convolve, ringing], [gather, powers[size]]])
        self._seen = np.zeros((size + order, channels))
        # For many blocks at once, which only a meter asks for, half the digits do.
        self._short_rows = self._rows.astype(np.float32)
        self._order = order
        self._leap = powers[size]
        self._leaps: dict[int, Array] = {}

    def process(self, block: Array) -> Array:
        """Return the filtered block, float64 [256, channels]."""
        self._seen[:BLOCK_SAMPLES] = block
        out = self._rows @ self._seen
        self._seen[BLOCK_SAMPLES:] = out[BLOCK_SAMPLES:]
        return out[:BLOCK_SAMPLES]

    def process_many(self, blocks: Array) -> NDArray[np.float32]:
        """Return filtered blocks that follow each other; cheaper than one after the other.

        Args:
            blocks: float64 [n, 256, channels].

        Returns:
            float32 [256, n, channels].
        """
        count, size, channels = blocks.shape
        wide = np.zeros((size + self._order, count, channels), np.float32)
        wide[:size] = blocks.transpose(1, 0, 2)
        # The state each block leaves behind if it began from rest; then what the blocks before it add.
        rows = self._short_rows
        alone = (rows[size:, :size] @ wide[:size].reshape(size, -1)).reshape(self._order, count, channels)
        states = self._states(count) @ np.concatenate([self._seen[size:], *alone.transpose(1, 0, 2)])
        wide[size:] = states[: -self._order].reshape(count, self._order, channels).transpose(1, 0, 2)
        self._seen[size:] = states[-self._order :]
        return (rows[:size] @ wide.reshape(size + self._order, -1)).reshape(size, count, channels)

    def _states(self, count: int) -> Array:
        """Return what leads from a state, and what each block adds to it, to the state before each and after all."""
        found = self._leaps.get(count)
        if found is None:
            powers = [np.eye(self._order)]
            for _ in range(count):
                powers.append(powers[-1] @ self._leap)
            none = np.zeros_like(self._leap)
            # After n blocks: the first state n leaps on, and what block k left behind n - k leaps on.
            rows = [[powers[n - k] if k <= n else none for k in range(count + 1)] for n in range(count + 1)]
            found = self._leaps[count] = np.block(rows)
        return found

    def forget(self) -> None:
        """Begin again from rest: a state that dies away for ever ends in numbers that are slow to reckon with."""
        self._seen[BLOCK_SAMPLES:] = 0.0


class TruePeak:
    """The highest point of the curve through the samples, by fourfold oversampling."""

    def __init__(self) -> None:
        n = np.arange(_TAPS) - _TAPS // 2 + 1
        phases = np.arange(_OVERSAMPLING) / _OVERSAMPLING
        window = np.kaiser(_TAPS * _OVERSAMPLING + 1, 5.0)
        bank = np.zeros((_TAPS, _OVERSAMPLING))
        for p, phase in enumerate(phases):
            offset = n - phase
            at = np.round((offset + _TAPS // 2) * _OVERSAMPLING).astype(int)
            bank[:, p] = np.sinc(offset) * window[at]
        # The first phase is the samples themselves.
        between = np.asarray((bank / bank.sum(axis=0))[:, 1:], np.float32)
        phases_between = between.shape[1]
        self._bank = np.zeros((_STRETCH + _TAPS - 1, _STRETCH * phases_between), np.float32)
        for sample in range(_STRETCH):
            first = sample * phases_between
            self._bank[sample : sample + _TAPS, first : first + phases_between] = between
        # No curve rises further over its samples than this.
        self._overshoot = float(np.abs(between).sum(axis=0).max())
        self._past = np.zeros((2, BLOCK_SAMPLES + _TAPS - 1), np.float32)
        # Made once: a view of what is in `_past` at the time it is looked at.
        windows = np.lib.stride_tricks.sliding_window_view(self._past, _STRETCH + _TAPS - 1, axis=1)
        self._windows = windows[:, ::_STRETCH]
        self._last = 0.0

    def process(self, block: Array, above: float = 0.0) -> float:
        """Return the peak (linear) of a block and of what lay under its edge with the block before.

        Args:
            block: float64 [256, 2].
            above: below this the peak of the samples alone may be given, which is cheaper.
        """
        past = self._past
        past[:, : _TAPS - 1] = past[:, BLOCK_SAMPLES:]
        past[:, _TAPS - 1 :] = block.T
        highest = max(float(block.max()), -float(block.min()))
        around, self._last = max(highest, self._last), highest
        if around * self._overshoot <= above:
            return highest
        between = self._windows @ self._bank
        return max(highest, float(between.max()), -float(between.min()))


class Meter:
    """Momentary and integrated loudness of a programme without end.

    The gated blocks go into bins of 0.1 LU, so that two days take no more room than a minute.
    Blocks are weighed a step at a time, 19 of them (101 ms).

    Attributes:
        steps: whole steps weighed so far.
        step_power: mean K-weighted power of the last one, both channels added.
    """

    def __init__(self) -> None:
        self._weighting = BlockFilter(K_WEIGHTING)
        self._waiting = np.zeros((STEP_BLOCKS, BLOCK_SAMPLES, 2))
        self._held = 0
        self._recent: deque[float] = deque(maxlen=_MOMENTARY_BLOCKS)
        self._counts = np.zeros(int(-_ABSOLUTE_GATE_LUFS / _BIN_LU) + 100, np.int64)
        self._powers = np.zeros(len(self._counts))
        self.steps = 0
        self.step_power = 0.0

    def process(self, block: Array) -> bool:
        """Take a block in and return whether a step is complete with it.

        Args:
            block: float64 [256, 2].
        """
        self._waiting[self._held] = block
        self._held += 1
        if self._held < STEP_BLOCKS:
            return False
        self.begin()
        self.steps += 1
        self.step_power = sum(list(self._recent)[-STEP_BLOCKS:]) / STEP_BLOCKS
        if len(self._recent) == _MOMENTARY_BLOCKS:
            self._count()
        return True

    def begin(self) -> None:
        """Weigh what waits and begin a step with the next block."""
        if not self._held:
            return
        blocks = self._waiting[: self._held]
        self._held = 0
        if not blocks.any():
            self._weighting.forget()
            self._recent.extend([0.0] * len(blocks))
            return
        weighted = self._weighting.process_many(blocks)
        np.square(weighted, out=weighted)
        powers = weighted.sum(axis=0).sum(axis=1) / BLOCK_SAMPLES
        self._recent.extend(float(p) for p in powers)

    def _count(self) -> None:
        power = sum(self._recent) / _MOMENTARY_BLOCKS
        loudness = to_lufs(power)
        if loudness > _ABSOLUTE_GATE_LUFS:
            index = min(int((loudness - _ABSOLUTE_GATE_LUFS) / _BIN_LU), len(self._counts) - 1)
            self._counts[index] += 1
            self._powers[index] += power

    @property
    def momentary_lufs(self) -> float:
        """Loudness of the last 400 ms."""
        return to_lufs(sum(self._recent) / _MOMENTARY_BLOCKS)

    @property
    def integrated_lufs(self) -> float:
        """Gated loudness of everything so far."""
        count = int(self._counts.sum())
        if not count:
            return SILENCE_LUFS
        gate = to_lufs(float(self._powers.sum()) / count) + _RELATIVE_GATE_LU
        first = max(0, int((gate - _ABSOLUTE_GATE_LUFS) / _BIN_LU))
        above = int(self._counts[first:].sum())
        return to_lufs(float(self._powers[first:].sum()) / above) if above else SILENCE_LUFS
