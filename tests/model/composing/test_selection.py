"""Which candidate is played: a good one, but not always the same one."""

from __future__ import annotations

from collections import Counter

import pytest

from model.composing.quality import CRITIC_REACH, FAULT, Judgement, judge, measure
from model.composing.selection import CLOSE, select, top_few
from tests.model.making import tune

PIECE = tune(20.0)
MEASURES = measure(PIECE)


def scored(*scores: float) -> list[Judgement]:
    return [Judgement(score, (), 2.0, None, MEASURES) for score in scores]


@pytest.mark.parametrize("scores", [(1.0,), (0.0, 3.0), (2.0, -1.0, 1.9, 0.0)])
def test_of_a_few_candidates_the_best_is_taken(scores: tuple[float, ...]) -> None:
    assert {select(scored(*scores), seed) for seed in range(20)} == {scores.index(max(scores))}


def test_of_many_one_of_the_top_few_is_taken_by_the_seed() -> None:
    judgements = scored(*[n / 100 for n in range(16)])
    taken = Counter(select(judgements, seed) for seed in range(300))
    assert set(taken) == {13, 14, 15}
    assert min(taken.values()) > 60
    assert [select(judgements, seed) for seed in range(9)] == [select(judgements, seed) for seed in range(9)]


def test_what_is_far_below_the_best_is_not_taken() -> None:
    judgements = scored(*[0.0] * 14, 5.0 - CLOSE - 0.01, 5.0)
    assert top_few(judgements) == [15]


def test_the_critic_decides_between_flawless_pieces_and_a_fault_costs() -> None:
    def judged(critic: float, length_s: float = MEASURES.seconds) -> Judgement:
        return judge(PIECE, length_s=length_s, wanted=(), nats_per_token=9.0, typical_nats=2.0, critic=critic)

    assert judged(2.0).score - judged(-1.0).score == pytest.approx(3.0)
    assert judged(2.0).score - judged(2.0, 60.0).score == pytest.approx(FAULT)
    assert judged(1e9).score == judged(CRITIC_REACH).score
    assert judged(2.0).critic == 2.0
