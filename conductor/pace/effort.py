"""How much is done for a piece: how many candidates there are to choose from, and how far back each looks."""

from __future__ import annotations

from dataclasses import dataclass

# Tokens a candidate looks back over where there is no time for more: about half a minute of music.
SHORT_CONTEXT = 512
# Down to here one candidate after the other is given up, above it a quarter at a time.
FEW = 8
# What a step costs whoever draws, beside what each candidate costs, in candidates.
SHARED = 0.5
# A short memory takes so much of the time of a long one.
SHORT_COSTS = 0.85


@dataclass(frozen=True, slots=True, order=True)
class Effort:
    """What is done for a piece.

    Attributes:
        candidates: to choose from, 1 and up.
        context: tokens each looks back over; 0: as many as the model can.
    """

    candidates: int
    context: int = 0

    @property
    def cost(self) -> float:
        """What it costs, in candidates composed alone; from what is known of one the time of another is guessed."""
        return (SHARED + self.candidates) / (SHARED + 1) * (SHORT_COSTS if self.context else 1.0)

    @property
    def text(self) -> str:
        """What a person reads."""
        plain = f"{self.candidates} candidate{'s' if self.candidates > 1 else ''}"
        return f"{plain} with a short memory" if self.context else plain


def efforts(candidates: int) -> tuple[Effort, ...]:
    """Return what may be done, the most first.

    Args:
        candidates: that were asked for.
    """
    counts = [candidates]
    while counts[-1] > 1:
        counts.append(counts[-1] - 1 if counts[-1] <= FEW else max(FEW, counts[-1] * 3 // 4))
    return (*(Effort(count) for count in counts), Effort(1, SHORT_CONTEXT))
