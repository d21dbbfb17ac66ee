"""What is done for a piece is there in time while the estimate holds, no less than need be, and all when it can."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.pace.choosing import SPARE_S, Wanted, choose, least_s
from conductor.pace.effort import SHORT_CONTEXT, Effort, efforts
from conductor.pace.learning import REMEMBERED, Pace, Sample

STYLES = st.sampled_from(["bach", "jazz", ""])
LENGTHS = st.floats(10.0, 1800.0)
COUNTS = st.integers(1, 32)
EFFORTS = st.builds(Effort, COUNTS, st.sampled_from([0, SHORT_CONTEXT]))
SAMPLES = st.builds(Sample, STYLES, LENGTHS, EFFORTS, st.floats(0.5, 4000.0))
PACES = st.lists(SAMPLES, max_size=30).map(lambda samples: Pace().learn(*samples))
WANTED = st.builds(Wanted, STYLES, LENGTHS, COUNTS, st.floats(0.0, 3000.0))


def known(unit_s: float, pieces: int = 8, style: str = "bach") -> Pace:
    """Return what is known where every piece took as long as its length and its effort say."""
    efforts_ = [Effort(4), Effort(1), Effort(2)]
    return Pace().learn(
        *(Sample(style, 60.0, efforts_[n % 3], unit_s * 60.0 * efforts_[n % 3].cost) for n in range(pieces))
    )


def p99_s(pace: Pace, wanted: Wanted, effort: Effort) -> float:
    expected = pace.expected(wanted.style, wanted.duration_s, effort)
    assert expected is not None
    return expected.p99_s


@given(COUNTS)
def test_less_and_less_is_done_down_to_one_with_a_short_memory(candidates: int) -> None:
    steps = efforts(candidates)
    assert steps[0] == Effort(candidates)
    assert steps[-1] == Effort(1, SHORT_CONTEXT)
    costs = [effort.cost for effort in steps]
    assert costs == sorted(costs, reverse=True)
    assert len(set(costs)) == len(costs)
    # From eight on, each is tried.
    assert {effort.candidates for effort in steps} >= set(range(1, min(candidates, 8) + 1))


@given(PACES.filter(lambda pace: bool(pace.samples)), WANTED)
def test_what_is_chosen_is_there_in_time_and_a_piece_of_the_library_only_where_nothing_is(
    pace: Pace, wanted: Wanted
) -> None:
    choice = choose(pace, [wanted])
    if choice.effort is None:
        assert least_s(pace, wanted) > wanted.left_s - SPARE_S
        assert choice.reason
    else:
        assert p99_s(pace, wanted, choice.effort) <= wanted.left_s - SPARE_S
        assert bool(choice.reason) == (choice.effort != Effort(wanted.candidates))


@given(PACES, WANTED, st.floats(0.0, 1000.0))
def test_with_more_time_no_less_is_done(pace: Pace, wanted: Wanted, more_s: float) -> None:
    later = Wanted(wanted.style, wanted.duration_s, wanted.candidates, wanted.left_s + more_s)
    less, more = choose(pace, [wanted]).effort, choose(pace, [later]).effort
    steps = [*efforts(wanted.candidates), None]
    assert steps.index(more) <= steps.index(less)


@given(PACES.filter(lambda pace: bool(pace.samples)), st.lists(WANTED, min_size=1, max_size=4))
def test_none_is_late_that_need_not_be_and_nearest_first_all_of_them_hold(pace: Pace, pieces: list[Wanted]) -> None:
    """Where the least that can be done for each is there in time, so is what is done, however unlucky each is."""
    pieces = sorted(pieces, key=lambda each: each.left_s)
    least, feasible = 0.0, True
    for each in pieces:
        least += least_s(pace, each)
        feasible = feasible and least <= each.left_s - SPARE_S
    now_s = 0.0
    while feasible and pieces:
        left = [Wanted(p.style, p.duration_s, p.candidates, p.left_s - now_s) for p in pieces]
        choice = choose(pace, left)
        assert choice.effort is not None
        now_s += p99_s(pace, pieces[0], choice.effort)
        assert now_s <= pieces[0].left_s - SPARE_S + 1e-6
        pieces = pieces[1:]


def test_what_nobody_knows_is_composed_as_asked_for_and_so_is_what_has_time() -> None:
    assert choose(Pace(), [Wanted("bach", 240.0, 4, 10.0)]).effort == Effort(4)
    assert choose(known(9.0), [Wanted("bach", 240.0, 4, math.inf)]).effort == Effort(4)


def test_the_reason_says_what_is_done_and_how_long_there_is() -> None:
    assert choose(known(0.25), [Wanted("bach", 60.0, 4, 45.0)]).reason == "2 candidates: 41 s left"
    assert choose(known(1.0), [Wanted("bach", 60.0, 4, 30.0)]).reason == "30 s left, and composing takes up to 60 s"


def keeps_up(slower: Sequence[float], seconds: float = 60.0) -> list[tuple[Effort | None, bool]]:
    """Return what is done for pieces one after another, and whether each was in time, two composed ahead.

    Args:
        slower: how many times slower than usual the composer is for each; four candidates usually take half the time.
    """
    pace, done = known(0.5 / Effort(4).cost), []
    # When the composer is free, and when the next piece should begin.
    free_s, due_s = 0.0, seconds
    for factor in slower:
        wanted = Wanted("bach", seconds, 4, due_s - free_s)
        after = Wanted("bach", seconds, 4, due_s + seconds - free_s)
        choice = choose(pace, [wanted, after])
        if choice.effort is not None:
            took_s = 0.5 / Effort(4).cost * seconds * choice.effort.cost * factor
            pace = pace.learn(Sample("bach", seconds, choice.effort, took_s))
            free_s += took_s
        done.append((choice.effort, free_s <= due_s))
        # No more than two ahead are composed.
        due_s += seconds
        free_s = max(free_s, due_s - 2 * seconds)
    return done


def test_a_composer_that_is_three_times_slower_is_answered_and_all_is_done_again_when_it_recovers() -> None:
    done = keeps_up([1.0] * 4 + [3.0] * 10 + [1.0] * 20)
    assert [effort for effort, _ in done[:4]] == [Effort(4)] * 4
    # It is not known before it happens.
    assert all(in_time for _, in_time in done[6:])
    assert all(effort is None or effort.candidates < 4 for effort, _ in done[6:14])
    assert any(effort is not None for effort, _ in done[6:14])
    assert [effort for effort, _ in done[-3:]] == [Effort(4)] * 3


def test_where_nothing_was_composed_for_long_it_is_tried_again() -> None:
    pace, wanted, tries = known(20.0), Wanted("bach", 60.0, 4, 120.0), 0
    while choose(pace, [wanted]).effort is None:
        pace, tries = pace.hope(), tries + 1
    assert 3 < tries < 15


@given(PACES)
def test_what_is_known_is_the_same_after_a_restart(pace: Pace) -> None:
    assert Pace.of(pace.plain) == pace
    assert len(pace.learn(*pace.samples * 9).samples) <= REMEMBERED


@pytest.mark.parametrize("row", [[], ["bach", 1.0, 2, 0], ["bach", 0.0, 4, 0, 1.0], ["bach", 1.0, 4, 0, "long"], None])
def test_what_is_no_sample_is_left_out(row: object) -> None:
    good = Sample("bach", 60.0, Effort(4), 20.0)
    assert Pace.of([row, good.plain]).samples == (good,)  # type: ignore[list-item]


def test_pieces_alike_in_style_length_and_effort_say_more_than_others() -> None:
    pace = Pace().learn(*[Sample("jazz", 60.0, Effort(4), 90.0), Sample("bach", 60.0, Effort(4), 30.0)] * 12)
    expected = pace.expected("bach", 60.0, Effort(4))
    assert expected is not None
    assert expected.p50_s == 30.0
    assert 30.0 < expected.p99_s < 45.0
    slow = pace.expected("jazz", 60.0, Effort(4))
    assert slow is not None
    assert slow.p50_s == 90.0
    # Of a length nobody knows: in proportion.
    long = pace.expected("bach", 600.0, Effort(4))
    assert long is not None
    assert long.p50_s >= 300.0
