"""The verbs: one table for HTTP, the command line, OSC, MIDI and chat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from conductor import cues as c
from conductor.chat.poll import Closed, Opened
from conductor.operating import arguments as a
from conductor.operating.pending import Pending
from conductor.setlist import Setlist
from conductor.setlist.editing import check_cue, fields_of, with_fields
from conductor.setlist.values import known_style


class Stage(Protocol):
    """What verbs look at of a show."""

    @property
    def state(self) -> c.State:
        """Where it is."""

    @property
    def setlist(self) -> Setlist:
        """What it plays."""

    @property
    def pending(self) -> Pending:
        """What the setlist's file says since, until it is taken up."""


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb.

    Attributes:
        name: as operators say it.
        summary: what it does; one line.
        arguments: what it takes.
        make: returns what the rules are told, from checked arguments; raises ValueError where they make no sense.
    """

    name: str
    summary: str
    arguments: type[a.Arguments]
    make: Callable[[Stage, Any], c.Verb | Opened | Closed | None]

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of its arguments."""
        return self.arguments.model_json_schema()


def cue_id(state: c.State, said: str) -> str:
    """Return the id of the cue that an operator calls by its id or its number; what is neither stays as it is."""
    if state.find(said):
        return said
    numbered = [slot.cue.id for slot in reversed(state.slots) if slot.cue.number == said]
    # Of a cue and what repeats it, the one to come.
    coming = {slot.cue.id for slot in state.upcoming}
    return next((i for i in numbered if i in coming), numbered[0] if numbered else said)


def _change(_: Stage, said: a.Changing) -> c.Verb:
    return c.Change(c.wish_of(said.model_dump(exclude_none=True)))


def _again(stage: Stage, said: a.Copying) -> c.Verb:
    name = cue_id(stage.state, said.cue)
    fields = fields_of(said.changes, stage.setlist.path) if said.changes else ()
    if slot := stage.state.find(name):
        check_cue(with_fields(slot.cue, fields))
    return c.Again(name, fields)


def _edit(stage: Stage, said: a.Editing) -> c.Verb:
    name = cue_id(stage.state, said.cue)
    fields = fields_of(said.changes, stage.setlist.path)
    if slot := stage.state.find(name):
        check_cue(with_fields(slot.cue, fields))
    return c.Edit(name, fields)


def _insert(stage: Stage, said: a.Inserting) -> c.Verb:
    own = dict(said.cue)
    new_id = own.pop("id", "")
    if not isinstance(new_id, str):
        raise ValueError(f"id: should be text, not {new_id!r}")
    cue = with_fields(stage.setlist.template, fields_of(own, stage.setlist.path)) if own else stage.setlist.template
    name = cue.name or str(cue.style or "Untitled").replace("_", " ").title()
    cue = replace(cue, id=new_id, name=name)
    check_cue(cue)
    return c.Insert(cue, said.at)


def _reload(stage: Stage, _: a.Nothing) -> c.Verb:
    if stage.pending.diff is None:
        raise c.RefusalError(f"{stage.setlist.path.name} has not changed")
    return c.Reload(stage.pending.diff)


def _poll(_: Stage, said: a.Polling) -> Opened:
    styles = tuple(dict.fromkeys(known_style(style) for style in said.styles))
    if len(styles) == 1:
        raise ValueError("styles: a poll takes two styles or more")
    return Opened(styles, said.seconds)


def _named(verb: Callable[[str], c.Verb]) -> Callable[[Stage, a.OneCue], c.Verb]:
    return lambda stage, said: verb(cue_id(stage.state, said.cue))


def _perhaps(verb: Callable[[str | None], c.Verb]) -> Callable[[Stage, a.MaybeCue], c.Verb]:
    return lambda stage, said: verb(cue_id(stage.state, said.cue) if said.cue is not None else None)


def _plain(verb: Callable[[], c.Verb]) -> Callable[[Stage, a.Nothing], c.Verb]:
    return lambda _stage, _said: verb()


def _table(verbs: Iterable[Verb]) -> Mapping[str, Verb]:
    return {verb.name: verb for verb in verbs}


VERBS: Mapping[str, Verb] = _table(
    [
        Verb("go", "Start the standby cue, or a named one, now.", a.MaybeCue, _perhaps(c.Go)),
        Verb("standby", "Let a cue be next.", a.OneCue, _named(c.Standby)),
        Verb("hold", "Let nothing start by itself.", a.Nothing, _plain(c.Hold)),
        Verb("release", "Go on by itself again.", a.Nothing, _plain(c.Release)),
        Verb("skip", "End what is on air early, or leave a coming cue out.", a.MaybeCue, _perhaps(c.Skip)),
        Verb("back", "Let what was on air last be next, with its own music.", a.Nothing, _plain(c.Back)),
        Verb("fade", "Fade to the bed and hold.", a.Fading, lambda _, said: c.FadeOut(said.seconds)),
        Verb("panic", "Fade to the bed within 1.5 s and hold; again: cut to it.", a.Nothing, _plain(c.Panic)),
        Verb("change", "Compose the rest of what is on air anew.", a.Changing, _change),
        Verb("again", "Let a copy of a cue, with changes, be composed and be next.", a.Copying, _again),
        Verb("regenerate", "Compose a coming cue anew, with another seed.", a.OneCue, _named(c.Regenerate)),
        Verb("insert", "Put in a new cue.", a.Inserting, _insert),
        Verb(
            "move", "Give a coming cue another place.", a.Moving,
            lambda stage, said: c.Move(cue_id(stage.state, said.cue), said.to),
        ),
        Verb("edit", "Let a coming cue be otherwise.", a.Editing, _edit),
        Verb(
            "take", "Play another of the candidates of a ready cue.", a.Choosing,
            lambda stage, said: c.Choose(cue_id(stage.state, said.cue), said.take),
        ),
        Verb("endless", "Draw when the list is over, or not.", a.Switching, lambda _, said: c.SwitchEndless(said.on)),
        Verb("lock", "Let nobody edit the list, or everybody.", a.Switching, lambda _, said: c.Lock(said.on)),
        Verb("poll", "Let the audience choose the style of a piece to come.", a.Polling, _poll),
        Verb("close-poll", "End the poll now; what has most votes wins.", a.Nothing, lambda _stage, _said: Closed()),
        Verb("undo", "Take the latest edit, hold or GO back.", a.Nothing, _plain(c.Undo)),
        Verb("redo", "Do what was undone again.", a.Nothing, _plain(c.Redo)),
        Verb("preview", "Tell what is different in the file of the setlist.", a.Nothing, lambda _stage, _said: None),
        Verb("reload", "Take up what is different in the file of the setlist.", a.Nothing, _reload),
    ]
)  # fmt: skip
