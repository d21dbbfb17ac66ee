"""A candidate: one piece as it grows, with all that watches over it."""

from __future__ import annotations

from dataclasses import dataclass, field

from model.composing.grammar import Grammar
from model.composing.guidance import Guidance
from model.language.context import Clock, Place


@dataclass(slots=True)
class Candidate:
    """A piece as it grows.

    Attributes:
        head: its header, start and tempo.
        grammar: the rules it keeps.
        clock: where it stands.
        number: which of the candidates it is.
        guidance: what it should have less of, and more of.
        tokens: its music, without the header.
        places: the context of each of them.
        log_probability: sum over its own tokens, nats.
        composed: tokens of its own, the opening not counted.
    """

    head: list[int]
    grammar: Grammar
    clock: Clock
    number: int = 0
    guidance: Guidance = field(default_factory=Guidance)
    tokens: list[int] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    log_probability: float = 0.0
    composed: int = 0

    def take(self, token: int) -> None:
        """Add a token."""
        self.grammar.feed(token)
        self.guidance.feed(token, self.clock.tick)
        self.tokens.append(token)
        self.places.append(self.clock.step(token))
