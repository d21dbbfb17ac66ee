"""The show keeps up: what is due is known, less is done where there is little time, and a slow composer is answered."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from conductor import cues as c
from conductor.cues.pacing import due
from conductor.pace.effort import SHORT_CONTEXT, Effort
from conductor.pace.learning import Pace, Sample
from conductor.setlist.plan import Cue, Setlist
from conductor.setlist.values import Follow
from tests.conductor.cues.stage import Stage

LENGTH_S = 60.0
STEP_S = 1.0


def quick(unit_s: float = 0.1) -> Pace:
    """Return what is known where a candidate alone takes a tenth of its music's length."""
    return Pace().learn(*(Sample("", LENGTH_S, Effort(4), unit_s * LENGTH_S * Effort(4).cost) for _ in range(8)))


def show(*follows: str, ahead: int = 2, pace: Pace | None = None) -> Stage:
    """Return a show of pieces of a minute that has just begun, none of them composed."""
    cues = tuple(
        Cue(f"c{n}", str(n), f"Cue {n}", duration_s=LENGTH_S, follow=Follow("hold" if kind == "hold" else "auto"))
        for n, kind in enumerate(follows, 1)
    )
    state = c.begin(Setlist("Test", cues, ahead=ahead))
    made = Stage(replace(state, pace=quick() if pace is None else pace))
    made.send(c.PlayerUp(new=True))
    made.send(c.ComposerUp())
    return made


class Composing:
    """A composer that takes its time, and a player whose pieces end when they are over.

    Args:
        stage: the show.
        unit_s: returns seconds for a second of music by a candidate alone, at a time.
    """

    def __init__(self, stage: Stage, unit_s: Callable[[float], float]) -> None:
        self.stage, self.unit_s = stage, unit_s
        self.order, self.took_s, self.fraction = 0, 0.0, 0.0
        self.done: list[tuple[float, Any]] = []
        self.bed_s = 0.0
        self.live, self.live_s = 0, 0.0

    def run(self, seconds: float) -> None:
        """Let time go by."""
        end_s = self.stage.now_s + seconds
        while self.stage.now_s < end_s:
            self._compose()
            self._play()
            self.stage.pass_time(STEP_S)

    def _compose(self) -> None:
        stage = self.stage
        if not stage.asked:
            return
        request = stage.asked[0]
        if request.order != self.order:
            self.order, self.took_s, self.fraction = request.order, 0.0, 0.0
        assert request.effort is not None
        self.took_s += STEP_S
        self.fraction += STEP_S / (self.unit_s(stage.now_s) * LENGTH_S * request.effort.cost)
        if self.fraction < 1.0:
            stage.send(c.Progressed(request.cue.id, request.order, self.fraction))
            return
        stage.asked.popleft()
        self.done.append((stage.now_s, request.effort))
        stage.send(c.Took(request.cue.id, request.order, LENGTH_S, 10, composing_s=self.took_s))

    def _play(self) -> None:
        stage = self.stage
        if stage.playing != self.live:
            self.live, self.live_s = stage.playing, 0.0
        self.live_s += STEP_S
        if stage.playing and self.live_s >= LENGTH_S:
            stage.piece_ends()
        elif not stage.playing and stage.started:
            self.bed_s += STEP_S


def lefts(stage: Stage) -> list[float]:
    return [each.left_s for each in due(stage.state, stage.now_s)]


def test_before_anything_was_on_air_nothing_is_late() -> None:
    stage = show("auto", "auto")
    assert lefts(stage) == [math.inf, math.inf]
    assert stage.asked[0].effort == Effort(4)


def test_while_the_next_waits_for_go_nothing_is_late() -> None:
    stage = show("hold", "auto")
    stage.compose()
    stage.pass_time(100.0)
    assert lefts(stage) == [math.inf, math.inf]
    stage.send(c.Go(None))
    assert lefts(stage)[1] == LENGTH_S + 1.0


def test_what_comes_is_due_when_what_is_before_it_is_over() -> None:
    stage = show("auto", "auto", "auto")
    stage.compose()
    stage.pass_time(10.0)
    assert stage.slot("c1").phase is c.Phase.LIVE
    first, second = lefts(stage)
    assert first == pytest.approx(LENGTH_S - 10.0 + 1.0, abs=0.1)
    assert second - first == LENGTH_S + 1.0


def test_with_little_time_left_fewer_candidates_are_composed_and_the_cue_says_why() -> None:
    stage = show("auto", "auto", ahead=1)
    stage.compose()
    stage.pass_time(1.0)
    stage.now_s += 30.0
    # Composing anew, with half a minute left and twenty seconds known for all four.
    stage.state = replace(stage.state, pace=quick(0.25))
    stage.send(c.Regenerate("c2"))
    request = stage.asked[-1]
    assert request.effort is not None
    assert request.effort.candidates < 4
    slot = stage.slot("c2")
    assert slot.reason.startswith(f"{request.effort.candidates} candidate")
    assert slot.reason.endswith("s left")
    stage.compose()
    assert stage.slot("c2").reason == slot.reason


def test_with_no_time_left_a_piece_of_the_library_stands_in_and_without_one_the_least_is_composed_late() -> None:
    for has, phase in ((True, c.Phase.ARMED), (False, c.Phase.COMPOSING)):
        stage = show("auto", "auto", ahead=1)
        stage.compose()
        stage.pass_time(1.0)
        stage.library = has
        stage.now_s += LENGTH_S - 10.0
        stage.state = replace(stage.state, pace=quick(1.0))
        stage.send(c.Regenerate("c2"))
        slot = stage.slot("c2")
        assert slot.phase is phase
        assert "composing takes up to" in slot.reason
        assert stage.state.bare is not has
        if not has:
            assert stage.asked[-1].effort == Effort(1, SHORT_CONTEXT)
            stage.compose()
            assert not stage.state.bare


def test_what_waits_for_go_is_composed_and_never_borrowed() -> None:
    stage = show("auto", "hold", ahead=1)
    stage.compose()
    stage.pass_time(1.0)
    stage.now_s += LENGTH_S - 10.0
    stage.state = replace(stage.state, pace=quick(1.0))
    stage.send(c.Regenerate("c2"))
    assert stage.slot("c2").phase is c.Phase.COMPOSING
    assert not stage.slot("c2").borrowing


@pytest.mark.parametrize("slower", [5.0, 10.0, 40.0])
def test_a_composer_that_becomes_slower_is_answered_by_the_rule_and_asked_for_all_again_when_it_is_quick(
    slower: float,
) -> None:
    stage = show(*["auto"] * 80, ahead=3)
    begun_s, over_s = 300.0, 1500.0
    composing = Composing(stage, lambda now_s: 0.1 * slower if begun_s <= now_s < over_s else 0.1)
    composing.run(begun_s)
    assert {effort for _, effort in composing.done} == {Effort(4)}
    composing.run(over_s - begun_s)
    composing.run(1500.0)
    assert composing.bed_s <= len(stage.started) * 2.0, "but for the pauses between pieces something plays"
    assert composing.done[-1][1] == Effort(4)
    slow = [effort for at_s, effort in composing.done if begun_s + 100.0 < at_s < over_s]
    assert any(effort != Effort(4) for effort in slow) or not slow
    assert len(stage.started) >= 45


def test_what_is_composed_is_given_up_when_it_will_not_be_there_in_time() -> None:
    stage = show("auto", "auto", ahead=1)
    composing = Composing(stage, lambda now_s: 0.1 if now_s < 20.0 else 3.0)
    stage.compose()
    composing.run(5.0)
    assert stage.slot("c1").phase is c.Phase.LIVE
    stage.now_s += 15.5
    before = stage.slot("c2").order
    stage.send(c.Regenerate("c2"))
    composing.run(20.0)
    slot = stage.slot("c2")
    assert slot.order > before + 1
    assert slot.phase is c.Phase.ARMED
    assert slot.reason.startswith("too late: ")
    assert stage.state.pace.samples[-1].seconds > 100.0


def test_where_nobody_is_there_to_compose_the_library_plays_in_time() -> None:
    stage = show("auto", "auto", ahead=1)
    stage.compose()
    stage.pass_time(LENGTH_S - 30.0)
    assert stage.slot("c1").phase is c.Phase.LIVE
    stage.send(c.ComposerLost())
    stage.pass_time(5.0)
    assert stage.slot("c2").number == 0, "it may still come back"
    stage.pass_time(16.0)
    assert (stage.slot("c2").phase, stage.slot("c2").reason) == (c.Phase.ARMED, "the composer is not there")
    stage.piece_ends()
    assert stage.slot("c2").phase is c.Phase.LIVE
