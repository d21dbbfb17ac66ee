"""The drone that sounds when no bed has been loaded: never digital silence."""

from __future__ import annotations

from model.notes import Note

_BAR_S = 9.0
# Open chords over a low D; each voice moves by a step or not at all.
_CHORDS: tuple[tuple[int, ...], ...] = ((38, 57, 62, 69), (38, 59, 62, 67), (43, 59, 62, 69), (38, 57, 64, 69))


def drone() -> tuple[tuple[Note, ...], float]:
    """Return the notes of a slow, soft loop, and its length in seconds."""
    notes = []
    for bar, chord in enumerate(_CHORDS):
        start_s = bar * _BAR_S
        low, *upper = chord
        # Every note reaches into the next bar, and the last ones into the first.
        notes.append(Note(start_s, low, "cello", _BAR_S + 0.5, 44))
        notes.extend(Note(start_s + 0.7 * i, pitch, "choir", _BAR_S, 40) for i, pitch in enumerate(upper))
        notes.append(Note(start_s + 4.0, upper[-1] + 12, "harp", 4.0, 36))
    return tuple(sorted(notes)), _BAR_S * len(_CHORDS)
