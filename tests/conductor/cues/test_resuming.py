"""The piece that was on air goes on where it was if its player is new, and plays on if the player outlived all else."""

from dataclasses import replace

import pytest

from conductor import cues as c
from tests.conductor.cues.stage import Stage, ready


def broken_off(*follows: str, held: bool = False) -> Stage:
    """Return a show whose first piece was on air for 20 s when everything was lost, and was read again."""
    stage = ready(*follows)
    if follows[0] == "hold":
        stage.send(c.Go(None))
        stage.obey()
    assert stage.slot("c1").phase is c.Phase.LIVE
    number = stage.slot("c1").number
    stage.loaded.clear()
    stage.queue.clear()
    stage.orders.clear()
    stage.playing, stage.started, stage.from_s = 0, [], []
    stage.state = replace(stage.state, player=False, resume_s=20.0, queue=None, held=held)
    assert stage.slot("c1").number == number
    return stage


@pytest.mark.parametrize("kind", ["auto", "hold"])
def test_with_a_new_player_it_goes_on_where_it_was_without_a_go(kind: str) -> None:
    stage = broken_off(kind, "auto")
    stage.send(c.PlayerUp(new=True))
    stage.pass_time(0.1)
    assert stage.from_s == [20.0]
    assert stage.slot("c1").phase is c.Phase.LIVE
    assert stage.state.resume_s is None
    # What is drawn and composed later reckons with what is left of it.
    assert stage.state.began_s == pytest.approx(stage.now_s - 0.1 - 20.0, abs=0.01)
    stage.piece_ends()
    assert stage.slot("c2").phase is c.Phase.LIVE


def test_while_held_it_waits_where_it_was() -> None:
    stage = broken_off("auto", "auto", held=True)
    stage.send(c.PlayerUp(new=True))
    stage.pass_time(10.0)
    assert stage.started == []
    stage.send(c.Release())
    stage.pass_time(1.0)
    assert stage.from_s == [20.0]


def test_a_player_that_plays_it_still_is_left_alone() -> None:
    stage = broken_off("auto", "auto")
    stage.playing = stage.slot("c1").number
    stage.send(c.PlayerUp(stage.playing, 25.0))
    stage.pass_time(0.1)
    assert stage.started == []
    assert stage.state.began_s == pytest.approx(stage.now_s - 25.1, abs=0.01)


def test_a_player_that_has_gone_on_without_it_does_not_go_back() -> None:
    stage = broken_off("auto", "auto")
    stage.send(c.PlayerUp(0))
    assert stage.slot("c1").phase is c.Phase.AIRED


def test_a_player_that_dies_later_does_not_repeat_it() -> None:
    stage = broken_off("auto", "auto")
    stage.send(c.PlayerUp(new=True))
    stage.pass_time(0.1)
    stage.player_dies()
    stage.send(c.PlayerUp(new=True))
    assert stage.slot("c1").phase is c.Phase.AIRED
