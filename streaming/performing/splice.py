"""Two versions of a piece joined at a sample: what comes before from one, the rest from the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from model.notes import Note
from streaming.timeline import to_samples, to_seconds


def joined(before: Sequence[Note], after: Sequence[Note], at: int) -> tuple[Note, ...]:
    """Return the notes of one piece up to a sample and those of another from there on.

    Args:
        before: notes of which those that begin before the sample stay; what sounds across it ends
            there, unless the same note is in `after`, which then says how long it is.
        after: notes of which those stay that begin at the sample or later.
        at: sample from the start of the piece.
    """
    going_on = {_place(note): note for note in after if to_samples(note.onset_s) < at}
    played = [_gone_on(note, going_on.get(_place(note)), at) for note in before if to_samples(note.onset_s) < at]
    return (*played, *(note for note in after if to_samples(note.onset_s) >= at))


def _place(note: Note) -> tuple[int, int, str]:
    return to_samples(note.onset_s), note.pitch, note.instrument


def _gone_on(note: Note, new: Note | None, at: int) -> Note:
    """Return a note as it goes on in the new version, else ended; whoever turns it still does."""
    if new is not None:
        return replace(new, part=note.part)
    if to_samples(note.offset_s) <= at:
        return note
    return replace(note, duration_s=to_seconds(at) - note.onset_s)
