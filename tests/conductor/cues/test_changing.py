"""Changes while a piece plays and pieces that take another's place: what the rules allow and ask for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor import cues as c
from conductor.cues import Phase, RefusalError, Slot, State, step, wish_of
from conductor.cues.changing import LEAD_S, LEAST_LEFT_S, STALL_S
from conductor.setlist import Cue
from conductor.setlist.values import Follow
from tests.conductor.cues.stage import Stage, stage

JAZZ = wish_of({"style": "jazz"})
# A piece of 60 s at 120 a minute: a bar is 2 s.
BARS = tuple((n + 1, 2.0 * n) for n in range(30))


def on_air(*follows: str) -> Stage:
    s = stage(*(follows or ("auto",)))
    s.compose()
    s.obey()
    s.orders.clear()
    assert live(s).phase is Phase.LIVE
    return s


def live(s: Stage) -> Slot:
    slot = s.state.live
    assert slot is not None
    return slot


def ask(s: Stage, position_s: float = 10.0, wish: c.Wish = JAZZ) -> list[Any]:
    """Give the verb, as the show does; return what is asked for."""
    bars = tuple(line for line in BARS if line[1] > position_s)
    s.state, actions = step(s.state, c.Change(wish, position_s, bars), s.now_s)
    return list(actions)


def told(s: Stage, event: c.Event) -> list[Any]:
    s.state, actions = step(s.state, event, s.now_s)
    return list(actions)


def test_a_change_begins_at_the_first_bar_line_that_the_composer_can_be_ahead_of() -> None:
    s = on_air()
    [start] = ask(s, position_s=10.5)
    assert isinstance(start, c.StartChange)
    # Bar 7 begins at 12 s, less than the lead away.
    assert (start.changing.bar, start.changing.at_s) == (8, 14.0)
    assert start.number == live(s).number
    assert dict(start.wish) == {"style": "jazz"}
    assert live(s).changing == start.changing


@given(st.floats(0.0, 44.0), st.floats(*LEAD_S))
def test_wherever_the_piece_is_the_bar_line_is_ahead_by_the_lead_and_no_later_than_need_be(
    position_s: float, lead_s: float
) -> None:
    s = on_air()
    s.state = replace(s.state, lead_s=lead_s)
    try:
        [start] = ask(s, position_s=position_s)
    except RefusalError:
        assert position_s + lead_s > 52.0
        return
    at_s = start.changing.at_s
    # A lead of little more than a bar is tried as one, so that the change is heard within two.
    ahead_s = 2.0 if 2.0 < lead_s <= 3.0 else lead_s
    assert at_s >= position_s + ahead_s - 0.01
    assert at_s - 2.0 < position_s + ahead_s


@pytest.mark.parametrize(
    ("spoil", "position_s", "reason"),
    [
        ({"slots": ()}, 10.0, "nothing is on air"),
        ({"composer": False}, 10.0, "the composer is not there"),
        ({"player": False}, 10.0, "the player is not there"),
        ({}, 60.0 - LEAST_LEFT_S + 0.5, "nearly over"),
        ({"lead_s": 44.0}, 12.0, "no bar line left"),
    ],
)
def test_a_change_that_cannot_be_is_refused_with_its_reason(
    spoil: dict[str, Any], position_s: float, reason: str
) -> None:
    s = on_air()
    s.state = replace(s.state, **spoil)
    before = s.state
    with pytest.raises(RefusalError, match=reason):
        ask(s, position_s=position_s)
    assert s.state == before


def test_a_fading_piece_is_not_changed_and_a_change_without_a_wish_is_refused() -> None:
    s = on_air()
    with pytest.raises(RefusalError, match="nothing is to be different"):
        ask(s, wish=())
    s.send(c.Skip())
    with pytest.raises(RefusalError, match="fading"):
        ask(s)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "nothing is to be different"),
        ({"style": None, "instruments": []}, "nothing is to be different"),
        ({"mood": "merry"}, "'mood' cannot be changed"),
        ({"style": "chopan"}, "did you mean chopin"),
        ({"instruments": ["kazoo"]}, "not in the ensemble"),
        ({"key": "h minor"}, "unknown"),
        ({"tempo_bpm": 900}, "tempo of 900"),
    ],
)
def test_a_wish_that_means_nothing_is_refused_in_a_line(body: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        wish_of(body)
    assert "\n" not in str(refused.value)


def test_a_second_change_takes_the_place_of_the_first_and_keeps_what_was_wished_before() -> None:
    s = on_air()
    [first] = ask(s)
    stop, second = ask(s, 16.0, wish_of({"energy": "high"}))
    assert stop == c.StopChange(first.cue.id, first.changing.id)
    assert second.changing.id != first.changing.id
    assert [name for name, _ in second.wish] == ["style", "energy"]
    # What is still said of the first is old news.
    before = s.state
    assert told(s, c.Revised(first.cue.id, first.changing.id, 30.0, 50.0, final=True)) == []
    assert s.state == before


def test_sections_move_the_end_of_the_piece_and_the_last_one_ends_the_change() -> None:
    s = on_air()
    [start] = ask(s)
    cue_id, change_id = start.cue.id, start.changing.id
    told(s, c.Revised(cue_id, change_id, 22.0, 60.0, final=False))
    changing = live(s).changing
    assert changing is not None
    assert changing.until_s == 22.0
    told(s, c.Revised(cue_id, change_id, 75.0, 75.0, final=True))
    assert (live(s).changing, live(s).duration_s, live(s).revision) == (None, 75.0, 2)


def test_the_lead_follows_the_composers_answers_up_at_once_and_down_slowly() -> None:
    s = on_air()
    leads = []
    for answer_s in (6.0, 0.5, 0.5):
        [start] = ask(s)
        s.now_s += answer_s
        told(s, c.Revised(start.cue.id, start.changing.id, 22.0, 60.0, final=False))
        told(s, c.Revised(start.cue.id, start.changing.id, 60.0, 60.0, final=True))
        leads.append(s.state.lead_s)
    assert leads[0] > 6.0
    assert leads[0] > leads[1] > leads[2] > 1.0


@pytest.mark.parametrize(
    "event",
    [c.Skip(), c.FadeOut(), c.ComposerLost(), c.PlayerLost(), c.Finished(1)],
    ids=lambda event: type(event).__name__,
)
def test_a_change_of_what_goes_off_the_air_is_taken_back(event: c.Event) -> None:
    s = on_air()
    [start] = ask(s)
    stop = c.StopChange(start.cue.id, start.changing.id)
    assert [a for a in told(s, event) if isinstance(a, c.StopChange)] == [stop]
    assert not any(slot.changing for slot in s.state.slots)
    assert not [a for a in told(s, c.Tick()) if isinstance(a, c.StopChange)]


def test_a_composer_that_owes_a_section_too_long_is_given_up_and_the_piece_plays_on() -> None:
    s = on_air()
    [start] = ask(s)
    s.now_s += STALL_S - 1.0
    assert not [a for a in told(s, c.Tick()) if isinstance(a, c.StopChange)]
    s.now_s += 2.0
    assert c.StopChange(start.cue.id, start.changing.id) in told(s, c.Tick())
    assert live(s).changing is None


def test_a_change_the_composer_refuses_leaves_the_piece_as_it_is() -> None:
    s = on_air()
    [start] = ask(s)
    told(s, c.Unchanged(start.cue.id, start.changing.id, "no such style"))
    assert (live(s).changing, live(s).duration_s, live(s).phase) == (None, 60.0, Phase.LIVE)
    assert isinstance(ask(s)[0], c.StartChange)


# --- a piece that takes another's place ---------------------------------------------


def join(s: Stage, request: c.StartComposing) -> list[Any]:
    after = request.after
    assert after is not None
    joins = replace(after, at_s=40.0)
    actions = told(s, c.Took(request.cue.id, request.order, 50.0, 99, joins=joins))
    return actions + told(s, c.Kept(request.cue.id, s.slot(request.cue.id).number))


def test_a_cue_that_morphs_goes_on_from_the_one_before_and_takes_its_place_there() -> None:
    s = on_air("auto")
    s = Stage(replace(s.state, slots=(live(s), Slot(Cue("m", "2", "M", follow=Follow("morph", morph_s=20.0))))))
    [request] = [a for a in told(s, c.Tick()) if isinstance(a, c.StartComposing)]
    assert request.after == c.Join(live(s).cue.id, 0.0, 0)
    queued = [a for a in join(s, request) if isinstance(a, c.QueueUp)]
    assert queued[-1].cuts == (40.0,)


def queue_of(s: Stage) -> c.QueueUp:
    """Return what the player would be told when it came back."""
    state: State = replace(s.state, queue=None)
    return next(a for a in step(state, c.Tick(), s.now_s)[1] if isinstance(a, c.QueueUp))


def joined() -> Stage:
    s = on_air("auto")
    s = Stage(replace(s.state, slots=(live(s), Slot(Cue("m", "2", "M", follow=Follow("morph", morph_s=20.0))))))
    [request] = [a for a in told(s, c.Tick()) if isinstance(a, c.StartComposing)]
    join(s, request)
    assert queue_of(s).cuts == (40.0,)
    return s


def test_while_the_piece_before_is_changed_nothing_takes_its_place_and_then_it_is_composed_anew() -> None:
    s = joined()
    old = s.state.slots[1].number
    [start, taken_back] = ask(s)
    assert isinstance(start, c.StartChange)
    assert taken_back == c.QueueUp((old,), 1.0, ())
    actions = told(s, c.Revised(start.cue.id, start.changing.id, 70.0, 70.0, final=True))
    assert c.Forget(old) in actions
    [request] = [a for a in actions if isinstance(a, c.StartComposing)]
    assert request.after == c.Join(start.cue.id, 0.0, 1)
    join(s, request)
    assert queue_of(s).cuts == (40.0,)


def test_with_little_time_left_it_just_follows() -> None:
    s = joined()
    number = s.state.slots[1].number
    [start, *_] = ask(s, 30.0)
    actions = told(s, c.Revised(start.cue.id, start.changing.id, 50.0, 50.0, final=True))
    assert not [a for a in actions if isinstance(a, c.StartComposing | c.Forget)]
    assert queue_of(s) == c.QueueUp((number,), 1.0, ())


def test_a_piece_that_is_skipped_or_followed_by_another_is_not_cut() -> None:
    s = joined()
    s.send(c.Skip())
    assert queue_of(s).cuts == ()
    s = joined()
    s.state = replace(s.state, slots=(*s.state.slots, Slot(Cue("x", "3", "X"), Phase.READY, number=9)))
    s.send(c.Standby("x"))
    assert queue_of(s) == c.QueueUp((9, s.state.slots[2].number), 1.0, ())


@pytest.mark.parametrize("cue", [Cue("m", "1", "M", follow=Follow("morph", morph_s=9.0), opening="x.mid")])
def test_a_cue_with_an_opening_of_its_own_stands_alone(cue: Cue) -> None:
    s = on_air("auto")
    s = Stage(replace(s.state, slots=(live(s), Slot(cue))))
    [request] = [a for a in told(s, c.Tick()) if isinstance(a, c.StartComposing)]
    assert request.after is None
