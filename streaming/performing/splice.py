"""Two versions of a piece joined at a sample: what comes before from one, the rest from the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from model.instruments import BY_NAME
from model.notes import Note
from streaming.timeline import to_samples, to_seconds


class Sounding(Protocol):
    """A note at work."""

    @property
    def key(self) -> tuple[str, int, int]:
        """Instrument, pitch and deck."""

    @property
    def started(self) -> int:
        """Sample at which it began."""


S = TypeVar("S", bound=Sounding)


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


def ended(
    sounding: Iterable[S], deck: int, ends: Mapping[tuple[int, int, str], int], now: int
) -> Iterator[tuple[S, int]]:
    """Yield the notes at work that end elsewhere by now, and where; drums ring out.

    Args:
        sounding: all that sound.
        deck: whose notes are meant.
        ends: (sample of the beginning, pitch, instrument) of a note to the sample of its new end.
        now: what was to end before ends here.
    """
    for note in sounding:
        instrument, pitch, of_deck = note.key
        end = ends.get((note.started, pitch, instrument))
        if of_deck == deck and end is not None and BY_NAME[instrument].sustains:
            yield note, max(end, now)


# A note with less left of it is not struck again.
_WORTH_S = 0.25


def begun_within(notes: Iterable[Note], at: int) -> tuple[Note, ...]:
    """Return the notes of a piece that begins within itself; what sounds there is struck again.

    Args:
        notes: of the piece.
        at: sample from the start of the piece.
    """
    at_s = to_seconds(at)
    later, across = [], []
    for note in notes:
        if to_samples(note.onset_s) >= at:
            later.append(note)
        elif note.offset_s - at_s > _WORTH_S:
            across.append(replace(note, onset_s=at_s, duration_s=note.offset_s - at_s))
    return (*across, *later)
