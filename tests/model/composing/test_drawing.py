"""Drawing a token: tamer settings, and the beat."""

from __future__ import annotations

import numpy as np

from model.composing.candidate import Candidate
from model.composing.drawing import draw, keep_time
from model.composing.grammar import Grammar
from model.composing.guidance import OFF_BEAT
from model.language.context import Clock
from model.language.vocabulary import VOCABULARY


def fresh(number: int = 0) -> Candidate:
    return Candidate([], Grammar(("piano",), 600), Clock(600), number)


def test_tamer_settings_are_less_surprising() -> None:
    logits = 3 * np.random.default_rng(0).standard_normal((1, len(VOCABULARY)), np.float32)
    everything = np.ones((1, len(VOCABULARY)), bool)

    def surprise(temperature: float = 1.0, top_p: float = 1.0) -> float:
        drawn = [
            draw(logits.copy(), everything, [fresh()], seed=0, step=n, temperature=temperature, top_p=top_p)[0][1]
            for n in range(200)
        ]
        return -float(np.mean(drawn))

    usual = surprise()
    assert surprise(top_p=0.3) < usual
    assert surprise(temperature=0.3) < usual


def test_tokens_come_as_often_as_their_chances_say_and_others_never() -> None:
    rows = 4000
    allowed = np.zeros((rows, len(VOCABULARY)), bool)
    allowed[:, [10, 20, 30, 40]] = True
    logits = np.full((rows, len(VOCABULARY)), 50.0, np.float32)
    chances = {10: 0.5, 20: 0.3, 30: 0.15, 40: 0.05}
    for token, chance in chances.items():
        logits[:, token] = np.log(chance)
    many = [fresh(number) for number in range(rows)]
    drawn = draw(logits.copy(), allowed, many, seed=1, step=0, temperature=1.0, top_p=1.0)
    for token, chance in chances.items():
        assert abs(np.mean([t == token for t, _ in drawn]) - chance) < 4 * np.sqrt(chance * (1 - chance) / rows)
    assert all(abs(nats - np.log(chances[token])) < 1e-5 for token, nats in drawn)
    # The nucleus ends with the token that reaches top-p: half, then 0.8.
    nucleus = draw(logits[:200].copy(), allowed[:200], many[:200], seed=1, step=0, temperature=1.0, top_p=0.7)
    assert {token for token, _ in nucleus} == {10, 20}


def test_a_stale_pitch_is_drawn_less_often() -> None:
    hammered, other = (VOCABULARY.id(f"piano:v80:{name}") for name in ("C4", "G4"))
    allowed = np.zeros((1, len(VOCABULARY)), bool)
    allowed[0, [hammered, other]] = True

    def share(stale: bool) -> float:
        candidate = fresh()
        for _ in range(40 if stale else 0):
            candidate.guidance.feed(hammered, 0)
        found = []
        for step in range(300):
            logits = np.zeros((1, len(VOCABULARY)), np.float32)
            ((token, nats),) = draw(logits, allowed, [candidate], seed=3, step=step, temperature=1.0, top_p=1.0)
            assert abs(nats - np.log(0.5)) < 1e-6, "its chance is the model's own"
            found.append(token == hammered)
        return float(np.mean(found))

    assert share(stale=True) < 0.1 < 0.4 < share(stale=False) < 0.6


def test_keeping_time_moves_waits_to_the_beat_and_leaves_the_chance_to_wait_as_it_was() -> None:
    waits = 3 * np.random.default_rng(0).standard_normal((3, 128), np.float32)
    beside = np.arange(128) % np.array([[3], [2], [3]]) > 0
    # The last may not wait at all.
    allowed = np.arange(128) < np.array([[100], [128], [0]])
    before = waits.copy()
    keep_time(waits, allowed, beside)
    for n in (0, 1):
        mine = allowed[n]
        np.testing.assert_allclose(np.exp(waits[n, mine]).sum(), np.exp(before[n, mine]).sum(), rtol=1e-5)
        moved = waits[n] - before[n]
        np.testing.assert_allclose(moved[~beside[n]].mean() - moved[beside[n]].mean(), OFF_BEAT, rtol=1e-4)
    np.testing.assert_array_equal(waits[2], before[2])
