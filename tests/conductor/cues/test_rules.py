"""The rules of the show: nothing is lost, nothing starts twice, nothing stands still."""

from collections import deque
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from conductor import cues as c
from conductor.cues import OVER, Phase, State, step
from conductor.cues.composing import RETRIES, STALL_S, attempt_seed
from conductor.cues.following import draw
from conductor.setlist import Cue, Endless, Setlist
from conductor.setlist.values import Follow


def setlist(*follows: str, ahead: int = 2, endless: Endless | None = None) -> Setlist:
    kinds = {"auto": Follow(), "hold": Follow("hold"), "hang": Follow("hang", 3.0)}
    cues = tuple(Cue(f"c{n}", str(n), f"Cue {n}", seed=n, follow=kinds[f]) for n, f in enumerate(follows, start=1))
    return Setlist("Test", cues, endless, ahead)


@dataclass
class Stage:
    """A show with a player and a composer that do at once, or when told, what real ones do in time."""

    state: State
    now_s: float = 0.0
    composes: bool = True
    library: bool = True
    asked: deque[c.StartComposing] = field(default_factory=deque)
    loaded: set[int] = field(default_factory=set)
    queue: list[int] = field(default_factory=list)
    orders: deque[c.Action] = field(default_factory=deque)
    events: deque[c.Event] = field(default_factory=deque)
    playing: int = 0
    started: list[int] = field(default_factory=list)

    def send(self, event: c.Event) -> None:
        """Let the rules answer; what an action leads to comes after the actions still to be done."""
        self.events.append(event)
        if len(self.events) > 1:
            return
        try:
            while self.events:
                self.state, actions = step(self.state, self.events[0], self.now_s)
                for action in actions:
                    self._do(action)
                self.events.popleft()
        finally:
            self.events.clear()

    def _do(self, action: c.Action) -> None:
        match action:
            case c.StartComposing():
                self.asked.append(action)
            case c.StopComposing(cue_id, attempt):
                self.asked = deque(a for a in self.asked if (a.cue.id, a.attempt) != (cue_id, attempt))
            case c.Borrow(cue, attempt, reason):
                if self.library:
                    self.send(c.Took(cue.id, attempt, 60.0, 10, reason))
                else:
                    self.send(c.Missed(cue.id, attempt, reason))
            case c.Keep(cue_id, number):
                self.loaded.add(number)
                self.send(c.Kept(cue_id))
            case c.Reload(cue_ids):
                self.loaded |= {slot.number for slot in self.state.slots if slot.cue.id in cue_ids}
            case c.Play() | c.QueueUp() | c.FadeNow() | c.Forget():
                self.orders.append(action)

    def compose(self, works: bool = True) -> None:
        """The composer answers the oldest request."""
        request = self.asked.popleft()
        if works:
            self.send(c.Took(request.cue.id, request.attempt, 60.0, 10))
        else:
            self.send(c.Missed(request.cue.id, request.attempt, "no inspiration"))

    def obey(self) -> None:
        """The player carries out what it was told, as `streaming.playing.playout` does."""
        while self.orders:
            match self.orders.popleft():
                case c.QueueUp(numbers):
                    self.queue = [n for n in numbers if n in self.loaded]
                case c.Play(number):
                    assert number in self.loaded, "a start of what is not loaded"
                    self.queue = [n for n in self.queue if n != number]
                    self._begin(number)
                case c.FadeNow():
                    self._end()
                case c.Forget(number):
                    self.loaded.discard(number)
                    self.queue = [n for n in self.queue if n != number]
        if not self.playing and self.queue:
            self._begin(self.queue.pop(0))

    def _begin(self, number: int) -> None:
        old, self.playing = self.playing, number
        self.started.append(number)
        self.send(c.Began(number))
        if old:
            self.send(c.Finished(old))

    def _end(self) -> None:
        if self.playing:
            old, self.playing = self.playing, 0
            self.send(c.Finished(old))

    def piece_ends(self) -> None:
        """What plays comes to its end, and the player goes on by itself."""
        self._end()
        self.obey()

    def player_dies(self) -> None:
        self.loaded.clear()
        self.queue.clear()
        self.orders.clear()
        self.playing = 0
        self.send(c.PlayerLost())

    def pass_time(self, seconds: float) -> None:
        """Time goes by; the player is prompt and did before what it was told."""
        self.obey()
        self.now_s += seconds
        self.send(c.Tick())
        self.obey()

    def phases(self) -> list[str]:
        return [str(slot.phase) for slot in self.state.slots]


def stage(*follows: str, **options: object) -> Stage:
    ahead = options.pop("ahead", 2)
    endless = options.pop("endless", None)
    unattended = bool(options.pop("unattended", False))
    assert isinstance(ahead, int)
    assert endless is None or isinstance(endless, Endless)
    made = Stage(c.begin(setlist(*follows, ahead=ahead, endless=endless), seed=5, unattended=unattended), **options)  # type: ignore[arg-type]
    made.send(c.PlayerUp())
    made.send(c.ComposerUp())
    return made


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
    s.send(c.Progressed("c1", 0, 0.43))
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
    assert [a.attempt for a in s.asked] == [1]
    # The late answer to the first request changes nothing.
    s.send(c.Took("c1", first.attempt, 60.0, 10))
    assert s.phases() == ["composing"]


def test_an_empty_piece_is_no_piece() -> None:
    s = stage("auto")
    s.send(c.Took("c1", 0, 0.0, 0))
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


class AnyShow(RuleBasedStateMachine):
    """Any sequence of what may happen, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage(c.begin(setlist("auto", "hold", "hang", "auto", "hold"), seed=1))
        self.ids = {slot.cue.id for slot in self.stage.state.slots}

    def _wish(self, verb: c.Verb) -> None:
        before = self.stage.state
        try:
            self.stage.send(verb)
        except c.RefusalError:
            refused = True
        else:
            refused = False
        # What is refused changes nothing.
        assert not refused or self.stage.state == before

    @rule(works=st.booleans())
    @precondition(lambda self: bool(self.stage.asked))
    def composer_answers(self, works: bool) -> None:
        self.stage.compose(works)

    @rule(library=st.booleans())
    def library_changes(self, library: bool) -> None:
        self.stage.library = library

    @rule()
    def player_obeys(self) -> None:
        if self.stage.state.player:
            self.stage.obey()

    @rule()
    def piece_ends(self) -> None:
        if self.stage.state.player:
            self.stage.piece_ends()

    @rule(seconds=st.sampled_from([0.1, 1.0, 4.0, 60.0, 400.0]))
    def time_passes(self, seconds: float) -> None:
        # The player is prompt: it has done what it was told when seconds have passed.
        if self.stage.state.player:
            self.stage.obey()
        self.stage.now_s += seconds
        self.stage.send(c.Tick())

    @rule(up=st.booleans())
    def composer_comes_or_goes(self, up: bool) -> None:
        self.stage.asked.clear()
        self.stage.send(c.ComposerUp() if up else c.ComposerLost())

    @rule(up=st.booleans())
    def player_comes_or_goes(self, up: bool) -> None:
        self.stage.player_dies()
        if up:
            self.stage.send(c.PlayerUp())

    @rule(verb=st.sampled_from([c.Go(), c.Hold(), c.Release(), c.Skip(), c.FadeOut(), c.FadeOut(99.0)]))
    def operator_says(self, verb: c.Verb) -> None:
        self._wish(verb)

    @rule(
        cue=st.sampled_from(["c1", "c2", "c3", "c4", "c5", "nobody"]), kind=st.sampled_from([c.Go, c.Skip, c.Standby])
    )
    def operator_names(self, cue: str, kind: type[c.Go] | type[c.Skip] | type[c.Standby]) -> None:
        self._wish(kind(cue))

    @invariant()
    def no_cue_is_lost(self) -> None:
        assert {slot.cue.id for slot in self.stage.state.slots} == self.ids
        assert len(self.stage.state.slots) == len(self.ids)

    @invariant()
    def no_piece_starts_twice(self) -> None:
        assert len(self.stage.started) == len(set(self.stage.started))

    @invariant()
    def one_is_live_at_most_and_one_is_composed_at_most(self) -> None:
        phases = [slot.phase for slot in self.stage.state.slots]
        assert phases.count(Phase.LIVE) <= 1
        assert phases.count(Phase.COMPOSING) <= 1
        assert phases.count(Phase.ARMED) <= 2

    @invariant()
    def numbers_are_used_once(self) -> None:
        numbers = [slot.number for slot in self.stage.state.slots if slot.number]
        assert len(numbers) == len(set(numbers))

    def teardown(self) -> None:
        """Whatever has happened: with workers that work, every cue comes to its end."""
        s = self.stage
        s.send(c.PlayerUp()) if not s.state.player else s.obey()
        s.asked.clear()
        s.send(c.ComposerUp())
        for _ in range(60):
            s.pass_time(61.0)
            if s.state.held:
                s.send(c.Release())
            while s.asked:
                s.compose()
            s.obey()
            s.pass_time(1.0)
            if s.state.standby and s.state.standby.phase is Phase.ARMED and not s.state.live and not s.state.fired:
                s.send(c.Go())
            s.obey()
            s.piece_ends()
        assert all(slot.phase in OVER for slot in s.state.slots), s.phases()
        assert s.state.over
        aired = [slot.number for slot in s.state.slots if slot.phase is Phase.AIRED]
        assert set(aired) <= set(s.started)


AnyShow.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestAnyShow = AnyShow.TestCase


def test_the_state_is_a_value() -> None:
    s = stage("auto")
    assert replace(s.state) == s.state
    assert hash(s.state) == hash(replace(s.state))
