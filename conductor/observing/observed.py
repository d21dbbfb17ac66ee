"""The show watched: what its workers say and what is written down of it, taken in as it comes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from conductor import wire
from conductor.clock import Clock
from conductor.cues import State
from conductor.observing.ahead import ahead_s
from conductor.observing.bitrates import Bitrates
from conductor.observing.diary import Diary
from conductor.observing.loudness import Loudness
from conductor.observing.processes import Processes
from conductor.observing.pulse import Pulse, Verdict
from conductor.observing.tally import Tally
from streaming.playing.bed import BED

LOG = logging.getLogger("conductor.observing")

LOOK_EVERY_S = 1.0
MINUTE_S = 60.0


class Observed:
    """Everything that is measured of a running show.

    Attributes:
        registry: of the counts.
        tally: the counts.
        processes: what they take.
        bitrates: how fast each destination takes the programme.
        silent_total_s: seconds, since the first sound, in which the audience heard nothing.
        bridged_total_s: in which it heard the feed's own sound in place of a player's.

    Args:
        diary: where measures are kept; None: nowhere.
        clock: of the show.
        state: returns its state.
    """

    def __init__(self, diary: Diary | None, clock: Clock, state: Callable[[], State]) -> None:
        self.registry = CollectorRegistry()
        self.tally = Tally(self.registry)
        self.processes = Processes()
        self.bitrates = Bitrates()
        self.silent_total_s = self.bridged_total_s = 0.0
        self._was_heard = False
        self._lost: Verdict | None = None
        self._diary, self._clock, self._state = diary, clock, state
        self.begun_s = clock.monotonic_s()
        self._pulse = Pulse(self.begun_s)
        self._whole, self._minute, self._piece = Loudness(), Loudness(), Loudness()
        self._number = BED
        self._position_s = 0.0
        self._silent_minute_s = 0.0
        self._minute_from_s = self.begun_s
        self._looked_s = self.begun_s

    @property
    def uptime_s(self) -> float:
        """Seconds since the show began."""
        return self._clock.monotonic_s() - self.begun_s

    @property
    def integrated_lufs(self) -> float:
        """Loudness of all that was played so far."""
        return self._whole.integrated_lufs

    @property
    def ahead_s(self) -> float:
        """Seconds of music that are ready without a gap."""
        return ahead_s(self._state(), self._position_s)

    def judge(self) -> Verdict:
        """Return whether the audience hears something now."""
        return self._pulse.judge(self._clock.monotonic_s())

    def hear(self, message: wire.Message) -> None:
        """Take in what a worker says."""
        self.tally.hear(message)
        now_s = self._clock.monotonic_s()
        match message:
            case wire.Levels():
                self._pulse.player(message.sample, message.peak_dbtp, now_s)
                self._levels(message)
            case wire.FeedStatus():
                self._pulse.feed(message.sample, message.level_db, now_s, bridging=message.slate)
                self.bitrates.take({each.name: each.sent_bytes for each in message.destinations}, now_s)

    def _levels(self, levels: wire.Levels) -> None:
        if levels.number != self._number:
            self._piece_over()
            self._number = levels.number
        self._position_s = levels.position_s if levels.number else 0.0
        for each in (self._whole, self._minute, self._piece):
            each.add(levels.momentary_lufs, levels.peak_dbtp, levels.sample)

    def _piece_over(self) -> None:
        """Keep how loud the piece was that has just ended."""
        slot = self._state().numbered(self._number)
        if slot and self._diary and self._piece.blocks:
            told = _told(self._piece)
            self._diary.write("piece", self._clock.wall(), cue=slot.cue.id, piece=slot.piece, **told)
        self._piece = Loudness()

    def begin(self, title: str) -> None:
        """Keep that a show begins."""
        if self._diary:
            self._diary.write("begin", self._clock.wall(), title=title)

    def look(self) -> None:
        """Judge the moment, and once a minute keep how it was; to be called about once a second."""
        now_s = self._clock.monotonic_s()
        # Who stood still meanwhile knows nothing of the time between.
        passed_s, self._looked_s = min(now_s - self._looked_s, 5.0), now_s
        verdict = self.judge()
        self._was_heard = self._was_heard or verdict.audible
        if self._was_heard and not verdict.audible:
            if verdict.bridged:
                self.bridged_total_s += passed_s
            else:
                self.silent_total_s += passed_s
                self._silent_minute_s += passed_s
            self._lost = verdict
        elif self._lost:
            self._gap_over()
        if now_s - self._minute_from_s >= MINUTE_S:
            self._keep_minute(now_s)

    def _gap_over(self) -> None:
        """Keep what was not heard."""
        lost, self._lost = self._lost, None
        if lost and self._diary:
            told = {"seconds": round(lost.lost_s, 1), "bridged": lost.bridged, "reasons": list(lost.reasons)}
            self._diary.write("gap", self._clock.wall(), **told)

    def _keep_minute(self, now_s: float) -> None:
        if self._diary:
            self._diary.write(
                "minute",
                self._clock.wall(),
                **_told(self._minute),
                silent_s=round(self._silent_minute_s, 1),
                ahead_s=round(self.ahead_s, 1),
            )
        self._minute, self._silent_minute_s, self._minute_from_s = Loudness(), 0.0, now_s

    async def follow(self) -> None:
        """Look again and again until cancelled; what is left is kept then."""
        try:
            while True:
                self.look()
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            self.close()

    def close(self) -> None:
        """Keep what the last minute and the last piece came to."""
        self._piece_over()
        self._gap_over()
        if self._minute.blocks:
            self._keep_minute(self._clock.monotonic_s())


def _told(loudness: Loudness) -> dict[str, float]:
    return {
        "lufs": loudness.integrated_lufs,
        "peak_dbtp": round(loudness.peak_dbtp, 2),
        "seconds": round(loudness.seconds, 1),
    }
