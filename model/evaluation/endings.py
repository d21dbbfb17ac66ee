"""How pieces end, and what is wrong with single notes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.composing.quality import LEAST_PRESENCE, LONGEST_NOTE_S
from model.evaluation.excerpts import Sample
from model.instruments import BY_NAME, INSTRUMENTS
from model.language.header import find_key
from model.language.vocabulary import PITCH_CLASSES, VOCABULARY
from model.learning.corpus import Corpus
from model.notes import Piece

# A last chord may be rolled.
CHORD_S = 0.15
RELEASE_S = 2.0
LONGER = 1.25
# Of real notes of an instrument, these share lie between.
COMMON = (0.005, 0.995)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a piece ends.

    Attributes:
        released: the last notes struck end within 2 s of the end of all: nothing is left hanging.
        whole: they are at least half as long as the piece's notes mostly are: not cut off.
        longer: the longest of them is a quarter longer than the piece's notes mostly are.
        tonic: the lowest of what sounds at last is the tonic of the piece's key.
    """

    released: bool
    whole: bool
    longer: bool
    tonic: bool

    @property
    def proper(self) -> bool:
        """Whether it is an ending, not a stop."""
        return self.released and self.whole and (self.longer or self.tonic)


def find_ending(piece: Piece) -> Ending | None:
    """Return how a piece ends; None for drums alone, whose notes have no length."""
    notes = [n for n in piece.notes if BY_NAME[n.instrument].sustains]
    if not notes:
        return None
    end_s, last_s = max(n.offset_s for n in notes), max(n.onset_s for n in notes)
    final = [n for n in notes if n.onset_s >= last_s - CHORD_S]
    usual_s = float(np.median([n.duration_s for n in notes]))
    lengths_s = [n.duration_s for n in final]
    classes = np.bincount([n.pitch % 12 for n in notes], [n.duration_s for n in notes], minlength=12)
    key = find_key(classes.astype(np.float64))
    sounding = [n for n in notes if n.offset_s > last_s]
    bass = min(n.pitch for n in sounding or final)
    return Ending(
        released=end_s - max(n.offset_s for n in final) <= RELEASE_S,
        whole=float(np.median(lengths_s)) >= usual_s / 2,
        longer=max(lengths_s) >= LONGER * usual_s,
        tonic=key is not None and PITCH_CLASSES[bass % 12] == key.split("_")[0],
    )


@dataclass(frozen=True, slots=True)
class Faults:
    """Of whole pieces of a set.

    Attributes:
        pieces: how many there are.
        proper, released, whole, longer, tonic: share of the pieces with pitched notes that end so.
        hanging: notes longer than 15 s, a thousand notes.
        pieces_hanging: share of the pieces with any of them.
        outside: share of the notes outside their instrument's range.
        uncommon: share of the notes outside the pitches that 99 % of an instrument's real notes have.
        present: share of the instrument groups asked for that are heard; None where none were asked for.
        missing: how often each group asked for was not heard, the most first.
    """

    pieces: int
    proper: float
    released: float
    whole: float
    longer: float
    tonic: float
    hanging: float
    pieces_hanging: float
    outside: float
    uncommon: float
    present: float | None
    missing: dict[str, float]


def common_pitches(corpus: Corpus) -> NDArray[np.int64]:
    """Return the lowest and highest pitch usual for each instrument in training music, shape [instruments, 2]."""
    counts = np.zeros((len(INSTRUMENTS), 128), np.int64)
    for row in corpus.split("train"):
        tokens = corpus.tokens[row.offset : row.offset + row.tokens]
        struck = tokens[VOCABULARY.velocity_of[tokens] > 0]
        np.add.at(counts, (VOCABULARY.instrument_of[struck], VOCABULARY.pitch_of[struck]), 1)
    bounds = np.array([(i.low, i.high) for i in INSTRUMENTS], np.int64)
    for n, row_counts in enumerate(counts):
        if row_counts.sum():
            below = np.cumsum(row_counts) / row_counts.sum()
            bounds[n] = [int(np.searchsorted(below, share)) for share in COMMON]
    return bounds


def find_faults(samples: Sequence[Sample], common: NDArray[np.int64]) -> Faults:
    """Return what is wrong with the pieces of a set.

    Args:
        samples: at least one.
        common: see `common_pitches`.
    """
    order = {i.name: n for n, i in enumerate(INSTRUMENTS)}
    endings = [e for e in (find_ending(s.piece) for s in samples) if e is not None]
    notes = [n for s in samples for n in s.piece.notes]
    pitches = np.array([n.pitch for n in notes])
    bounds = common[[order[n.instrument] for n in notes]]
    asked: dict[str, list[bool]] = {}
    for sample in samples:
        shares: dict[str, float] = {}
        for note in sample.piece.notes:
            group = BY_NAME[note.instrument].group
            shares[group] = shares.get(group, 0.0) + 1 / len(sample.piece.notes)
        for group in sample.wanted:
            asked.setdefault(group, []).append(shares.get(group, 0.0) >= LEAST_PRESENCE)
    heard = [h for some in asked.values() for h in some]
    missing = {group: 1 - float(np.mean(some)) for group, some in asked.items() if not all(some)}

    def share(of: Sequence[bool]) -> float:
        return float(np.mean(of)) if of else float("nan")

    return Faults(
        pieces=len(samples),
        proper=share([e.proper for e in endings]),
        released=share([e.released for e in endings]),
        whole=share([e.whole for e in endings]),
        longer=share([e.longer for e in endings]),
        tonic=share([e.tonic for e in endings]),
        hanging=1000 * share([n.duration_s > LONGEST_NOTE_S for n in notes]),
        pieces_hanging=share([any(n.duration_s > LONGEST_NOTE_S for n in s.piece.notes) for s in samples]),
        outside=sum(s.folded for s in samples) / max(1, len(notes)),
        uncommon=float(((pitches < bounds[:, 0]) | (pitches > bounds[:, 1])).mean()) if notes else float("nan"),
        present=share(heard) if heard else None,
        missing=dict(sorted(missing.items(), key=lambda item: -item[1])),
    )
