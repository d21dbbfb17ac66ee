"""The dispatcher: checked, carried out once, answered, written down."""

from __future__ import annotations

from typing import Any

import pytest

from conductor import cues as c
from conductor.chat.poll import Closed, Opened
from conductor.operating.dispatcher import REMEMBERED, Dispatcher
from conductor.operating.order import Order
from conductor.operating.pending import Pending
from conductor.operating.vocabulary import VERBS, cue_id
from conductor.setlist import Setlist
from tests.conductor.cues.stage import Stage, ready, setlist


class Book:
    """Stands for the chronicle."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def log(self, event: str, *, detail: str = "", **_: Any) -> None:
        self.lines.append((event, detail))


class Show:
    """A show of three cues that wait for GO, two of them composed."""

    def __init__(self) -> None:
        self.stage: Stage = ready("hold", "hold", "hold")
        self.stage.now_s = 100.0
        self.setlist: Setlist = setlist("hold", "hold", "hold")
        self.pending = Pending(self.setlist)
        self.revision = 7
        self.chronicle: Any = Book()

    @property
    def state(self) -> c.State:
        return self.stage.state

    def obey(self, verb: c.Verb | Opened | Closed) -> None:
        assert not isinstance(verb, Opened | Closed), "no test of these holds a poll"
        self.stage.send(verb)
        self.stage.obey()
        self.revision += 1


def desk() -> tuple[Show, Dispatcher]:
    show = Show()
    return show, Dispatcher(show)


def test_an_order_is_carried_out_answered_with_the_new_revision_and_written_down() -> None:
    show, dispatcher = desk()
    answer = dispatcher.give(Order("go", {"cue": "c1"}, who="ann", via="ctl"))
    assert answer.plain == {"ok": True, "revision": 8}
    assert show.stage.started == [1]
    assert show.chronicle.lines == [("go", 'ann via ctl: go {"cue": "c1"}')]


@pytest.mark.parametrize(
    ("verb", "arguments", "status", "reason"),
    [
        ("goo", {}, 404, 'there is no verb "goo" - did you mean "go"?'),
        ("go", {"cua": "c1"}, 400, 'go: unknown argument "cua" - did you mean "cue"?'),
        ("hold", {"x": 1}, 400, 'hold: unknown argument "x"; it takes nothing'),
        ("go", {"cue": 3}, 400, "go: cue: should be text, not 3"),
        ("standby", {}, 400, 'standby: "cue" is missing'),
        ("standby", {"cue": "nobody"}, 409, 'there is no cue "nobody"'),
        ("fade", {"seconds": "long"}, 400, "fade: seconds: should be a number, not 'long'"),
        ("fade", {"seconds": 0}, 400, "fade: seconds: input should be greater than 0"),
        ("release", {}, 409, "not on hold"),
        ("edit", {"cue": "c1", "changes": {}}, 400, "nothing is to be different; say one of"),
        ("edit", {"cue": "c1", "changes": {"stile": "jazz"}}, 400, 'a cue has no "stile" that can be set'),
        ("edit", {"cue": "c1", "changes": {"style": "jaz"}}, 400, "jaz"),
        ("edit", {"cue": "c1", "changes": {"duration": "90"}}, 400, 'did you mean "90s"?'),
        ("edit", {"cue": "c1", "changes": {"id": "c9"}}, 400, 'a cue has no "id" that can be set'),
        ("edit", {"cue": "c1", "changes": {"prompt": {"opening": "nothing-like-it"}}}, 400, "nothing-like-it"),
        ("insert", {"cue": {"id": 5}}, 400, "id: should be text, not 5"),
        ("change", {"style": "jazz"}, 409, "nothing is on air that could be changed"),
        ("change", {}, 400, "nothing is to be different"),
        ("take", {"cue": "c1", "take": 9}, 409, "Cue 1 has no candidate 9; it has 3"),
        ("reload", {}, 409, "setlist.yaml has not changed"),
    ],
)
def test_what_cannot_be_done_is_answered_with_one_line_and_nothing_happens(
    verb: str, arguments: dict[str, Any], status: int, reason: str
) -> None:
    show, dispatcher = desk()
    before = show.state
    answer = dispatcher.give(Order(verb, arguments))
    assert (answer.ok, answer.status) == (False, status)
    assert reason in answer.reason
    assert "\n" not in answer.reason
    assert show.state == before
    assert show.revision == answer.revision == 7
    assert show.chronicle.lines == []


def test_the_same_request_is_carried_out_once_and_answered_the_same() -> None:
    show, dispatcher = desk()
    order = Order("move", {"cue": "c3", "to": 1}, request_id="abc")
    first = dispatcher.give(order)
    assert first.ok
    assert dispatcher.give(order) == first
    assert show.revision == 8
    other = dispatcher.give(Order("hold", request_id="abc"))
    assert (other.status, other.reason) == (409, "this request_id was used for another order")


def test_a_refused_request_is_answered_the_same_too() -> None:
    show, dispatcher = desk()
    refused = dispatcher.give(Order("release", request_id="r"))
    show.obey(c.Hold())
    assert dispatcher.give(Order("release", request_id="r")) == refused
    assert show.state.held


def test_answers_are_remembered_up_to_a_number() -> None:
    show, dispatcher = desk()
    for n in range(REMEMBERED + 1):
        dispatcher.give(Order("release", request_id=str(n)))
    show.obey(c.Hold())
    assert dispatcher.give(Order("release", request_id=str(REMEMBERED))).status == 409
    assert dispatcher.give(Order("release", request_id="0")).ok, "the oldest is forgotten"


def test_two_operators_do_not_say_go_twice() -> None:
    show, dispatcher = desk()
    assert dispatcher.give(Order("go", expect_standby="c1")).ok
    second = dispatcher.give(Order("go", expect_standby="c1"))
    assert (second.status, second.reason) == (409, "next is Cue 2 by now")
    assert show.stage.started == [1]


def test_an_order_for_an_earlier_revision_is_refused() -> None:
    _, dispatcher = desk()
    assert dispatcher.give(Order("hold", revision=7)).ok
    moved = dispatcher.give(Order("release", revision=7))
    assert (moved.status, moved.reason, moved.revision) == (409, "the show has changed (revision 8)", 8)


def test_a_preview_tells_and_changes_nothing() -> None:
    show, dispatcher = desk()
    show.pending.read(setlist("hold", "hold", "hold", "hold"))
    answer = dispatcher.give(Order("preview"))
    assert answer.plain == {"ok": True, "revision": 7, "told": list(show.pending.lines)}
    assert len(show.pending.lines) == 1
    assert show.chronicle.lines == []


def test_a_cue_is_called_by_its_id_or_its_number() -> None:
    show, dispatcher = desk()
    assert dispatcher.give(Order("standby", {"cue": "3"})).ok
    assert show.state.standby == show.stage.slot("c3")
    assert cue_id(show.state, "c2") == "c2"
    assert cue_id(show.state, "nobody") == "nobody"


def test_edits_insertions_and_copies_say_what_a_setlist_says() -> None:
    show, dispatcher = desk()
    fields = {"style": "jazz", "duration": "1m30s", "follow": {"hang": "-3s"}, "key": "D minor", "name": "Late"}
    assert dispatcher.give(Order("edit", {"cue": "c2", "changes": fields})).ok
    cue = show.stage.slot("c2").cue
    assert (cue.style, cue.duration_s, cue.follow.hang_s, cue.controls.key, cue.name) == (
        "jazz", 90.0, 3.0, "D_minor", "Late",
    )  # fmt: skip
    assert dispatcher.give(Order("insert", {"cue": {"style": "bach", "seed": 5}, "at": 1})).ok
    assert show.stage.coming()[0] == "bach"
    assert show.stage.slot("bach").cue.seed == 5
    assert dispatcher.give(Order("again", {"cue": "c2", "changes": {"tempo": 90}})).ok
    assert show.stage.slot("c2-2").cue.controls.tempo_bpm == 90


def test_every_verb_tells_what_it_takes_as_a_schema() -> None:
    for verb in VERBS.values():
        assert verb.schema["additionalProperties"] is False
        assert verb.summary.endswith(".")
        assert set(verb.schema.get("properties", {})) == set(verb.arguments.model_fields)
