"""Changes of the piece on air, carried out: from the composer's sections to the player, the picture and the library."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from conductor import cues as c
from conductor import wire
from conductor.clock import Clock
from conductor.cues import Event, Slot
from conductor.errors import LibraryError
from conductor.library import Library
from conductor.show.chronicle import Chronicle
from conductor.show.crew import Crew
from conductor.show.shares import changed
from conductor.show.stage import slug
from conductor.show.take import SEAM_S, Take, bar_lines
from conductor.wire import NoteRow
from model.composing.blend import caption_of, main_style, plain_style
from model.composing.course import Course
from model.composing.prompt import Prompt
from model.errors import MidiError

# The playhead as it was told, and where it may be when an order reaches the player.
MARGIN_S = 0.2
# A change is wanted soon: the best of a few.
CANDIDATES = 2


@dataclass(slots=True)
class _Section:
    """Notes on their way to the player."""

    change: _Change
    notes: list[NoteRow]
    tempi: list[tuple[float, float]]
    from_s: float
    until_s: float
    final: bool


@dataclass(slots=True)
class _Change:
    """A change that was asked for.

    Attributes:
        ordered: what was asked.
        prompt: what the composer is asked.
        first: the take as it was; `take`: as it is heard.
        until_s: up to where new notes went to the player; 0: none yet.
        from_s: where the first of them sounds.
        answer: the composer's last word.
        waiting: sections the player has not answered yet.
        over: whether it was taken back.
    """

    ordered: c.StartChange
    prompt: Prompt
    first: Take
    take: Take
    until_s: float = 0.0
    from_s: float | None = None
    answer: wire.Composed | wire.Refused | None = None
    waiting: int = 0
    over: bool = field(default=False)


class Revisions:
    """Requests to change pieces that are on air.

    Args:
        library: where pieces are written and kept.
        chronicle: told what was changed.
        clock: wall time for file names.
        crew: has the player's position, and gives messages to composer, player and feed.
        takes: pieces by cue; the changed one takes its place there.
        emit: gives the rules an event.
    """

    def __init__(
        self,
        library: Library,
        chronicle: Chronicle,
        clock: Clock,
        crew: Crew,
        takes: dict[str, Take],
        emit: Callable[[Event], None],
    ) -> None:
        self._library = library
        self._chronicle = chronicle
        self._clock = clock
        self._crew = crew
        self._takes = takes
        self._emit = emit
        self._changes: dict[str, _Change] = {}
        # What the player was sent and has not answered, by piece, in order.
        self._sent: dict[int, deque[_Section]] = {}

    def placed(self, verb: c.Change, slot: Slot | None) -> c.Change:
        """Return an operator's wish with where the piece is and its bar lines to come."""
        take = self._takes.get(slot.cue.id) if slot else None
        if not slot or not take:
            return verb
        position_s = self._position_s(slot.number)
        bars = tuple(line for line in take.bars if line[1] > position_s)
        return replace(verb, position_s=position_s, bars=bars)

    def _position_s(self, number: int) -> float:
        levels = self._crew.heard.levels
        return levels.position_s + MARGIN_S if levels and levels.number == number else 0.0

    def order(self, ordered: c.StartChange) -> None:
        """Ask the composer for another rest of a piece."""
        cue, at_s = ordered.cue, ordered.changing.at_s
        take = self._expected(cue.id, ordered.number)
        out = self._library.pieces.resolve() / (
            f"{self._clock.wall():%Y%m%d-%H%M%S}-{slug(cue.id, 'cue')}-bar{ordered.changing.bar}"
        )
        try:
            if take is None:
                raise MidiError(f"{cue.name}: its piece is not at hand")
            if not take.written:
                take = take.write(out.with_suffix(".from.mid"))
        except MidiError as error:
            self._emit(c.Unchanged(cue.id, ordered.changing.id, str(error)))
            return
        wish = {"duration_s": max(take.duration_s, at_s + 2.0), "candidates": min(cue.candidates, CANDIDATES)}
        alone: dict[str, Any] = dict.fromkeys(("opening", "opening_notes", "opening_s", "opening_tokens"))
        prompt = replace(
            cue.prompt(ordered.seed), **{**alone, **wish, "form": "auto", **dict(ordered.wish)},
            continue_from=str(take.midi), at_s=at_s,
        )  # fmt: skip
        request_id = f"{os.getpid()}-change-{ordered.changing.id}"
        self._changes[request_id] = _Change(ordered, prompt, take, take)
        self._crew.send("composer", wire.Change(request_id, cue.id, prompt.as_dict(), str(out)))
        self._chronicle.say(
            f"changing   {cue.number:>3}  {cue.name} from bar {ordered.changing.bar}: {self._said(ordered)}"
        )

    def _expected(self, cue_id: str, number: int) -> Take | None:
        """Return a piece as it will be when the player has carried out what it was sent."""
        take = self._takes.get(cue_id)
        for section in self._sent.get(number, ()):
            take = take and take.revised(section.notes, section.tempi, section.from_s)
        return take

    @staticmethod
    def _said(ordered: c.StartChange) -> str:
        return ", ".join(
            f"{name.replace('_bpm', '').replace('_s', '')} {_plain(value)}" for name, value in ordered.wish
        )

    def cancel(self, cue_id: str, change_id: int) -> None:
        """Take a change back; what the player has of it stays."""
        for request_id, change in list(self._changes.items()):
            if (change.ordered.cue.id, change.ordered.changing.id) == (cue_id, change_id):
                self._crew.send("composer", wire.Cancel(request_id))
                self._end(request_id, change)

    def lost(self, worker: str) -> None:
        """Forget what a worker that is gone was asked: the composer for changes, the player for answers."""
        if worker == "player":
            self._sent.clear()
        for request_id, change in list(self._changes.items()):
            self._crew.send("composer", wire.Cancel(request_id))
            self._end(request_id, change)

    def hear(self, message: wire.Message) -> bool:
        """Take what a worker says of a change; return whether it was about one."""
        if isinstance(message, wire.Replaced):
            self._replaced(message)
            return True
        if not isinstance(message, wire.Revised | wire.Progress | wire.Composed | wire.Refused):
            return False
        change = self._changes.get(message.request_id)
        if change is None:
            return "-change-" in message.request_id
        match message:
            case wire.Revised():
                self._revised(change, message)
            case wire.Composed() | wire.Refused():
                change.answer = message
                self._settle(message.request_id, change)
        return True

    # --- a section, from the composer to the player and back ---

    def _revised(self, change: _Change, message: wire.Revised) -> None:
        number = change.ordered.number
        ready_s = self._position_s(number)
        from_s = change.until_s or change.ordered.changing.at_s
        if from_s - SEAM_S < ready_s:
            # Too late for where it was to begin: it does at its next bar line, and until then the old music plays.
            lines = bar_lines(message.tempi, change.first.beats_per_bar, message.until_s)
            ahead = [at_s for _, at_s in lines if at_s - SEAM_S >= ready_s]
            if not ahead and not message.final:
                return
            from_s = ahead[0] if ahead else from_s
        if message.until_s <= from_s and not message.final:
            return
        until_s = message.duration_s + 1.0 if message.final else message.until_s - SEAM_S
        notes = [row for row in message.notes if row[0] < until_s]
        # Should no more come, the old rest plays on from there.
        notes += [row for row in change.first.notes if row[0] >= until_s and not message.final]
        duration_s = max((row[0] + row[3] for row in notes), default=from_s)
        section = _Section(change, notes, message.tempi, from_s - SEAM_S, message.until_s, message.final)
        self._sent.setdefault(number, deque()).append(section)
        change.waiting += 1
        change.until_s = message.until_s
        will_be = self._expected(change.ordered.cue.id, number)
        score = will_be.score(will_be.tempi) if will_be else None
        self._crew.send("player", wire.Revise(number, from_s - SEAM_S, notes, duration_s, score))

    def _replaced(self, message: wire.Replaced) -> None:
        sent = self._sent.get(message.number)
        if not sent:
            return
        section = sent.popleft()
        change = section.change
        cue, changing = change.ordered.cue, change.ordered.changing
        change.waiting -= 1
        style = caption_of(change.prompt.style)
        caption = " · ".join(filter(None, (style, f"changed from bar {changing.bar} on")))
        take = change.take.revised(section.notes, section.tempi, message.from_s)
        change.take = replace(take, caption=caption, style=main_style(change.prompt.style))
        if change.from_s is None:
            change.from_s = message.from_s
            mark = (round(message.from_s + SEAM_S, 2), self._said(change.ordered))
            styles = changed(change.take.styles, message.from_s, change.prompt.style)
            change.take = replace(change.take, marks=[*change.take.marks, mark], styles=styles)
            late = ", later than it was to be" if message.late or message.from_s > changing.at_s else ""
            waited_s = self._clock.monotonic_s() - changing.asked_s
            where = f"bar {changing.bar}, {message.from_s:.2f} s, after {waited_s:.1f} s{late}"
            self._chronicle.log(
                "replaced", cue=cue, sample=message.sample, detail=f"{where}: {self._said(change.ordered)}"
            )
        if cue.id in self._takes:
            self._takes[cue.id] = change.take
        self._crew.announce(message.number, change.take)
        if not change.over:
            duration_s = change.take.duration_s
            self._emit(c.Revised(cue.id, changing.id, section.until_s, duration_s, section.final))
        for request_id, known in list(self._changes.items()):
            if known is change:
                self._settle(request_id, change)

    # --- the end of a change ---

    def _settle(self, request_id: str, change: _Change) -> None:
        """End a change when the composer has said its last word and the player has all of it."""
        if change.answer is None or change.waiting:
            return
        cue, changing = change.ordered.cue, change.ordered.changing
        self._end(request_id, change)
        if isinstance(change.answer, wire.Refused):
            rest = "the old rest plays on" if change.from_s is not None else "it plays on as it was"
            self._chronicle.warn(
                f"{cue.name} could not be changed from bar {changing.bar}: {change.answer.reason}; {rest}"
            )
            self._emit(c.Unchanged(cue.id, changing.id, change.answer.reason))

    def _end(self, request_id: str, change: _Change) -> None:
        """Forget a change; what is heard of it is kept as a piece of its own."""
        self._changes.pop(request_id, None)
        change.over = True
        if change.from_s is not None:
            self._keep(change)

    def _keep(self, change: _Change) -> None:
        cue, changing, before = change.ordered.cue, change.ordered.changing, change.first
        composed = change.answer if isinstance(change.answer, wire.Composed) else None
        told = {
            "bar": changing.bar, "at_s": changing.at_s, "from_s": change.from_s, "until_s": change.until_s,
            "whole": composed is not None, "seed": change.ordered.seed, "of_piece": before.piece_id,
            "prompt": change.prompt.as_dict(), "composed": composed.provenance if composed else None,
        }  # fmt: skip
        provenance = {**before.provenance, "changes": [*before.provenance.get("changes", []), told]}
        seconds = composed.seconds if composed else self._clock.monotonic_s() - changing.asked_s
        take = replace(change.take, composing_s=seconds, provenance=provenance)
        out = f"{self._clock.wall():%Y%m%d-%H%M%S}-{slug(cue.id, 'cue')}-bar{changing.bar}-{changing.id}.mid"
        try:
            take = take.write(self._library.pieces.resolve() / out)
            take = replace(
                take,
                piece_id=self._library.keep(
                    cue_id=cue.id, title=take.title, style=take.style, midi=take.midi, duration_s=take.duration_s,
                    notes=len(take.notes), at=self._clock.wall(), composing_s=seconds, provenance=provenance,
                ),
            )  # fmt: skip
        except (MidiError, LibraryError) as error:
            self._chronicle.warn(f"{take.title} as it was changed is not kept: {error}")
        change.take = take
        if cue.id in self._takes:
            self._takes[cue.id] = take
        if take.piece_id is not None:
            self._emit(c.Renewed(cue.id, take.piece_id))
        self._chronicle.log(
            "changed", cue=cue, piece_id=take.piece_id, detail=f"from bar {changing.bar}: {self._said(change.ordered)}"
        )


def _plain(value: object) -> object:
    if isinstance(value, Course):
        return _plain(value.plain)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{_plain(part)} {name}" for name, part in value.items())
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return plain_style(value) if not isinstance(value, str | int | float) else value  # type: ignore[arg-type]
