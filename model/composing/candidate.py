"""A candidate: one piece as it grows, with all that watches over it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from model.composing.controls import Controls
from model.composing.ending import LastChord, chord_tick
from model.composing.grammar import Grammar
from model.composing.guidance import Guidance
from model.composing.telling import GivenClock, in_time
from model.language.context import Clock, Place
from model.language.vocabulary import TICKS_PER_SECOND, VOCABULARY

# A piece that is to end at once has this long for it, at least.
FAREWELL_S = 1.5


@dataclass(slots=True)
class Candidate:
    """A piece as it grows.

    Attributes:
        head: its header, start and tempo.
        grammar: the rules it keeps.
        clock: where it stands.
        number: which of the candidates it is.
        guidance: what it should have less of, and more of.
        controls: how dense, loud and in which key it goes on.
        beats_per_bar: quarter notes in a bar.
        closes: whether it ends on a last chord.
        tokens: its music, without the header.
        places: the context of each of them.
        given: of each, 1 where it was given ahead of its time, not composed.
        log_probability: sum over its own tokens, nats.
        composed: tokens drawn for it; an opening and what comes back by plan are not.
        opening: tokens that were there before.
        lineage: which of the candidates its music began as.
        marks: sections as they came: letter and tick.
        recalled: what came back by plan: from and until which tick, and by how many ticks it is later than at first.
    """

    head: list[int]
    grammar: Grammar
    clock: Clock
    number: int = 0
    guidance: Guidance = field(default_factory=Guidance)
    controls: Controls = field(default_factory=Controls)
    beats_per_bar: float = 4.0
    closes: bool = False
    tokens: list[int] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    given: list[int] = field(default_factory=list)
    log_probability: float = 0.0
    composed: int = 0
    opening: int = 0
    lineage: int = -1
    marks: list[tuple[str, int]] = field(default_factory=list)
    recalled: list[tuple[int, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.lineage < 0:
            self.lineage = self.number

    def take(self, token: int) -> None:
        """Add a token."""
        self.grammar.feed(token)
        self.guidance.feed(token, self.clock.tick)
        self.controls.feed(token, self.clock.tick)
        self.tokens.append(token)
        self.places.append(self.clock.step(token))
        self.given.append(0)

    def mask(self) -> NDArray[np.bool_]:
        """Return which tokens may come next, shape [vocabulary]; at least one may."""
        allowed = self.grammar.mask()
        if isinstance(self.clock, GivenClock):
            apart = allowed.copy()
            apart[self.clock.forbidden()] = False
            return apart if apart.any() else allowed
        return allowed

    def go_on(self, token: int, log_probability: float) -> None:
        """Go on with a token that was drawn, unless a given note is to be told first."""
        if isinstance(self.clock, GivenClock):
            told = self.clock.due()
            if told is not None and told.given:
                self.tokens.append(told.token)
                self.places.append(self.clock.hear(told))
                self.given.append(1)
                return
            if told is not None:
                self.take(told.token)
                return
            waited = VOCABULARY.said[token][0]
            if waited > (room := self.clock.room()):
                token += room - waited
        self.take(token)
        self.log_probability += log_probability
        self.composed += 1

    def music(self) -> list[int]:
        """Return its tokens as they sound, given ones at their time."""
        return in_time(self.tokens, self.places, self.clock.tick) if any(self.given) else self.tokens

    def own(self) -> list[int]:
        """Return its tokens without those of given notes."""
        return [token for token, given in zip(self.tokens, self.given, strict=True) if not given]

    @property
    def beat_ticks(self) -> float:
        """Ticks in a beat."""
        return 60.0 * TICKS_PER_SECOND / self.clock.bpm

    def bar_line(self, tick: float) -> int:
        """Return the bar line nearest to a time, by the tempo now."""
        beat = self.clock.beat + (tick - self.clock.tick) / self.beat_ticks
        line = round(beat / self.beats_per_bar) * self.beats_per_bar
        return round(self.clock.tick + (line - self.clock.beat) * self.beat_ticks)

    def plan_end(self) -> None:
        """Choose when the last chord is struck; once the tempo is known."""
        if not self.closes:
            return
        drums_alone = self.grammar.instruments == ("drums",)
        tick = chord_tick(
            self.clock.length_ticks,
            self.beat_ticks,
            self.beats_per_bar,
            in_time=self.guidance.in_time,
            drums_alone=drums_alone,
            first_beat=self.clock.tick - self.clock.beat * self.beat_ticks,
        )
        before = self.grammar.last_chord
        if before is None:
            self.grammar.last_chord = LastChord(tick, self.controls.key, drums_alone)
        else:
            before.tick = tick

    def end_soon(self) -> None:
        """Let it end as soon as it can close properly."""
        if self.grammar.ended or self.clock.tick + 2 * FAREWELL_S * TICKS_PER_SECOND >= self.clock.length_ticks:
            return
        bar = self.beat_ticks * self.beats_per_bar
        soon = self.clock.tick + FAREWELL_S * TICKS_PER_SECOND
        line = self.bar_line(soon + bar / 2) if bar < 6 * TICKS_PER_SECOND else soon
        length = min(round(line + FAREWELL_S * TICKS_PER_SECOND), self.clock.length_ticks)
        self.clock.length_ticks = self.grammar.length_ticks = length
        self.grammar.stop_tick = None
        self.plan_end()

    def end_sounding(self) -> None:
        """End all that sounds."""
        for token in self.grammar.held:
            self.take(token)

    def fork(self, number: int) -> Candidate:
        """Return the same music under another number, free to go on otherwise."""
        return replace(
            self,
            head=list(self.head),
            grammar=self.grammar.copy(),
            clock=self.clock.copy(),
            number=number,
            guidance=self.guidance.copy(),
            controls=self.controls.copy(),
            tokens=list(self.tokens),
            places=list(self.places),
            given=list(self.given),
            marks=list(self.marks),
            recalled=list(self.recalled),
        )

    @property
    def tempo_bpm(self) -> float | None:
        """The tempo its header says."""
        return next((float(t) for token in self.head if (t := VOCABULARY.tempo_of(token)) is not None), None)
