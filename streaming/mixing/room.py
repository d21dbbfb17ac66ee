"""The rooms all instruments share: convolutions with walls and shaped noise.

A room hears the stage in two halves, so that the first walls answer each
instrument from its own side; the diffuse tail after them is common to all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class RoomShape:
    """How a room answers.

    Attributes:
        name: in setlists.
        length_s: after this there is nothing more.
        decays: (octave in Hz, time in s in which it falls by 60 dB).
        bloom_s: how slowly the diffuse sound comes up.
        walls_s: time of the last single echo.
        walls: how many of them a side has.
        wall_gain: the first one's amplitude against the diffuse sound's energy.
        send_db: added to what every instrument sends.
        head_blocks, tail_blocks: parts of the convolution; what the head gives comes one part
            later, which is the way to the first wall and back.
    """

    name: str
    length_s: float
    decays: tuple[tuple[float, float], ...]
    bloom_s: float
    walls_s: float
    walls: int
    wall_gain: float
    send_db: float
    head_blocks: int
    tail_blocks: int

    @property
    def split(self) -> int:
        """Samples the head answers for; the tail comes later by just as many."""
        return (self.tail_blocks - self.head_blocks) * BLOCK_SAMPLES


# fmt: off
ROOMS: tuple[RoomShape, ...] = (
    RoomShape(
        "small", 0.62,
        ((125.0, 0.52), (250.0, 0.5), (500.0, 0.46), (1000.0, 0.42), (2000.0, 0.38), (4000.0, 0.32), (8000.0, 0.24)),
        bloom_s=0.006, walls_s=0.026, walls=10, wall_gain=0.3, send_db=1.0, head_blocks=2, tail_blocks=8,
    ),
    RoomShape(
        "hall", 1.8,
        ((125.0, 1.7), (250.0, 1.8), (500.0, 1.75), (1000.0, 1.6), (2000.0, 1.3), (4000.0, 0.95), (8000.0, 0.6)),
        bloom_s=0.02, walls_s=0.07, walls=14, wall_gain=0.32, send_db=0.0, head_blocks=4, tail_blocks=16,
    ),
)
# Where music of a style is at home; what is not named here is played in the hall.
ROOM_OF_STYLE: dict[str, str] = {
    "country": "small", "drums": "small", "folk": "small", "game": "small", "giuliani": "small", "guitar": "small",
    "jazz": "small", "renaissance": "small", "rock": "small", "sor": "small",
}
# fmt: on
SHAPES: dict[str, RoomShape] = {shape.name: shape for shape in ROOMS}
DRY = "dry"
DEFAULT_ROOM = "hall"


def room_of(style: str | None) -> str:
    """Return the room in which music of a style is played, of `ROOMS`."""
    return ROOM_OF_STYLE.get(style or "", DEFAULT_ROOM)


def impulse(shape: RoomShape, *, seed: int) -> NDArray[np.float64]:
    """Return a room's answer to a click: the walls, then a diffuse tail.

    Args:
        shape: of the room.
        seed: of noise and walls.

    Returns:
        float64 [2, 2, samples]: from the left and the right of the stage, to each ear; of unit energy
        in each ear for a click in the middle.
    """
    rng = np.random.default_rng(seed)
    size = int(shape.length_s * SAMPLE_RATE)
    t = np.arange(size) / SAMPLE_RATE
    at_hz = np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE), 1.0)
    common, left, right = (np.fft.rfft(rng.normal(size=size)) for _ in range(3))
    # Low notes come from everywhere alike; the two ears differ from some 300 Hz on.
    share = 1 / (1 + (at_hz / 300.0) ** 2)
    diffuse = np.zeros((2, size))
    for octave_hz, decay_s in shape.decays:
        band = np.exp(-0.5 * np.square(np.log2(at_hz / octave_hz) / 0.5))
        envelope = np.exp(-6.91 * t / decay_s) * (1 - np.exp(-t / shape.bloom_s))
        for ear, own in enumerate((left, right)):
            noise = np.fft.irfft((np.sqrt(share) * common + np.sqrt(1 - share) * own) * band, size)
            diffuse[ear] += noise * envelope
    diffuse /= np.sqrt(np.sum(np.square(diffuse), axis=1, keepdims=True))
    out = np.stack([diffuse, diffuse]) + _walls(shape, size, rng)
    out = np.fft.irfft(np.fft.rfft(out) / np.sqrt(1 + (110.0 / at_hz) ** 4), size)
    # What the tail answers is made of both sides at once: there they are the same.
    out[:, :, shape.split :] = out[:, :, shape.split :].mean(axis=0)
    fade = size // 5
    out[:, :, -fade:] *= np.cos(0.5 * np.pi * np.arange(fade) / fade) ** 2
    middle = 0.5 * (out[0] + out[1])
    return np.asarray(out / np.sqrt(np.sum(np.square(middle), axis=1))[None, :, None])


def _walls(shape: RoomShape, size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the single echoes: from the near wall soon and in its own ear, from the far one late in the other.

    Each is a smear of a millisecond rather than a click.
    """
    smear = np.hanning(96) / np.sum(np.hanning(96)) ** 0.5
    out = np.zeros((2, 2, size))
    for side in (0, 1):
        for _ in range(shape.walls):
            at_s = float(rng.uniform(0.001, shape.walls_s))
            late = at_s / shape.walls_s
            gain = shape.wall_gain * rng.choice((-1.0, 1.0)) * np.exp(-at_s / (0.7 * shape.walls_s))
            # The share of the far ear grows as the echoes come from further round.
            far = float(np.clip(0.1 + 0.45 * late + rng.uniform(-0.12, 0.12), 0.05, 0.9))
            at = int(at_s * SAMPLE_RATE)
            out[side, side, at : at + 96] += gain * np.sqrt(1 - far) * smear
            out[side, 1 - side, at : at + 96] += gain * np.sqrt(far) * smear
    return out


# Of a part of an answer, the highest frequencies that give less than this of all its power are left out.
_UNHEARD = 1e-9


class _Convolver:
    """Convolves some channels into two in equal parts; late by one part; at rest where nothing comes in."""

    def __init__(self, answer: NDArray[np.float64], part_blocks: int) -> None:
        sources, _, length = answer.shape
        self._part_blocks = part_blocks
        self._part = part_blocks * BLOCK_SAMPLES
        parts = -(-length // self._part)
        padded = np.zeros((sources, 2, parts * self._part))
        padded[:, :, :length] = answer
        spectra = np.fft.rfft(padded.reshape(sources, 2, parts, self._part), 2 * self._part).transpose(2, 0, 1, 3)
        bins = self._part + 1
        # What comes of `norm="forward"` is so much less; both are powers of two, so that nothing is lost.
        spectra *= 2 * self._part
        # Of each part, [sources, ears, frequencies]; of each place of the history, [sources, 1, frequencies].
        self._answers = _heard(spectra)
        self._history = [np.zeros((sources, 1, bins), np.complex64) for _ in range(parts)]
        self._mixed = np.zeros((sources, 2, bins), np.complex64)
        self._product = np.zeros((sources, 2, bins), np.complex64)
        # What is long past is added up block by block, so that no block has all the work.
        self._steps = np.linspace(1, parts, part_blocks + 1).round().astype(int).tolist()
        self._parts = parts
        self._at = 0
        self._input = np.zeros((sources, 2 * self._part), np.float32)
        # Two in turn: what was handed out of the one may still be in use when the other is made.
        self._waves = [np.zeros((2, 2 * self._part), np.float32) for _ in range(2)]
        self._block = 0
        # Parts since something came in: after one more than the answer is long, all is zero.
        self._quiet = parts + 1

    def process(self, sends: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the next block, float32 [2, 256], for what is sent, float32 [sources, 256]."""
        place = slice(self._part + self._block * BLOCK_SAMPLES, self._part + (self._block + 1) * BLOCK_SAMPLES)
        out = self._waves[0][:, place]
        self._input[:, place] = sends
        if self._quiet <= self._parts:
            self._add(self._steps[self._block], self._steps[self._block + 1], self._at - 1)
        self._block += 1
        if self._block == self._part_blocks:
            self._block = 0
            self._convolve()
        return out

    @property
    def rests(self) -> bool:
        """Whether what comes next is silence, unless something is sent."""
        return self._quiet > self._parts and self._block == 0

    def _convolve(self) -> None:
        self._quiet = 0 if self._input.any() else self._quiet + 1
        self._waves.reverse()
        if self._quiet > self._parts:
            if self._quiet == self._parts + 1:
                for past in self._history:
                    past[:] = 0
            self._waves[0][:] = 0
            return
        self._at = (self._at - 1) % self._parts
        # Only with this norm is it reckoned in single precision: in double it would take more than twice as long.
        # numpy's types know of its single precision only half.
        np.fft.rfft(self._input[:, None], norm="forward", out=self._history[self._at])  # type: ignore[arg-type]
        self._add(0, 1, self._at)
        mixed = self._mixed[0] if len(self._mixed) == 1 else np.add(self._mixed[0], self._mixed[1])
        np.fft.irfft(mixed, 2 * self._part, out=self._waves[0])  # type: ignore[arg-type]
        self._mixed[:] = 0
        self._input[:, : self._part] = self._input[:, self._part :]

    def _add(self, first: int, last: int, newest: int) -> None:
        """Add what some parts of the answer give, the newest input being at a place of the history."""
        for part in range(first, last):
            answer = self._answers[part]
            bins = answer.shape[-1]
            product, mixed = self._product[..., :bins], self._mixed[..., :bins]
            np.multiply(self._history[(newest + part) % self._parts][..., :bins], answer, out=product)
            np.add(mixed, product, out=mixed)


def _heard(spectra: NDArray[np.complex128]) -> list[NDArray[np.complex64]]:
    """Return each part up to the highest frequency that is heard of it: air and walls swallow the high ones first.

    Args:
        spectra: [parts, sources, ears, frequencies].
    """
    power = np.square(np.abs(spectra)).sum(axis=(1, 2))
    above = np.cumsum(power[:, ::-1], axis=1)[:, ::-1]
    bins = np.maximum(1, (above > _UNHEARD * power.sum()).sum(axis=1))
    return [np.ascontiguousarray(part[..., :count], np.complex64) for part, count in zip(spectra, bins, strict=True)]


class Room:
    """A room, block by block.

    Source: W. G. Gardner, "Efficient convolution without input-output delay" (JAES 1995).

    Args:
        shape: one of `ROOMS`.
        seed: of its noise and walls.
    """

    def __init__(self, shape: RoomShape, *, seed: int = 0) -> None:
        answer = impulse(shape, seed=seed)
        self._head = _Convolver(answer[:, :, : shape.split], shape.head_blocks)
        self._tail = _Convolver(answer[:1, :, shape.split :], shape.tail_blocks)
        self._idle = True

    def process(self, sends: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return the room's sound for the next block.

        Args:
            sends: float32 [256, 2], what the left and the right of the stage send into the room.

        Returns:
            float32 [256, 2]; None where the room has died away and nothing is sent.
        """
        if self._idle and not sends.any():
            return None
        sides = sends.T
        out = self._head.process(sides) + self._tail.process(sides[:1] + sides[1:])
        self._idle = self._head.rests and self._tail.rests
        return out.T
