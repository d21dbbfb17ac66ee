"""What the audience chose: composed beside what is ready, next once it is there, and never in the way."""

from __future__ import annotations

from dataclasses import replace

from conductor import cues as c
from conductor.radio.drawing import draw
from conductor.setlist import Endless
from tests.conductor.cues.stage import Stage, stage

ENDLESS = Endless((("chopin", 1.0), ("jazz", 1.0)))


def playing() -> Stage:
    """The list is over: what was drawn first is on air, two more are ready."""
    s = stage("auto", endless=ENDLESS)
    while len([slot for slot in s.state.upcoming if slot.phase in c.PLAYABLE]) < 2 or not s.state.live:
        s.compose() if s.asked else s.pass_time(3.0)
    return s


def test_what_is_preferred_is_drawn_with_the_seed_of_its_place() -> None:
    own, chosen = draw(ENDLESS, 7, 3), draw(ENDLESS, 7, 3, prefer="bach")
    assert chosen.style == "bach"
    assert chosen.name == "Bach No. 3"
    assert replace(chosen, style=own.style, name=own.name) == own


def test_the_winner_is_composed_though_enough_is_ready_and_is_next_once_it_is_there() -> None:
    s = playing()
    before = [slot.cue.id for slot in s.state.upcoming]
    s.send(c.Voted("bach"))
    assert [slot.cue.id for slot in s.state.upcoming][:-1] == before, "nothing that is ready waits for it"
    winner = s.state.upcoming[-1]
    assert (winner.cue.style, winner.phase) == ("bach", c.Phase.COMPOSING)
    s.compose()
    assert [slot.cue.id for slot in s.state.upcoming] == [winner.cue.id, *before]
    assert s.state.standby is not None
    assert s.state.standby.phase is c.Phase.ARMED
    assert s.state.queue is not None
    assert s.state.queue[0] == s.state.standby.number, "the player is told"


def test_a_winner_that_cannot_be_composed_leaves_everything_as_it_was() -> None:
    s = playing()
    before = [slot.cue.id for slot in s.state.upcoming]
    s.send(c.Voted("bach"))
    s.send(c.ComposerLost())
    s.pass_time(5.0)
    assert [slot.cue.id for slot in s.state.upcoming][: len(before)] == before
    assert s.state.standby is not None
    assert s.state.standby.phase is c.Phase.ARMED


def test_an_operator_may_move_the_winner_away_again() -> None:
    s = playing()
    s.send(c.Voted("bach"))
    s.compose()
    winner = s.state.upcoming[0].cue.id
    s.send(c.Move(winner, 3))
    s.pass_time(1.0)
    assert s.state.upcoming[2].cue.id == winner


def test_a_vote_changes_nothing_where_nothing_is_drawn() -> None:
    s = stage("hold", "hold")
    before = s.state
    s.send(c.Voted("bach"))
    assert s.state == before


def asking(ahead: int = 3) -> Stage:
    """The second of three cues asks the audience; the first is being composed."""
    s = stage("hold", "hold", "hold", ahead=ahead)
    s.state = s.state.put(replace(s.slot("c2"), asking=True))
    return s


def test_a_cue_that_asks_is_composed_after_its_poll_and_holds_up_no_other() -> None:
    s = asking()
    s.compose()
    assert [request.cue.id for request in s.asked] == ["c3"], "c2 waits for a vote, c3 does not wait for c2"
    s.send(c.Voted("bach", "c2"))
    s.compose()
    assert [(request.cue.id, request.cue.style) for request in s.asked] == [("c2", "bach")]


def test_a_cue_whose_poll_had_no_votes_is_composed_in_its_own_style() -> None:
    s = asking()
    own = s.slot("c2").cue
    s.send(c.Voted("", "c2"))
    s.compose()
    assert [request.cue for request in s.asked] == [own]


def test_the_cue_that_comes_next_waits_for_no_vote() -> None:
    s = asking()
    s.compose()
    s.compose()
    s.send(c.Skip("c1"))
    assert [request.cue.id for request in s.asked] == ["c2"]


def test_a_vote_that_comes_too_late_leaves_what_is_composed() -> None:
    s = asking()
    s.send(c.Voted("", "c2"))
    s.compose()
    s.compose()
    before = s.slot("c2")
    s.send(c.Voted("bach", "c2"))
    assert s.slot("c2").cue == before.cue
    assert s.slot("c2").number == before.number
