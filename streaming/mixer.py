"""From stems to the programme: places, room, programme gain, limiter, alarm."""

from __future__ import annotations

import logging
import math

import numpy as np
from numpy.typing import NDArray

from streaming.loudness import BlockFilter, Meter, TruePeak, to_db, to_lufs
from streaming.patches import PATCHES, Patch
from streaming.room import Room
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE

log = logging.getLogger(__name__)

# What comes out is one block behind what goes in: the limiter has to see what comes.
LATENCY_SAMPLES = BLOCK_SAMPLES
TARGET_LUFS = -14.0
CEILING_DBTP = -1.0
# The limiter aims a little lower: its ramps and the meter of another maker differ by that.
_CEILING = 10 ** ((CEILING_DBTP - 0.5) / 20)
_RELEASE = math.exp(-BLOCK_SAMPLES / SAMPLE_RATE / 0.25)
_DC_BLOCK = (((1.0, -1.0), (1.0, -0.9995)),)
# The programme gain listens over half a minute and moves so slowly that nobody hears it move.
_LISTEN = math.exp(-BLOCK_SAMPLES / SAMPLE_RATE / 25.0)
_MOVE_DB = 0.35 * BLOCK_SAMPLES / SAMPLE_RATE
_GAIN_RANGE_DB = (-9.0, 9.0)
_LISTEN_ABOVE_LUFS = -38.0
ALARM_LUFS = -50.0
ALARM_S = 5.0
# The curve between the last samples of a block is known only with the next: their gain is there early.
_EDGE_SAMPLES = 16
_LIMIT_RAMP = np.minimum(1.0, np.arange(BLOCK_SAMPLES) / (BLOCK_SAMPLES - _EDGE_SAMPLES))[:, None]
_RAMP = np.arange(BLOCK_SAMPLES, dtype=np.float64)[:, None] / BLOCK_SAMPLES


def _matrix() -> NDArray[np.float32]:
    """Return the mix of the stems, float32 [26, 3]: left, right, and what goes to the room."""
    mix = np.zeros((2 * len(PATCHES), 3))
    for index, patch in enumerate(PATCHES):
        room = 10 ** (patch.room_db / 20) * math.sqrt(0.5)
        for side in (0, 1):
            left, right = _place(patch, side)
            mix[2 * index + side] = left, right, room
    return mix.astype(np.float32)


def _place(patch: Patch, side: int) -> tuple[float, float]:
    """Return the gains of a stem's left (0) or right (1) channel to both ears, of equal power."""
    spread = patch.width * (1 - abs(patch.place)) * (-1 if side == 0 else 1)
    angle = (1 + max(-1.0, min(1.0, patch.place + spread))) * math.pi / 4
    return math.cos(angle), math.sin(angle)


class Master:
    """The last stage; holds the programme at -14 LUFS and under -1 dBTP.

    Attributes:
        meter: loudness of what went out.
        alarm: whether notes should sound and nothing has been heard for 5 s.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self._mix = _matrix()
        self._room = Room(seed=seed)
        self._dc = BlockFilter(_DC_BLOCK)
        self._true_peak = TruePeak()
        self.meter = Meter()
        self.alarm = False
        self._quiet_s = 0.0
        self._heard = 10 ** ((TARGET_LUFS + 0.691) / 10)
        self._gain_db = 0.0
        self._pending = np.zeros((BLOCK_SAMPLES, 2))
        self._pending_peak = 0.0
        self._limit = 1.0
        self._peak = 0.0

    @property
    def gain_db(self) -> float:
        """The programme gain now."""
        return self._gain_db

    @property
    def reduction_db(self) -> float:
        """What the limiter takes away now, 0 or less."""
        return to_db(self._limit)

    def take_peak_dbtp(self) -> float:
        """Return the true peak since the last call."""
        peak, self._peak = self._peak, 0.0
        return to_db(peak)

    def process(self, stems: NDArray[np.float32], *, ride: bool = True, expected: bool = False) -> NDArray[np.float32]:
        """Mix a block.

        Args:
            stems: float32 [256, 26].
            ride: whether the programme gain may move (not for the bed).
            expected: whether something should be heard.

        Returns:
            float32 [256, 2], the block that came in one call earlier.
        """
        mixed = stems @ self._mix
        if not np.isfinite(mixed.sum()):
            # Before the room and the filters, which would never forget it.
            log.warning("the mix held what is not a number; a block is muted")
            mixed = np.zeros_like(mixed)
        block = (mixed[:, :2] + self._room.process(mixed[:, 2])).astype(np.float64)
        before_db = self._gain_db
        if ride:
            self._ride()
        block = self._dc.process(block)
        block *= 10 ** ((before_db + (self._gain_db - before_db) * _RAMP) / 20)
        out = self._limited(block)
        power = self.meter.process(out)
        self._listen(power, ride)
        self._watch(power, expected)
        return out.astype(np.float32)

    def _ride(self) -> None:
        low, high = _GAIN_RANGE_DB
        wanted = min(high, max(low, TARGET_LUFS - to_lufs(self._heard)))
        self._gain_db += min(_MOVE_DB, max(-_MOVE_DB, wanted - self._gain_db))

    def _listen(self, power: float, ride: bool) -> None:
        """Average what the programme would be without the gain; pauses do not count."""
        if ride and self.meter.momentary_lufs - self._gain_db > _LISTEN_ABOVE_LUFS:
            plain = power / 10 ** (self._gain_db / 10)
            self._heard = _LISTEN * self._heard + (1 - _LISTEN) * plain

    def _limited(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the pending block under the ceiling and hold the new one.

        The gain is a line from block edge to block edge; an edge obeys the peaks on both its sides.
        """
        peak = self._true_peak.process(block)
        recovered = 1 - (1 - self._limit) * _RELEASE
        edge = min(recovered, _CEILING / max(peak, self._pending_peak, _CEILING))
        out = self._pending
        if min(edge, self._limit) < 1:
            out = out * (self._limit + (edge - self._limit) * _LIMIT_RAMP)
        self._peak = max(self._peak, self._pending_peak * max(edge, self._limit))
        self._pending, self._pending_peak, self._limit = block, peak, edge
        return out

    def _watch(self, power: float, expected: bool) -> None:
        quiet = expected and self.meter.momentary_lufs < ALARM_LUFS and to_lufs(power) < ALARM_LUFS
        self._quiet_s = self._quiet_s + BLOCK_SAMPLES / SAMPLE_RATE if quiet else 0.0
        if self._quiet_s >= ALARM_S and not self.alarm:
            self.alarm = True
            log.warning("silence: notes should sound and nothing is heard for %.0f s", ALARM_S)
        elif self.alarm and not quiet and to_lufs(power) >= ALARM_LUFS:
            self.alarm = False
            log.info("the sound is back")
