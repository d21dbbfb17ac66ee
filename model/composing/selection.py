"""Which of several candidates is played. Torch-free.

The best is not always taken: a composer that always plays what its critic likes
most soon plays one kind of piece. One of the top few is drawn by the seed, and
of those only who comes close to the best.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.composing.quality import Judgement

# One more of the top few for every so many candidates, and never more than this.
CANDIDATES_EACH, MOST = 8, 3
# A score so far below the best is no longer close; a fault costs more (see `model.composing.quality`).
CLOSE = 1.0


def top_few(judgements: Sequence[Judgement]) -> list[int]:
    """Return the candidates among which is drawn, best first.

    Args:
        judgements: of all candidates, one at least.
    """
    order = sorted(range(len(judgements)), key=lambda n: -judgements[n].score)
    few = order[: min(MOST, 1 + len(order) // CANDIDATES_EACH)]
    return [n for n in few if judgements[n].score >= judgements[few[0]].score - CLOSE]


def select(judgements: Sequence[Judgement], seed: int) -> int:
    """Return the candidate that is played; the same seed and judgements choose the same.

    Args:
        judgements: of all candidates, one at least.
        seed: of the piece.
    """
    few = top_few(judgements)
    return few[int(np.random.default_rng((seed, len(judgements))).integers(len(few)))]
