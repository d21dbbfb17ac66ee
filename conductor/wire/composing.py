"""Between the conductor and the composer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from conductor.wire.message import MarkRow, Message, NoteRow

# conductor -> composer.


@dataclass(frozen=True, slots=True)
class Compose(Message):
    """Compose a piece; answered by Progress and then Composed or Refused.

    Attributes:
        request_id: names the request in the answers.
        prompt: fields of `model.composing.prompt.Prompt` as plain values.
        out: path without ending; the piece is written as `<out>.mid`.
    """

    request_id: str
    prompt: dict[str, Any]
    out: str


@dataclass(frozen=True, slots=True)
class Change(Message):
    """Compose the rest of a piece anew, at once and beside what is composed; answered by Revised, then as Compose.

    Attributes:
        request_id: names the request in the answers.
        piece: which piece; a later change of the same piece takes the place of an earlier one.
        prompt: as of Compose, with `continue_from` and `at_s`.
        out: path without ending; the whole piece is written as `<out>.mid`.
    """

    request_id: str
    piece: str
    prompt: dict[str, Any]
    out: str


@dataclass(frozen=True, slots=True)
class Cancel(Message):
    """Stop composing a request; answered by Refused."""

    request_id: str


# composer -> conductor.


@dataclass(frozen=True, slots=True)
class Progress(Message):
    """How far composing is.

    Attributes:
        fraction: 0 to 1.
        composed_s: seconds of music so far, all candidates together.
    """

    request_id: str
    fraction: float
    composed_s: float


@dataclass(frozen=True, slots=True)
class Revised(Message):
    """A section of a changed piece is ready.

    Attributes:
        notes: those that begin at or after the change's `at_s`, or sound across it; all sections so far.
        tempi: (time_s, bpm) marks of the whole piece.
        until_s: notes before it are final.
        duration_s: end of the last note so far.
        final: whether nothing more is to come.
    """

    request_id: str
    notes: list[NoteRow]
    tempi: list[tuple[float, float]]
    until_s: float
    duration_s: float
    final: bool


@dataclass(frozen=True, slots=True)
class Other:
    """A candidate that was not chosen.

    Attributes:
        index: its place among all candidates, from 0.
        midi: path of the written MIDI file.
        duration_s: end of the last note.
        notes: how many.
        score: how it was judged.
        refused: why it must not be played; empty where it may.
    """

    index: int
    midi: str
    duration_s: float
    notes: int
    score: float
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Composed(Message):
    """A take is ready.

    Attributes:
        midi: path of the written MIDI file.
        notes: the notes, for player and feed.
        tempi: (time_s, bpm) marks.
        duration_s: end of the last note.
        seconds: wall time composing took.
        provenance: checkpoint hash, seed, prompt and all scores.
        beats_per_bar: quarter notes in a bar.
        marks: sections and the like.
        index: its place among all candidates, from 0; `score`: how it was judged.
        others: the candidates that were not chosen.
    """

    request_id: str
    midi: str
    notes: list[NoteRow]
    tempi: list[tuple[float, float]]
    duration_s: float
    seconds: float
    provenance: dict[str, Any]
    beats_per_bar: float = 4.0
    marks: list[MarkRow] = field(default_factory=list)
    index: int = 0
    score: float = 0.0
    others: list[Other] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Refused(Message):
    """A request ended without a piece: an error, or it was cancelled."""

    request_id: str
    reason: str
    retryable: bool
