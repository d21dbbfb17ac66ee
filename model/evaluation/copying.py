"""Verbatim runs: how long a composed piece says what a training piece says.

A piece is two lines of symbols free of key and tempo: its top line and all of
its onsets, a symbol being the interval from the note before and the instrument
that plays it (a drum: its key). Twelve symbols in a row are a shingle; all
shingles of the training pieces lie hashed and sorted in one array. A run goes
on while shingle after shingle is found there. Shingles of fewer than four
different symbols, tremolos and scales, count for nothing.

A run may be pieced together from several training pieces: its length is an
upper bound. Held-out music beside it says how much is common property.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.evaluation.excerpts import Excerpt
from model.instruments import INSTRUMENTS
from model.language.tokenizer import to_ticks
from model.language.vocabulary import VOCABULARY
from model.learning.corpus import Corpus
from model.notes import Piece

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]

SHINGLE = 12
# Fewer different symbols say nothing.
FEWEST_SYMBOLS = 4
LINES = ("top line", "all onsets")
_DRUMS = len(INSTRUMENTS) - 1
_BASE = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Run:
    """The longest verbatim run of a piece.

    Attributes:
        name: of the piece.
        notes: how long it is, in notes; 0 for none.
        share: share of the piece's shingles that training pieces have, too.
        source: the training piece that most of the run is found in; empty for none.
    """

    name: str
    notes: int
    share: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class Copying:
    """Runs of a set in one line.

    Attributes:
        median, high, longest: of the longest runs of the pieces, in notes; high is the 95th percentile.
        share: mean share of shingles that are also in training pieces.
        worst: the pieces with the longest runs.
    """

    median: float
    high: float
    longest: int
    share: float
    worst: tuple[Run, ...]


def symbols(ticks: Ints, instruments: Ints, pitches: Ints, line: str) -> Ints:
    """Return a line of a piece as symbols, one fewer than its pitched notes at most.

    Args:
        ticks: onsets of its notes, any order; shape [notes].
        instruments: their rows in `INSTRUMENTS`.
        pitches: their MIDI pitches.
        line: one of `LINES`.
    """
    if line == LINES[0]:
        tuned = instruments != _DRUMS
        ticks, instruments, pitches = ticks[tuned], instruments[tuned], pitches[tuned]
        order = np.lexsort((instruments, -pitches, ticks))
        ticks, instruments, pitches = ticks[order], instruments[order], pitches[order]
        highest = np.ones(len(ticks), bool)
        highest[1:] = ticks[1:] != ticks[:-1]
        instruments, pitches = instruments[highest], pitches[highest]
    else:
        order = np.lexsort((pitches, instruments, ticks))
        instruments, pitches = instruments[order], pitches[order]
    drum = instruments == _DRUMS
    said = np.where(drum, 256 + pitches, 0)
    tuned_at = np.flatnonzero(~drum)
    said[tuned_at[1:]] = 128 + np.diff(pitches[tuned_at])
    said = said * len(INSTRUMENTS) + instruments
    # The first pitched note has no interval.
    return np.delete(said, tuned_at[:1])


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


class Index:
    """All shingles of the training pieces in one line.

    Attributes:
        hashes: sorted, each once.
        rows: which training piece has it first, beside each.
    """

    def __init__(self, corpus: Corpus, line: str, progress: Callable[[float], None] | None = None) -> None:
        self.line = line
        pieces = corpus.split("train")
        self.names = [row.path for row in pieces]
        found: list[Hashes] = []
        rows: list[NDArray[np.uint32]] = []
        for n, row in enumerate(pieces):
            if progress is not None and n % 50 == 0:
                progress(n / len(pieces))
            here = slice(row.offset, row.offset + row.tokens)
            tokens = corpus.tokens[here].astype(np.int64)
            struck = VOCABULARY.velocity_of[tokens] > 0
            tokens, ticks = tokens[struck], corpus.ticks[here][struck].astype(np.int64)
            said = symbols(ticks, VOCABULARY.instrument_of[tokens], VOCABULARY.pitch_of[tokens], line)
            hashes = np.unique(shingles(said)[0])
            found.append(hashes)
            rows.append(np.full(len(hashes), n, np.uint32))
        every = np.concatenate(found) if found else np.zeros(0, np.uint64)
        self.hashes, first = np.unique(every, return_index=True)
        self.rows = np.concatenate(rows)[first] if rows else np.zeros(0, np.uint32)

    def longest_run(self, piece: Piece, name: str = "") -> Run:
        """Return the longest run of a piece that training pieces have, too."""
        order = {i.name: n for n, i in enumerate(INSTRUMENTS)}
        columns = [(to_ticks(n.onset_s), order[n.instrument], n.pitch) for n in piece.notes]
        ticks, instruments, pitches = np.array(columns, np.int64).reshape(-1, 3).T
        hashes, telling = shingles(symbols(ticks, instruments, pitches, self.line))
        if not len(hashes) or not len(self.hashes):
            return Run(name, 0, 0.0)
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        known = self.hashes[at] == hashes
        # A run is a stretch of known shingles; edges[n] begins one where known, ends one where not.
        edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
        best, where = 0, slice(0, 0)
        for start, stop in edges.reshape(-1, 2).tolist():
            says = int(telling[start:stop].sum())
            if says > best:
                best, where = says, slice(start, stop)
        share = float(known[telling].mean()) if telling.any() else 0.0
        if not best:
            return Run(name, 0, share)
        ((row, _),) = Counter(self.rows[at[where]].tolist()).most_common(1)
        # One symbol more than its shingles and their overhang: an interval has two notes.
        return Run(name, best + SHINGLE, share, self.names[row])


def find_copying(excerpts: Sequence[Excerpt], index: Index, worst: int = 3) -> Copying | None:
    """Return the verbatim runs of a set; None for an empty one."""
    runs = [index.longest_run(e.piece, e.sample.name) for e in excerpts]
    if not runs:
        return None
    lengths = [run.notes for run in runs]
    return Copying(
        median=float(np.median(lengths)),
        high=float(np.percentile(lengths, 95)),
        longest=max(lengths),
        share=float(np.mean([run.share for run in runs])),
        worst=tuple(sorted(runs, key=lambda run: -run.notes)[:worst]),
    )
