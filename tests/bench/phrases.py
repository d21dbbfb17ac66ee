"""A typical phrase of each instrument, for levels, spectrograms and tests."""

from __future__ import annotations

from model.notes import Note, Piece

# Where each instrument mostly plays: the tonic of a phrase that spans a little over an octave.
_TONIC = {
    "piano": 60, "violin": 67, "cello": 48, "bass": 36, "guitar": 52, "flute": 72, "clarinet": 62,
    "trumpet": 65, "harp": 60, "organ": 60, "choir": 60, "synth": 60,
}  # fmt: skip
_CHORDAL = {"piano", "guitar", "harp", "organ", "choir"}
_MELODY = (0, 2, 4, 7, 9, 7, 4, 5, 4, 2, 0, -5, 0)


def phrase(instrument: str, *, velocity: int = 80) -> Piece:
    """Return some six seconds of an instrument's everyday music."""
    notes = _beat(velocity) if instrument == "drums" else _tune(instrument, velocity)
    return Piece(tuple(sorted(notes)))


def _tune(instrument: str, velocity: int) -> list[Note]:
    tonic = _TONIC[instrument]
    notes = []
    for i, step in enumerate(_MELODY):
        length_s = 0.38 if i < len(_MELODY) - 1 else 1.5
        notes.append(Note(0.4 * i, tonic + step, instrument, length_s, velocity))
        if instrument in _CHORDAL and i % 4 == 0:
            notes.extend(Note(0.4 * i, tonic + low, instrument, 1.5, velocity - 12) for low in (-12, -5))
    return notes


def _beat(velocity: int) -> list[Note]:
    notes = []
    for eighth in range(24):
        at_s = 0.25 * eighth
        notes.append(Note(at_s, 46 if eighth % 8 == 7 else 42, "drums", 0.1, velocity))
        if eighth % 4 == 0:
            notes.append(Note(at_s, 36, "drums", 0.1, velocity))
        if eighth % 4 == 2:
            notes.append(Note(at_s, 38, "drums", 0.1, velocity))
    return [*notes, *(Note(6.0 + 0.12 * i, 50 - i, "drums", 0.1, velocity) for i in range(3))]
