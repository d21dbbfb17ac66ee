"""The dispatcher: whoever says a verb, it is checked, carried out once, answered and written down here."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Protocol

from pydantic import ValidationError

from conductor import cues as c
from conductor.chat.poll import Closed, Opened
from conductor.operating.order import MOVED, OK, UNKNOWN, WRONG, Answer, Order
from conductor.operating.vocabulary import VERBS, Stage, Verb
from conductor.setlist.yamlfile import did_you_mean, explain
from conductor.show.chronicle import Chronicle

# Answers remembered, so that an order that comes twice is carried out once.
REMEMBERED = 512
# A log line is for people.
_LONGEST_SAID = 200


class Show(Stage, Protocol):
    """What the dispatcher wants of a show."""

    @property
    def revision(self) -> int:
        """How often it has changed."""

    @property
    def chronicle(self) -> Chronicle:
        """Where it is written down who did what."""

    def obey(self, verb: c.Verb | Opened | Closed) -> None:
        """Carry a verb out; raises RefusalError where it cannot be done now."""


class Dispatcher:
    """Carries out orders, one after another.

    Args:
        show: that they are about.
    """

    def __init__(self, show: Show) -> None:
        self._show = show
        self._answered: OrderedDict[str, tuple[Order, Answer]] = OrderedDict()

    def give(self, order: Order) -> Answer:
        """Carry out an order and return what came of it; never raises for what an operator says."""
        if order.request_id and (known := self._answered.get(order.request_id)):
            before, answer = known
            if (before.verb, before.arguments) == (order.verb, order.arguments):
                return answer
            return self._answer(MOVED, "this request_id was used for another order")
        answer = self._carry_out(order)
        if order.request_id:
            self._answered[order.request_id] = (order, answer)
            while len(self._answered) > REMEMBERED:
                self._answered.popitem(last=False)
        return answer

    def _carry_out(self, order: Order) -> Answer:
        verb = VERBS.get(order.verb)
        if verb is None:
            return self._answer(UNKNOWN, f'there is no verb "{order.verb}"{did_you_mean(order.verb, VERBS)}')
        state = self._show.state
        try:
            arguments = verb.arguments.model_validate(dict(order.arguments))
        except ValidationError as error:
            wrong = error.errors()[0]["loc"]
            return self._answer(WRONG, _told(verb, error), field=str(wrong[0]) if wrong else "")
        if order.revision is not None and order.revision != self._show.revision:
            return self._answer(MOVED, f"the show has changed (revision {self._show.revision})")
        standby = state.standby
        if order.expect_standby is not None and order.expect_standby != (standby.cue.id if standby else ""):
            return self._answer(MOVED, f"next is {standby.cue.name if standby else 'nothing'} by now")
        try:
            wish = verb.make(self._show, arguments)
            if wish is not None:
                self._show.obey(wish)
        except ValueError as error:
            return self._answer(WRONG, str(error))
        except c.RefusalError as error:
            return self._answer(MOVED, str(error))
        if wish is None:
            return self._answer(OK, told=self._show.pending.lines)
        self._show.chronicle.log(verb.name, detail=_said(order))
        return self._answer(OK)

    def _answer(self, status: int, reason: str = "", told: tuple[str, ...] = (), field: str = "") -> Answer:
        return Answer(status == OK, status, reason, self._show.revision, told, field)


def _told(verb: Verb, error: ValidationError) -> str:
    """Return what is wrong with arguments; one line."""
    details = error.errors()[0]
    known = verb.arguments.model_fields
    if details["type"] == "extra_forbidden":
        name = str(details["loc"][-1])
        takes = f"; it takes {', '.join(known)}" if known else "; it takes nothing"
        return f'{verb.name}: unknown argument "{name}"{did_you_mean(name, known) or takes}'
    return f"{verb.name}: {explain(details)}"


def _said(order: Order) -> str:
    """Return who said what, for the log."""
    said = json.dumps(dict(order.arguments), ensure_ascii=False, default=str) if order.arguments else ""
    by = " ".join(filter(None, (order.who, f"via {order.via}" if order.via else "")))
    text = " ".join(filter(None, (by and f"{by}:", order.verb, said)))
    return text if len(text) <= _LONGEST_SAID else text[: _LONGEST_SAID - 1] + "…"
