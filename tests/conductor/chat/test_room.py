"""The chat and the polls of a show: who is heard, what is asked of the show, and what everybody is told."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conductor import cues as c
from conductor import wire
from conductor.chat.line import Said
from conductor.chat.plan import ChatPlan, PollPlan
from conductor.chat.poll import Asking, Opened
from conductor.chat.room import Chat
from conductor.library import Library
from conductor.operating.order import Answer, Order
from conductor.setlist import Cue, Endless, Setlist
from conductor.show.crew import Crew
from conductor.show.polling import KEY, Polls
from conductor.show.take import bed

DRAWN = Endless((("chopin", 1.0), ("jazz", 1.0), ("video_games", 1.0)), seed=4, poll=PollPlan(1, 3, 30.0))
PLAN = ChatPlan("#music", "127.0.0.1", 6667, False, "conductor", mods=("maria",), blocked=("mallory",))


class FakeShow:
    """What polls and the chat see of a show: one drawn piece on air, two ready."""

    def __init__(self, folder: Path, polls: Sequence[Asking] = ()) -> None:
        self.now_s = 1000.0
        self.wall_s = 1_800_000_000.0
        self.library = Library(Path(tempfile.mkdtemp(dir=folder)))
        self.setlist = Setlist("Test", (Cue("c1", "1", "One"), Cue("c2", "2", "Two")), DRAWN, polls=tuple(polls))
        slots = [c.Slot(Cue(f"e{n}", f"E{n}", f"Jazz No. {n}", style="jazz", duration_s=60.0), drawn=n) for n in (1, 2)]
        live = replace(slots[0], phase=c.Phase.LIVE, number=1, duration_s=200.0)
        self.state = replace(c.begin(replace(self.setlist, cues=())), slots=(live, slots[1]), endless_seed=4)
        levels = SimpleNamespace(number=1, position_s=10.0)
        self.shown: list[wire.Ballot] = []
        self.crew: Any = SimpleNamespace(heard=SimpleNamespace(levels=levels), ask=self.shown.append)
        self.told: list[str] = []
        self.chronicle: Any = SimpleNamespace(
            say=self.told.append,
            warn=self.told.append,
            log=lambda event, detail="": self.told.append(f"{event}: {detail}"),
        )
        self.events: list[c.Event] = []
        self.orders: list[Order] = []
        self.dispatcher: Any = SimpleNamespace(give=self._give)
        self.messages = 0
        self.observed: Any = SimpleNamespace(tally=SimpleNamespace(chatted=self._chatted))
        self.notified = 0
        self.polls = self.new_polls()

    def new_polls(self) -> Polls:
        """Return polls as a conductor has them that begins."""
        return Polls(
            self.library, self.crew, self.chronicle, self, lambda: [0.2], lambda: self.setlist, lambda: self.state,
            self.events.append, self._notify,
        )  # fmt: skip

    def monotonic_s(self) -> float:
        return self.now_s

    def wall(self) -> datetime:
        return datetime.fromtimestamp(self.wall_s, UTC)

    def _notify(self) -> None:
        self.notified += 1

    def _chatted(self) -> None:
        self.messages += 1

    def _give(self, order: Order) -> Answer:
        self.orders.append(order)
        return Answer(order.verb != "go", 409, "GO was just given" if order.verb == "go" else "", 1)

    def pass_time(self, seconds: float) -> None:
        self.now_s += seconds
        self.wall_s += seconds
        self.polls.tick()


class Audience:
    """A show with a chat, without a server."""

    def __init__(self, folder: Path, polls: Sequence[Asking] = (), plan: ChatPlan = PLAN) -> None:
        self.show = FakeShow(folder, polls)
        self.chat = Chat(self.show, plan, clock=self.show)  # type: ignore[arg-type]
        self.said: list[str] = []
        monkeypatched: Any = self.chat.irc
        monkeypatched.say = self.said.append
        self.chat.irc.there = True
        self.show.polls.rooms.append(self.chat)

    def hear(self, who: str, text: str, *, moderates: bool = False) -> None:
        self.chat.hear(Said(who, who, text, moderates))


def test_a_poll_is_told_counted_shown_and_taken_up(tmp_path: Path) -> None:
    audience = Audience(tmp_path)
    show = audience.show
    show.pass_time(0.2)
    poll = show.polls.poll
    assert poll is not None
    assert "Vote for the next style within 30 s: 1 " in audience.said[0]
    for who, text in (("ann", "!vote 1"), ("ben", "2"), ("ann", "2"), ("mallory", "!vote 3"), ("conductor", "!vote 3")):
        audience.hear(who, text)
    show.pass_time(1.0)
    assert show.shown[-1].counts == [0, 2, 0]
    assert show.shown[-1].left_s == pytest.approx(29.0)
    assert (show.polls.plain or {})["choices"][1] == {"style": poll.choices[1], "votes": 2}
    show.pass_time(30.0)
    assert show.events == [c.Voted(poll.choices[1])]
    assert (show.shown[-1].winner, show.shown[-1].left_s) == (1, 0.0)
    assert "wins with 2 of 2 votes. It is composed now." in audience.said[-1]
    show.pass_time(10.0)
    assert show.shown[-1] == wire.Ballot()


def test_without_votes_the_show_is_told_nothing(tmp_path: Path) -> None:
    audience = Audience(tmp_path)
    audience.show.pass_time(0.2)
    audience.show.pass_time(31.0)
    assert audience.show.events == []
    assert audience.said[-1] == "Nobody voted; the show goes on as it was drawn."


@pytest.mark.parametrize("state", [{"held": True}, {"endless_on": False}, {"unattended": True}])
def test_nothing_is_asked_that_could_not_be_taken_up(tmp_path: Path, state: dict[str, Any]) -> None:
    audience = Audience(tmp_path)
    audience.show.state = replace(audience.show.state, **state)
    audience.show.pass_time(1.0)
    assert audience.show.polls.poll is None


def test_a_poll_about_what_is_gone_is_called_off(tmp_path: Path) -> None:
    audience = Audience(tmp_path)
    show = audience.show
    show.pass_time(0.2)
    audience.hear("ann", "1")
    show.state = replace(show.state, endless_on=False)
    show.pass_time(1.0)
    assert (show.polls.poll, show.events, show.shown[-1]) == (None, [], wire.Ballot())
    assert audience.said[-1] == "The poll is called off."


def test_nothing_is_asked_where_nobody_is_heard(tmp_path: Path) -> None:
    audience = Audience(tmp_path)
    audience.chat.irc.there = False
    audience.show.pass_time(1.0)
    assert audience.show.polls.poll is None
    with pytest.raises(c.RefusalError, match="nobody can vote"):
        audience.show.polls.obey(Opened())


def test_a_cue_is_asked_about_where_there_is_time_and_goes_on_where_there_is_none(tmp_path: Path) -> None:
    for duration_s, asked in ((200.0, True), (20.0, False)):
        audience = Audience(tmp_path, [Asking("c2", ("jazz", "bach"), 60.0)])
        show = audience.show
        first = replace(c.Slot(show.setlist.cues[0], c.Phase.LIVE, number=1), duration_s=duration_s)
        show.state = replace(show.state, slots=(first, c.Slot(show.setlist.cues[1], asking=True)), endless=None)
        show.pass_time(0.2)
        if not asked:
            assert show.events == [c.Voted("", "c2")]
            continue
        assert show.shown[-1].title == "Two"
        audience.hear("ann", "!style bach")
        show.pass_time(1.0)
        show.pass_time(60.0)
        assert show.events == [c.Voted("bach", "c2")]


def test_moderators_give_orders_in_their_name_and_others_do_not(tmp_path: Path) -> None:
    audience = Audience(tmp_path)
    audience.hear("ann", "!skip")
    assert audience.show.orders == []
    audience.hear("maria", "!skip")
    audience.hear("eve", "!hold", moderates=True)
    audience.hear("mallory", "!skip", moderates=True)
    audience.hear("maria", "!poll jazz, bach 45")
    audience.hear("maria", "!endpoll")
    assert [(o.verb, dict(o.arguments), o.who, o.via) for o in audience.show.orders] == [
        ("skip", {}, "maria", "chat"),
        ("hold", {}, "eve", "chat"),
        ("poll", {"styles": ["jazz", "bach"], "seconds": 45.0}, "maria", "chat"),
        ("close-poll", {}, "maria", "chat"),
    ]
    audience.hear("maria", "!go")
    assert audience.said == ["go: GO was just given"]


def test_questions_are_answered_seldom_and_titles_are_harmless(tmp_path: Path) -> None:
    audience = Audience(tmp_path)
    show = audience.show
    live = show.state.slots[0]
    show.state = show.state.put(replace(live, cue=replace(live.cue, name="A\u202eB\r\nQUIT" + "x" * 300)))
    for _ in range(3):
        for person in range(100):
            audience.hear(f"p{person}", "!now")
    assert len(audience.said) == 1
    assert audience.said[0].startswith("Now: AB QUITxxx")
    assert len(audience.said[0]) < 120
    show.now_s += 10.0
    for text in ("!next", "!styles", "!help"):
        audience.hear("ann", text)
    assert audience.said[1:] == [
        "Next: Jazz No. 2 (jazz, 1:00)",
        "Styles: chopin, jazz, video games",
        "Commands: !vote and a number while a poll is open, !styles, !now, !next",
    ]


def test_commands_that_the_setlist_leaves_out_are_not_listened_to(tmp_path: Path) -> None:
    audience = Audience(tmp_path, plan=replace(PLAN, commands=("vote",)))
    audience.hear("maria", "!skip")
    audience.hear("ann", "!now")
    assert (audience.show.orders, audience.said) == ([], [])


@pytest.mark.parametrize("booted", [False, True])
def test_a_poll_goes_on_with_its_votes_when_the_conductor_is_another(tmp_path: Path, booted: bool) -> None:
    audience = Audience(tmp_path)
    show = audience.show
    show.pass_time(0.2)
    poll = show.polls.poll
    assert poll is not None
    audience.hear("ann", "2")
    audience.hear("ben", "2")
    show.pass_time(1.0)
    audience.hear("eve", "1")
    rooms, show.polls = show.polls.rooms, show.new_polls()
    show.polls.rooms += rooms
    if booted:
        # The monotonic clock begins anew, too.
        show.now_s = 3.0
    show.wall_s += 4.0
    show.polls.take_up()
    # The last second of votes is lost, and told in no other way than by the counts.
    assert show.shown[-1].counts == [0, 2, 0]
    assert show.shown[-1].left_s == pytest.approx(25.0, abs=0.1)
    assert "poll: 1 goes on, with 2 votes" in show.told
    for person in ("ann", "eve"):
        show.polls.vote(person, 0)
    show.pass_time(1.0)
    show.pass_time(25.0)
    assert show.events == [c.Voted(poll.choices[0])]
    assert show.shown[-1].counts == [2, 1, 0]
    # The next conductor finds that it is over: nothing is taken up twice.
    show.pass_time(0.2)
    show.polls = show.new_polls()
    show.polls.take_up()
    show.pass_time(0.2)
    assert (show.polls.poll, len(show.events)) == (None, 1)


def test_a_poll_whose_time_ran_out_meanwhile_is_settled_and_no_clock_makes_it_longer(tmp_path: Path) -> None:
    for gone_s, left_s in ((3600.0, 0.0), (-3600.0, 29.0)):
        audience = Audience(tmp_path)
        show = audience.show
        show.pass_time(0.2)
        audience.hear("ann", "3")
        show.pass_time(1.0)
        choices = show.polls.choices
        show.polls = show.new_polls()
        show.wall_s += gone_s
        show.polls.take_up()
        assert show.polls.poll is not None
        assert show.polls.poll.closes_s - show.now_s == pytest.approx(left_s, abs=0.1)
        show.pass_time(left_s + 0.1)
        assert show.events == [c.Voted(choices[2])]


@pytest.mark.parametrize("kept", [{"poll": 3}, "what", {"seed": 1, "held": 2, "since": 0, "asked": 4, "poll": None}])
def test_polls_that_mean_nothing_are_set_aside(tmp_path: Path, kept: Any) -> None:
    audience = Audience(tmp_path)
    audience.show.library.remember(KEY, kept)
    audience.show.polls.take_up()
    assert audience.show.library.recall(KEY) is None
    audience.show.pass_time(0.2)
    assert audience.show.polls.poll is not None


def test_polls_of_a_show_that_was_not_taken_up_are_forgotten(tmp_path: Path) -> None:
    audience = Audience(tmp_path)
    audience.show.pass_time(0.2)
    audience.show.state = replace(audience.show.state, held=True)
    audience.show.polls = audience.show.new_polls()
    audience.show.pass_time(0.2)
    audience.show.polls = audience.show.new_polls()
    audience.show.polls.take_up()
    assert audience.show.polls.poll is None


def test_a_hundred_thousand_voters_are_bounded(tmp_path: Path) -> None:
    audience = Audience(tmp_path)
    audience.show.pass_time(0.2)
    for person in range(60_000):
        audience.show.polls.vote(f"p{person}", 0)
    audience.show.pass_time(1.0)
    poll = audience.show.polls.poll
    assert poll is not None
    assert poll.counts[0] == 50_000


def test_a_feed_that_comes_back_is_told_the_poll_and_one_of_an_earlier_conductor_that_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crew = Crew(
        tmp_path, lambda name: [name], bed=bed(), on_message=lambda _: None, on_up=lambda _: None,
        on_down=lambda *_: None,
    )  # fmt: skip
    sent: list[wire.Message] = []
    monkeypatch.setattr(crew, "send", lambda _, message: sent.append(message))
    crew._up("feed")
    assert [message for message in sent if isinstance(message, wire.Ballot)] == [wire.Ballot()]
    ballot = wire.Ballot("The next style?", ["bach", "jazz"], [1, 0], 20.0)
    crew.ask(ballot)
    sent.clear()
    crew._up("feed")
    assert ballot in sent
