"""Phrases: where a melody breathes, where it is going, and which notes are the melody."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from model.instruments import BY_NAME
from model.notes import Note

Array = NDArray[np.float64]
# Those who share a melody and its accompaniment: in others every line is as important.
FAMILIES = (("piano",), ("violin", "cello"), ("guitar",), ("harp",))
# A phrase of a song is two to four bars; a breath comes after 12 s at the latest.
_SHORTEST_S, _LONGEST_S = 3.0, 12.0
# So much longer than its neighbours, a step from note to note is where a phrase ends.
_BREATH = 1.6
# A pause before the next note weighs as much as a note so much longer.
_REST = 2.0
# Notes on both sides that a step is compared with.
_AROUND = 4
# So much stronger is what falls on a bar line.
_BAR, _ON_BAR_S = 1.25, 0.03
# The peak is rather in the second half, wherever the melody is high.
_PEAK_AT = 0.6
_HIGH_WEIGHT = 0.06


@dataclass(frozen=True, slots=True)
class Phrase:
    """A stretch of melody.

    Attributes:
        start_s: its first onset; `end_s`: the first of the next, or the end of its last note.
        peak_s: the onset it is going to.
    """

    start_s: float
    end_s: float
    peak_s: float


def skyline(notes: Sequence[Note]) -> NDArray[np.bool_]:
    """Return which notes are the highest that sound when they begin, bool [notes].

    Args:
        notes: sorted by onset.
    """
    found = np.zeros(len(notes), bool)
    held: list[Note] = []
    first = 0
    while first < len(notes):
        onset_s = notes[first].onset_s
        last = first
        while last < len(notes) and notes[last].onset_s == onset_s:
            last += 1
        together = notes[first:last]
        held = [note for note in held if note.offset_s > onset_s + 0.02] + list(together)
        top = max(note.pitch for note in held)
        for index in range(first, last):
            found[index] = notes[index].pitch == top
        first = last
    return found


def melody_of(notes: Sequence[Note]) -> NDArray[np.int64]:
    """Return of each note whether it is melody (1), accompaniment (-1), or neither (0), int64 [notes].

    Args:
        notes: sorted by onset.
    """
    role = np.zeros(len(notes), np.int64)
    for family in FAMILIES:
        members = [i for i, note in enumerate(notes) if note.instrument in family]
        top = skyline([notes[i] for i in members])
        if top.all():
            # One line alone accompanies nothing and nobody.
            continue
        role[members] = np.where(top, 1, -1)
    return role


def phrases_of(notes: Sequence[Note], bars_s: Sequence[float] = ()) -> list[Phrase]:
    """Return the phrases of a piece, one after the other.

    A phrase ends where the melody stays longer than around it, or rests: the local boundaries of its rhythm.

    Args:
        notes: sorted by onset.
        bars_s: times of bar lines, ascending; a phrase rather begins there.

    Source: E. Cambouropoulos, The local boundary detection model, ICMC 2001.
    """
    tuned = [note for note in notes if BY_NAME[note.instrument].sustains]
    line = [note for note, top in zip(tuned, skyline(tuned), strict=True) if top]
    # Of two that are struck at once, and as high, one is enough.
    line = list({note.onset_s: note for note in line}.values())
    if not line:
        return []
    starts = np.array([note.onset_s for note in line])
    ends = np.array([note.offset_s for note in line])
    borders = _borders(starts, ends, np.asarray(bars_s, np.float64))
    edges = [0, *borders, len(line)]
    found = []
    for first, last in pairwise(edges):
        peak = _peak(line[first:last])
        end_s = float(starts[last]) if last < len(line) else float(ends[first:].max())
        found.append(Phrase(float(starts[first]), end_s, peak))
    return found


def _borders(starts: Array, ends: Array, bars_s: Array) -> list[int]:
    """Return the numbers of the notes that begin a phrase, the first left out."""
    steps = np.diff(starts)
    if not len(steps):
        return []
    rests = np.maximum(0.0, starts[1:] - np.maximum.accumulate(ends)[:-1])
    weight = steps + _REST * rests
    beside = np.lib.stride_tricks.sliding_window_view(np.pad(steps, _AROUND, mode="edge"), 2 * _AROUND + 1)
    strength = weight / np.maximum(np.median(beside, axis=1), 1e-3)
    if len(bars_s):
        at = np.minimum(np.searchsorted(bars_s, starts[1:] - _ON_BAR_S), len(bars_s) - 1)
        strength *= np.where(np.abs(bars_s[at] - starts[1:]) < _ON_BAR_S, _BAR, 1.0)
    borders = [0]
    # The clearest first; none too near to one that is clearer.
    for index in (np.argsort(-strength, kind="stable") + 1).tolist():
        if strength[index - 1] < _BREATH:
            break
        place = bisect_left(borders, index)
        until_s = starts[borders[place]] if place < len(borders) else ends.max()
        if starts[index] - starts[borders[place - 1]] >= _SHORTEST_S and until_s - starts[index] >= _SHORTEST_S:
            borders.insert(place, index)
    # Nobody has so much breath: where the others are, one more.
    for first, last in pairwise([*borders, len(starts)]):
        while starts[last - 1] - starts[first] > _LONGEST_S:
            able: NDArray[np.int64] = np.arange(first + 1, last)
            since_s = starts[able] - starts[first]
            able = able[(since_s >= _SHORTEST_S) & (since_s <= _LONGEST_S)]
            if not len(able):
                break
            first = int(able[np.argmax(strength[able - 1])])
            insort(borders, first)
    return borders[1:]


def _peak(line: Sequence[Note]) -> float:
    """Return the onset a phrase is going to: a high note, rather late in it."""
    start_s, end_s = line[0].onset_s, line[-1].onset_s
    length_s = max(end_s - start_s, 1e-6)
    best = max(
        line,
        key=lambda note: _HIGH_WEIGHT * note.pitch - abs((note.onset_s - start_s) / length_s - _PEAK_AT),
    )
    return best.onset_s


def swell(phrases: Sequence[Phrase], times_s: Array) -> Array:
    """Return how far up times are in their phrases: -1 at its ends, 1 at its peak, float64 [times]."""
    found = np.zeros(len(times_s))
    if not phrases:
        return found
    starts = np.array([phrase.start_s for phrase in phrases])
    at = np.clip(np.searchsorted(starts, times_s, side="right") - 1, 0, len(phrases) - 1)
    ends = np.array([phrase.end_s for phrase in phrases])[at]
    peaks = np.array([phrase.peak_s for phrase in phrases])[at]
    rising = (times_s - starts[at]) / np.maximum(peaks - starts[at], 1e-6)
    falling = (ends - times_s) / np.maximum(ends - peaks, 1e-6)
    part = np.clip(np.where(times_s <= peaks, rising, falling), 0.0, 1.0)
    # Where the peak is the first note there is nothing to rise from.
    part = np.where((times_s <= peaks) & (peaks <= starts[at]), 1.0, part)
    return np.asarray(-np.cos(np.pi * part))
