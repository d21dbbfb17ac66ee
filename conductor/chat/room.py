"""The chat of a show: people vote and ask, moderators lead, and a flood of either is harmless.

Nothing waits here: a line is heard and answered at once, or passed over. What is said in return waits in the
connection, where the oldest goes.
"""

from __future__ import annotations

import logging
from collections import OrderedDict

from conductor.chat.cleaning import clean
from conductor.chat.commands import Wish, choice_of, wish_of
from conductor.chat.irc import Irc
from conductor.chat.limits import Patience
from conductor.chat.line import Said
from conductor.chat.plan import FOR_MODERATORS, ChatPlan
from conductor.clock import Clock, SystemClock, minutes
from conductor.cues import Slot
from conductor.operating.order import Order
from conductor.show.polling import spoken
from conductor.show.show import Show
from model.composing.blend import plain_style
from streaming.backoff import Backoff

LOG = logging.getLogger("conductor.chat.room")

VIA = "chat"
# The same question is answered so often at most, whoever asks.
ANSWER_EVERY_S = 10.0
MOST_TITLE = 80
_VERBS = {"close": "close-poll"}


class Chat:
    """Reads the chat of a show and acts on it.

    Args:
        show: that is talked about.
        plan: where the chat is, and who may say what.
        clock: for limits.
        backoff: when a lost connection is tried again.
    """

    def __init__(
        self, show: Show, plan: ChatPlan, *, clock: Clock | None = None, backoff: Backoff | None = None
    ) -> None:
        clock = clock or SystemClock()
        self._show, self._plan, self._now_s = show, plan, clock.monotonic_s
        self.patience = Patience(clock.monotonic_s)
        self._answered: OrderedDict[str, float] = OrderedDict()
        self.irc = Irc(
            plan, self.hear, self._news, digits=lambda: bool(show.polls.choices), clock=clock, backoff=backoff
        )

    @property
    def there(self) -> bool:
        """Whether anybody can be heard."""
        return self.irc.there

    def start(self) -> None:
        """Begin to read; the show does not wait for it."""
        self._show.polls.rooms.append(self)
        self.irc.start()

    async def stop(self) -> None:
        """Leave."""
        self._show.polls.rooms.remove(self)
        await self.irc.stop()

    def say(self, text: str) -> None:
        """Say a line, as soon as the limits allow."""
        self.irc.say(clean(text, 300))

    def hear(self, said: Said) -> None:
        """Act on what somebody said, if it is a command that they may give."""
        self._show.observed.tally.chatted()
        plan, polls = self._plan, self._show.polls
        if said.who in plan.blocked or said.who == plan.nick.lower():
            return
        wish = wish_of(said.text, polls.choices)
        if wish is None or wish.name not in plan.commands:
            return
        moderates = said.moderates or said.who in plan.mods
        leads = wish.name in FOR_MODERATORS
        if (leads and not moderates) or not self.patience.hears(said.person, moderates=moderates):
            return
        if leads:
            self._lead(wish, said.who)
        elif wish.name == "vote":
            place = choice_of(wish.argument, polls.choices)
            if place is not None:
                polls.vote(said.person, place)
        else:
            self._answer(wish.name)

    def _lead(self, wish: Wish, who: str) -> None:
        """Give an order in the name of a moderator; it is checked like everybody's."""
        arguments: dict[str, object] = {}
        if wish.name == "poll":
            words = wish.argument.replace(",", " ").split()
            numbers = [float(word) for word in words if word.isascii() and word.isdigit()]
            arguments = {"styles": [word for word in words if not word.isdigit()]}
            arguments |= {"seconds": numbers[0]} if numbers else {}
        answer = self._show.dispatcher.give(Order(_VERBS.get(wish.name, wish.name), arguments, who, VIA))
        if not answer.ok:
            self.say(f"{wish.name}: {answer.reason}")

    def _answer(self, name: str) -> None:
        now_s = self._now_s()
        if now_s - self._answered.get(name, float("-inf")) < ANSWER_EVERY_S:
            return
        self._answered[name] = now_s
        self.say(self._told(name))

    def _told(self, name: str) -> str:
        state = self._show.state
        match name:
            case "styles":
                styles = [style for style, _ in state.endless.styles] if state.endless else []
                return f"Styles: {', '.join(map(spoken, styles))}" if styles else "The setlist says what is played."
            case "now":
                return f"Now: {_about(state.live)}" if state.live else "Now: music between the pieces"
            case "next":
                return f"Next: {_about(state.standby)}" if state.standby else "Nothing is planned to come."
        people = [command for command in ("styles", "now", "next") if command in self._plan.commands]
        votes = ["!vote and a number while a poll is open"] if "vote" in self._plan.commands else []
        return f"Commands: {', '.join([*votes, *(f'!{command}' for command in people)])}"

    def _news(self, text: str, good: bool) -> None:
        (self._show.chronicle.say if good else self._show.chronicle.warn)(f"chat: {text}")
        self._show.chronicle.log("chat", detail=text)
        self._show.polls.tell()


def _about(slot: Slot) -> str:
    style = plain_style(slot.cue.style)
    parts = [spoken(style) if isinstance(style, str) else "", minutes(slot.duration_s or slot.cue.duration_s)]
    return f"{clean(slot.cue.name, MOST_TITLE)} ({', '.join(filter(None, parts))})"
