"""Chorales as text: one text for each, chances that add up to 1, every note in it."""

from __future__ import annotations

import math
import random
from itertools import product

import numpy as np
import pytest

from model.evaluation import chorales
from model.evaluation.chorales import REST, STEP_TICKS, Chorale, VoiceCode, changes, runs, text
from model.language.tokenizer import decode
from model.language.vocabulary import VOCABULARY


def chorale(seed: int, steps: int = 60) -> list[list[int]]:
    """Voices that hold, move, cross, meet and rest at random."""
    rng = random.Random(seed)
    voices = [72, 67, 60, 48]
    found = []
    for _ in range(steps):
        voices = [v if rng.random() < 0.7 else min(max(v + rng.randint(-4, 4), 40), 80) for v in voices]
        found.append([v if rng.random() < 0.98 else REST for v in voices])
    return found


def sets_of(grid: Chorale) -> list[set[int]]:
    return [set(step) - {REST} for step in grid]


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_a_text_says_what_sounds_at_every_step(seed: int, given: bool) -> None:
    grid = chorale(seed)
    found = text(grid, soprano_given=given)
    order = np.lexsort((VOCABULARY.velocity_of[found.tokens] > 0, found.context.ticks))
    heard: list[set[int]] = [set() for _ in grid]
    sounding: set[int] = set()
    now = 0
    for n in order.tolist():
        tick, token = int(found.context.ticks[n]), int(found.tokens[n])
        for step in range(now // STEP_TICKS, tick // STEP_TICKS):
            heard[step] = set(sounding)
        now = tick
        pitch = int(VOCABULARY.pitch_of[token])
        if VOCABULARY.velocity_of[token] > 0:
            sounding.add(pitch)
        elif pitch >= 0:
            sounding.discard(pitch)
    assert now == len(grid) * STEP_TICKS
    assert heard == sets_of(grid)


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_what_comes_is_always_among_what_may_come(seed: int, given: bool) -> None:
    found = text(chorale(seed), soprano_given=given)
    assert len(found.choices) > 60
    for place, allowed, said, any_said in found.choices:
        assert found.context.given[place] == 0
        assert found.tokens[place] in said
        assert set(said.tolist()) <= set(allowed.tolist())
        assert set(said.tolist()) <= set(any_said.tolist())
        assert len(set(allowed.tolist())) == len(allowed)


def chances(found: chorales.Text) -> float:
    """Return the chance of a text for who knows only what may come and takes all of it for equally likely."""
    return math.prod(len(said) / len(allowed) for _, allowed, said, _ in found.choices)


def test_the_chances_of_all_chorales_add_up_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chorales, "_PITCHES", range(60, 63))
    ways = [[], [60], [61], [62], [60, 61], [60, 62], [61, 62], [60, 61, 62]]
    grids = [[(w + [REST] * 4)[:4] for w in steps] for steps in product(ways, repeat=3)]
    assert sum(chances(text(grid, soprano_given=False)) for grid in grids) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("soprano", [(60, 61, 61), (62, 62, 62), (60, REST, 60), (REST, REST, REST)])
def test_the_chances_of_all_below_a_soprano_add_up_to_one(
    monkeypatch: pytest.MonkeyPatch, soprano: tuple[int, ...]
) -> None:
    monkeypatch.setattr(chorales, "_PITCHES", range(60, 63))
    # Told late, so that waits are cut, too.
    monkeypatch.setattr("model.language.given.AHEAD_TICKS", STEP_TICKS)
    ways = [[], [60], [61], [62], [60, 61], [60, 62], [61, 62], [60, 61, 62]]
    grids = set()
    for steps in product(ways, repeat=3):
        apart = [[p for p in w if p != s] for w, s in zip(steps, soprano, strict=True)]
        grids.add(tuple(tuple(([s, *w] + [REST] * 4)[:4]) for s, w in zip(soprano, apart, strict=True)))
    assert sum(chances(text(grid, soprano_given=True)) for grid in grids) == pytest.approx(1.0, abs=1e-9)


def test_pitches_that_go_on_are_one_note() -> None:
    (long, short) = runs([frozenset({60}), frozenset({60, 64}), frozenset({60})])
    assert (long.pitch, long.onset_s, long.duration_s) == (60, 0.0, 0.48)
    assert (short.pitch, short.onset_s, short.duration_s) == (64, 0.16, 0.16)
    assert changes([[64, 60, 60, 48], [64, 62, 60, 48], [REST, 62, 60, 48]], soprano_given=False) == 5
    assert changes([[64, 60, 60, 48], [64, 62, 60, 48], [REST, 62, 60, 48]], soprano_given=True) == 4


def test_who_sings_what_costs_little_where_it_is_as_usual_and_much_where_it_is_not() -> None:
    usual = [[72, 67, 60, 48]] * 50
    crossed = [[67, 72, 60, 48]] * 50
    code = VoiceCode()
    code.learn([usual] * 20, soprano_given=False)
    assert code.nats(usual, soprano_given=False) < 0.1
    assert code.nats(crossed, soprano_given=False) > 4.0


def test_the_code_of_voices_spends_no_more_chance_than_there_is() -> None:
    code = VoiceCode()
    code.learn([chorale(seed) for seed in range(5)], soprano_given=False)
    pitches = (72, 67, 60)
    ways = [w for w in product((*pitches, REST), repeat=4) if set(w) - {REST} == set(pitches)]
    total = sum(math.exp(-code.nats([w], soprano_given=False)) for w in ways)
    assert 0.5 < total <= 1.0 + 1e-9


def test_a_text_is_music_of_one_instrument_and_volume() -> None:
    notes = decode(text(chorale(1), soprano_given=False).tokens.tolist()).notes
    assert {(n.instrument, n.velocity) for n in notes} == {("choir", 80)}
