"""A state in the making."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from conductor.cues.actions import Action, Forget, StopComposing
from conductor.cues.slot import Phase, Slot
from conductor.cues.state import State


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

    def order(self) -> int:
        """Return a number for a new request."""
        number = self.state.next_order
        self.change(next_order=number + 1)
        return number

    def arrange(self, coming: Sequence[Slot]) -> None:
        """Let what is to come be this, in this order; what is on its way to the air stays first."""
        starting = [s for s in self.state.upcoming if s not in self.state.open]
        ids = {s.cue.id for s in (*coming, *starting)}
        past = [s for s in self.state.past if s.cue.id not in ids]
        self.change(slots=(*past, *starting, *coming))

    def withdraw(self, slot: Slot) -> None:
        """Let go of the music of a cue that is to come: nobody composes it, the player has it no more."""
        if slot.phase is Phase.COMPOSING and not slot.borrowing:
            self.do(StopComposing(slot.cue.id, slot.order))
        if slot.number:
            # The player takes what it forgets out of its queue.
            if self.state.queue is not None:
                pairs = zip_longest(self.state.queue, self.state.cuts)
                left = [(number, cut) for number, cut in pairs if number != slot.number]
                cuts = tuple(cut for _, cut in left)
                self.change(
                    queue=tuple(number for number, _ in left), cuts=cuts if any(c is not None for c in cuts) else ()
                )
            self.do(Forget(slot.number))
