"""How much a YAML file may hold, aliases written out: looked at before anything is made of it.

A few lines of aliases of aliases are a billion values, and a few thousand brackets more calls than Python has room
for. What is read here are the parser's events alone, which come one after another and take no room.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, Event, NodeEvent, ScalarEvent

# A day of music in two-minute cues with all their keys is a third of it.
MOST_VALUES = 30_000
# A setlist goes six deep.
MOST_DEPTH = 32


@dataclass(slots=True)
class _Open:
    """A list or mapping that has begun."""

    anchor: str | None
    values: int = 1


@dataclass(slots=True)
class _Counting:
    open: list[_Open] = field(default_factory=list)
    anchored: dict[str, int] = field(default_factory=dict)
    total: int = 0

    def add(self, values: int) -> None:
        if self.open:
            self.open[-1].values += values
        else:
            self.total += values

    def take(self, event: Event) -> str:
        """Count one more event; return what is too much, empty where nothing is."""
        match event:
            case AliasEvent():
                if any(each.anchor == event.anchor for each in self.open):
                    return f"*{event.anchor} is inside of what it stands for"
                self.add(self.anchored.get(event.anchor, 1))
            case CollectionStartEvent():
                self.open.append(_Open(event.anchor))
                if len(self.open) > MOST_DEPTH:
                    return f"lists and keys are nested deeper than {MOST_DEPTH}"
            case CollectionEndEvent():
                done = self.open.pop()
                self._keep(done.anchor, done.values)
                self.add(done.values)
            case ScalarEvent():
                self._keep(event.anchor, 1)
                self.add(1)
        # What is open counts already: an end may be a long way off.
        if isinstance(event, NodeEvent) and self.total + sum(each.values for each in self.open) > MOST_VALUES:
            return f"more than {MOST_VALUES} values, counting each *alias as what it stands for"
        return ""

    def _keep(self, anchor: str | None, values: int) -> None:
        if anchor is not None:
            self.anchored[anchor] = values


def too_much(text: str) -> tuple[int, int, str] | None:
    """Return line and column (from 1) at which a text holds too much, and what; None: it does not.

    Args:
        text: YAML; what is none ends the looking, and is told by whoever reads it.
    """
    counting = _Counting()
    try:
        for event in YAML(typ="rt").parse(text):
            if wrong := counting.take(event):
                mark = event.start_mark
                return mark.line + 1, mark.column + 1, wrong
    except (YAMLError, ValueError):
        return None
    return None
