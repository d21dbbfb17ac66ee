"""The training music as a small index, and how long a piece says what is in it. Torch-free.

Of every thirteen shingles in a row at least one is kept, the one of the least
hash (winnowing), so that two pieces with a stretch in common keep the same ones
of it: a seventh of all shingles finds every common stretch of 25 notes. Kept
are, beside each, 32 bits of another hash and the training piece that had it
first; 4 bytes a shingle in all, since what lies in the file is sorted hashes'
differences.

A run goes from the first known kept shingle to the last with no unknown kept
one between. It is never longer than the verbatim stretch it lies in and at most
24 notes shorter. It may be pieced together from several training pieces: what
is common property of many is known by that.

Source: Schleimer, Wilkerson, Aiken, "Winnowing: local algorithms for document
fingerprinting", SIGMOD 2003.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import CheckpointError
from model.gate.columns import Columns, Ints
from model.gate.shingles import LINES, SHINGLE, Hashes, learned_symbols, shingles, timed_symbols
from model.language.vocabulary import TICKS_PER_SECOND, VOCABULARY
from model.learning.corpus import Corpus
from model.whole import whole

# Of so many shingles in a row one at least is kept.
WINDOW = 13
# A kept run is so many notes shorter than the verbatim stretch, at most.
ERROR_NOTES = 2 * (WINDOW - 1)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_FAR = 0xFFFF


@dataclass(frozen=True, slots=True)
class Copied:
    """The longest run of a line that training pieces have, too.

    Attributes:
        notes: how long it is, in notes of the line; 0 for none.
        share: share of the kept shingles that training pieces have.
        line: one of `LINES`.
        source: the training piece that most of it is found in; empty for none.
        start_s, stop_s: when its first and its last note begin, in seconds.
    """

    notes: int
    share: float
    line: str
    source: str = ""
    start_s: float = 0.0
    stop_s: float = 0.0


def winnow(hashes: Hashes) -> Ints:
    """Return where the kept shingles are: the least hash of every 13 in a row, the last of equal ones.

    Args:
        hashes: of the shingles of a line; shape [shingles].
    """
    if len(hashes) < WINDOW:
        return np.arange(len(hashes) > 0, dtype=np.int64) + (int(hashes.argmin()) if len(hashes) else 0)
    windows = np.lib.stride_tricks.sliding_window_view(hashes, WINDOW)
    last = WINDOW - 1 - windows[:, ::-1].argmin(axis=1)
    return np.unique(last + np.arange(len(windows)))


def _keys(hashes: Hashes) -> NDArray[np.uint32]:
    """Return 32 bits of each hash that know nothing of its being the least of its window."""
    return ((hashes * _MIX) >> np.uint64(32)).astype(np.uint32)


class CopyIndex:
    """Kept shingles of training pieces in both lines.

    Attributes:
        keys: sorted, each once; uint32 [kept].
        rows: which piece had it first, beside each; uint16 [kept].
        names: of the pieces.
    """

    def __init__(self, keys: NDArray[np.uint32], rows: NDArray[np.uint16], names: tuple[str, ...]) -> None:
        self.keys = keys
        self.rows = rows
        self.names = names

    @classmethod
    def of(cls, corpus: Corpus, progress: Callable[[float], None] | None = None) -> CopyIndex:
        """Return the index of the training pieces of a corpus.

        Args:
            corpus: the built corpus.
            progress: told the fraction done, now and then.
        """
        pieces = corpus.split("train")
        keys = [np.zeros(0, np.uint32)]
        owners = [np.zeros(0, np.uint16)]
        for n, row in enumerate(pieces):
            if progress is not None and n % 50 == 0:
                progress(n / len(pieces))
            for line in LINES:
                hashes, telling = shingles(learned_symbols(corpus, row, line))
                hashes = hashes[telling]
                found = np.unique(_keys(hashes[winnow(hashes)]))
                keys.append(found)
                # Where there are more pieces than numbers, the last number stands for all the others.
                owners.append(np.full(len(found), min(n, 0xFFFF), np.uint16))
        unique, first = np.unique(np.concatenate(keys), return_index=True)
        return cls(unique, np.concatenate(owners)[first], _names([row.path for row in pieces]))

    def save(self, path: Path) -> None:
        """Write the index; the old file stays until the new one is whole.

        Raises:
            CheckpointError: the file cannot be written.
        """
        steps, owners = _steps(self.keys, self.rows)
        facts = json.dumps({"vocabulary": VOCABULARY.hash, "names": self.names}).encode()
        try:
            with whole(path) as partial, partial.open("wb") as file:
                np.savez_compressed(file, steps=steps, owners=owners, facts=np.frombuffer(facts, np.uint8))
        except OSError as error:
            raise CheckpointError(f"{path}: cannot write the index ({error.strerror})") from error

    @classmethod
    def load(cls, path: Path) -> CopyIndex:
        """Return the index of a file.

        Raises:
            CheckpointError: there is none, it is broken, or of another vocabulary.
        """
        if not path.exists():
            raise CheckpointError(f"{path}: no such index; make one with `conductor quality --index`")
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                facts = json.loads(file["facts"].tobytes())
                steps, owners = file["steps"], file["owners"]
            names, vocabulary = tuple(facts["names"]), facts["vocabulary"]
            if steps.shape != owners.shape or (steps.dtype, owners.dtype) != (np.uint16, np.uint16):
                raise ValueError("its columns do not fit")
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError) as error:
            raise CheckpointError(f"{path}: not an index of training music, or a broken one ({error})") from error
        if vocabulary != VOCABULARY.hash:
            raise CheckpointError(f"{path}: made with another vocabulary; use the index that came with this version")
        there = steps != _FAR
        return cls(np.cumsum(steps, dtype=np.uint64)[there].astype(np.uint32), owners[there], names)

    def longest(self, notes: Columns) -> Copied:
        """Return the longest run of a piece in either line.

        Args:
            notes: of the piece.
        """
        return max((self.longest_in(notes, line) for line in LINES), key=lambda run: run.notes)

    def longest_in(self, notes: Columns, line: str) -> Copied:
        """Return the longest run of a piece in one line.

        Args:
            notes: of the piece.
            line: one of `LINES`.
        """
        said, ticks = timed_symbols(notes.ticks, notes.instrument, notes.pitch, line)
        hashes, telling = shingles(said)
        place = np.flatnonzero(telling)
        kept = winnow(hashes[place])
        if not len(kept) or not len(self.keys):
            return Copied(0, 0.0, line)
        keys = _keys(hashes[place[kept]])
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = self.keys[at] == keys
        share = float(known.mean())
        first, last = longest_stretch(known, kept)
        if first == last:
            return Copied(0, share, line)
        ((owner, _),) = Counter(self.rows[at[first:last]].tolist()).most_common(1)
        source = self.names[owner] if owner < len(self.names) else ""
        # One symbol more than its shingles and their overhang: an interval has two notes.
        length = int(kept[last - 1] - kept[first]) + 1 + SHINGLE
        start, stop = ticks[place[kept[first]]], ticks[place[kept[last - 1]] + SHINGLE - 1]
        return Copied(length, share, line, source, float(start) / TICKS_PER_SECOND, float(stop) / TICKS_PER_SECOND)


def longest_stretch(known: NDArray[np.bool_], at: Ints) -> tuple[int, int]:
    """Return first and one past the last of the stretch of known shingles that is longest by their places.

    Args:
        known: whether each is; shape [kept].
        at: the place of each, ascending; shape [kept].
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8))).reshape(-1, 2)
    if not len(edges):
        return 0, 0
    spans = at[edges[:, 1] - 1] - at[edges[:, 0]]
    first, last = edges[int(spans.argmax())].tolist()
    return first, last


def _names(paths: list[str]) -> tuple[str, ...]:
    """Return paths without the folder that they all lie in, and without endings."""
    common = os.path.commonpath([os.path.dirname(p) for p in paths]) if paths else ""
    return tuple(os.path.splitext(os.path.relpath(p, common or "."))[0] for p in paths)


def _steps(keys: NDArray[np.uint32], rows: NDArray[np.uint16]) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Return the way from key to key in steps of less than 65535; such a step leads to no key."""
    reached = np.concatenate([np.zeros(1, np.int64), keys.astype(np.int64)])
    ways = reached[1:] - reached[:-1]
    far = ways // _FAR
    steps = np.full(len(ways) + int(far.sum()), _FAR)
    owners = np.zeros(len(steps), np.uint16)
    ends = np.cumsum(far + 1) - 1
    steps[ends], owners[ends] = ways % _FAR, rows
    return steps.astype(np.uint16), owners
