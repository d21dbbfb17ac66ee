"""What two pieces have in common: lines free of key and tempo, and shingles of them. Torch-free.

A piece is two lines of symbols: its top line and all of its onsets, a symbol
being the interval from the note before and the instrument that plays it (a
drum: its key). Twelve symbols in a row are a shingle. Shingles of fewer than
four different symbols, tremolos and scales, say nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.gate.columns import DRUMS, Ints
from model.instruments import INSTRUMENTS
from model.language.vocabulary import VOCABULARY
from model.learning.corpus import Corpus, Row

Hashes = NDArray[np.uint64]

SHINGLE = 12
# Fewer different symbols say nothing.
FEWEST_SYMBOLS = 4
LINES = ("top line", "all onsets")
_BASE = np.uint64(0x9E3779B97F4A7C15)


def symbols(ticks: Ints, instruments: Ints, pitches: Ints, line: str) -> Ints:
    """Return a line of a piece as symbols, one fewer than its pitched notes at most.

    Args:
        ticks: onsets of its notes, any order; shape [notes].
        instruments: their rows in `INSTRUMENTS`.
        pitches: their MIDI pitches.
        line: one of `LINES`.
    """
    return timed_symbols(ticks, instruments, pitches, line)[0]


def timed_symbols(ticks: Ints, instruments: Ints, pitches: Ints, line: str) -> tuple[Ints, Ints]:
    """Return a line as by `symbols`, and the tick at which each symbol's note begins; shape [symbols] each."""
    if line == LINES[0]:
        tuned = instruments != DRUMS
        ticks, instruments, pitches = ticks[tuned], instruments[tuned], pitches[tuned]
        order = np.lexsort((instruments, -pitches, ticks))
        ticks, instruments, pitches = ticks[order], instruments[order], pitches[order]
        highest = np.ones(len(ticks), bool)
        highest[1:] = ticks[1:] != ticks[:-1]
        ticks, instruments, pitches = ticks[highest], instruments[highest], pitches[highest]
    else:
        order = np.lexsort((pitches, instruments, ticks))
        ticks, instruments, pitches = ticks[order], instruments[order], pitches[order]
    drum = instruments == DRUMS
    said = np.where(drum, 256 + pitches, 0)
    tuned_at = np.flatnonzero(~drum)
    said[tuned_at[1:]] = 128 + np.diff(pitches[tuned_at])
    said = said * len(INSTRUMENTS) + instruments
    # The first pitched note has no interval.
    return np.delete(said, tuned_at[:1]), np.delete(ticks, tuned_at[:1])


def shingles(line: Ints) -> tuple[Hashes, NDArray[np.bool_]]:
    """Return the hash of every shingle of a line, and whether it says something; shape [symbols - 11]."""
    count = len(line) - SHINGLE + 1
    if count < 1:
        return np.zeros(0, np.uint64), np.zeros(0, bool)
    mixed = (line.astype(np.uint64) + np.uint64(1)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0x94D049BB133111EB)
    hashes = np.zeros(count, np.uint64)
    for n in range(SHINGLE):
        hashes = hashes * _BASE + mixed[n : n + count]
    hashes ^= hashes >> np.uint64(31)
    ordered = np.sort(np.lib.stride_tricks.sliding_window_view(line, SHINGLE), axis=1)
    different = (np.diff(ordered, axis=1) != 0).sum(axis=1) + 1
    return hashes, different >= FEWEST_SYMBOLS


def learned_symbols(corpus: Corpus, row: Row, line: str) -> Ints:
    """Return a line of a piece of a built corpus.

    Args:
        corpus: the corpus.
        row: one of its pieces.
        line: one of `LINES`.
    """
    here = slice(row.offset, row.offset + row.tokens)
    tokens = corpus.tokens[here].astype(np.int64)
    struck = VOCABULARY.velocity_of[tokens] > 0
    tokens, ticks = tokens[struck], corpus.ticks[here][struck].astype(np.int64)
    return symbols(ticks, VOCABULARY.instrument_of[tokens], VOCABULARY.pitch_of[tokens], line)
