"""What people type, as what they want; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# Other words for the same.
_SAME = {
    "v": "vote", "style": "styles", "song": "now", "nowplaying": "now", "commands": "help",
    "endpoll": "close", "closepoll": "close", "close-poll": "close",
}  # fmt: skip
_NUMBER = re.compile(r"[1-9][0-9]?")
_COMMAND = re.compile(r"!([a-z-]{1,16}|[1-9][0-9]?)(?:\s+(.*))?", re.IGNORECASE | re.ASCII)
_LONGEST_ARGUMENT = 60


@dataclass(frozen=True, slots=True)
class Wish:
    """A command.

    Attributes:
        name: one of `plan.FOR_ALL` and `plan.FOR_MODERATORS`.
        argument: what was said with it, in lower case, one line.
    """

    name: str
    argument: str = ""


def wish_of(text: str, choices: Sequence[str] = ()) -> Wish | None:
    """Return what a line of chat wants; None where it is talk.

    Args:
        text: as it was said.
        choices: of the poll that is open; a number alone is a vote then.
    """
    # Clients that let one say the same twice put something invisible behind it.
    line = " ".join(text[:400].replace("\U000e0000", " ").split())
    if choices and _NUMBER.fullmatch(line):
        return Wish("vote", line)
    found = _COMMAND.fullmatch(line)
    if not found:
        return None
    name, argument = found[1].lower(), " ".join((found[2] or "").lower().split())[:_LONGEST_ARGUMENT]
    if name.isdigit():
        return Wish("vote", name)
    # `!style list` asks for the list, `!style jazz` votes for one.
    if name == "style" and argument not in ("", "list"):
        return Wish("vote", argument)
    return Wish(_SAME.get(name, name), argument)


def choice_of(argument: str, choices: Sequence[str]) -> int | None:
    """Return the place, 0 and up, of what a vote names by number or by name; None where it names nothing."""
    if _NUMBER.fullmatch(argument):
        place = int(argument) - 1
        return place if place < len(choices) else None
    said = re.sub(r"[\s-]+", "_", argument)
    return next((n for n, name in enumerate(choices) if name.lower() == said), None)
