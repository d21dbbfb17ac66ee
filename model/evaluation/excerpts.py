"""The music that is compared: pieces, and excerpts of equal length cut from them.

An entropy or a density of half a minute is not that of ten: sets are compared
by excerpts of one length a style, cut from real music as long as what was
composed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from model.composing.prompt import SHORTEST_S
from model.errors import CorpusError
from model.language.vocabulary import TICKS_PER_SECOND
from model.learning.corpus import Row, tidy
from model.midi import read_midi
from model.notes import Piece, TempoMark

# Music of no style we know is compared with music of all styles.
ANY = "any"
MOST_EXCERPTS = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """A whole piece of a set.

    Attributes:
        name: for people, such as `bach/bach-003.mid`.
        style: a style, or `any`.
        piece: the music, from its first note.
        folded: notes that were outside their instrument's range.
        wanted: instrument groups that were asked for; empty where nothing was.
        held_out: whether the model was not trained on it.
    """

    name: str
    style: str
    piece: Piece
    folded: int = 0
    wanted: tuple[str, ...] = ()
    held_out: bool = True


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a piece.

    Attributes:
        sample: the whole.
        piece: the part, from time 0.
        length_s: how long it is.
        opening: whether the piece begins with it.
        closing: whether the piece ends with it.
    """

    sample: Sample
    piece: Piece
    length_s: float
    opening: bool
    closing: bool


def read_sample(
    path: Path,
    style: str | None,
    *,
    performed: bool = False,
    name: str = "",
    wanted: tuple[str, ...] = (),
    held_out: bool = True,
) -> Sample:
    """Read a MIDI file as the model would learn it.

    Raises:
        MidiError: it is no music.
    """
    imported = read_midi(path, pedal=performed)
    piece = replace(tidy(imported.piece), style=style)
    return Sample(name or path.name, style or ANY, piece, imported.folded, wanted, held_out)


def cut(piece: Piece, start_s: float, length_s: float) -> Piece:
    """Return the part of a piece that begins at `start_s`; notes end with it."""
    end_s = start_s + length_s
    notes = tuple(
        replace(n, onset_s=n.onset_s - start_s, duration_s=min(n.duration_s, end_s - n.onset_s))
        for n in piece.notes
        if start_s <= n.onset_s < end_s
    )
    before = [m for m in piece.tempi if m.time_s <= start_s] or [piece.tempi[0]]
    later = [m for m in piece.tempi if start_s < m.time_s < end_s]
    tempi = (TempoMark(0.0, before[-1].bpm), *(TempoMark(m.time_s - start_s, m.bpm) for m in later))
    return replace(piece, notes=notes, tempi=tempi)


def excerpts(sample: Sample, length_s: float, most: int = MOST_EXCERPTS) -> list[Excerpt]:
    """Return excerpts of a piece that do not overlap, the first its opening and the last its ending.

    Args:
        sample: the piece; a shorter one is its own excerpt.
        length_s: how long an excerpt is.
        most: how many there are at most.
    """
    total = sample.piece.duration_s
    count = int(np.clip(total // length_s, 1, most))
    starts = np.linspace(0.0, max(0.0, total - length_s), count) if count > 1 else np.zeros(1)
    found = []
    for start in starts.tolist():
        part = cut(sample.piece, start, length_s)
        if part.notes:
            closing = start + length_s >= total - 0.01
            found.append(Excerpt(sample, part, min(length_s, total), start == 0.0, closing))
    return found


def style_lengths(rows: Sequence[Row], styles: Sequence[str], most_s: float) -> dict[str, float]:
    """Return how long excerpts of each style are: as asked for, or as long as half of its pieces are.

    Args:
        rows: the pieces of a corpus.
        styles: styles to look at; `any` stands for all.
        most_s: the length asked for.

    Raises:
        CorpusError: the corpus has no music of a style.
    """
    lengths = {}
    for style in styles:
        own = [row.ticks / TICKS_PER_SECOND for row in rows if style in (ANY, row.style)]
        if not own:
            known = ", ".join(sorted({row.style for row in rows if row.style}))
            raise CorpusError(f"there is no music of style {style!r} in the corpus; it has {known or 'no styles'}")
        lengths[style] = float(np.floor(max(SHORTEST_S, min(most_s, float(np.median(own))))))
    return lengths


def choose_rows(
    rows: Sequence[Row], style: str, length_s: float, count: int, split: str, rng: np.random.Generator
) -> list[Row]:
    """Return real pieces of a style to compare with, held-out ones first, then training pieces.

    Args:
        rows: the pieces of a corpus.
        style: a style, or `any`.
        length_s: shorter pieces are left out.
        count: how many.
        split: the held-out split.
        rng: for which they are.
    """
    fit = [r for r in rows if style in (ANY, r.style) and r.ticks >= 0.95 * length_s * TICKS_PER_SECOND]
    held_out = [r for r in fit if r.split == split]
    learned = [r for r in fit if r.split == "train" and r.split != split]
    drawn = [held_out[n] for n in rng.permutation(len(held_out))]
    drawn += [learned[n] for n in rng.permutation(len(learned))]
    return drawn[:count]
