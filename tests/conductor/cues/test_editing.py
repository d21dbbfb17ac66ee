"""Edits of what is to come: what each verb does, what keeps its music, and why it is refused."""

from __future__ import annotations

import pytest

from conductor import cues as c
from conductor.cues import Phase
from conductor.setlist import Cue, Endless
from conductor.setlist.values import Follow
from tests.conductor.cues.stage import Stage, ready, stage


def on_air(*follows: str, ahead: int = 3) -> Stage:
    """The first cue is on air, the others are ready."""
    s = ready(*(follows or ("auto", "hold", "hold")), ahead=ahead)
    assert s.phases()[0] == "live"
    return s


def test_back_lets_what_was_last_be_next_with_its_own_music_and_nothing_is_composed() -> None:
    s = on_air("auto", "hold", "hold", ahead=3)
    s.send(c.Hold())
    s.piece_ends()
    first = s.slot("c1")
    assert first.phase is Phase.AIRED
    s.send(c.Back())
    again = s.slot("c1-2")
    assert s.coming() == ["c1-2", "c2", "c3"]
    assert (again.piece, again.phase, again.cue.number) == (first.piece, Phase.ARMED, "1b")
    assert not s.asked
    with pytest.raises(c.RefusalError, match="Cue 1 is next already"):
        s.send(c.Back())


def test_back_says_why_not() -> None:
    s = stage("hold")
    with pytest.raises(c.RefusalError, match="nothing has been on air yet"):
        s.send(c.Back())
    s = ready("auto", "hold", keeps=False)
    s.piece_ends()
    with pytest.raises(c.RefusalError, match="the music of Cue 1 was not kept"):
        s.send(c.Back())


def test_a_lost_piece_is_composed_anew() -> None:
    s = on_air()
    s.piece_ends()
    s.lost = set(s.pieces)
    s.send(c.Back())
    assert s.slot("c1-2").phase is Phase.COMPOSING
    assert s.slot("c1-2").piece is None
    assert s.asked[0].cue.id == "c1-2"


@pytest.mark.parametrize("cue", ["c1", "c2"])
def test_again_brings_a_copy_with_changes_and_another_seed(cue: str) -> None:
    s = on_air()
    s.send(c.Again(cue, (("duration_s", 90.0), ("controls.key", "D_minor"))))
    copy = s.slot(f"{cue}-2")
    assert s.coming()[0] == f"{cue}-2"
    assert (copy.cue.duration_s, copy.cue.controls.key) == (90.0, "D_minor")
    assert copy.cue.seed != s.slot(cue).cue.seed
    assert s.slot(cue).cue.duration_s == 240.0
    assert s.asked[0].cue == copy.cue


def test_regenerate_lets_the_piece_go_and_composes_with_another_seed() -> None:
    s = on_air()
    before = s.slot("c2")
    s.send(c.Regenerate("c2"))
    s.obey()
    after = s.slot("c2")
    assert before.number not in s.loaded
    assert (after.phase, after.piece, after.takes) == (Phase.COMPOSING, None, ())
    assert s.asked[0].seed != before.cue.seed
    # The answer to an earlier request is not taken for it.
    s.send(c.Took("c2", before.order, 60.0, 10))
    assert s.slot("c2").phase is Phase.COMPOSING


def test_regenerate_while_composing_cancels_that() -> None:
    s = stage("hold")
    first = s.asked[0]
    s.send(c.Regenerate("c1"))
    assert [a.order for a in s.asked] == [first.order + 1]


def test_insert_puts_a_cue_in_with_an_id_and_a_number_of_its_own() -> None:
    s = on_air("auto", "hold", "hold")
    s.send(c.Insert(Cue("", "", "Night Music"), at=2))
    s.send(c.Insert(Cue("", "", "Night Music")))
    assert s.coming() == ["c2", "night-music", "c3", "night-music-2"]
    assert [s.slot(i).cue.number for i in ("night-music", "night-music-2")] == ["2b", "3b"]
    with pytest.raises(c.RefusalError, match='there is a cue "c3" already'):
        s.send(c.Insert(Cue("c3", "", "Other")))
    with pytest.raises(c.RefusalError, match="there is no place 9; 1 is next, 5 the last"):
        s.send(c.Insert(Cue("", "", "Other"), at=9))


def test_a_cue_without_a_place_goes_before_what_is_drawn() -> None:
    s = stage("hold", endless=Endless((("jazz", 1.0),)), ahead=3)
    s.send(c.Insert(Cue("", "", "Mine")))
    assert s.coming()[:3] == ["c1", "mine", "endless-1"]


def test_move_gives_a_cue_another_place() -> None:
    s = on_air("auto", "hold", "hold", "hold", ahead=4)
    s.send(c.Move("c4", 1))
    assert s.coming() == ["c4", "c2", "c3"]
    assert s.slot("c4").phase is Phase.ARMED
    with pytest.raises(c.RefusalError, match="Cue 4 is there already"):
        s.send(c.Move("c4", 1))


def test_an_edit_that_does_not_touch_the_music_keeps_it_and_tells_the_player() -> None:
    s = on_air()
    before = s.slot("c2")
    s.send(c.Edit("c2", (("name", "Dusk"), ("bank", "hall.sf2"), ("follow", Follow()))))
    after = s.slot("c2")
    assert (after.piece, after.number, after.phase) == (before.piece, before.number, before.phase)
    assert (after.cue.name, after.cue.bank, after.cue.follow.kind) == ("Dusk", "hall.sf2", "auto")
    assert s.given == ["c2"]
    s.obey()
    assert s.queue == [after.number], "what was to wait for GO follows by itself now"


def test_an_edit_of_the_music_composes_anew() -> None:
    s = on_air()
    s.send(c.Edit("c2", (("style", "jazz"),)))
    assert s.slot("c2").phase is Phase.COMPOSING
    assert s.asked[0].cue.style == "jazz"
    with pytest.raises(c.RefusalError, match="Cue 2 is so already"):
        s.send(c.Edit("c2", (("style", "jazz"),)))


def test_what_is_to_become_a_morph_is_composed_anew_and_what_is_none_any_more_keeps_its_music() -> None:
    s = on_air()
    s.send(c.Edit("c2", (("follow", Follow("morph", morph_s=20.0)),)))
    assert s.asked[0].after is not None
    s.compose()
    piece = s.slot("c2").piece
    s.send(c.Edit("c2", (("follow", Follow("hold")),)))
    assert (s.slot("c2").piece, s.slot("c2").joins) == (piece, None)


@pytest.mark.parametrize("verb", [c.Edit("c1", (("name", "X"),)), c.Regenerate("c1"), c.Move("c1", 1), c.Standby("c1")])
def test_what_is_on_air_is_frozen(verb: c.Verb) -> None:
    with pytest.raises(c.RefusalError, match="Cue 1 is on air - what plays is altered with change"):
        on_air().send(verb)


def test_another_candidate_of_a_ready_cue_is_recalled() -> None:
    s = on_air()
    slot = s.slot("c2")
    assert [take.refused for take in slot.takes] == ["", "", "copied"]
    s.send(c.Choose("c2", 2))
    chosen = s.slot("c2")
    assert (chosen.piece, chosen.phase, chosen.takes) == (slot.takes[1].piece, Phase.ARMED, slot.takes)
    s.obey()
    assert slot.number not in s.loaded
    assert chosen.number in s.loaded
    for number, why in ((2, "chosen already"), (3, "must not be played: copied"), (4, "has no candidate 4; it has 3")):
        with pytest.raises(c.RefusalError, match=why):
            s.send(c.Choose("c2", number))


def test_endless_is_switched_off_and_on() -> None:
    s = stage("hold", endless=Endless((("jazz", 1.0),)), ahead=2)
    s.send(c.SwitchEndless(on=False))
    drawn = s.state.drawn
    s.send(c.Skip("c1"))
    s.send(c.Skip())
    assert (s.coming(), s.state.drawn, s.state.over) == ([], drawn, True)
    s.send(c.SwitchEndless(on=True))
    assert len(s.coming()) == 2
    assert not s.state.over
    with pytest.raises(c.RefusalError, match="the setlist has no endless part"):
        stage("hold").send(c.SwitchEndless(on=False))


def test_while_locked_no_edit_is_done_and_the_show_can_still_be_led() -> None:
    s = on_air("auto", "hold", "hold")
    s.send(c.Lock(on=True))
    edits: list[c.Verb] = [c.Back(), c.Again("c1"), c.Regenerate("c2"), c.Insert(Cue("", "", "X")), c.Move("c3", 1)]
    edits += [c.Edit("c2", (("name", "X"),)), c.Choose("c2", 2), c.Standby("c3"), c.SwitchEndless(on=False)]
    for verb in edits:
        with pytest.raises(c.RefusalError, match="locked"):
            s.send(verb)
    s.send(c.Hold())
    s.send(c.Release())
    s.now_s += 1.0
    s.send(c.Go())
    s.obey()
    s.send(c.Panic())
    s.send(c.Lock(on=False))
    s.send(c.Move("c3", 1)) if s.coming()[0] != "c3" else s.send(c.Regenerate("c3"))


# --- panic -----------------------------------------------------------------------------


def test_panic_fades_to_the_bed_and_holds_and_said_again_cuts() -> None:
    s = on_air("auto", "auto")
    s.orders.clear()
    s.send(c.Panic())
    fade = [a for a in s.orders if isinstance(a, c.FadeNow)]
    # The queue is emptied first, so that the bed follows and nothing else.
    assert list(s.orders) == [c.QueueUp((), 1.0), fade[0]]
    assert 1.0 <= fade[0].seconds <= 1.5
    assert (s.state.held, s.state.panicked) == (True, True)
    s.send(c.Panic())
    assert isinstance(s.orders[-1], c.FadeNow)
    assert s.orders[-1].seconds <= 0.05
    s.obey()
    s.pass_time(60.0)
    assert s.playing == 0
    s.send(c.Release())
    assert not s.state.panicked
    s.obey()
    assert s.playing != 0


def test_panic_is_never_refused() -> None:
    s = stage("hold")
    s.player_dies()
    s.send(c.Lock(on=True))
    for each in (s, stage("hold"), on_air()):
        each.send(c.Panic())
        each.send(c.Panic())
        assert each.state.panicked


def test_a_panic_at_the_moment_of_a_go_ends_what_begins_all_the_same() -> None:
    s = on_air()
    s.now_s += 1.0
    s.send(c.Go())
    s.send(c.Panic())
    # The player was starting it already.
    s.send(c.Began(s.slot("c2").number))
    assert s.slot("c2").phase is Phase.LIVE
    assert s.slot("c2").fading
    assert isinstance(s.orders[-1], c.FadeNow)
    assert s.state.panicked
