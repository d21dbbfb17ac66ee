"""Form: which bars are alike, and whether the opening comes back.

Sources: Foote (1999), self-similarity matrices; Meredith, Lemstroem and Wiggins
(2002), SIA: a pattern that returns is a set of notes moved by one vector of
time and pitch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.instruments import BY_NAME
from model.language.context import beats_at
from model.language.tokenizer import to_ticks
from model.notes import Piece

Floats = NDArray[np.float64]

THEME_S = 8.0
# Fewer notes return by chance.
FEWEST_THEME_NOTES = 6
MOST_THEME_NOTES = 64
# A note of a theme may return this much beside its time: players are no clocks.
RECALL_TICKS = 6
MOST_TRANSPOSED = 24
SLOTS_A_BEAT = 4


def bar_similarity(piece: Piece) -> Floats:
    """Return how alike every two bars are, shape [bars, bars], 0 to 1.

    The mean of two cosines: of the chroma (time sounded by each pitch class; for
    drums alone, strokes of each key) and of the onsets on a grid of sixteenths.
    Bars without a note are like none.
    """
    if not piece.notes:
        return np.zeros((0, 0))
    ticks = np.array([to_ticks(n.onset_s) for n in piece.notes], np.int64)
    beats = beats_at(ticks, piece.tempi).astype(np.float64)
    per_bar = max(0.25, piece.beats_per_bar)
    # A player is a little early now and then: that is still the next bar.
    slots = np.rint(beats * SLOTS_A_BEAT).astype(np.int64)
    width = max(1, round(per_bar * SLOTS_A_BEAT))
    bars = slots // width
    count = int(bars.max()) + 1
    rhythm = np.zeros((count, width))
    np.add.at(rhythm, (bars, slots % width), 1.0)
    sustained = np.array([BY_NAME[n.instrument].sustains for n in piece.notes])
    pitches = np.array([n.pitch for n in piece.notes])
    if sustained.any():
        weights = np.array([min(n.duration_s, 4.0) for n in piece.notes])
        chroma = np.zeros((count, 12))
        np.add.at(chroma, (bars[sustained], pitches[sustained] % 12), weights[sustained])
    else:
        chroma = np.zeros((count, 128))
        np.add.at(chroma, (bars, pitches), 1.0)
    return (_cosines(chroma) + _cosines(rhythm)) / 2


def _cosines(rows: Floats) -> Floats:
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return np.asarray(unit @ unit.T)


def best_match(alike: Floats) -> float:
    """Return how alike a bar is to the most similar bar that is not beside it, averaged.

    Args:
        alike: shape [bars, bars]; see `bar_similarity`.

    Returns:
        0 to 1; not a number for fewer than 4 bars.
    """
    bars = len(alike)
    if bars < 4:
        return float("nan")
    apart = np.abs(np.subtract.outer(np.arange(bars), np.arange(bars))) >= 2
    return float(np.where(apart, alike, 0.0).max(axis=1).mean())


def similarity_by_lag(alike: Floats, lags: int) -> Floats:
    """Return how alike bars are that lie 1, 2, ... bars apart, shape [lags]; all not a number for too few bars."""
    if len(alike) < lags + 2:
        return np.full(lags, np.nan)
    return np.array([float(np.diagonal(alike, lag).mean()) for lag in range(1, lags + 1)])


def theme_recall(piece: Piece) -> float:
    """Return the largest share of the opening's notes that return, moved by one time and one interval.

    The opening is the first 8 s. It may return at any time from its end on, at
    any transposition up to two octaves, on any instrument, each note up to 60 ms
    beside its time. For drums alone nothing is transposed.

    Returns:
        0 to 1; not a number where the opening has fewer than 6 notes or nothing follows it.
    """
    pitched = [n for n in piece.notes if BY_NAME[n.instrument].sustains]
    drums = not pitched
    notes = [(to_ticks(n.onset_s), n.pitch) for n in (piece.notes if drums else pitched)]
    ticks, pitches = np.array(sorted(set(notes)), np.int64).reshape(-1, 2).T
    if not len(ticks):
        return float("nan")
    theme_ticks = round(THEME_S * 100)
    own = np.flatnonzero(ticks < ticks[0] + theme_ticks)
    later = np.flatnonzero(ticks >= ticks[0] + theme_ticks)
    if len(own) < FEWEST_THEME_NOTES or not len(later):
        return float("nan")
    if len(own) > MOST_THEME_NOTES:
        own = own[np.linspace(0, len(own) - 1, MOST_THEME_NOTES).astype(int)]
    # One vote of each note of the theme for every vector that takes it to a note that follows.
    by_time = np.subtract.outer(ticks[later], ticks[own]).ravel()
    by_pitch = np.subtract.outer(pitches[later], pitches[own]).ravel()
    voter = np.tile(np.arange(len(own)), len(later))
    fits = (by_time >= theme_ticks // 2) & (np.abs(by_pitch) <= (0 if drums else MOST_TRANSPOSED))
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
