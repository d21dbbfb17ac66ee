"""The brief: a prompt made ready for the model, with all the music that is there already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.composing.arrangement import announce, arrangement, start_of
from model.composing.blend import main_style, styles_of
from model.composing.opening import Opening, opening_of
from model.composing.prompt import Prompt
from model.composing.settings import Settings
from model.instruments import members
from model.language.header import Header, groups_of, habit_key
from model.midi import read_midi
from model.notes import Piece

# What goes without saying for a style, or for a style and its ensemble: words of the header (see `habit_key`).
Habits = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Brief:
    """What is composed.

    Attributes:
        prompt: what was asked for, completed by what its opening says.
        settings: how it is drawn.
        opening: music it goes on from; None: from nothing.
        given: notes that stay as they are; None: there are none.
    """

    prompt: Prompt
    settings: Settings
    opening: Opening | None = None
    given: Piece | None = None

    @property
    def starts_s(self) -> float:
        """From when on there is something to be composed."""
        return 0.0 if self.opening is None else self.opening.seconds

    @property
    def given_before_s(self) -> float:
        """Where the given notes begin in their file."""
        return 0.0 if self.given is None else start_of(self.given)


def header_of(prompt: Prompt, habits: Habits, style: str | None = None) -> Header:
    """Return what is said of a piece that goes on from nothing, under one of its styles or its main one."""
    style = style or main_style(prompt.style)
    groups = groups_of(prompt.ensemble) if prompt.instruments else ()
    usual = {} if style is None else habits.get(habit_key(style, groups)) or habits.get(style, {})
    return Header(style, groups, tempo_bpm=prompt.tempo_bpm, **usual)


def brief(prompt: Prompt, habits: Habits) -> Brief:
    """Return what a prompt asks for, ready for the model.

    Raises:
        PromptError: its opening or its given notes cannot be used.
        MidiError: they cannot be read.
    """
    opening = opening_of(prompt)
    if opening is not None:
        prompt = opening.prompted(prompt)
    given = None if prompt.given is None else read_midi(Path(prompt.given)).piece
    telling = None if given is None else arrangement(given, prompt, prompt.voices)

    def said(style: str | None = None) -> Header:
        header = header_of(prompt, habits, style)
        if opening is not None:
            header = opening.announce(header)
        return header if given is None else announce(header, given, prompt)

    settings = Settings(
        length_s=prompt.duration_s,
        instruments=prompt.ensemble,
        header=said(),
        wanted=tuple(members(name) for name in prompt.instruments),
        opening=() if opening is None else opening.tokens,
        candidates=prompt.candidates,
        seed=prompt.seed,
        temperature=prompt.temperature,
        top_p=prompt.top_p,
        style=prompt.style,
        headers=tuple((style, said(style)) for style in styles_of(prompt.style)),
        changes_s=prompt.at_s or 0.0,
        key=prompt.key,
        density=prompt.density,
        energy=prompt.energy,
        silence_s=prompt.silence_s,
        # Around given notes it is for them to close.
        closes=given is None,
        telling=telling,
        context=prompt.context,
    )
    return Brief(prompt, settings, opening, given)
