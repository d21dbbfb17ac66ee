"""What is different in a setlist that was changed while its show runs."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conductor.setlist.editing import Fields, differing, field_of
from conductor.setlist.plan import Cue, Endless, Setlist
from model.composing.blend import Blend, plain_style
from model.composing.course import Course


@dataclass(frozen=True, slots=True)
class Changed:
    """A cue with other fields; `fields` are their new values, `told` how people read it."""

    cue: Cue
    fields: Fields
    told: str


@dataclass(frozen=True, slots=True)
class Diff:
    """From one setlist to another.

    Attributes:
        added, removed: cues.
        moved: ids of cues that have another place among those of both.
        changed: cues of both with other fields.
        order: ids of all cues of the new one.
        endless: of the new one; `drawn_anew`: it is another.
        ahead: of the new one; `was_ahead`: of the old one.
        later: what else is different and takes effect at the next start.
    """

    added: tuple[Cue, ...]
    removed: tuple[Cue, ...]
    moved: tuple[str, ...]
    changed: tuple[Changed, ...]
    order: tuple[str, ...]
    endless: Endless | None
    drawn_anew: bool
    ahead: int
    was_ahead: int
    later: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing is different that the show can take up."""
        return not (
            self.added or self.removed or self.moved or self.changed or self.drawn_anew or self.ahead != self.was_ahead
        )

    @property
    def lines(self) -> tuple[str, ...]:
        """What people read: a line for each difference."""
        lines = [f"+ {cue.number} {cue.name}" for cue in self.added]
        lines += [f"- {cue.number} {cue.name}" for cue in self.removed]
        lines += [f"~ {c.cue.number} {c.cue.name}: {c.told}" for c in self.changed if c.told]
        names = {c.cue.id: c.cue.name for c in self.changed}
        lines += [f"> {names.get(cue_id, cue_id)} has another place" for cue_id in self.moved]
        lines += ["~ endless"] if self.drawn_anew else []
        lines += [f"~ ahead: {self.was_ahead} -> {self.ahead}"] if self.ahead != self.was_ahead else []
        return (*lines, *(f"! {name}: at the next start" for name in self.later))


def diff(old: Setlist, new: Setlist) -> Diff:
    """Return what is different in a setlist."""
    before, after = {cue.id: cue for cue in old.cues}, {cue.id: cue for cue in new.cues}
    shared = [cue_id for cue_id in before if cue_id in after]
    places = {cue_id: place for place, cue_id in enumerate(after)}
    staying = _rising([places[cue_id] for cue_id in shared])
    changed = []
    for cue_id in shared:
        names = differing(before[cue_id], after[cue_id])
        if names:
            fields = tuple((name, field_of(after[cue_id], name)) for name in names)
            # Its number follows from its place unless it is written.
            told = [_told(name, before[cue_id], after[cue_id]) for name in names if name != "number"]
            changed.append(Changed(after[cue_id], fields, ", ".join(told)))
    # Known to the show by other ways than its cues.
    aside = {"cues", "endless", "ahead", "path", "title", "template", "text"}
    return Diff(
        added=tuple(cue for cue_id, cue in after.items() if cue_id not in before),
        removed=tuple(cue for cue_id, cue in before.items() if cue_id not in after),
        moved=tuple(cue_id for cue_id in shared if places[cue_id] not in staying),
        changed=tuple(changed),
        order=tuple(after),
        endless=new.endless,
        drawn_anew=old.endless != new.endless,
        ahead=new.ahead,
        was_ahead=old.ahead,
        later=tuple(
            name
            for name in Setlist.__dataclass_fields__
            if name not in aside and getattr(old, name) != getattr(new, name)
        ),
    )


def _rising(places: Sequence[int]) -> set[int]:
    """Return a longest part of different places that rises: what need not be moved."""
    ends: list[int] = []
    chains: list[tuple[int, ...]] = []
    for place in places:
        at = bisect_left(ends, place)
        chain = (*(chains[at - 1] if at else ()), place)
        ends[at : at + 1] = [place]
        chains[at : at + 1] = [chain]
    return set(chains[-1]) if chains else set()


def _told(name: str, old: Cue, new: Cue) -> str:
    said = [_plain(field_of(cue, name)) for cue in (old, new)]
    word = name.removeprefix("controls.").removesuffix("_s").removesuffix("_bpm")
    return f"{word} {said[0]} -> {said[1]}"


def _plain(value: Any) -> str:
    if value is None or value in ((), ""):
        return "none"
    if isinstance(value, Course):
        value = value.plain
    if isinstance(value, Blend):
        value = plain_style(value)
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}"
    return str(getattr(value, "kind", value))
