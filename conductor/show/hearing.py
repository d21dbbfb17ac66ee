"""What the workers say, taken in: as events for the rules, as lines for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from conductor import cues as c
from conductor import wire
from conductor.show.chronicle import Chronicle
from conductor.show.commission import Commissions
from conductor.show.crew import Crew
from conductor.show.lifetime import Lifetime
from conductor.show.onair import OnAir
from conductor.show.revision import Revisions
from conductor.show.vigil import Vigil
from streaming.playing.bed import BED


class Emit(Protocol):
    """Gives the rules an event, with the sample it happened at where that is known."""

    def __call__(self, event: c.Event, *, sample: int | None = None) -> None:
        """Give it."""


class Hearing:
    """Listens to the workers of a show.

    Args:
        crew: who speaks.
        commissions: pieces on order; revisions: changes of the one on air.
        on_air: what goes out.
        vigil: lets a new player in.
        chronicle: told what a person should know.
        lifetime: of the show: who goes at its end is not missed.
        state: returns the state as the rules left it.
        emit: gives the rules an event.
    """

    def __init__(
        self,
        crew: Crew,
        commissions: Commissions,
        revisions: Revisions,
        on_air: OnAir,
        vigil: Vigil,
        chronicle: Chronicle,
        lifetime: Lifetime,
        state: Callable[[], c.State],
        emit: Emit,
    ) -> None:
        self._crew, self._commissions, self._revisions = crew, commissions, revisions
        self._on_air, self._vigil, self._chronicle, self._lifetime = on_air, vigil, chronicle, lifetime
        self._state, self._emit = state, emit
        # The player said Hello, and it is not known yet what it plays.
        self._player_asked = False

    def message(self, message: wire.Message) -> None:
        """Take in a message of a worker."""
        if self._revisions.hear(message):
            return
        match message:
            case wire.Progress() | wire.Composed() | wire.Refused():
                self._commissions.hear(message)
                slot = next((s for s in self._state().slots if s.phase is c.Phase.COMPOSING), None)
                if slot:
                    self._chronicle.terminal.status(f"composing {slot.cue.name} {slot.fraction:4.0%}")
            case wire.Started(number, sample):
                self._chronicle.first_sound()
                if number == BED:
                    self._chronicle.log("bed", sample=sample)
                else:
                    self._emit(c.Began(number), sample=sample)
            case wire.Ended(number, sample):
                if number != BED:
                    self._emit(c.Finished(number), sample=sample)
            case wire.Levels(number=number, position_s=position_s) if self._player_asked:
                self._player_asked = False
                self._emit(c.PlayerUp(number, position_s))
                self._chronicle.first_sound()
            case wire.FeedStatus() | wire.Levels():
                self._on_air.hear(message)
            case wire.PublishNews(there=there, text=text):
                self._news("on air" if there else "off air", text, good=there)
            case wire.PortNews(there, text):
                self._news("midi", text, good=there)
            case wire.Fault(worker, reason):
                self._news("fault", f"{worker}: {reason}", good=False)

    def _news(self, event: str, text: str, *, good: bool) -> None:
        (self._chronicle.say if good else self._chronicle.warn)(text)
        self._chronicle.log(event, detail=text)

    def up(self, name: str) -> None:
        """Note that a worker is there, for the first time or again."""
        worker = self._crew.workers[name]
        if worker.restarts:
            self._chronicle.say(f"the {name} is back")
        match name:
            case "composer":
                self._commissions.lost()
                self._emit(c.ComposerUp())
            case "player" if worker.adopted:
                # Its next levels tell what it plays.
                self._player_asked = True
            case "player":
                self._vigil.player_came()

    def down(self, name: str, reason: str) -> None:
        """Note that a worker is gone, and why."""
        if self._lifetime.ending.is_set():
            return
        self._chronicle.warn(f"the {name} is gone ({reason}); it is started again")
        self._chronicle.log("restart", detail=f"{name}: {reason}")
        match name:
            case "composer":
                self._revisions.lost(name)
                self._emit(c.ComposerLost())
            case "player":
                self._vigil.player_went()
                self._revisions.lost(name)
                self._emit(c.PlayerLost())
