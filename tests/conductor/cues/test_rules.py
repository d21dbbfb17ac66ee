"""The rules of the show: nothing is lost, nothing starts twice, nothing stands still."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor import cues as c
from conductor.cues import Phase
from conductor.cues.composing import RETRIES, STALL_S, attempt_seed
from conductor.radio.drawing import draw
from conductor.setlist import Endless
from tests.conductor.cues.stage import stage


def test_the_first_piece_starts_when_it_is_composed_and_the_next_is_queued() -> None:
    s = stage("auto", "auto", "auto")
    assert s.phases() == ["composing", "planned", "planned"]
    s.compose()
    s.obey()
    assert s.phases() == ["live", "composing", "planned"]
    s.compose()
    s.obey()
    assert s.phases() == ["live", "armed", "composing"]
    assert s.queue == [2]
    s.piece_ends()
    assert s.started == [1, 2]
    assert s.phases()[:2] == ["aired", "live"]


def test_no_more_than_ahead_is_composed_before_its_moment() -> None:
    s = stage("hold", "hold", "hold", ahead=2)
    while s.asked:
        s.compose()
        s.obey()
    assert s.phases() == ["armed", "ready", "planned"]


def test_a_hold_waits_for_go_and_an_auto_after_it_follows() -> None:
    s = stage("hold", "auto")
    s.compose()
    s.compose()
    s.obey()
    s.pass_time(60)
    assert s.started == []
    s.send(c.Go())
    s.obey()
    assert s.phases() == ["live", "armed"]
    s.piece_ends()
    assert s.started == [1, 2]


def test_a_hang_is_queued_with_its_head_start() -> None:
    s = stage("auto", "hang")
    s.compose()
    s.obey()
    s.compose()
    queued = [a for a in s.orders if isinstance(a, c.QueueUp)]
    assert queued[-1] == c.QueueUp((2,), -3.0)


def test_a_second_go_at_once_is_refused_and_starts_nothing() -> None:
    s = stage("hold", "hold")
    s.compose()
    s.compose()
    s.send(c.Go())
    with pytest.raises(c.RefusalError, match="just given"):
        s.send(c.Go())
    s.obey()
    s.now_s += 0.2
    with pytest.raises(c.RefusalError, match="just given"):
        s.send(c.Go())
    s.obey()
    assert s.started == [1]


def test_go_before_the_piece_is_there_says_why_not() -> None:
    s = stage("hold")
    s.send(c.Progressed("c1", 1, 0.43))
    with pytest.raises(c.RefusalError, match=r"Cue 1 is still being composed \(43%\)"):
        s.send(c.Go())


def test_on_hold_nothing_starts_by_itself_until_the_release() -> None:
    s = stage("auto", "auto")
    s.compose()
    s.obey()
    s.compose()
    s.obey()
    s.send(c.Hold())
    s.obey()
    s.piece_ends()
    s.pass_time(30)
    assert s.started == [1]
    s.send(c.Release())
    s.obey()
    assert s.started == [1, 2]


def test_a_skip_ends_what_is_live_and_the_next_follows() -> None:
    s = stage("auto", "auto")
    s.compose()
    s.obey()
    s.compose()
    s.obey()
    s.send(c.Skip())
    with pytest.raises(c.RefusalError, match="already fading"):
        s.send(c.Skip())
    s.obey()
    assert s.started == [1, 2]


def test_a_fade_leads_to_the_bed_and_holds() -> None:
    s = stage("auto", "auto")
    s.compose()
    s.obey()
    s.compose()
    s.obey()
    s.send(c.FadeOut(4.0))
    s.obey()
    s.pass_time(30)
    assert (s.playing, s.started, s.state.held) == (0, [1], True)


def test_standby_brings_a_cue_forward_and_keeps_the_others() -> None:
    s = stage("hold", "hold", "hold")
    s.send(c.Standby("c3"))
    assert [slot.cue.id for slot in s.state.upcoming] == ["c3", "c1", "c2"]


def test_a_failure_is_tried_again_with_other_seeds_and_then_the_library_stands_in() -> None:
    s = stage("auto")
    seeds = []
    for _ in range(RETRIES + 1):
        seeds.append(s.asked[0].seed)
        s.compose(works=False)
        s.pass_time(60)
    assert len(set(seeds)) == RETRIES + 1
    assert seeds[0] == 1
    slot = s.state.slots[0]
    assert slot.phase is Phase.LIVE
    assert slot.reason == "no inspiration"


def test_without_a_library_the_cue_fails_with_its_reason_and_the_next_is_played() -> None:
    s = stage("auto", "auto", library=False)
    for _ in range(RETRIES + 1):
        s.compose(works=False)
        s.pass_time(60)
    assert s.state.slots[0].phase is Phase.FAILED
    assert s.state.slots[0].reason == "no inspiration"
    s.compose()
    s.obey()
    assert s.phases() == ["failed", "live"]


def test_a_composer_that_hangs_is_cancelled_and_asked_again() -> None:
    s = stage("auto")
    first = s.asked[0]
    s.pass_time(STALL_S + 1)
    s.pass_time(5)
    assert [a.order for a in s.asked] == [2]
    # The late answer to the first request changes nothing.
    s.send(c.Took("c1", first.order, 60.0, 10))
    assert s.phases() == ["composing"]


def test_an_empty_piece_is_no_piece() -> None:
    s = stage("auto")
    s.send(c.Took("c1", 1, 0.0, 0))
    assert s.state.slots[0].attempt == 1


def test_after_the_player_died_the_show_goes_on_with_the_next_piece() -> None:
    s = stage("auto", "auto")
    s.compose()
    s.obey()
    s.compose()
    s.obey()
    s.player_dies()
    assert s.state.slots[0].phase is Phase.AIRED
    assert "cut short" in s.state.slots[0].reason
    s.send(c.PlayerUp())
    s.obey()
    assert s.started == [1, 2]


def test_unattended_holds_start_by_themselves_and_the_end_is_told_once() -> None:
    s = stage("hold", "hold", unattended=True)
    s.compose()
    s.obey()
    s.compose()
    s.obey()
    s.piece_ends()
    s.piece_ends()
    assert s.started == [1, 2]
    assert s.state.over


RADIO = Endless(styles=(("chopin", 3.0), ("jazz", 1.0)))


def test_the_endless_part_is_drawn_by_weight_and_the_same_for_the_same_seed() -> None:
    drawn = [draw(RADIO, 7, n) for n in range(1, 401)]
    assert drawn == [draw(RADIO, 7, n) for n in range(1, 401)]
    assert 250 < sum(cue.style == "chopin" for cue in drawn) < 350
    assert len({cue.seed for cue in drawn}) == 400
    assert drawn != [draw(RADIO, 8, n) for n in range(1, 401)]


def test_two_days_of_radio_play_on_and_the_state_stays_small() -> None:
    s = stage(endless=RADIO, ahead=3)
    for _ in range(2 * 24 * 60):
        while s.asked:
            s.compose()
        s.obey()
        s.pass_time(1)
        s.piece_ends()
    assert len(s.started) == len(set(s.started)) > 2800
    assert len(s.state.slots) < 60


@given(st.integers(0, 2**31 - 1), st.integers(0, 2))
def test_seeds_of_all_attempts_are_seeds(seed: int, attempt: int) -> None:
    assert 0 <= attempt_seed(seed, attempt) < 2**31


def test_the_state_is_a_value() -> None:
    s = stage("auto")
    assert replace(s.state) == s.state
    assert hash(s.state) == hash(replace(s.state))
