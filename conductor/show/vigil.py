"""Watches over what the audience hears, and does what `conductor.show.ladder` says."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from conductor import cues as c
from conductor.clock import Clock
from conductor.cues.ladder import by_itself
from conductor.show.chronicle import Chronicle
from conductor.show.crew import Crew
from conductor.show.ladder import Cleared, Ladder, Next, Raised, Rebuild, Seen, Step

# A new player is given pieces when the feed has gone over to it; for so long the feed is waited for.
RETURN_S = 6.0


class Vigil:
    """Keeps watch while a show runs.

    Attributes:
        alarms: what is wrong now, by a word for it.

    Args:
        crew: the workers.
        chronicle: told what is done, and why.
        clock: monotonic time.
        state: returns the state as the rules left it.
        emit: gives the rules an event.
        spawn: runs something beside the show.
        notify: called when an alarm comes or goes.
        fast: nobody listens: nothing is watched.
    """

    def __init__(
        self,
        crew: Crew,
        chronicle: Chronicle,
        clock: Clock,
        state: Callable[[], c.State],
        emit: Callable[[c.Event], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        notify: Callable[[], None],
        *,
        fast: bool,
    ) -> None:
        self.alarms: dict[str, str] = {}
        self._crew, self._chronicle, self._clock, self._state = crew, chronicle, clock, state
        self._emit, self._spawn, self._notify, self._fast = emit, spawn, notify, fast
        self._ladder = Ladder()
        # When a new player came that the rules have not been told of.
        self._came_s: float | None = None
        # Since when the player is not heard; and whether it ever was.
        self._gap_s: float | None = None
        self._heard = False

    def player_came(self) -> None:
        """Note that there is a new player: it is given pieces once it is heard."""
        if self._fast:
            self._emit(c.PlayerUp(new=True))
        else:
            self._came_s = self._clock.monotonic_s()
            self._let_in(self._came_s)

    def player_went(self) -> None:
        """Note that there is none."""
        self._came_s = None

    def look(self) -> None:
        """Look at how the programme is, and do something about it; called several times a second."""
        if self._fast:
            return
        now_s = self._clock.monotonic_s()
        self._let_in(now_s)
        self._tell_gaps(now_s)
        for step in self._ladder.look(self._seen(), now_s):
            self._do(step)

    def _seen(self) -> Seen:
        crew, state = self._crew, self._state()
        player, feed = crew.workers["player"], crew.workers["feed"]
        levels = crew.heard.levels if player.up else None
        status = crew.heard.feed if feed.up else None
        standby = state.standby
        return Seen(
            player=player.up,
            feed=feed.up,
            number=levels.number if levels else 0,
            lufs=levels.momentary_lufs if levels else None,
            slate=status.slate if status else None,
            level_db=status.level_db if status else None,
            waits=not (state.live or state.held) and standby is not None and by_itself(state, standby),
        )

    def _let_in(self, now_s: float) -> None:
        """Tell the rules of a new player, once the audience hears it."""
        if self._came_s is None:
            return
        status = self._crew.heard.feed
        unheard = status is not None and (status.slate or status.emergency)
        if not unheard or now_s - self._came_s > RETURN_S:
            self._came_s = None
            self._emit(c.PlayerUp(new=True))

    def _tell_gaps(self, now_s: float) -> None:
        """Write down when the audience ceases to hear the player, and when it hears it again."""
        status = self._crew.heard.feed
        if status is None or not self._crew.workers["feed"].up:
            return
        away = status.slate or status.emergency
        if not away:
            self._heard = True
            if self._gap_s is not None:
                self._tell("sound", f"the player is heard again after {now_s - self._gap_s:.1f} s", good=True)
                self._gap_s = None
        elif self._heard and self._gap_s is None:
            self._gap_s = now_s
            self._tell("silence", "the player is not heard: the feed goes on from what it heard last", good=False)

    def _do(self, step: Step) -> None:
        match step:
            case Next(number, why):
                live = self._state().live
                slot = live if live and live.number == number else None
                self._tell("silence", f"piece {number} is left for the next: {why}", good=False, slot=slot)
                self._emit(c.Unheard(number))
            case Rebuild(worker, why):
                self._spawn(self._crew.workers[worker].renew(why))
            case Raised(what, text):
                self.alarms[what] = text
                self._tell("alarm", text, good=False)
                self._notify()
                if what == "filler":
                    self._emit(c.Starved())
            case Cleared(what, text):
                self.alarms.pop(what, None)
                self._tell("well", text, good=True)
                self._notify()

    def _tell(self, event: str, text: str, *, good: bool, slot: c.Slot | None = None) -> None:
        (self._chronicle.say if good else self._chronicle.warn)(text)
        cue, piece_id = (slot.cue, slot.piece) if slot else (None, None)
        self._chronicle.log(event, cue=cue, piece_id=piece_id, detail=text)
