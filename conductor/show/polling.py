"""Polls of a running show: the rules of `conductor.chat.poll` carried out, whoever carries the votes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from conductor import cues as c
from conductor import wire
from conductor.chat import keeping
from conductor.chat import poll as p
from conductor.clock import Clock
from conductor.errors import LibraryError
from conductor.library import Library
from conductor.setlist import Setlist
from conductor.show.chronicle import Chronicle
from conductor.show.crew import Crew

LOG = logging.getLogger("conductor.show.polling")

EVERY_S = 0.2
# The picture is told of other counts so often at most.
SHOWN_EVERY_S = 0.4
AGAIN_EVERY_S = 5.0
# Where they are kept; votes so often at most.
KEY = "polls"
_KEPT_EVERY_S = 1.0
# What is not known yet is guessed: composing takes as long as the piece lasts; and some to spare.
_SPARE, _SPARE_S = 1.3, 5.0
UNKNOWN_RATE = 1.0
HINT = "in the chat: !vote 1"


class Room(Protocol):
    """Where people vote."""

    @property
    def there(self) -> bool:
        """Whether anybody can be heard there."""

    def say(self, text: str) -> None:
        """Say a line there."""


class Polls:
    """Holds polls: asks, counts, and lets the rules of the show take up what came of it.

    Args:
        library: keeps them for the next conductor.
        crew: draws them, and knows where the piece on air is.
        chronicle: told of each poll and its result.
        clock: of the show.
        rates: returns the seconds that composing took for a second of music, of the pieces at hand.
        setlist, state: return them as they are.
        emit: gives the rules of the show an event.
        notify: called when there is something to be told.
    """

    def __init__(
        self,
        library: Library,
        crew: Crew,
        chronicle: Chronicle,
        clock: Clock,
        rates: Callable[[], Sequence[float]],
        setlist: Callable[[], Setlist],
        state: Callable[[], c.State],
        emit: Callable[[c.Event], None],
        notify: Callable[[], None],
    ) -> None:
        self.rooms: list[Room] = []
        self._library, self._crew, self._chronicle, self._clock = library, crew, chronicle, clock
        self._rates = rates
        self._setlist, self._state, self._emit, self._notify = setlist, state, emit, notify
        self._polling = p.Polling()
        self._kept: p.Polling | None = None
        self._kept_s = float("-inf")
        self._votes: dict[str, int] = {}
        self._live = ""
        self._shown_s = float("-inf")
        self._unshown = False

    @property
    def poll(self) -> p.Poll | None:
        """The poll that is open."""
        return self._polling.poll

    @property
    def choices(self) -> tuple[str, ...]:
        """What can be voted for now."""
        return self._polling.poll.choices if self._polling.poll else ()

    @property
    def heard(self) -> bool | None:
        """Whether anybody can vote now; None: there is no chat."""
        return any(room.there for room in self.rooms) if self.rooms else None

    def tell(self) -> None:
        """Tell whoever looks on that something about the audience is different."""
        self._notify()

    def vote(self, person: str, place: int) -> None:
        """Count a vote with the next tick; the last of a person counts."""
        if self._polling.poll and (person in self._votes or len(self._votes) < p.MOST_VOTERS):
            self._votes[person] = place

    def obey(self, wish: p.Opened | p.Closed) -> None:
        """Open or close a poll.

        Raises:
            RefusalError: not now; why.
        """
        if isinstance(wish, p.Opened):
            endless = self._drawn_from()
            if endless is None:
                raise c.RefusalError("nothing is drawn that an audience could choose - polls are for the endless part")
            if not self.heard:
                raise c.RefusalError("nobody can vote: no chat is read now")
            seconds = wish.seconds or (endless.poll.seconds if endless.poll else None)
            styles = wish.styles or p.offer(
                endless.styles, endless.poll.choices if endless.poll else 3, self._state().endless_seed,
                self._polling.held + 1,
            )  # fmt: skip
            wish = p.Opened(styles, seconds, wish.by)
        try:
            self._step(wish)
        except ValueError as error:
            raise c.RefusalError(str(error)) from None

    def take_up(self) -> None:
        """Go on with the polls of an earlier conductor, whose show was taken up."""
        kept = self._library.recall(KEY)
        if kept is None:
            return
        try:
            self._polling = keeping.restored(kept, self._clock.monotonic_s(), self._clock.wall().timestamp())
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self._library.set_aside(KEY, f"{type(error).__name__}: {error}")
            return
        live = self._state().live
        self._live = live.cue.id if live else ""
        if self.poll:
            self._tell(f"poll {self.poll.number} goes on, with {len(self.poll.votes)} votes")
            self._show()

    def _keep(self) -> None:
        """Keep what there is: whether a poll is open at once, votes within a second."""
        now_s, new, old = self._clock.monotonic_s(), self._polling, self._kept
        turned = old is None or (new.held, new.poll is None) != (old.held, old.poll is None)
        if new is old or not (turned or now_s - self._kept_s >= _KEPT_EVERY_S):
            return
        self._kept_s = now_s
        # Whoever cannot write it says so where the state of the show is saved; it is tried again.
        with suppress(LibraryError):
            self._library.remember(KEY, keeping.plain(new, now_s, self._clock.wall().timestamp()))
            self._kept = new

    async def follow(self) -> None:
        """Look now and then, for ever; whatever goes wrong with a poll is no matter of the show's."""
        troubled = False
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                self.tick()
                troubled = False
            except Exception:
                if not troubled:
                    LOG.exception("a poll went wrong")
                troubled = True

    def tick(self) -> None:
        """Count what was voted, and look whether a poll is to open or to end."""
        state = self._state()
        live = state.live
        if live and live.cue.id != self._live and live.drawn:
            self._step(p.Began())
        self._live = live.cue.id if live else ""
        if self._polling.seed != state.endless_seed:
            self._polling = replace(self._polling, seed=state.endless_seed)
        if self._votes:
            votes, self._votes = self._votes, {}
            self._step(p.Voted(votes))
        if self.poll and not self._stands(state, self.poll):
            self._tell(f"poll {self.poll.number} is called off: what it is about is gone")
            self._say("The poll is called off.")
            self._step(p.Dropped())
        self._step(self._moment(state, live))
        self._keep()
        waited_s = self._clock.monotonic_s() - self._shown_s
        if self._unshown and waited_s >= SHOWN_EVERY_S:
            self._show()
            self._notify()
        elif self.poll and waited_s >= AGAIN_EVERY_S:
            # A feed that came back was told a time that is over by now.
            self._show()

    def _stands(self, state: c.State, poll: p.Poll) -> bool:
        """Return whether what a poll is about can still be taken up."""
        slot = state.find(poll.cue_id) if poll.cue_id else None
        if poll.cue_id:
            return slot is not None and slot in state.open
        return self._drawn_from() is not None

    def _drawn_from(self) -> Any:
        state = self._state()
        return state.endless if state.endless_on and not state.unattended else None

    def _moment(self, state: c.State, live: c.Slot | None) -> p.Looked:
        endless = self._drawn_from()
        heard = bool(self.heard)
        levels = self._crew.heard.levels
        position_s = levels.position_s if live and levels and levels.number == live.number else None
        left_s = max(0.0, live.duration_s - position_s) if live and position_s is not None else 0.0
        asking = self._asking(state, left_s, heard=heard)
        waits = any(slot.voted for slot in state.upcoming)
        free = bool(heard and endless and live and not live.fading and not state.held and not waits)
        if not endless:
            return p.Looked(asking=asking)
        # Only where it may matter: how long it takes is asked of the library.
        due = free and endless.poll and self._polling.since >= endless.poll.every and not self._polling.poll
        needs_s = self._needs_s(state, endless.duration_s) if due else 0.0
        return p.Looked(endless.poll, endless.styles, free, position_s, left_s, needs_s, asking)

    def _asking(self, state: c.State, left_s: float, *, heard: bool) -> p.Asking | None:
        """Return the next cue that is to be asked about; those for which it is too late, or nobody hears, go on."""
        for place, slot in enumerate(state.upcoming):
            asked = next((a for a in self._setlist().polls if a.cue_id == slot.cue.id), None) if slot.asking else None
            if asked is None or place >= state.ahead or (self.poll and self.poll.cue_id == slot.cue.id):
                continue
            before = state.upcoming[:place]
            waits = any(s.cue.follow.kind == "hold" for s in (*before, slot))
            starts_s = left_s + sum(s.duration_s or s.cue.duration_s for s in before)
            enough = waits or starts_s >= asked.seconds + self._needs_s(state, slot.cue.duration_s)
            if heard and enough and asked.cue_id not in self._polling.asked:
                return asked
            self._emit(c.Voted("", slot.cue.id))
            return None
        return None

    def _needs_s(self, state: c.State, duration_s: float) -> float:
        """Return how long composing takes from now on: a piece, after what is being composed, with some to spare."""
        rate = max(self._rates(), default=UNKNOWN_RATE)
        under_way = next((s for s in state.slots if s.phase is c.Phase.COMPOSING), None)
        rest_s = rate * under_way.cue.duration_s * (1.0 - under_way.fraction) if under_way else 0.0
        return _SPARE * (rest_s + rate * duration_s) + _SPARE_S

    # --- what the rules of polls ask for ---

    def _step(self, event: p.Event) -> None:
        self._polling, actions = p.step(self._polling, event, self._clock.monotonic_s())
        for action in actions:
            self._do(action)
        if actions:
            self._notify()

    def _do(self, action: p.Action) -> None:
        match action:
            case p.Announce(poll, seconds):
                self._votes.clear()
                about = self._named(poll.cue_id) or "the next style"
                told = ", ".join(f"{n} {spoken(name)}" for n, name in enumerate(poll.choices, start=1))
                self._tell(f"poll {poll.number} is open for {seconds:.0f} s: {told}")
                self._say(f"Vote for {about} within {seconds:.0f} s: {told} - type !vote and the number")
                self._show()
            case p.Count():
                self._unshown = True
            case p.Settle(outcome):
                self._settle(outcome)
            case p.Clear():
                self._crew.ask(wire.Ballot())

    def _settle(self, outcome: p.Outcome) -> None:
        votes, winner = sum(outcome.counts), spoken(outcome.winner)
        if outcome.winner:
            how = "a tie, settled by lot: " if outcome.tied else ""
            most = max(outcome.counts)
            self._tell(f"poll {outcome.number}: {how}{winner} wins with {most} of {votes} votes")
            self._say(f"{how}{winner} wins with {most} of {votes} votes. It is composed now.")
        else:
            self._tell(f"poll {outcome.number}: nobody voted")
            self._say("Nobody voted; the show goes on as it was drawn.")
        if outcome.winner or outcome.cue_id:
            self._emit(c.Voted(outcome.winner, outcome.cue_id))
        self._show()

    def _named(self, cue_id: str) -> str:
        slot = self._state().find(cue_id) if cue_id else None
        return slot.cue.name if slot else ""

    def _tell(self, text: str) -> None:
        self._chronicle.say(text)
        self._chronicle.log("poll", detail=text.removeprefix("poll "))

    def _say(self, text: str) -> None:
        for room in self.rooms:
            room.say(text)

    def _show(self) -> None:
        self._unshown, self._shown_s = False, self._clock.monotonic_s()
        poll, outcome = self._polling.poll, self._polling.outcome
        if poll:
            title = self._named(poll.cue_id) or "The next style?"
            left_s = max(0.1, poll.closes_s - self._shown_s)
            names = [spoken(name) for name in poll.choices]
            self._crew.ask(wire.Ballot(title, names, list(poll.counts), round(left_s, 2), None, HINT))
        elif outcome:
            names = [spoken(name) for name in outcome.choices]
            won = outcome.choices.index(outcome.winner) if outcome.winner else None
            title = f"{spoken(outcome.winner).capitalize()} wins" if outcome.winner else "No votes"
            hint = "it is composed now" if outcome.winner else "the show goes on as it was drawn"
            self._crew.ask(wire.Ballot(title, names, list(outcome.counts), 0.0, won, hint))

    @property
    def plain(self) -> dict[str, Any] | None:
        """The poll as the console shows it; None: there is none."""
        poll, outcome = self._polling.poll, self._polling.outcome
        if poll:
            left_s = max(0.0, poll.closes_s - self._clock.monotonic_s())
            rows = zip(poll.choices, poll.counts, strict=True)
            told = {"number": poll.number, "open": True, "left_s": round(left_s), "winner": "", "by": poll.by}
        elif outcome:
            rows = zip(outcome.choices, outcome.counts, strict=True)
            told = {"number": outcome.number, "open": False, "left_s": 0, "winner": outcome.winner, "by": ""}
        else:
            return None
        return {**told, "choices": [{"style": style, "votes": votes} for style, votes in rows]}


def spoken(style: str) -> str:
    """Return a style as people read it."""
    return style.replace("_", " ")
