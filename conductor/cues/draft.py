"""A state in the making."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from conductor.cues.actions import Action
from conductor.cues.state import Slot, State


@dataclass(slots=True)
class Draft:
    """A state in the making, and the actions so far; the rules write here."""

    state: State
    now_s: float
    actions: list[Action] = field(default_factory=list)

    def change(self, **values: object) -> None:
        """Set fields of the state."""
        self.state = replace(self.state, **values)  # type: ignore[arg-type]

    def move(self, slot: Slot, **values: object) -> Slot:
        """Set fields of a slot and return it."""
        moved = replace(slot, **values)  # type: ignore[arg-type]
        self.state = self.state.put(moved)
        return moved

    def do(self, action: Action) -> None:
        """Ask for an action."""
        self.actions.append(action)
