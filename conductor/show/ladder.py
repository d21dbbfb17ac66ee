"""What is done when nothing is heard: the next piece, another player, an alarm; pure, so that hours run in a test.

Outcomes are measured, not processes: what the player says of its sound, and what the feed says of what went out.
Everything is told once, when it begins and when it is over; the stream is never stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# Softer than this there is no music: the bed has -32 LUFS.
QUIET_LUFS = -60.0
SILENT_DB = -70.0
# A player whose sound is so quiet for so long is silent; then so long for what was done to be heard.
QUIET_S = 8.0
PATIENCE_S = 8.0
# A player that is there and that the feed does not hear is built anew; the feed itself waits 2 s for a good one.
LOST_S = 8.0
# Nothing goes out at all.
OUT_S = 8.0
# No player for so long is an alarm, and so is the bed where a piece should be.
AWAY_S = 15.0
FILLER_S = 90.0
# Well for so long, and it is over.
GOOD_S = 5.0
# Between two attempts to build something anew; each time it did not help, twice as long.
AGAIN_S, AGAIN_AT_MOST_S = 20.0, 300.0


@dataclass(frozen=True, slots=True)
class Seen:
    """How the programme is.

    Attributes:
        player, feed: whether they are there.
        number: the piece that plays; 0: the bed.
        lufs: momentary loudness of the player; None: it has not said.
        slate: whether the feed hears no player; None: it has not said.
        level_db: peak of what went out, dBFS; None: the feed has not said.
        waits: whether a piece should be on that starts by itself.
    """

    player: bool
    feed: bool
    number: int = 0
    lufs: float | None = None
    slate: bool | None = None
    level_db: float | None = None
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Next:
    """Leave the piece of this number for the next."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Start a worker anew."""

    worker: str
    why: str


@dataclass(frozen=True, slots=True)
class Raised:
    """Something is wrong that a person should know of; `what` names it until it is over."""

    what: str
    text: str


@dataclass(frozen=True, slots=True)
class Cleared:
    """It is over."""

    what: str
    text: str


Step = Next | Rebuild | Raised | Cleared


@dataclass(slots=True)
class _Spell:
    """How long something has been so; it is over when it has not been so for `GOOD_S`."""

    since_s: float | None = None
    well_s: float | None = None
    # How often something was done about it, and when the next time is.
    tries: int = 0
    next_s: float = 0.0
    told: bool = False

    def look(self, so: bool | None, now_s: float) -> float:
        """Return for how long it has been so, 0 where it is not; None: nobody knows, and it is as before."""
        if so:
            self.well_s = None
            self.since_s = now_s if self.since_s is None else self.since_s
        elif so is False and self.since_s is not None:
            self.well_s = now_s if self.well_s is None else self.well_s
            if now_s - self.well_s >= GOOD_S or not self.told:
                self.since_s = None
                # Well for longer than the pause between two tries: what comes next is another illness.
                self.tries = 0 if now_s >= self.next_s else self.tries
        return now_s - self.since_s if so and self.since_s is not None else 0.0

    def due(self, now_s: float) -> bool:
        """Return whether something is to be done about it now, and reckon with its being done."""
        if now_s < self.next_s:
            return False
        self.next_s = now_s + min(AGAIN_S * 2**self.tries, AGAIN_AT_MOST_S)
        self.tries += 1
        return True


@dataclass(slots=True)
class Ladder:
    """Looks at the programme, and says what is to be done."""

    _silent: _Spell = field(default_factory=_Spell)
    _away: _Spell = field(default_factory=_Spell)
    _lost: _Spell = field(default_factory=_Spell)
    _out: _Spell = field(default_factory=_Spell)
    _filler: _Spell = field(default_factory=_Spell)
    # When the piece of which nothing is heard was left for the next.
    _left_s: float | None = None

    def look(self, seen: Seen, now_s: float) -> list[Step]:
        """Return what is to be done.

        Args:
            seen: how the programme is now.
            now_s: monotonic time.
        """
        steps: list[Step] = []
        self._look_at_player(seen, now_s, steps)
        self._look_at_feed(seen, now_s, steps)
        self._look_at_filler(seen, now_s, steps)
        return steps

    def _look_at_player(self, seen: Seen, now_s: float, steps: list[Step]) -> None:
        quiet = seen.lufs < QUIET_LUFS if seen.player and seen.lufs is not None else None
        since_s = self._silent.since_s
        lasted_s = self._silent.look(quiet, now_s)
        if self._over(self._silent):
            self._left_s = None
            steps.append(Cleared("silence", f"the player sounds again, {now_s - (since_s or now_s):.0f} s later"))
        if lasted_s < QUIET_S:
            return
        what = f"piece {seen.number}" if seen.number else "the bed"
        if not self._silent.told:
            self._silent.told = True
            steps.append(Raised("silence", f"nothing has been heard of {what} for {lasted_s:.0f} s"))
            if seen.number:
                self._left_s = now_s
                steps.append(Next(seen.number, f"nothing has been heard of it for {lasted_s:.0f} s"))
                return
        if self._left_s is not None and now_s - self._left_s < PATIENCE_S:
            return
        if self._silent.due(now_s):
            steps.append(Rebuild("player", f"it has given nothing but silence for {lasted_s:.0f} s"))

    def _look_at_feed(self, seen: Seen, now_s: float, steps: list[Step]) -> None:
        since_s = self._away.since_s
        away_s = self._away.look(seen.slate if seen.feed else None, now_s)
        if self._over(self._away):
            steps.append(Cleared("player", f"the player is heard again, {now_s - (since_s or now_s):.0f} s later"))
        if away_s >= AWAY_S and not self._away.told:
            self._away.told = True
            steps.append(Raised("player", f"no player has been heard for {away_s:.0f} s: the emergency bed plays"))
        # Counted from when it came: one that is being started is not to be heard yet.
        lost_s = self._lost.look(seen.slate if seen.feed and seen.player and seen.lufs is not None else False, now_s)
        if lost_s >= LOST_S and self._lost.due(now_s):
            steps.append(Rebuild("player", f"the feed has heard nothing of it for {lost_s:.0f} s"))
        dead = seen.level_db < SILENT_DB if seen.feed and seen.level_db is not None else None
        out_s = self._out.look(dead, now_s)
        if self._over(self._out):
            steps.append(Cleared("output", "the programme is heard again"))
        if out_s >= OUT_S:
            if not self._out.told:
                self._out.told = True
                steps.append(Raised("output", f"nothing has gone out but silence for {out_s:.0f} s"))
            if self._out.due(now_s):
                steps.append(Rebuild("feed", f"it has sent nothing but silence for {out_s:.0f} s"))

    def _look_at_filler(self, seen: Seen, now_s: float, steps: list[Step]) -> None:
        lasted_s = self._filler.look(seen.waits and not seen.number, now_s)
        if self._over(self._filler):
            steps.append(Cleared("filler", "a piece plays again"))
        if lasted_s >= FILLER_S and not self._filler.told:
            self._filler.told = True
            steps.append(Raised("filler", f"the bed has played for {lasted_s:.0f} s: no piece is ready"))

    @staticmethod
    def _over(spell: _Spell) -> bool:
        """Return whether what was told is over now; whoever asks tells it."""
        if not spell.told or spell.since_s is not None:
            return False
        spell.told, spell.tries, spell.next_s = False, 0, 0.0
        return True
