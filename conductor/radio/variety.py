"""Drawing by weight with a memory: what has had less than its share is likelier, what came too often waits."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TypeVar

# So many pieces back it is counted who had which share.
REMEMBERED = 24
# How much a piece too few speaks for a choice.
_PULL = 0.35

T = TypeVar("T")


def pick(
    rng: random.Random, weights: Sequence[tuple[T, float]], earlier: Sequence[T | None], *, most_running: int = 0
) -> T:
    """Return a choice by weight.

    In the long run each has its share of the weights, as far as the limit of runs lets it; in the short run what
    was chosen lately is less likely than what was not.

    Args:
        rng: draws it.
        weights: choices and their weights, one at least, above 0.
        earlier: what was chosen before, the latest last; None: something else.
        most_running: how often the same may come in a row; 0: as it comes.
    """
    names = [name for name, _ in weights]
    running = earlier[-most_running:] if most_running else ()
    if len(running) == most_running > 0 and len(set(running)) == 1:
        # Where there is nothing else, the same must do.
        names = [name for name in names if name != running[0]] or names
    whole = math.fsum(weight for _, weight in weights)
    shares = {name: weight / whole for name, weight in weights}
    lately = [name for name in earlier[-REMEMBERED:] if name in shares]
    lacking = {name: share * (len(lately) + 1) - lately.count(name) for name, share in shares.items()}
    return rng.choices(names, [shares[name] * math.exp(_PULL * lacking[name]) for name in names])[0]
