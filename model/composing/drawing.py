"""The next token of each candidate, drawn among those that are allowed.

Shapes: N candidates, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.composing.candidate import Candidate
from model.composing.guidance import OFF_BEAT
from model.language.vocabulary import VOCABULARY

# Tokens considered at a step; the rest of the vocabulary is never within top-p.
CONSIDERED = 256

Floats = NDArray[np.float32]


def draw(
    logits_NV: Floats, allowed_NV: NDArray[np.bool_], candidates: Sequence[Candidate], temperature: float, top_p: float
) -> list[tuple[int, float]]:
    """Draw a token for each candidate.

    Args:
        logits_NV: of the model; nudged in place.
        allowed_NV: what each may say.
        candidates: who draws.
        temperature: see `model.composing.prompt.Prompt`.
        top_p: the same.

    Returns:
        For each its token, and its log-probability among what was allowed, before all nudging.
    """
    return [
        _draw(logits, allowed, candidate, temperature, top_p)
        for logits, allowed, candidate in zip(logits_NV, allowed_NV, candidates, strict=True)
    ]


def _draw(
    logits: Floats, allowed: NDArray[np.bool_], candidate: Candidate, temperature: float, top_p: float
) -> tuple[int, float]:
    ids = np.flatnonzero(allowed)
    own = logits[ids].astype(np.float64)
    whole = _log_sum_exp(own)
    for nudged, nats in candidate.guidance.nudges(candidate.clock.tick):
        logits[nudged] += nats
    beside = candidate.guidance.beside_the_beat(candidate.clock)
    if beside is not None:
        waits = slice(VOCABULARY.first_wait, VOCABULARY.first_note)
        keep_time(logits[waits], allowed[waits], beside)
    nudged_logits = logits[ids] / temperature
    among = np.arange(len(ids))
    if len(ids) > CONSIDERED:
        among = np.argpartition(nudged_logits, -CONSIDERED)[-CONSIDERED:]
    # The likeliest first; of equals the lower id, so that the order is one.
    among = among[np.lexsort((among, -nudged_logits[among]))]
    best = nudged_logits[among].astype(np.float64)
    below = np.cumsum(np.exp(best - best[0]))
    # The nucleus ends with the token that reaches top-p.
    kept = int(np.searchsorted(below, top_p * below[-1])) + 1
    last = min(kept, len(below)) - 1
    place = min(int(np.searchsorted(below[: last + 1], candidate.rng.random() * below[last], side="right")), last)
    chosen = int(among[place])
    return int(ids[chosen]), float(own[chosen] - whole)


def keep_time(waits: Floats, allowed: NDArray[np.bool_], beside: NDArray[np.bool_]) -> None:
    """Let waits that end beside the beat cost, in place; the chance of all allowed waits together stays."""
    if not allowed.any():
        return
    before = _log_sum_exp(waits[allowed])
    waits -= np.float32(OFF_BEAT) * beside
    waits += np.float32(before - _log_sum_exp(waits[allowed]))


def _log_sum_exp(x: NDArray[np.floating]) -> float:
    most = x.max()
    return float(most + np.log(np.exp(x - most).sum()))
