"""Soft guidance: what is stale costs, what is missing is called for."""

from __future__ import annotations

from itertools import cycle, islice

import numpy as np
import pytest

from model.composing.guidance import (
    COST,
    DRUM_TIMES,
    ENTRY,
    HELD_S,
    LATEST,
    LONGEST_FIGURE,
    MISSED_S,
    MOST_CALL,
    MOST_COST,
    MOST_LET_GO,
    MOST_OF_A_PITCH,
    PHRASE,
    TIMES,
    Guidance,
)
from model.language.context import Clock
from model.language.tokenizer import from_text
from model.language.vocabulary import TICKS_PER_SECOND, VOCABULARY


def nudged(guidance: Guidance, token: str, tick: int = 0) -> float:
    found = VOCABULARY.id(token)
    return sum(nats for ids, nats in guidance.nudges(tick) if found in ids)


def played(words: list[str]) -> Guidance:
    guidance = Guidance()
    for token in from_text(" ".join(words)):
        guidance.feed(token, 0)
    return guidance


def test_a_hammered_note_costs_more_each_time_up_to_a_bound_at_every_volume() -> None:
    costs = [nudged(played(["piano:v80:C4"] * times), "piano:v16:C4") for times in range(TIMES + 20)]
    assert costs[:TIMES] == [0.0] * TIMES
    assert costs[TIMES : TIMES + 3] == [-COST, -2 * COST, -3 * COST]
    assert costs[-1] == -MOST_COST


def test_a_figure_may_come_some_times_then_its_next_note_costs_and_no_other() -> None:
    figure = ["piano:v80:C4", "piano:v80:G4", "piano:v80:E4", "piano:v80:A4"]
    fresh = played(list(islice(cycle(figure), 4 * (TIMES - 1))))
    assert not fresh.nudges(0)
    stale = played([*islice(cycle(figure), 4 * TIMES)])
    assert nudged(stale, "piano:v80:C4") < 0
    assert nudged(stale, "piano:v80:G4") == 0
    assert nudged(stale, "violin:v80:C4") == 0


def test_a_pitch_among_others_costs_when_it_is_most_of_what_is_heard() -> None:
    rng = np.random.default_rng(1)
    others = [f"piano:v80:{name}5" for name in "CDEFGAB"]
    words = [w for n in rng.integers(0, 7, LONGEST_FIGURE) for w in ("piano:v80:C4", others[n])]
    guidance = played(words)
    assert nudged(guidance, "piano:v80:C4") == -COST * (LONGEST_FIGURE // 2 - MOST_OF_A_PITCH)
    assert all(nudged(guidance, other) == 0 for other in others)


def test_waits_ends_and_other_instruments_do_not_hide_a_repetition() -> None:
    words = ["piano:v80:C4", "wait:10", "piano:v0:C4", "violin:v80:E5", "wait:3", "violin:v0:E5"] * (TIMES + 1)
    assert nudged(played(words), "piano:v80:C4") < 0


def test_a_tune_without_repetition_is_never_stale() -> None:
    rng = np.random.default_rng(0)
    pitches = [f"piano:v80:{name}4" for name in "CDEFGAB"]
    assert not played([pitches[n] for n in rng.integers(0, 7, 50 * LONGEST_FIGURE)]).nudges(0)


def test_a_groove_may_repeat_longer() -> None:
    assert nudged(played(["drums:v80:C2"] * (DRUM_TIMES - 1)), "drums:v80:C2") == 0
    assert nudged(played(["drums:v80:C2"] * (DRUM_TIMES + 1)), "drums:v80:C2") < 0


def test_an_instrument_asked_for_is_called_for_when_it_is_missing() -> None:
    guidance = Guidance((("piano",), ("violin", "cello")))
    missed = round(MISSED_S * TICKS_PER_SECOND)
    assert not guidance.nudges(missed)
    assert nudged(guidance, "piano:v80:C4", missed + 100) > 0
    guidance.feed(VOCABULARY.id("cello:v80:C3"), missed)
    assert nudged(guidance, "violin:v80:C4", missed + 100) == 0, "of a group, one playing will do"
    assert nudged(guidance, "piano:v80:C4", 100 * missed) == MOST_CALL
    assert nudged(guidance, "piano:v0:C4", 100 * missed) == 0


def test_one_that_comes_in_is_called_on_until_it_has_played_a_phrase() -> None:
    guidance = Guidance((("piano",), ("violin",)))
    late = round(2 * MISSED_S * TICKS_PER_SECOND)
    for n in range(PHRASE):
        guidance.feed(VOCABULARY.id(f"violin:v80:{'CDE'[n % 3]}4"), late)
        assert (nudged(guidance, "violin:v80:C6", late) >= ENTRY) == (n + 1 < PHRASE)


def test_one_with_too_small_a_part_is_called_for_though_it_was_just_heard() -> None:
    guidance = Guidance((("piano",), ("violin",)))
    guidance.feed(VOCABULARY.id("violin:v80:C4"), 0)
    for n in range(LATEST):
        guidance.feed(VOCABULARY.id(f"piano:v80:{'CDEFG'[n % 5]}{3 + n % 4}"), 0)
    assert nudged(guidance, "violin:v80:C6", 0) > 0
    assert nudged(guidance, "piano:v80:C7", 0) == 0


def test_those_who_accompany_are_called_at_once_and_share_evenly() -> None:
    wanted = (("bass",), ("drums",))
    assert nudged(Guidance(wanted), "bass:v80:C2", 100) == 0
    guidance = Guidance(wanted, accompanies=True)
    assert nudged(guidance, "bass:v80:C2", 100) > 0
    for n in range(40):
        guidance.feed(VOCABULARY.id(("bass:v80:C2", "drums:v80:C2")[n % 8 > 0]), 100)
    assert nudged(guidance, "bass:v80:E2", 100) > 0
    assert nudged(guidance, "drums:v80:D2", 100) == 0


def test_a_note_held_long_is_let_go_more_and_more_likely() -> None:
    guidance = Guidance()
    for token in from_text("piano:v80:C4 piano:v80:E4"):
        guidance.feed(token, 0)
    guidance.feed(VOCABULARY.id("piano:v0:C4"), 100)
    held = round(HELD_S * TICKS_PER_SECOND)
    assert nudged(guidance, "piano:v0:E4", held) == 0
    assert 0 < nudged(guidance, "piano:v0:E4", held + 50) < nudged(guidance, "piano:v0:E4", held + 100)
    assert nudged(guidance, "piano:v0:E4", 100 * held) == MOST_LET_GO
    assert nudged(guidance, "piano:v0:C4", 100 * held) == 0


def test_a_copy_goes_on_by_itself() -> None:
    guidance = played(["piano:v80:C4"] * (TIMES - 1))
    twin = guidance.copy()
    for _ in range(10):
        twin.feed(VOCABULARY.id("piano:v80:C4"), 0)
    assert nudged(twin, "piano:v80:C4") < 0 == nudged(guidance, "piano:v80:C4")


class TestTheBeat:
    def test_is_not_kept_where_music_is_played_freely(self) -> None:
        assert Guidance().beside_the_beat(Clock(1000)) is None

    @pytest.mark.parametrize("bpm", [60.0, 97.0, 120.0, 133.0])
    def test_is_kept_by_sixteenths_and_triplets(self, bpm: float) -> None:
        clock = Clock(100_000, bpm=bpm)
        beside = Guidance(in_time=True).beside_the_beat(clock)
        assert beside is not None
        ticks_a_beat = 6000.0 / bpm
        for part in (1 / 4, 1 / 3, 1 / 2, 2 / 3, 1.0):
            wait = round(part * ticks_a_beat)
            assert not beside[wait - 1]
        assert beside[round(ticks_a_beat / 8) - 1]
        assert 0.6 < beside.mean() < 0.95

    def test_lost_is_found_again(self) -> None:
        clock = Clock(100_000, bpm=120.0)
        clock.step(VOCABULARY.id("wait:30"))
        beside = Guidance(in_time=True).beside_the_beat(clock)
        assert beside is not None
        # 50 ticks a beat: 30 is beside it, 8 later is its third quarter, 20 later the next beat.
        assert not beside[[8 - 1, 20 - 1]].any()
        assert beside[[12 - 1, 25 - 1]].all()
