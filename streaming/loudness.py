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
_STEP_BLOCKS = 19
_BIN_LU = 0.1
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_TAPS = 32
_OVERSAMPLING = 4


def to_lufs(power: float) -> float:
    """Return the loudness of a K-weighted power, both channels added."""
    return max(SILENCE_LUFS, -0.691 + 10.0 * float(np.log10(power))) if power > 0 else SILENCE_LUFS


def to_db(gain: float) -> float:
    """Return a gain in dB, -120 at least."""
    return max(-120.0, 20.0 * float(np.log10(gain))) if gain > 0 else -120.0


class BlockFilter:
    """A recursive filter that takes a whole block as two matrix products.

    The recursion, a sample at a time, would be slow in Python. Within a block the
    filter is a convolution with its impulse response, plus what its state still gives.
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
        self._convolve = np.where(lag >= 0, response[np.maximum(lag, 0)], 0.0)
        self._ringing = np.stack([read @ p for p in powers[:size]])
        self._leap = powers[size]
        self._gather = np.stack([powers[size - 1 - n][:, 0] for n in range(size)], axis=1)
        self._state = np.zeros((order, channels))

    def process(self, block: Array) -> Array:
        """Return the filtered block, float64 [256, channels]."""
        out = self._convolve @ block + self._ringing @ self._state
        self._state = self._leap @ self._state + self._gather @ block
        return out


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
        self._bank = np.ascontiguousarray(bank / bank.sum(axis=0))
        self._past = np.zeros((2, BLOCK_SAMPLES + _TAPS - 1))
        # Made once: a view of what is in `_past` at the time it is looked at.
        self._windows = np.lib.stride_tricks.sliding_window_view(self._past, _TAPS, axis=1)

    def process(self, block: Array) -> float:
        """Return the peak (linear) of a block and of what lay under its edge with the block before.

        Args:
            block: float64 [256, 2].
        """
        past = self._past
        past[:, : _TAPS - 1] = past[:, BLOCK_SAMPLES:]
        past[:, _TAPS - 1 :] = block.T
        return float(max(np.abs(self._windows @ self._bank).max(), np.abs(block).max()))


class Meter:
    """Momentary and integrated loudness of a programme without end.

    The gated blocks go into bins of 0.1 LU, so that two days take no more room than a minute.
    """

    def __init__(self) -> None:
        self._weighting = BlockFilter(K_WEIGHTING)
        self._recent: deque[float] = deque(maxlen=_MOMENTARY_BLOCKS)
        self._blocks = 0
        self._counts = np.zeros(int(-_ABSOLUTE_GATE_LUFS / _BIN_LU) + 100, np.int64)
        self._powers = np.zeros(len(self._counts))

    def process(self, block: Array) -> float:
        """Take a block in and return its K-weighted power, both channels added.

        Args:
            block: float64 [256, 2].
        """
        weighted = self._weighting.process(block)
        power = float(np.vdot(weighted, weighted)) / BLOCK_SAMPLES
        self._recent.append(power)
        self._blocks += 1
        if self._blocks % _STEP_BLOCKS == 0 and len(self._recent) == _MOMENTARY_BLOCKS:
            self._count()
        return power

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
