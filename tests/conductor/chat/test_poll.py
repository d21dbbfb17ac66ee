"""A poll: opened early enough, one vote a person, ties by the seed, and nothing changed where nobody votes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor.chat import poll as p
from conductor.chat.plan import PollPlan

T = TypeVar("T")
STYLES = (("chopin", 1.0), ("jazz", 2.0), ("bach", 1.0), ("mozart", 0.5))
PLAN = PollPlan(every=2, choices=3, seconds=60.0)
LATER = p.Looked(PLAN, STYLES, free=True, position_s=10.0, left_s=200.0, needs_s=30.0)


def opened(seconds: float = 30.0, styles: tuple[str, ...] = ("chopin", "jazz", "bach")) -> p.Polling:
    return p.step(p.Polling(seed=7), p.Opened(styles, seconds, "anna"), 0.0)[0]


def closed(state: p.Polling) -> p.Outcome:
    return only(p.step(state, p.Looked(), 30.0)[1], p.Settle).outcome


def only(actions: tuple[p.Action, ...], kind: type[T]) -> T:
    (action,) = actions
    assert isinstance(action, kind)
    return action


def test_every_second_drawn_piece_has_a_poll_once_its_card_is_gone() -> None:
    state = p.Polling(seed=7)
    for _ in range(2):
        assert p.step(state, LATER, 0.0) == (state, ())
        state, _ = p.step(state, p.Began(), 0.0)
    early = replace(LATER, position_s=p.OPENS_AFTER_S - 0.1)
    assert p.step(state, early, 0.0) == (state, ())
    state, actions = p.step(state, LATER, 5.0)
    announced = only(actions, p.Announce)
    assert (announced.poll.closes_s, announced.seconds, len(announced.poll.choices)) == (65.0, 60.0, 3)
    assert state.since == 0


@pytest.mark.parametrize(
    ("left_s", "seconds"),
    [(200.0, 60.0), (70.0, 40.0), (45.0, 15.0), (40.0, 60.0)],
    ids=["room enough", "shorter: the winner is next by that", "as short as can be", "too late: for the piece after"],
)
def test_it_is_as_short_as_lets_the_winner_be_composed_before_the_next_piece(left_s: float, seconds: float) -> None:
    state = p.Polling(since=2)
    _, actions = p.step(state, replace(LATER, left_s=left_s), 0.0)
    assert only(actions, p.Announce).seconds == pytest.approx(seconds)


@pytest.mark.parametrize("change", [{"free": False}, {"position_s": None}, {"plan": None}, {"styles": STYLES[:1]}])
def test_no_poll_opens_where_nothing_could_come_of_it(change: dict[str, object]) -> None:
    state = p.Polling(since=5)
    assert p.step(state, replace(LATER, **change), 0.0) == (state, ())  # type: ignore[arg-type]
    assert p.step(state, LATER, 0.0) != (state, ())


def test_the_last_vote_of_a_person_counts() -> None:
    state, _ = p.step(opened(), p.Voted({"a": 0, "b": 0}), 1.0)
    state, actions = p.step(state, p.Voted({"a": 2, "c": 2}), 2.0)
    assert only(actions, p.Count)
    assert closed(state) == p.Outcome(1, ("chopin", "jazz", "bach"), (1, 0, 2), "bach")


def test_a_tie_is_settled_by_the_seed_and_no_other_choice_wins_it() -> None:
    state, _ = p.step(opened(), p.Voted({"a": 0, "b": 2}), 1.0)
    winners = {p.outcome_of(state.poll, seed).winner for seed in range(50) if state.poll}
    assert winners == {"chopin", "bach"}
    assert closed(state) == closed(state)
    assert closed(state).tied


def test_without_votes_nobody_wins() -> None:
    assert closed(opened()).winner == ""


def test_what_is_no_choice_or_comes_too_late_is_no_vote() -> None:
    state = opened()
    for votes, now_s in (({"a": 3}, 1.0), ({"a": -1}, 1.0), ({"a": 1}, 30.0)):
        assert p.step(state, p.Voted(votes), now_s) == (state, ())
    assert p.step(p.Polling(), p.Voted({"a": 1}), 0.0) == (p.Polling(), ())


def test_its_result_is_shown_for_a_while() -> None:
    state, _ = p.step(opened(), p.Closed(), 5.0)
    assert p.step(state, p.Looked(), 5.0 + p.SHOWN_S - 0.1)[1] == ()
    assert p.step(state, p.Looked(), 5.0 + p.SHOWN_S)[1] == (p.Clear(),)


def test_an_operator_is_told_what_cannot_be_done() -> None:
    with pytest.raises(ValueError, match="open already - close-poll"):
        p.step(opened(), p.Opened(("bach", "jazz"), None), 1.0)
    with pytest.raises(ValueError, match="no poll is open"):
        p.step(p.Polling(), p.Closed(), 1.0)
    with pytest.raises(ValueError, match="two styles"):
        p.step(p.Polling(), p.Opened(("bach",)), 1.0)


def test_a_cue_is_asked_about_once() -> None:
    moment = p.Looked(asking=p.Asking("c2", ("bach", "jazz"), 20.0))
    state, actions = p.step(p.Polling(), moment, 0.0)
    assert only(actions, p.Announce).poll.cue_id == "c2"
    state, actions = p.step(state, moment, 20.0)
    assert only(actions, p.Settle).outcome.cue_id == "c2"
    state, _ = p.step(state, moment, 100.0)
    assert p.step(state, moment, 101.0) == (state, ())


def test_offers_follow_the_weights_and_the_seed() -> None:
    first = Counter(p.offer(STYLES, 2, 7, number)[0] for number in range(4000))
    shares = {style: first[style] / 4000 for style, _ in STYLES}
    assert shares == pytest.approx({"chopin": 1 / 4.5, "jazz": 2 / 4.5, "bach": 1 / 4.5, "mozart": 0.5 / 4.5}, abs=0.03)
    assert p.offer(STYLES, 3, 7, 1) == p.offer(STYLES, 3, 7, 1)
    assert set(p.offer(STYLES, 9, 7, 1)) == {name for name, _ in STYLES}


events = st.one_of(
    st.just(p.Began()),
    st.just(p.Closed()),
    st.just(p.Dropped()),
    st.just(LATER),
    st.just(replace(LATER, free=False)),
    st.builds(p.Opened, st.sampled_from([(), ("bach", "jazz")]), st.none() | st.floats(15, 60)),
    st.builds(p.Voted, st.dictionaries(st.sampled_from("abcdef"), st.integers(-1, 4), max_size=6)),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(events, st.floats(0, 30)), max_size=40))
def test_whatever_happens_each_poll_ends_once_with_the_votes_it_was_given(steps: list[tuple[p.Event, float]]) -> None:
    state, now_s = p.Polling(seed=3), 0.0
    announced, settled, votes = list[int](), list[int](), dict[str, int]()
    for event, wait_s in steps:
        now_s += wait_s
        before = state
        try:
            state, actions = p.step(state, event, now_s)
        except ValueError:
            assert isinstance(event, p.Opened | p.Closed)
            continue
        if isinstance(event, p.Voted) and before.poll and now_s < before.poll.closes_s:
            votes |= {who: place for who, place in event.votes.items() if 0 <= place < len(before.poll.choices)}
        for action in actions:
            if isinstance(action, p.Announce):
                announced.append(action.poll.number)
                votes.clear()
            if isinstance(action, p.Settle):
                outcome = action.outcome
                settled.append(outcome.number)
                said = Counter(votes.values())
                assert outcome.counts == tuple(said[place] for place in range(len(outcome.choices)))
                assert bool(outcome.winner) == bool(votes)
                if outcome.winner:
                    assert outcome.counts[outcome.choices.index(outcome.winner)] == max(outcome.counts)
    assert announced == sorted(set(announced))
    assert settled == sorted(set(settled))
    assert set(settled) <= set(announced)
    assert not (state.poll and state.outcome)
    assert p.step(state, LATER, now_s + 61.0)[0].poll is not state.poll or state.poll is None
