"""The room all instruments share: a convolution with a hall made of shaped noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE

# The first reflections are convolved in parts of 4 blocks; what they give comes one part
# later, which is the 21 ms a sound needs to the first wall and back. The tail is convolved
# in parts of 16 blocks, a quarter of the work, and begins where those come later by.
_HEAD_BLOCKS, _TAIL_BLOCKS = 4, 16
_SPLIT = (_TAIL_BLOCKS - _HEAD_BLOCKS) * BLOCK_SAMPLES
LENGTH_S = 1.8
# Reverberation time (60 dB) by octave, in s: warm below, soft above.
_DECAYS: tuple[tuple[float, float], ...] = (
    (125.0, 1.7), (250.0, 1.8), (500.0, 1.75), (1000.0, 1.6), (2000.0, 1.3), (4000.0, 0.95), (8000.0, 0.6),
)  # fmt: skip


def impulse(*, seed: int) -> NDArray[np.float64]:
    """Return the room's answer to a click: reflections, then a diffuse tail.

    Args:
        seed: of the noise.

    Returns:
        float64 [2, samples], of unit energy in each ear.
    """
    rng = np.random.default_rng(seed)
    size = int(LENGTH_S * SAMPLE_RATE)
    t = np.arange(size) / SAMPLE_RATE
    at_hz = np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE), 1.0)
    common, left, right = (np.fft.rfft(rng.normal(size=size)) for _ in range(3))
    # Low notes come from everywhere alike; the two ears differ from some 300 Hz on.
    share = 1 / (1 + (at_hz / 300.0) ** 2)
    out = np.zeros((2, size))
    for octave_hz, decay_s in _DECAYS:
        band = np.exp(-0.5 * np.square(np.log2(at_hz / octave_hz) / 0.5))
        envelope = np.exp(-6.91 * t / decay_s) * (1 - np.exp(-t / 0.02))
        for ear, own in enumerate((left, right)):
            noise = np.fft.irfft((np.sqrt(share) * common + np.sqrt(1 - share) * own) * band, size)
            out[ear] += noise * envelope
    out /= np.sqrt(np.sum(np.square(out), axis=1, keepdims=True))
    # The first walls: a dozen soft echoes, each a smear of a millisecond rather than a click.
    smear = np.hanning(96) / np.sum(np.hanning(96)) ** 0.5
    for _ in range(14):
        at = int(rng.uniform(0.001, 0.07) * SAMPLE_RATE)
        gain = 0.22 * rng.choice((-1.0, 1.0)) * np.exp(-at / (0.05 * SAMPLE_RATE))
        pan = rng.uniform(0.15, 0.85)
        out[0, at : at + 96] += gain * np.sqrt(1 - pan) * smear
        out[1, at : at + 96] += gain * np.sqrt(pan) * smear
    spectrum = np.fft.rfft(out) / np.sqrt(1 + (110.0 / at_hz) ** 4)
    out = np.fft.irfft(spectrum, size)
    fade = size // 5
    out[:, -fade:] *= np.cos(0.5 * np.pi * np.arange(fade) / fade) ** 2
    return np.asarray(out / np.sqrt(np.sum(np.square(out), axis=1, keepdims=True)))


class _Convolver:
    """Convolves one channel into two in equal parts; late by one part."""

    def __init__(self, answer: NDArray[np.float64], part_blocks: int) -> None:
        self._part_blocks = part_blocks
        self._part = part_blocks * BLOCK_SAMPLES
        parts = -(-answer.shape[1] // self._part)
        padded = np.zeros((2, parts * self._part))
        padded[:, : answer.shape[1]] = answer
        spectra = np.fft.rfft(padded.reshape(2, parts, self._part), 2 * self._part)
        self._answer = spectra.astype(np.complex64)
        # Each spectrum is kept twice, so that the newest `parts` always lie in one piece.
        self._history = np.zeros((2 * parts, self._part + 1), np.complex64)
        self._parts = parts
        self._at = 0
        self._input = np.zeros(2 * self._part, np.float32)
        self._output = np.zeros((2, self._part), np.float32)
        self._block = 0

    def process(self, send: NDArray[np.float32]) -> NDArray[np.float32]:
        first = self._block * BLOCK_SAMPLES
        out = self._output[:, first : first + BLOCK_SAMPLES]
        self._input[self._part + first : self._part + first + BLOCK_SAMPLES] = send
        self._block += 1
        if self._block == self._part_blocks:
            self._block = 0
            self._convolve()
        return out

    def _convolve(self) -> None:
        self._at = (self._at - 1) % self._parts
        spectrum = np.fft.rfft(self._input)
        self._history[self._at] = self._history[self._at + self._parts] = spectrum
        recent = self._history[self._at : self._at + self._parts]
        mixed = np.stack([np.einsum("pf,pf->f", recent, ear) for ear in self._answer])
        # A new array: what was handed out of the old one may still be in use.
        self._output = np.fft.irfft(mixed, 2 * self._part)[:, self._part :].astype(np.float32)
        self._input[: self._part] = self._input[self._part :]


class Room:
    """The room, block by block.

    Source: W. G. Gardner, "Efficient convolution without input-output delay" (JAES 1995).
    """

    def __init__(self, *, seed: int = 0) -> None:
        answer = impulse(seed=seed)
        self._head = _Convolver(answer[:, :_SPLIT], _HEAD_BLOCKS)
        self._tail = _Convolver(answer[:, _SPLIT:], _TAIL_BLOCKS)

    def process(self, send: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the room's sound for the next block.

        Args:
            send: float32 [256], what is sent into the room.

        Returns:
            float32 [256, 2].
        """
        return (self._head.process(send) + self._tail.process(send)).T
