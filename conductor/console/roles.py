"""Who may do what: roles, and the role that each verb needs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from conductor.operating.vocabulary import VERBS


class Role(IntEnum):
    """What an operator may; each may what those before it may."""

    VIEW = 1
    CONTROL = 2
    EDIT = 3

    def __str__(self) -> str:
        return self.name.lower()


ROLES = {str(role): role for role in Role}

# What changes the list for good; all other verbs run the show, and a preview only reads.
EDITING = frozenset({"insert", "move", "edit", "lock", "reload"})
READING = frozenset({"preview"})
assert VERBS.keys() >= EDITING | READING


def role_for(verb: str) -> Role:
    """Return the least role that may say a verb."""
    return Role.EDIT if verb in EDITING else Role.VIEW if verb in READING else Role.CONTROL


@dataclass(frozen=True, slots=True)
class Somebody:
    """Who asks.

    Attributes:
        who: a name for the log.
        role: what they may.
        cookie: whether a browser's cookie says so, which it also sends when another site makes it ask.
    """

    who: str
    role: Role
    cookie: bool = False
