"""Undo and redo: plans come back, facts stay, and a GO is taken back while what it started is live."""

from __future__ import annotations

import pytest

from conductor import cues as c
from conductor.cues import Phase
from conductor.cues.undoing import UNDOS
from conductor.setlist import Cue
from tests.conductor.cues.stage import Stage, ready, stage


def gone() -> Stage:
    """The first cue was cut at 12.5 s by a GO of the second, which is live."""
    s = ready("auto", "hold", "hold", ahead=3)
    s.now_s += 1.0
    s.send(c.Go(None, 12.5))
    s.obey()
    assert s.phases() == ["aired", "live", "armed"]
    return s


@pytest.mark.parametrize("rung_out", [False, True])
def test_undo_of_a_go_lets_what_was_cut_go_on_where_it_was_cut(rung_out: bool) -> None:
    s = gone()
    if rung_out:
        s.ring_out()
    s.now_s += 1.0
    s.send(c.Undo())
    s.obey()
    assert s.phases() == ["live", "armed", "ready"]
    assert (s.started, s.from_s[-1]) == ([1, 2, 1], 12.5)
    s.ring_out()
    assert s.phases() == ["live", "armed", "ready"], "what faded is to come again, and not over"
    # And it is started by the next GO as if nothing had been.
    s.now_s += 1.0
    s.send(c.Go(None, 14.0))
    s.obey()
    s.ring_out()
    assert s.phases() == ["aired", "live", "armed"]


def test_redo_of_a_go_starts_it_again_and_that_can_be_undone_too() -> None:
    s = gone()
    s.send(c.Undo())
    s.obey()
    s.send(c.Redo(15.0))
    s.obey()
    assert s.phases() == ["aired", "live", "armed"]
    s.send(c.Undo())
    s.obey()
    assert s.from_s[-1] == 15.0
    assert s.phases() == ["live", "armed", "ready"]


def test_undo_of_a_go_out_of_the_bed_goes_back_to_the_bed_and_holds() -> None:
    s = ready("hold", "hold")
    s.now_s += 1.0
    s.send(c.Go())
    s.obey()
    s.send(c.Undo())
    with pytest.raises(c.RefusalError, match="Cue 1 is just fading"):
        s.send(c.Redo())
    s.obey()
    s.pass_time(10.0)
    assert (s.phases(), s.playing, s.state.held) == (["armed", "ready"], 0, True)
    s.send(c.Redo())
    s.obey()
    assert s.slot("c1").phase is Phase.LIVE
    assert not s.state.held


def test_a_go_whose_piece_has_been_is_a_fact() -> None:
    s = gone()
    s.piece_ends()
    assert s.slot("c2").phase is Phase.AIRED
    with pytest.raises(c.RefusalError, match="nothing to undo"):
        s.send(c.Undo())


def test_a_go_that_has_just_been_given_is_not_undone_before_it_is_heard() -> None:
    s = ready("auto", "hold")
    s.now_s += 1.0
    s.send(c.Go())
    with pytest.raises(c.RefusalError, match="Cue 2 is just starting"):
        s.send(c.Undo())


def test_an_edit_while_something_starts_is_undone_without_losing_it() -> None:
    s = ready("auto", "hold", "hold", ahead=3)
    s.now_s += 1.0
    s.send(c.Go())
    s.send(c.Regenerate("c3"))
    # The player never began it.
    s.orders.clear()
    s.now_s += 10.0
    s.send(c.Tick())
    s.send(c.Undo())
    assert s.coming() == ["c2", "c3"]


def test_when_the_player_dies_while_a_go_is_taken_back_the_show_goes_on() -> None:
    s = gone()
    s.send(c.Undo())
    s.player_dies()
    s.send(c.PlayerUp())
    s.pass_time(1.0)
    assert s.playing == s.slot("c1").number
    assert s.from_s[-1] == 12.5, "from where it was cut"
    assert s.slot("c2").phase is Phase.AIRED


def test_the_piece_that_was_cut_is_kept_until_the_next_has_been() -> None:
    s = gone()
    s.ring_out()
    assert 1 in s.loaded
    s.piece_ends()
    s.obey()
    assert 1 not in s.loaded
    assert s.slot("c1").number == 0


def test_a_skip_is_undone_with_its_music_and_redone() -> None:
    s = ready("hold", "hold", "hold", ahead=3)
    piece = s.slot("c2").piece
    s.send(c.Skip("c2"))
    s.send(c.Undo())
    assert (s.coming(), s.slot("c2").piece, s.slot("c2").phase) == (["c1", "c2", "c3"], piece, Phase.READY)
    assert not s.asked, "its music is in the library"
    s.send(c.Redo())
    assert s.slot("c2").phase is Phase.SKIPPED
    assert s.coming() == ["c1", "c3"]


def test_a_regenerated_piece_comes_back_and_goes_again() -> None:
    s = ready("hold")
    old = s.slot("c1")
    s.send(c.Regenerate("c1"))
    s.compose()
    new = s.slot("c1")
    assert new.piece not in (None, old.piece)
    s.send(c.Undo())
    assert (s.slot("c1").piece, s.slot("c1").cue) == (old.piece, old.cue)
    s.send(c.Redo())
    assert (s.slot("c1").piece, s.slot("c1").cue) == (new.piece, new.cue)
    assert not s.asked


@pytest.mark.parametrize(
    "verb",
    [
        c.Insert(Cue("", "", "New")), c.Again("c1"), c.Move("c3", 1), c.Standby("c2"), c.Choose("c2", 2), c.Hold(),
        c.Edit("c2", (("name", "Other"),)), c.Edit("c2", (("duration_s", 99.0),)), c.Skip("c3"), c.Regenerate("c2"),
    ],
)  # fmt: skip
def test_every_edit_is_undone_and_redone(verb: c.Verb) -> None:
    s = ready("hold", "hold", "hold", ahead=3)

    def plan() -> list[object]:
        return [[(slot.cue, slot.piece) for slot in s.state.upcoming], s.state.held]

    before = plan()
    s.send(verb)
    after = plan()
    assert after != before
    s.send(c.Undo())
    assert plan() == before
    s.send(c.Redo())
    assert plan() == after
    with pytest.raises(c.RefusalError, match="nothing to redo"):
        s.send(c.Redo())


def test_a_new_edit_forgets_what_could_be_redone_and_the_stack_is_bounded() -> None:
    s = ready("hold", "hold", "hold", ahead=1)
    s.send(c.Move("c3", 1))
    s.send(c.Undo())
    s.send(c.Move("c3", 2))
    assert s.state.redo == ()
    for n in range(UNDOS + 5):
        s.send(c.Move("c3", 1 + n % 2))
    assert len(s.state.undo) == UNDOS


def test_what_has_been_on_air_since_is_not_brought_back() -> None:
    s = stage("auto", "hold", "hold", ahead=3)
    s.send(c.Move("c3", 2))
    while s.asked:
        s.compose()
        s.obey()
    assert s.slot("c1").phase is Phase.LIVE
    s.send(c.Undo())
    assert s.coming() == ["c2", "c3"]
    assert s.slot("c1").phase is Phase.LIVE


def test_while_locked_a_hold_and_a_go_are_undone_but_no_edit() -> None:
    s = ready("hold", "hold", "hold", ahead=3)
    s.send(c.Move("c3", 1))
    s.send(c.Hold())
    s.send(c.Lock())
    s.send(c.Undo())
    assert not s.state.held
    with pytest.raises(c.RefusalError, match="locked"):
        s.send(c.Undo())
