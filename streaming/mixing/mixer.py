"""From stems to the programme: places, rooms, limiter, alarm."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from streaming.mixing.loudness import STEP_BLOCKS, Meter, TruePeak, to_db, to_lufs
from streaming.mixing.room import DEFAULT_ROOM, ROOMS, Room
from streaming.mixing.stage import mix_matrix
from streaming.patches import BY_INSTRUMENT, Patch
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE

log = logging.getLogger(__name__)

# What comes out is one block behind what goes in: the limiter has to see what comes.
LATENCY_SAMPLES = BLOCK_SAMPLES
CEILING_DBTP = -1.0
# The limiter aims a little lower: its ramps and the meter of another maker differ by that.
_MARGIN_DB = 0.3
_RELEASE = math.exp(-BLOCK_SAMPLES / SAMPLE_RATE / 0.25)
# Nobody hears the rest; and the limiter is as if it had never worked.
_RECOVERED = 0.9999
# What stays the same for half a second is no sound.
_DRIFT = 1 - math.exp(-BLOCK_SAMPLES / SAMPLE_RATE / 0.45)
_MEAN = np.full(BLOCK_SAMPLES, 1.0 / BLOCK_SAMPLES)
# Under -180 dBFS there is nothing, and what goes on for ever in ever smaller numbers is slow to reckon with.
_NOTHING = 1e-9
_SETTLED = 1e-6
_ZERO = np.zeros((2, 1))
ALARM_LUFS = -50.0
ALARM_S = 5.0
_MOVE_BLOCKS = 16
# The curve between the last samples of a block is known only with the next: their gain is there early.
_EDGE_SAMPLES = 16
_LIMIT_RAMP = np.minimum(1.0, np.arange(BLOCK_SAMPLES) / (BLOCK_SAMPLES - _EDGE_SAMPLES))
_RAMP = np.arange(BLOCK_SAMPLES, dtype=np.float32) / BLOCK_SAMPLES
_LINE = _RAMP.astype(np.float64)


class Master:
    """The last stage; holds the programme under its ceiling and says how loud it is.

    Attributes:
        meter: loudness of what went out.
        alarm: whether notes should sound and nothing has been heard for 5 s.
        mixed: float32 [256, 2], the last block before the limiter.
        returned: float32 [256, 2], what the rooms gave to it; None where they are at rest.

    Args:
        seed: of the rooms.
        dbtp: true peak that nothing passes.
    """

    def __init__(self, *, seed: int = 0, dbtp: float = CEILING_DBTP) -> None:
        self._ceiling = 10 ** ((dbtp - _MARGIN_DB) / 20)
        # Inside, the channels are rows: what goes on in a channel lies side by side, and numpy takes it in one go.
        self._rooms = [Room(shape, seed=seed) for shape in ROOMS]
        self._mix = self._towards = mix_matrix(DEFAULT_ROOM)
        self._moving = 0
        self._constants = _ZERO, _ZERO
        self._true_peak = TruePeak()
        self.meter = Meter()
        self.alarm = False
        self.mixed = np.zeros((BLOCK_SAMPLES, 2), np.float32)
        self.returned: NDArray[np.float32] | None = None
        self._quiet_s = 0.0
        self._pending = np.zeros((2, BLOCK_SAMPLES))
        self._pending_peak = 0.0
        self._limit = 1.0
        self._peak = 0.0

    def play_in(self, room: str, players: Mapping[str, Patch] = BY_INSTRUMENT, *, at_once: bool = False) -> None:
        """Send to another room from the block to come, from where other players stand; the one before rings out.

        Args:
            room: of `streaming.mixing.room.ROOMS`, or `dry`.
            players: the patch of every instrument, in the order of the stems.
            at_once: nothing sounds that would have to be faded over.
        """
        self._towards = mix_matrix(room, players)
        self._moving = 0 if np.array_equal(self._mix, self._towards) else _MOVE_BLOCKS
        if at_once:
            self._mix, self._moving = self._towards, 0

    @property
    def places(self) -> NDArray[np.float32]:
        """What both ears hear of each stem without a room, float32 [2 x instruments, 2]."""
        return self._mix[:, :2]

    @property
    def reduction_db(self) -> float:
        """What the limiter takes away now, 0 or less."""
        return to_db(self._limit)

    def take_peak_dbtp(self) -> float:
        """Return the true peak since the last call."""
        peak, self._peak = self._peak, 0.0
        return to_db(peak)

    def process(self, stems: NDArray[np.float32], *, expected: bool = False) -> NDArray[np.float32]:
        """Mix a block.

        Args:
            stems: float32 [256, 2 x instruments].
            expected: whether something should be heard.

        Returns:
            float32 [256, 2], the block that came in one call earlier.
        """
        sent = self._sent(stems)
        if not math.isfinite(float(sent.sum())):
            # Before the rooms and the filters, which would never forget it.
            log.warning("the mix held what is not a number; a block is muted")
            sent = np.zeros_like(sent)
        returned = self._return(sent)
        mixed = sent[:2] if returned is None else sent[:2] + returned
        self.returned, self.mixed = None if returned is None else returned.T, mixed.T
        out = self._limited(self._centred(mixed.astype(np.float64)))
        if self.meter.process(out.T):
            self._watch(expected)
        return out.T.astype(np.float32, order="C")

    def _sent(self, stems: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what goes to the ears and into the rooms, float32 [2 + 2 x rooms, 256]."""
        sent = self._mix.T @ stems.T
        if self._moving:
            # Along a line through all blocks of the move.
            part = (self._towards - self._mix) / np.float32(self._moving)
            sent += (part.T @ stems.T) * _RAMP
            self._mix = self._mix + part
            self._moving -= 1
            if not self._moving:
                self._mix = self._towards
        return np.asarray(sent)

    def _return(self, sent: NDArray[np.float32]) -> NDArray[np.float32] | None:
        total: NDArray[np.float32] | None = None
        for index, room in enumerate(self._rooms):
            given = room.process(sent[2 + 2 * index : 4 + 2 * index].T)
            if given is not None:
                total = given.T if total is None else total + given.T
        return total

    def _centred(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take out what is constant: lines from one running mean to the next."""
        before, now = self._constants
        if max(abs(now.item(0)), abs(now.item(1))) < _SETTLED and float(np.abs(block).max()) < _NOTHING:
            self._constants = _ZERO, _ZERO
            block[:] = 0.0
            return block
        # The line is that of the block before: nothing is heard ahead of its time.
        self._constants = now, now + _DRIFT * ((block @ _MEAN)[:, None] - now)
        block -= before + (now - before) * _LINE
        return block

    def _limited(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the pending block under the ceiling and hold the new one.

        The gain is a line from block edge to block edge; an edge obeys the peaks on both its sides.
        """
        peak = self._true_peak.process(block.T, min(self._ceiling, self._peak))
        recovered = 1 - (1 - self._limit) * _RELEASE
        if recovered > _RECOVERED:
            recovered = 1.0
        edge = min(recovered, self._ceiling / max(peak, self._pending_peak, self._ceiling))
        out = self._pending
        if min(edge, self._limit) < 1:
            out = out * (self._limit + (edge - self._limit) * _LIMIT_RAMP)
        self._peak = max(self._peak, self._pending_peak * max(edge, self._limit))
        self._pending, self._pending_peak, self._limit = block, peak, edge
        return out

    def _watch(self, expected: bool) -> None:
        """Look, a step of the meter at a time, whether what should sound is heard."""
        quiet = to_lufs(self.meter.step_power) < ALARM_LUFS
        missing = expected and quiet and self.meter.momentary_lufs < ALARM_LUFS
        self._quiet_s = self._quiet_s + STEP_BLOCKS * BLOCK_SAMPLES / SAMPLE_RATE if missing else 0.0
        if self._quiet_s >= ALARM_S and not self.alarm:
            self.alarm = True
            log.warning("silence: notes should sound and nothing is heard for %.0f s", ALARM_S)
        elif self.alarm and not quiet:
            self.alarm = False
            log.info("the sound is back")
