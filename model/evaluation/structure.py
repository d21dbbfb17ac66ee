"""Form: which bars are alike, and whether the opening comes back.

Source: Foote (1999), self-similarity matrices; for the opening see
`model.composing.theme`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.composing.theme import FEWEST_NOTES, notes_of, recall
from model.instruments import BY_NAME
from model.language.context import beats_at
from model.language.tokenizer import to_ticks
from model.notes import Piece

Floats = NDArray[np.float64]

THEME_S = 8.0
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
    ticks, pitches, drums = notes_of(piece)
    if not len(ticks):
        return float("nan")
    theme_ticks = round(THEME_S * 100)
    own = np.flatnonzero(ticks < ticks[0] + theme_ticks)
    later = np.flatnonzero(ticks >= ticks[0] + theme_ticks)
    if len(own) < FEWEST_NOTES or not len(later):
        return float("nan")
    return recall(ticks, pitches, own, later, least_ticks=theme_ticks // 2, drums=drums)
