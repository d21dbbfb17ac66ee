"""The next token of each candidate, drawn among those that are allowed.

Shapes: N candidates, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from kernels.decoding.sampling import log_sum_exp, pack, sample
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
    step: int,
    temperature: float,
    top_p: float,
    anti_p: float = 0.0,
    anti_chance: float = 1.0,
) -> list[tuple[int, float]]:
    """Draw a token for each candidate, by the seed, the step and its number.

    Args:
        logits_NV: of the model; nudged in place.
        allowed_NV: what each may say.
        candidates: who draws.
        seed: of the piece.
        step: how often has been drawn before.
        temperature: see `model.composing.prompt.Prompt`.
        top_p: the same.
        anti_p: see `model.composing.settings.Settings`.
        anti_chance: the same.

    Returns:
        For each its token, and its log-probability among what was allowed, before all nudging.
    """
    bits = pack(allowed_NV)
    own_NV = logits_NV.copy()
    _nudge(logits_NV, allowed_NV, candidates)
    tokens, _ = sample(
        torch.from_numpy(logits_NV),
        bits,
        torch.tensor([candidate.number for candidate in candidates]),
        seed,
        step,
        temperature=temperature,
        top_p=top_p,
        anti_p=anti_p,
        anti_chance=anti_chance,
    )
    whole = log_sum_exp(torch.from_numpy(own_NV), bits).tolist()
    return [(token, float(own_NV[n, token]) - whole[n]) for n, token in enumerate(tokens.tolist())]


def _nudge(logits_NV: Floats, allowed_NV: NDArray[np.bool_], candidates: Sequence[Candidate]) -> None:
    for logits, candidate in zip(logits_NV, candidates, strict=True):
        for ids, nats in candidate.guidance.nudges(candidate.clock.tick):
            logits[ids] += nats
        steered = candidate.controls.nudges(candidate.clock.tick)
        if steered is not None:
            logits += steered
    beside = [candidate.guidance.beside_the_beat(candidate.clock) for candidate in candidates]
    timed = [n for n, waits in enumerate(beside) if waits is not None]
    if timed:
        waits_NW = logits_NV[timed, VOCABULARY.first_wait : VOCABULARY.first_note]
        allowed_NW = allowed_NV[timed, VOCABULARY.first_wait : VOCABULARY.first_note]
        keep_time(waits_NW, allowed_NW, np.stack([beside[n] for n in timed]))  # type: ignore[misc]
        logits_NV[timed, VOCABULARY.first_wait : VOCABULARY.first_note] = waits_NW


def keep_time(waits_NW: Floats, allowed_NW: NDArray[np.bool_], beside_NW: NDArray[np.bool_]) -> None:
    """Let waits that end beside the beat cost, in place; the chance of all allowed waits together stays.

    Args:
        waits_NW: logits of the waits.
        allowed_NW: which of them are allowed; rows with none stay as they are.
        beside_NW: which end beside the beat.
    """
    masked_NW = np.where(allowed_NW, waits_NW, np.float32(-1e30))
    chance_NW = allowed_NW * np.exp(masked_NW - masked_NW.max(axis=1, keepdims=True))
    before_N, beside_N = chance_NW.sum(axis=1), (chance_NW * beside_NW).sum(axis=1)
    after_N = before_N - np.float32(1 - math.exp(-OFF_BEAT)) * beside_N
    some_N = after_N > 0
    raised_N = np.log(np.divide(before_N, after_N, out=np.ones_like(before_N), where=some_N))
    waits_NW += np.where(some_N, raised_N, 0)[:, None] - np.float32(OFF_BEAT) * (beside_NW & some_N[:, None])
