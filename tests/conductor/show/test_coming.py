"""What the audience is told of what comes next is what the player was told, and nothing that nobody knows."""

from __future__ import annotations

from dataclasses import replace

from conductor.cues import Phase, Slot, State
from conductor.setlist import Cue, Endless
from conductor.setlist.values import Follow
from conductor.show.coming import next_of
from conductor.wire import Next

FIRST = Slot(Cue(id="a", number="1", name="Dawn"), Phase.LIVE, number=1, duration_s=60.0)
SECOND = Slot(Cue(id="b", number="2", name="Rain"), Phase.ARMED, number=2, duration_s=50.0)


def state(*slots: Slot, queue: tuple[int, ...] | None = (2,), gap_s: float = 1.0) -> State:
    return State(slots=slots, queue=queue, gap_s=gap_s)


def test_a_queued_piece_is_told_with_the_gap_that_the_player_was_told() -> None:
    assert next_of(state(FIRST, SECOND), "Show") == Next("Rain", 1.0, number=1)
    assert next_of(state(FIRST, SECOND, gap_s=-3.0), "Show") == Next("Rain", -3.0, number=1)


def test_a_piece_that_takes_the_place_of_the_one_before_is_counted_down_to_there() -> None:
    cut = replace(state(FIRST, SECOND), cuts=(48.5,))
    assert next_of(cut, "Show") == Next("Rain", -11.5, number=1)


def test_nothing_is_counted_down_that_the_player_was_not_told() -> None:
    assert next_of(state(FIRST, SECOND, queue=None), "Show") == Next("Rain", None, number=1)
    assert next_of(state(FIRST, SECOND, queue=()), "Show") == Next("Rain", None, number=1)
    assert next_of(state(SECOND), "Show") == Next("Rain", None)


def test_a_piece_that_waits_for_go_is_told_so() -> None:
    waits = replace(SECOND, cue=replace(SECOND.cue, follow=Follow("hold")))
    assert next_of(state(FIRST, waits, queue=()), "Show") == Next("Rain (on cue)", number=1)


def test_a_piece_that_is_composed_is_told_with_how_far_it_is_in_few_steps() -> None:
    told = {
        next_of(state(FIRST, replace(SECOND, phase=Phase.COMPOSING, number=0, fraction=n / 500)), "Show").ready
        for n in range(500)
    }
    assert len(told) == 20
    assert min(told) == 0.0
    assert max(told) < 1.0


def test_the_show_says_farewell_with_its_last_piece_and_not_before_its_first() -> None:
    assert next_of(state(FIRST), "First Light") == Next("", farewell="First Light", number=1)
    assert next_of(state(replace(FIRST, phase=Phase.AIRED)), "First Light") == Next("", farewell="First Light")
    assert next_of(state(), "First Light") == Next("")
    endless = replace(state(FIRST), endless=Endless(styles=(("bach", 1.0),)))
    assert next_of(endless, "First Light") == Next("", number=1)
