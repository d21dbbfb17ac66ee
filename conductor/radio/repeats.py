"""What was played lately, and what is too near to it.

A piece is known by a sketch: the least hashes of its shingles, figures of twelve notes free of key and tempo
(`model.gate.shingles`), of its top line and of all its onsets. Two sketches tell how much two pieces share, well
enough to see that they are the same one, and take a kilobyte.

Source: Broder, "On the resemblance and containment of documents", 1997 (bottom sketches).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from model.gate.shingles import LINES, shingles, symbols
from model.instruments import INSTRUMENTS
from model.language.vocabulary import TICKS_PER_SECOND

# Hashes kept of each line.
KEPT = 128
# Two pieces that share more are one. Of 10 731 pairs of different pieces of music none shared 0.02; of pieces against
# themselves in another key and tempo, half of them, or without every thirtieth note, all but a few share 0.3.
NEAR = 0.15
# What is composed is heard some time later: it is remembered that much longer.
MARGIN_S = 1800.0
_ROW = {instrument.name: row for row, instrument in enumerate(INSTRUMENTS)}

# By line, the least hashes, ascending.
Sketch = tuple[tuple[int, ...], ...]
# (onset_s, pitch, instrument, duration_s, velocity, part)
NoteRow = tuple[float, int, str, float, int, int]


class Numbered(Protocol):
    """A piece with a number of its own."""

    @property
    def id(self) -> int:
        """The number."""


Piece = TypeVar("Piece", bound=Numbered)


@dataclass(frozen=True, slots=True)
class Heard:
    """A piece that was chosen to be heard.

    Attributes:
        title: for people.
        at_s: when, in seconds since 1970.
        sketch: of its notes.
    """

    title: str
    at_s: float
    sketch: Sketch


def sketch_of(notes: Sequence[NoteRow]) -> Sketch:
    """Return the sketch of a piece; of one without any figure it is empty.

    Args:
        notes: in any order.
    """
    ticks = np.array([round(row[0] * TICKS_PER_SECOND) for row in notes], np.int64)
    pitches = np.array([row[1] for row in notes], np.int64)
    instruments = np.array([_ROW[row[2]] for row in notes], np.int64)
    lines = []
    for line in LINES:
        hashes, telling = shingles(symbols(ticks, instruments, pitches, line))
        # Half of each hash will do: so few are kept that hardly two are the same by chance.
        lines.append(tuple((np.unique(hashes[telling])[:KEPT] >> np.uint64(32)).tolist()))
    return tuple(lines)


def alike(one: Sketch, other: Sketch) -> float:
    """Return the share of their figures, 0 to 1, that two pieces have in common: of the line that shares more."""
    return max((_shared(a, b) for a, b in zip(one, other, strict=False)), default=0.0)


def _shared(one: Sequence[int], other: Sequence[int]) -> float:
    if not one or not other:
        return 0.0
    union = sorted({*one, *other})[:KEPT]
    both = set(one) & set(other)
    return sum(key in both for key in union) / len(union)


def too_near(sketch: Sketch, lately: Iterable[Heard], since_s: float) -> Heard | None:
    """Return a piece heard since a time that is the same as one that is new; None: there is none.

    Args:
        sketch: of the new one.
        lately: what was heard.
        since_s: in seconds since 1970.
    """
    return next((heard for heard in lately if heard.at_s >= since_s and alike(sketch, heard.sketch) > NEAR), None)


def fresh_first(pieces: Sequence[Piece], aired: Mapping[int, float]) -> list[Piece]:
    """Return pieces in the order in which they may stand in: what was not on air lately as it comes, the rest after.

    Args:
        pieces: best first.
        aired: when those were on air that were on air lately, by number; of them the least recent comes first.
    """
    return sorted(pieces, key=lambda piece: aired.get(piece.id, float("-inf")))
