"""The vocabulary: one readable table of everything the model can read or write.

MuseNet's language. A note is `instrument:volume:pitch` in one token and ends
with volume 0; `wait:N` lets N x 10 ms pass; a header says style, instruments
and whatever else is known of the piece, every word of it optional:

    bach piano_strings start tempo90 piano:v72:G1 ... wait:12 piano:v0:B5 ... end

`piano_strings` is a run of group tokens; everything else is one token a word.
A style whose name is also a group's is written `style:drums`.

Source: the sample in OpenAI's MuseNet post (2019).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.errors import TokenError
from model.instruments import BY_NAME, GROUPS, INSTRUMENTS

TICKS_PER_SECOND = 100
MAX_WAIT_TICKS = 128

STYLES: tuple[str, ...] = (
    "bach", "baroque", "beethoven", "bizet", "brahms", "chaminade", "chopin", "classical", "cornelius",
    "country", "debussy", "drums", "faisst", "faure", "folk", "franz", "game", "giuliani", "grieg",
    "guitar", "haydn", "hensel", "holmes", "hymn", "jazz", "kinkel", "lang", "lehmann", "lied", "liszt",
    "mendelssohn", "mozart", "orchestra", "organ", "quartet", "reichardt", "renaissance", "rock",
    "romantic", "schroter", "schubert", "schumann", "sitt", "sor", "stanford", "viardot", "warlock", "wolf",
)  # fmt: skip
# Room for styles learned later, from a folder of somebody's own music.
OWN_STYLES = tuple(f"own{n}" for n in range(1, 9))
GENRES: tuple[str, ...] = (
    "chamber", "choir", "country", "drums", "folk", "game", "guitar", "hymn", "jazz", "lied", "orchestra",
    "organ", "piano", "quartet", "ragtime", "rock",
)  # fmt: skip
PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
KEYS = tuple(f"{name}_{mode}" for mode in ("major", "minor") for name in PITCH_CLASSES)
BARS = (1.5, 2.0, 3.0, 4.0, 4.5, 6.0)
TEMPI_BPM = tuple(range(20, 252, 2))
# Lower bounds of density, in notes a second, and of energy, in mean velocity.
DENSITIES = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 18.0)
ENERGIES = (0, 32, 48, 64, 72, 80, 96, 112)
SPARE = 16


def pitch_name(pitch: int) -> str:
    """Return the name of a MIDI pitch, `C4` being 60."""
    return f"{PITCH_CLASSES[pitch % 12]}{pitch // 12 - 1}"


def style_token(style: str) -> str:
    """Return a style's token: its bare name unless a group has that name."""
    return f"style:{style}" if style in GROUPS else style


@dataclass(frozen=True, slots=True)
class NoteToken:
    """What a note token says; `velocity` 0 is a note-off."""

    instrument: str
    velocity: int
    pitch: int


class Vocabulary:
    """Token texts and their ids, and the meaning of each.

    Attributes:
        texts: token texts by id.
        ids: ids by token text.
        notes: by id, what a note token says, or None.
    """

    def __init__(self) -> None:
        texts: list[str] = ["pad", "start", "end"]
        texts += [style_token(s) for s in STYLES + OWN_STYLES]
        texts += list(GROUPS)
        texts += [f"genre:{g}" for g in GENRES]
        texts += ["scored", "performed", "given"]
        texts += [f"key:{k}" for k in KEYS]
        texts += [f"bar:{b:g}" for b in BARS]
        texts += [f"density:{n}" for n in range(len(DENSITIES))]
        texts += [f"energy:{n}" for n in range(len(ENERGIES))]
        texts += [f"spare{n}" for n in range(SPARE)]
        texts += [f"tempo{bpm}" for bpm in TEMPI_BPM]
        self.first_wait = len(texts)
        texts += [f"wait:{n}" for n in range(1, MAX_WAIT_TICKS + 1)]
        self.first_note = len(texts)
        notes: list[NoteToken | None] = [None] * len(texts)
        for instrument in INSTRUMENTS:
            for velocity in ((0,) if instrument.sustains else ()) + instrument.levels:
                for pitch in range(instrument.low, instrument.high + 1):
                    texts.append(f"{instrument.name}:v{velocity}:{pitch_name(pitch)}")
                    notes.append(NoteToken(instrument.name, velocity, pitch))
        self.texts = tuple(texts)
        self.notes = tuple(notes)
        self.ids = {text: n for n, text in enumerate(texts)}
        self.pad, self.start, self.end = (self.ids[t] for t in ("pad", "start", "end"))

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the table; a checkpoint carries it."""
        return hashlib.sha256("\n".join(self.texts).encode()).hexdigest()

    def id(self, text: str) -> int:
        """Return the id of a token's text.

        Raises:
            TokenError: there is no such token.
        """
        try:
            return self.ids[text]
        except KeyError:
            raise TokenError(f"unknown token {text!r}") from None

    # Arrays by id, for masks and for augmentation without a Python loop.

    @cached_property
    def wait_ticks(self) -> NDArray[np.int64]:
        """Ticks (10 ms) a token lets pass; 0 for all but waits. Shape [vocabulary]."""
        ticks = np.zeros(len(self), np.int64)
        ticks[self.first_wait : self.first_note] = np.arange(1, MAX_WAIT_TICKS + 1)
        return ticks

    @cached_property
    def instrument_of(self) -> NDArray[np.int64]:
        """Row in `INSTRUMENTS` of a note token, else -1. Shape [vocabulary]."""
        order = {i.name: n for n, i in enumerate(INSTRUMENTS)}
        return np.array([-1 if n is None else order[n.instrument] for n in self.notes], np.int64)

    @cached_property
    def pitch_of(self) -> NDArray[np.int64]:
        """MIDI pitch of a note token, else -1. Shape [vocabulary]."""
        return np.array([-1 if n is None else n.pitch for n in self.notes], np.int64)

    @cached_property
    def velocity_of(self) -> NDArray[np.int64]:
        """Velocity of a note token (0: note-off), else -1. Shape [vocabulary]."""
        return np.array([-1 if n is None else n.velocity for n in self.notes], np.int64)

    @cached_property
    def note_id(self) -> NDArray[np.int64]:
        """Id by [instrument row, velocity level (0: off), pitch], -1 where there is none."""
        most = 1 + max(len(i.levels) for i in INSTRUMENTS)
        table = np.full((len(INSTRUMENTS), most, 128), -1, np.int64)
        for n, note in enumerate(self.notes):
            if note is not None:
                table[self.instrument_of[n], self.level_of(note), note.pitch] = n
        return table

    # The same number by number, for what goes on token by token: a plain tuple is read in a quarter of an array's time.

    @cached_property
    def said(self) -> tuple[tuple[int, int, int, int], ...]:
        """Wait in ticks, instrument row, pitch and velocity of each token, as in the arrays."""
        arrays = self.wait_ticks, self.instrument_of, self.pitch_of, self.velocity_of
        return tuple(zip(*(array.tolist() for array in arrays), strict=True))

    @cached_property
    def onset_ids(self) -> tuple[tuple[NDArray[np.int64], ...], ...]:
        """Ids of all note-ons by instrument row and pitch."""
        return tuple(tuple(ids[ids >= 0] for ids in table[1:].T) for table in self.note_id)

    @staticmethod
    def level_of(note: NoteToken) -> int:
        """Return the level of a note token: 0 for note-off, then 1, 2, ..."""
        return 0 if note.velocity == 0 else 1 + BY_NAME[note.instrument].levels.index(note.velocity)

    def tempo_id(self, bpm: float) -> int:
        """Return the token of the tempo nearest to `bpm` (the table ends at 20 and 250)."""
        return self.ids[f"tempo{min(TEMPI_BPM, key=lambda t: abs(t - bpm))}"]

    def tempo_of(self, token: int) -> int | None:
        """Return the tempo in bpm a token says, or None."""
        text = self.texts[token]
        return int(text[5:]) if text.startswith("tempo") else None


VOCABULARY = Vocabulary()
