"""How a piece is drawn, as the sampler is told it: the prompt, made ready for the model."""

from __future__ import annotations

from dataclasses import dataclass, replace

from model.composing.blend import Style, shares_at
from model.composing.course import Course
from model.composing.telling import Telling
from model.language.header import Header
from model.language.vocabulary import TICKS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Settings:
    """How to draw.

    Attributes:
        length_s: length of the piece.
        instruments: names that may play.
        header: what is said of the piece; where it says no tempo, every candidate takes one of its own.
        wanted: groups of names, each of which shall be heard; see `model.composing.guidance`.
        opening: tokens it goes on from, without header and end.
        candidates: how many.
        seed: candidate n of a seed is the same however many there are beside it.
        temperature, top_p: see `model.composing.prompt.Prompt`.
        anti_p, anti_chance: by this chance what is likeliest is left out, so much of it (anti-nucleus).
        style: several styles at once or one after another; None: that of the header.
        headers: by style, what is said where that style is; `header` for the others.
        changes_s: where a change of style begins.
        key, density, energy: see `model.composing.controls`.
        silence_s: the longest silence.
        closes: whether the piece ends on a last chord.
        context: tokens it looks back over at most; None: as many as the model was made for.
        telling: given notes, told to every candidate; None: there are none.
    """

    length_s: float
    instruments: tuple[str, ...]
    header: Header
    wanted: tuple[tuple[str, ...], ...] = ()
    opening: tuple[int, ...] = ()
    candidates: int = 4
    seed: int = 0
    temperature: float = 1.0
    top_p: float = 0.98
    anti_p: float = 0.0
    anti_chance: float = 1.0
    style: Style | None = None
    headers: tuple[tuple[str, Header], ...] = ()
    changes_s: float = 0.0
    key: str | None = None
    density: Course | None = None
    energy: Course | None = None
    silence_s: float = 2.0
    closes: bool = False
    telling: Telling | None = None
    context: int | None = None

    def shares(self, tick: int) -> dict[str | None, float]:
        """Return the styles in force at a time and their shares."""
        style = self.header.style if self.style is None else self.style
        return dict(shares_at(style, tick / TICKS_PER_SECOND - self.changes_s))

    def said(self, style: str | None, tick: int) -> Header:
        """Return what is said of the piece for a style at a time."""
        seconds = tick / TICKS_PER_SECOND
        header = dict(self.headers).get(style or "", replace(self.header, style=style))
        if self.key is not None:
            header = replace(header, key=self.key)
        if self.density is not None:
            header = replace(header, notes_per_second=self.density.at(seconds))
        if self.energy is not None:
            header = replace(header, velocity=self.energy.at(seconds))
        return header
