"""The next token of each candidate, drawn among those that are allowed.

Shapes: N candidates, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from kernels.sampling import pack, sample
from model.composing.candidate import Candidate
from model.composing.guidance import OFF_BEAT
from model.language.vocabulary import VOCABULARY

Floats = NDArray[np.float32]


def draw(
    logits_NV: Floats,
    allowed_NV: NDArray[np.bool_],
    candidates: Sequence[Candidate],
    *,
    seed: int,
    temperature: float,
    top_p: float,
) -> list[tuple[int, float]]:
    """Draw a token for each candidate, by the seed, its number and how much it has composed.

    Args:
        logits_NV: of the model; nudged in place.
        allowed_NV: what each may say.
        candidates: who draws, all of whom have composed equally much.
        seed: of the piece.
        temperature: see `model.composing.prompt.Prompt`.
        top_p: the same.

    Returns:
        For each its token, and its log-probability among what was allowed, before all nudging.
    """
    whole = [_log_sum_exp(logits[allowed]) for logits, allowed in zip(logits_NV, allowed_NV, strict=True)]
    own_NV = logits_NV.copy()
    for logits, allowed, candidate in zip(logits_NV, allowed_NV, candidates, strict=True):
        _nudge(logits, allowed, candidate)
    tokens, _ = sample(
        torch.from_numpy(logits_NV),
        pack(allowed_NV),
        torch.tensor([candidate.number for candidate in candidates]),
        seed,
        candidates[0].composed,
        temperature=temperature,
        top_p=top_p,
    )
    return [(token, float(own_NV[n, token]) - whole[n]) for n, token in enumerate(tokens.tolist())]


def _nudge(logits: Floats, allowed: NDArray[np.bool_], candidate: Candidate) -> None:
    for ids, nats in candidate.guidance.nudges(candidate.clock.tick):
        logits[ids] += nats
    beside = candidate.guidance.beside_the_beat(candidate.clock)
    if beside is not None:
        waits = slice(VOCABULARY.first_wait, VOCABULARY.first_note)
        keep_time(logits[waits], allowed[waits], beside)


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
