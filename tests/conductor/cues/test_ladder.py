"""What plays when what was to play does not: every step down is fired here, and every step back."""

from __future__ import annotations

from conductor import cues as c
from conductor.cues import Phase
from conductor.cues.ladder import PATIENCE_S
from conductor.cues.playing import MISFIRES, REFIRE_S
from tests.conductor.cues.stage import Stage, ready, stage


def number(s: Stage, cue_id: str) -> int:
    return s.slot(cue_id).number


def test_a_piece_of_which_nothing_is_heard_gives_way_to_the_next_that_is_ready() -> None:
    s = ready("auto", "auto", "auto")
    assert s.phases()[:2] == ["live", "armed"]
    s.send(c.Unheard(number(s, "c1")))
    s.obey()
    assert s.started == [1, 2]
    s.ring_out()
    assert s.slot("c1").phase is Phase.AIRED
    assert s.slot("c1").reason == "nothing was heard of it"


def test_with_nothing_ready_it_fades_to_the_bed_and_the_next_follows_when_it_is() -> None:
    s = stage("auto", "auto")
    s.compose()
    s.obey()
    s.send(c.Unheard(number(s, "c1")))
    assert [a for a in s.orders if isinstance(a, c.FadeNow)], "the bed comes in under the fade"
    s.obey()
    s.compose()
    s.pass_time(5.0)
    assert s.slot("c2").phase is Phase.LIVE


def test_a_piece_that_waits_for_go_is_not_begun_by_a_silence() -> None:
    s = ready("auto", "hold", "auto")
    s.send(c.Unheard(number(s, "c1")))
    s.obey()
    s.pass_time(PATIENCE_S + 1)
    assert s.started == [1]
    assert s.slot("c2").phase is Phase.ARMED


def test_what_is_not_live_any_more_is_left_alone() -> None:
    s = ready("auto", "auto")
    before = s.state
    s.send(c.Unheard(99))
    assert s.state == before
    s.send(c.Unheard(number(s, "c1")))
    s.send(c.Unheard(number(s, "c1")))
    assert len([a for a in s.orders if isinstance(a, c.Play)]) == 1, "told twice, it happens once"


def test_what_is_ready_plays_before_what_is_late_and_the_late_one_after_it() -> None:
    s = stage("auto", "auto", "auto", ahead=3)
    # As a resumed show has it: what is second lies there already.
    s.state = s.state.put(c.Slot(s.slot("c2").cue, Phase.READY, number=7, duration_s=60.0))
    s.loaded.add(7)
    s.pass_time(PATIENCE_S + 0.5)
    s.obey()
    assert s.started == [7]
    assert s.slot("c2").phase is Phase.LIVE
    assert s.slot("c2").reason == "before Cue 1, which is not ready"
    assert s.coming()[0] == "c1", "the late one is next"


def test_where_the_bed_has_played_for_long_a_piece_of_the_library_stands_in() -> None:
    s = stage("auto", "auto")
    s.send(c.Starved())
    s.obey()
    assert s.slot("c1").phase is Phase.LIVE
    assert s.slot("c1").reason == "nothing was ready"
    assert [request.cue.id for request in s.asked] == ["c2"], "nobody composes what is on air already"


def test_where_the_library_is_empty_it_is_composed_after_all() -> None:
    s = stage("auto", library=False)
    s.send(c.Starved())
    s.pass_time(1.0)
    assert s.slot("c1").phase is Phase.COMPOSING
    s.compose()
    s.obey()
    assert s.slot("c1").phase is Phase.LIVE


def test_what_is_nearly_composed_is_waited_for() -> None:
    s = stage("auto")
    s.send(c.Progressed("c1", s.slot("c1").order, 0.9))
    s.send(c.Starved())
    assert not s.slot("c1").borrowing


def test_a_start_that_fails_is_tried_again_and_then_left_for_the_next() -> None:
    # The player has lost it, and says nothing.
    s = ready("hold", "auto")
    s.loaded.discard(number(s, "c1"))
    s.send(c.Go())
    s.obey()
    for _ in range(MISFIRES):
        assert s.slot("c1").phase is not Phase.FAILED
        s.pass_time(REFIRE_S + 0.1)
        if s.slot("c1").phase is Phase.ARMED:
            s.send(c.Go())
            s.obey()
    s.pass_time(REFIRE_S + 0.1)
    assert s.slot("c1").phase is Phase.FAILED
    assert "did not begin, 2 times" in s.slot("c1").reason
    s.pass_time(1.0)
    assert s.slot("c2").phase is Phase.LIVE


def test_a_piece_at_whose_start_the_player_dies_twice_is_not_given_to_it_again() -> None:
    s = stage("auto", "auto")
    s.compose()
    dying = number(s, "c1")
    for _ in range(MISFIRES):
        assert any(isinstance(a, c.Play) and a.number == dying for a in s.orders)
        s.player_dies()
        s.send(c.PlayerUp())
    assert s.slot("c1").phase is Phase.FAILED
    s.compose()
    s.obey()
    assert s.slot("c2").phase is Phase.LIVE
