"""Themes: what of a piece's music comes back most, and how it is brought back on purpose.

Source: Meredith, Lemstroem and Wiggins (2002), SIA: a pattern that returns is a
set of notes moved by one vector of time and pitch.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from model.composing.candidate import Candidate
from model.instruments import BY_NAME
from model.language.tokenizer import decode, encode_body, to_ticks, wait_tokens
from model.language.vocabulary import TICKS_PER_SECOND, VOCABULARY
from model.notes import Piece

Ints = NDArray[np.int64]

# Fewer notes return by chance.
FEWEST_NOTES = 6
MOST_NOTES = 64
# A note of a theme may return this much beside its time: players are no clocks.
RECALL_TICKS = 6
MOST_TRANSPOSED = 24
# A theme has so many bars, of which the shortest is taken that lasts long enough.
BARS = (2, 4, 8, 16)
SHORTEST_S, LONGEST_S = 5.0, 16.0
# It begins in one of the first bars.
FIRST_BARS = 4
# What counts for a bar later, where several begin alike well: openings are remembered.
LATER = 0.05


def notes_of(piece: Piece) -> tuple[Ints, Ints, bool]:
    """Return onsets in ticks and pitches of a piece, by time, and whether it is for drums alone."""
    pitched = [n for n in piece.notes if BY_NAME[n.instrument].sustains]
    drums = not pitched
    notes = sorted({(to_ticks(n.onset_s), n.pitch) for n in (piece.notes if drums else pitched)})
    ticks, pitches = np.array(notes, np.int64).reshape(-1, 2).T
    return ticks, pitches, drums


def recall(ticks: Ints, pitches: Ints, own: Ints, later: Ints, *, least_ticks: int, drums: bool = False) -> float:
    """Return the largest share of some notes that return, moved by one time and one interval.

    Args:
        ticks: onsets of all notes.
        pitches: of all notes.
        own: which notes are to return.
        later: among which.
        least_ticks: they come so much later at least.
        drums: nothing is transposed.
    """
    if len(own) > MOST_NOTES:
        own = own[np.linspace(0, len(own) - 1, MOST_NOTES).astype(int)]
    # One vote of each note of the theme for every vector that takes it to a note that follows.
    by_time = np.subtract.outer(ticks[later], ticks[own]).ravel()
    by_pitch = np.subtract.outer(pitches[later], pitches[own]).ravel()
    voter = np.tile(np.arange(len(own)), len(later))
    fits = (by_time >= least_ticks) & (np.abs(by_pitch) <= (0 if drums else MOST_TRANSPOSED))
    if not fits.any():
        return 0.0
    by_time, by_pitch, voter = by_time[fits], by_pitch[fits], voter[fits]
    cells = by_time // RECALL_TICKS
    best = 0
    # A vector near the edge of a cell is voted for in the cell beside it: count both together.
    for shift in (0, 1):
        place = ((cells + shift) // 2 * 64 + by_pitch + MOST_TRANSPOSED) * 128 + voter
        voted = np.unique(place) // 128
        best = max(best, int(np.unique(voted, return_counts=True)[1].max()))
    return best / len(own)


def find_theme(piece: Piece, start_s: float, end_s: float) -> tuple[float, float] | None:
    """Return from when to when the theme of a section lasts: of the bars it begins with those that return most in it.

    Args:
        piece: the music so far, its tempo the same all through.
        start_s: where the section begins.
        end_s: where it ends.

    Returns:
        Seconds, on bar lines; None where there is nothing to bring back.
    """
    ticks, pitches, drums = notes_of(piece)
    bar_s = piece.beats_per_bar * 60 / piece.tempi[0].bpm
    first = round(start_s / bar_s)
    sounding = np.flatnonzero((ticks >= (start_s - bar_s / 4) * TICKS_PER_SECOND) & (ticks < end_s * TICKS_PER_SECOND))
    if len(sounding) < FEWEST_NOTES:
        return None
    # Silence before the first note is no part of a theme.
    first = max(first, int(ticks[sounding[0]] / TICKS_PER_SECOND / bar_s + 1e-6))
    found: list[tuple[float, float, float]] = []
    long_enough = [n * bar_s for n in BARS if SHORTEST_S <= n * bar_s <= LONGEST_S] or [SHORTEST_S]
    for later, bar in enumerate(range(first, first + FIRST_BARS)):
        for lasts_s in long_enough:
            begin, end = bar * bar_s, bar * bar_s + lasts_s
            own = np.flatnonzero((ticks >= begin * TICKS_PER_SECOND - 2) & (ticks < end * TICKS_PER_SECOND - 2))
            after = sounding[ticks[sounding] >= end * TICKS_PER_SECOND - 2]
            if len(own) < FEWEST_NOTES or end > end_s:
                continue
            back = recall(ticks, pitches, own, after, least_ticks=round(lasts_s * 50), drums=drums) if len(after) else 0
            found.append((back - LATER * later, begin, end))
    if not found:
        return None
    _, begin, end = max(found, key=lambda item: (item[0], -item[1], item[2]))
    return begin, end


def bring_back(candidate: Candidate, start_s: float, end_s: float, *, varied: bool) -> bool:
    """Let the theme of an earlier section come again, from now on.

    Args:
        candidate: on a bar line; what sounds is ended.
        start_s: where the section begins whose theme it is.
        end_s: where it ends.
        varied: only its first half; what follows is composed.

    Returns:
        Whether there was one.
    """
    piece = replace(decode(candidate.head + candidate.own()), beats_per_bar=candidate.beats_per_bar)
    found = find_theme(piece, start_s, end_s)
    if found is None:
        return False
    begin_s, stop_s = found
    if varied:
        bar_s = candidate.beats_per_bar * candidate.beat_ticks / TICKS_PER_SECOND
        stop_s = begin_s + max(bar_s, round((stop_s - begin_s) / 2 / bar_s) * bar_s)
    lasts = round((stop_s - begin_s) * TICKS_PER_SECOND)
    if candidate.clock.tick + lasts >= candidate.clock.length_ticks:
        return False
    notes = tuple(
        replace(note, onset_s=note.onset_s - begin_s, duration_s=min(note.duration_s, stop_s - note.onset_s))
        for note in piece.notes
        if begin_s - 0.015 <= note.onset_s < stop_s - 0.015
    )
    louder = candidate.controls.louder(begin_s, candidate.clock.tick / TICKS_PER_SECOND)
    notes = tuple(
        replace(note, onset_s=max(0.0, note.onset_s), velocity=min(max(round(note.velocity + louder), 1), 127))
        for note in notes
    )
    candidate.end_sounding()
    now = candidate.clock.tick
    candidate.recalled.append((now, now + lasts, now - round(begin_s * TICKS_PER_SECOND)))
    tokens = [t for t in encode_body(Piece(notes)) if t != VOCABULARY.end]
    played = int(VOCABULARY.wait_ticks[tokens].sum())
    for token in [*tokens, *wait_tokens(max(0, lasts - played))]:
        candidate.take(token)
    return True
