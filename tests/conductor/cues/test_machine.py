"""Any sequence of verbs, answers and faults, in any order: what holds all the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from conductor import cues as c
from conductor.cues import OVER, Phase
from conductor.cues.following import PAST_KEPT
from conductor.cues.undoing import UNDOS
from conductor.setlist import Cue, Endless, Setlist
from conductor.setlist.diff import diff
from conductor.setlist.values import Follow
from tests.conductor.cues.stage import Stage, setlist

IDS = ("c1", "c2", "c3", "c4", "c5", "nobody")
FIELDS = (
    (("name", "Other"),),
    (("duration_s", 90.0),),
    (("notes", "softly"), ("bank", "hall.sf2")),
    (("follow", Follow("hold")),),
    (("follow", Follow("morph", morph_s=20.0)),),
    (("controls.key", "D_minor"),),
)
LISTS = (
    setlist("auto", "hold", "hang", "auto", "hold"),
    setlist("auto", "hold", "hang"),
    setlist("hold", "auto", "hang", "auto", "hold", "auto", ahead=3),
    Setlist("Test", tuple(reversed(setlist("auto", "hold", "auto", "hold", "auto").cues)), None, 2),
    replace(setlist("auto", "hold", "auto"), endless=Endless((("jazz", 1.0),))),
)
cues = st.sampled_from(IDS)
verbs = st.one_of(
    st.sampled_from([c.Hold(), c.Release(), c.Skip(), c.FadeOut(), c.FadeOut(99.0), c.Panic(), c.Back()]),
    st.builds(c.Go, st.none() | cues, st.sampled_from([0.0, 12.5])),
    st.builds(c.Skip, cues),
    st.builds(c.Standby, cues),
    st.builds(c.Lock, st.booleans()),
    st.builds(c.SwitchEndless, st.booleans()),
    st.builds(c.Again, cues, st.sampled_from([(), *FIELDS])),
    st.builds(c.Regenerate, cues),
    st.builds(c.Insert, st.sampled_from([Cue("", "", "New"), Cue("c2", "", "Taken")]), st.none() | st.integers(0, 4)),
    st.builds(c.Move, cues, st.integers(0, 5)),
    st.builds(c.Edit, cues, st.sampled_from(FIELDS)),
    st.builds(c.Choose, cues, st.integers(0, 4)),
    st.builds(c.Undo, st.sampled_from([0.0, 7.5])),
    st.builds(c.Redo, st.sampled_from([0.0, 7.5])),
)


class AnyShow(RuleBasedStateMachine):
    """A show of five cues and all that may befall it."""

    def __init__(self) -> None:
        super().__init__()
        self.list = LISTS[0]
        self.stage = Stage(c.begin(self.list, seed=1), candidates=2)
        self.stage.send(c.PlayerUp())
        self.stage.send(c.ComposerUp())
        # What reloads took out, and undo may take out and bring back.
        self.movable: set[str] = set()
        self.told: list[c.Event] = []
        # How often each cue may begin: once, and again for each GO that was undone.
        self.may_begin: Counter[str] = Counter()
        self.began: Counter[str] = Counter()
        self.heard = 0

    # --- what operators do ---

    def wish(self, verb: c.Verb) -> bool:
        """Say a verb; what is refused changes nothing."""
        before = self.stage.state
        try:
            self.stage.send(verb)
        except c.RefusalError:
            assert self.stage.state == before
            return False
        if isinstance(verb, c.Undo | c.Redo):
            after = self.stage.state
            for slot in (after.live, after.numbered(after.fired), after.numbered(after.returning)):
                if slot:
                    self.may_begin[slot.cue.id] += 1
        event(f"{type(verb).__name__} done")
        return True

    @rule(verb=verbs)
    def operator_says(self, verb: c.Verb) -> None:
        self.wish(verb)

    @rule(verb=verbs)
    @precondition(lambda self: self.stage.state.live is not None)
    def operator_says_while_something_is_live(self, verb: c.Verb) -> None:
        self.wish(verb)

    @rule(position_s=st.sampled_from([0.0, 30.0]))
    @precondition(lambda self: self.stage.state.standby and self.stage.state.standby.phase is Phase.ARMED)
    def operator_says_go(self, position_s: float) -> None:
        # A moment after the last press.
        self.stage.now_s += 1.0
        self.wish(c.Go(None, position_s))

    @rule(which=st.integers(0, len(LISTS) - 1))
    def setlist_is_reloaded(self, which: int) -> None:
        new = LISTS[which]
        change = diff(self.list, new)
        if self.wish(c.Reload(change)):
            self.movable |= {cue.id for cue in (*change.added, *change.removed)}
            self.list = new

    @rule(forth=st.booleans())
    def undo_and_redo_lead_to_the_same_plan(self, forth: bool) -> None:
        if not self.stage.state.composer:
            # The library lends at once what nobody composes: that is a fact, whatever is taken back.
            return
        first, second = (c.Redo(3.0), c.Undo(3.0)) if forth else (c.Undo(3.0), c.Redo(3.0))
        # Nothing is under way, so that only the two verbs change anything.
        self.settle()
        drawn = self.stage.state.drawn
        before, live = self.plan(drawn), self.stage.state.live
        if not self.wish(first):
            return
        state = self.stage.state
        said = (state.undo if forth else state.redo)[-1]
        if state.fired and not said.started:
            # The other plan lets something start by itself: that is a fact from now on.
            return
        if said.started:
            # The player does what it is told before somebody changes his mind.
            self.settle()
        if self.wish(second):
            if said.started:
                self.settle()
                now = self.stage.state.live
                assert (now and now.cue.id) == (live and live.cue.id)
            assert self.plan(drawn) == before
            event("there and back")

    def plan(self, drawn: int) -> list[object]:
        """Return what is planned, but for what was drawn since so many had been: that is nobody's edit."""
        state = self.stage.state
        # What the library has lost is composed anew.
        coming = [(s.cue, None if s.piece in self.stage.lost else s.piece) for s in state.open if s.drawn <= drawn]
        return [coming, state.endless_on, state.ahead, state.held]

    # --- what workers do ---

    def settle(self) -> None:
        s = self.stage
        if s.state.player:
            s.obey()
            s.ring_out()
        while s.recalls:
            s.recall()
        if s.state.player:
            s.obey()
            s.ring_out()
        self.count()

    def count(self) -> None:
        """Note what has begun, by its cue."""
        for number in self.stage.started[self.heard :]:
            slot = self.stage.state.numbered(number)
            if slot:
                self.began[slot.cue.id] += 1
        self.heard = len(self.stage.started)

    @rule(works=st.booleans())
    @precondition(lambda self: bool(self.stage.asked))
    def composer_answers(self, works: bool) -> None:
        request = self.stage.asked[0]
        self.told.append(c.Took(request.cue.id, request.order, 60.0, 10))
        self.stage.compose(works)

    @rule()
    @precondition(lambda self: bool(self.stage.asked))
    def composer_answers_well(self) -> None:
        self.stage.compose()

    @rule(style=st.sampled_from(["bach", ""]), cue_id=st.sampled_from(["", "c2", "gone"]))
    def audience_votes(self, style: str, cue_id: str) -> None:
        # Without a cue there is a winner, or nothing is said.
        if style or cue_id:
            self.stage.send(c.Voted(style, cue_id))

    @rule(fraction=st.floats(-1.0, 2.0))
    @precondition(lambda self: bool(self.stage.asked))
    def composer_goes_on(self, fraction: float) -> None:
        request = self.stage.asked[0]
        self.stage.send(c.Progressed(request.cue.id, request.order, fraction))

    @rule()
    @precondition(lambda self: bool(self.stage.recalls))
    def library_answers(self) -> None:
        request = self.stage.recalls[0]
        self.told.append(c.Took(request.cue.id, request.order, 60.0, 10))
        self.stage.recall()

    @rule(library=st.booleans(), prompt=st.booleans(), keeps=st.booleans())
    def library_changes(self, library: bool, prompt: bool, keeps: bool) -> None:
        self.stage.library, self.stage.prompt_library, self.stage.keeps = library, prompt, keeps

    @rule(lost=st.sets(st.integers(1, 12)))
    def files_are_lost(self, lost: set[int]) -> None:
        self.stage.lost = lost

    @rule(data=st.data())
    @precondition(lambda self: bool(self.told))
    def an_answer_comes_twice_or_late(self, data: st.DataObject) -> None:
        self.stage.send(data.draw(st.sampled_from(self.told[-8:])))
        slot = self.stage.state.slots[0]
        self.stage.send(c.Kept(slot.cue.id, 10_000, 77))

    @rule()
    def player_obeys(self) -> None:
        if self.stage.state.player:
            self.stage.obey()
        self.count()

    @rule()
    def fades_end(self) -> None:
        if self.stage.state.player:
            self.stage.ring_out()
        self.count()

    @rule()
    def piece_ends(self) -> None:
        if self.stage.state.player:
            self.stage.piece_ends()
        self.count()

    @rule(still_live=st.booleans())
    def nothing_is_heard(self, still_live: bool) -> None:
        live = self.stage.state.live
        self.stage.send(c.Unheard(live.number if live and still_live else 99))
        self.count()

    @rule()
    def the_bed_has_played_for_long(self) -> None:
        self.stage.send(c.Starved())
        self.count()

    @rule(seconds=st.sampled_from([0.1, 1.0, 4.0, 30.0, 400.0]))
    def time_passes(self, seconds: float) -> None:
        # The player is prompt: it has done what it was told when seconds have passed.
        self.settle()
        self.stage.now_s += seconds
        self.stage.send(c.Tick())
        self.count()

    @rule(up=st.booleans())
    def composer_comes_or_goes(self, up: bool) -> None:
        self.stage.asked.clear()
        self.stage.send(c.ComposerUp() if up else c.ComposerLost())

    @rule(up=st.booleans())
    def player_comes_or_goes(self, up: bool) -> None:
        self.count()
        self.stage.player_dies()
        if up:
            self.stage.send(c.PlayerUp())

    # --- what holds ---

    @invariant()
    def no_cue_is_lost(self) -> None:
        ids = [slot.cue.id for slot in self.stage.state.slots]
        assert len(ids) == len(set(ids))
        assert {cue.id for cue in LISTS[0].cues} <= set(ids) | self.movable

    @invariant()
    def no_cue_begins_twice(self) -> None:
        self.count()
        assert all(times <= 1 + self.may_begin[cue_id] for cue_id, times in self.began.items()), self.began

    @invariant()
    def the_audience_has_sound(self) -> None:
        s = self.stage
        if not s.state.player or s.orders:
            return
        # The bed sounds where no piece does, and the show knows which of them.
        live = s.state.live
        assert (live.number if live else 0) == s.playing
        assert not s.playing or s.playing in s.loaded
        # What follows by itself can be played.
        assert set(s.queue) <= s.loaded
        assert s.queue == [n for n in s.state.queue or () if n in s.loaded] or s.state.fired

    @invariant()
    def what_the_player_has_is_known(self) -> None:
        s = self.stage
        if not s.orders:
            assert s.loaded <= {slot.number for slot in s.state.slots if slot.number}
        numbers = [slot.number for slot in s.state.slots if slot.number]
        assert len(numbers) == len(set(numbers))

    @invariant()
    def one_is_live_and_one_is_composed_at_most(self) -> None:
        phases = [slot.phase for slot in self.stage.state.slots]
        assert phases.count(Phase.LIVE) <= 1
        assert phases.count(Phase.COMPOSING) <= 1
        assert phases.count(Phase.ARMED) <= 2
        awaited = {(slot.cue.id, slot.order) for slot in self.stage.state.slots if slot.phase is Phase.COMPOSING}
        assert {(a.cue.id, a.order) for a in self.stage.asked} <= awaited

    @invariant()
    def nothing_grows_without_bound(self) -> None:
        state = self.stage.state
        assert len(state.undo) <= UNDOS
        assert len(state.redo) <= UNDOS
        assert sum(slot.phase in OVER for slot in state.slots) <= PAST_KEPT
        assert self.stage.orders or len(self.stage.loaded) <= len(state.slots)

    def teardown(self) -> None:
        """Whatever has happened: with workers that work, every cue comes to its end."""
        s = self.stage
        s.library = s.keeps = True
        s.send(c.PlayerUp()) if not s.state.player else s.obey()
        s.asked.clear()
        s.send(c.ComposerUp())
        if s.state.locked:
            self.wish(c.Lock(on=False))
        if s.state.endless and s.state.endless_on:
            self.wish(c.SwitchEndless(on=False))
        for _ in range(2 * len(s.state.slots) + 20):
            self.settle()
            s.pass_time(61.0)
            if s.state.held:
                s.send(c.Release())
            while s.asked:
                s.compose()
            self.settle()
            s.pass_time(1.0)
            if s.state.standby and s.state.standby.phase is Phase.ARMED and not s.state.live and not s.state.fired:
                s.send(c.Go())
            s.obey()
            self.count()
            s.piece_ends()
        assert all(slot.phase in OVER for slot in s.state.slots), s.phases()
        assert s.state.over


AnyShow.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAnyShow = AnyShow.TestCase
