"""Where excerpts come from: real pieces and composed ones, cut alike.

A place says how an excerpt lies in its piece. It is drawn for one composed
piece, and a real piece is found that an excerpt can be cut from in the same
way: as long, opening or ending its piece or neither, as much of it given.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.composing.grammar import LONGEST_NOTE_S
from model.critic.music import music_of
from model.critic.spans import Excerpt, Span, excerpt_of, said
from model.instruments import INSTRUMENTS
from model.language.header import Header
from model.language.vocabulary import TEMPI_BPM, TICKS_PER_SECOND, VOCABULARY
from model.learning.augment import change_volume, transpose
from model.learning.corpus import Corpus, Row

SHORTEST_S, LONGEST_S = 15.0, 120.0
# A piece is not whole with less of it than this, nor an excerpt of one with more.
WHOLE = 0.85
# Whole pieces are as long if their lengths differ by no more than this factor.
AS_LONG = 1.3
_MOST_GIVEN = 0.5


@dataclass(frozen=True, slots=True)
class Place:
    """How an excerpt lies in its piece.

    Attributes:
        kind: `opening`, `middle`, `ending` or `whole`.
        length_ticks: how long it is.
        prompt_ticks: how much of it was given.
    """

    kind: str
    length_ticks: int
    prompt_ticks: int = 0


def of_piece(corpus: Corpus, row: Row, start: int, length: int) -> Excerpt:
    """Return an excerpt of a real piece, at one tempo of the vocabulary as composed music is.

    Args:
        corpus: where the piece lies.
        row: the piece.
        start: ticks from its beginning.
        length: ticks.
    """
    ticks = corpus.ticks[row.offset : row.offset + row.tokens].astype(np.int64)
    last = start + length
    ends = last >= row.ticks
    # One token more, so that it is known which beat it begins on.
    first = max(0, int(np.searchsorted(ticks, start, "left")) - 1)
    # What sounds at the end is ended a little after it.
    final = int(np.searchsorted(ticks, last + round(LONGEST_NOTE_S * TICKS_PER_SECOND), "right"))
    here = slice(row.offset + first, row.offset + final)
    tokens, ticks = corpus.tokens[here].astype(np.int64), ticks[first:final]
    beats = np.asarray(corpus.beats[here], np.float64)
    begin, stop = float(np.interp(start, ticks, beats)), float(np.interp(last, ticks, beats))
    bpm = (stop - begin) / max(1, min(last, int(ticks[-1])) - start) * 60.0 * TICKS_PER_SECOND
    tempo = float(min(TEMPI_BPM, key=lambda t: abs(t - bpm)))
    rate = 60.0 * TICKS_PER_SECOND / tempo
    music = music_of(tokens, np.rint((beats - begin) * rate).astype(np.int64))
    length = round((stop - begin) * rate)
    music = music.take((music.onsets >= 0) & ((music.onsets < length) | ends))
    header = Header(row.style, row.groups, row.genre, row.performed, None, row.beats_per_bar, tempo_bpm=tempo)
    return Excerpt(music, header, length, 0, ends)


def of_span(span: Span, start: int, length: int) -> Excerpt:
    """Return an excerpt of a composed piece.

    Args:
        span: the whole piece.
        start: ticks from its beginning.
        length: ticks.
    """
    whole = excerpt_of(span)
    ends = whole.ends and start + length >= whole.length_ticks
    onsets = whole.music.onsets
    here = (onsets >= start) & ((onsets < start + length) | ends)
    given = max(0, whole.prompt_ticks - start)
    return Excerpt(whole.music.take(here).moved(-start), whole.header, length, given, ends)


def draw_place(whole: Excerpt, rng: np.random.Generator, length_s: float | None = None) -> Place | None:
    """Return a place in a composed piece; None where it is too short.

    Args:
        whole: the piece.
        rng: draws it.
        length_s: how long it shall be, infinity for whole; any length where it is not given.
    """
    total = whole.length_ticks
    shortest, longest = SHORTEST_S * TICKS_PER_SECOND, LONGEST_S * TICKS_PER_SECOND
    if length_s is None:
        length = float(np.exp(rng.uniform(np.log(shortest), np.log(max(shortest, min(total, longest))))))
    elif np.isinf(length_s):
        length = float(total)
    else:
        length = length_s * TICKS_PER_SECOND
        if length > WHOLE * total:
            return None
    if length > WHOLE * total:
        whole_is_heard = total >= shortest and whole.prompt_ticks <= _MOST_GIVEN * total
        return Place("whole", total, whole.prompt_ticks) if whole_is_heard and whole.ends else None
    kinds = ["opening", "ending", "middle"] if whole.ends else ["opening", "middle"]
    kind = str(rng.choice(kinds))
    start = start_of(Place(kind, round(length)), total, rng)
    given = max(0, whole.prompt_ticks - start)
    return Place(kind, round(length), given) if given <= _MOST_GIVEN * length else None


def start_of(place: Place, total: int, rng: np.random.Generator) -> int:
    """Return where in a piece of `total` ticks an excerpt begins."""
    if place.kind == "middle":
        # From some way in, so that it is no opening, to some way before the end.
        free = total - place.length_ticks
        return int(rng.integers(free // 4, max(free // 4 + 1, 3 * free // 4)))
    return max(0, total - place.length_ticks) if place.kind == "ending" else 0


def draw_own(span: Span, rng: np.random.Generator, length_s: float | None = None) -> tuple[Place, Excerpt] | None:
    """Return an excerpt of a composed piece and how it lies; None where it is too short or mostly given."""
    whole = excerpt_of(span)
    place = draw_place(whole, rng, length_s)
    if place is None:
        return None
    # A middle is drawn anew: how much of it was given follows.
    start = start_of(place, whole.length_ticks, rng)
    excerpt = of_span(span, start, place.length_ticks)
    if excerpt.prompt_ticks > _MOST_GIVEN * place.length_ticks or len(excerpt.music) < 4:
        return None
    return replace(place, prompt_ticks=excerpt.prompt_ticks), excerpt


class Pieces:
    """The real pieces of some splits of a corpus, or every other one of them.

    Args:
        corpus: where they are.
        splits: names of splits.
        half: 0 or 1, for pieces with even or odd places in the corpus; None for all.
    """

    def __init__(self, corpus: Corpus, splits: Sequence[str], half: int | None = None) -> None:
        self.corpus = corpus
        alike: defaultdict[tuple[str | None, bool], list[Row]] = defaultdict(list)
        for place, row in enumerate(corpus.rows):
            if row.split in splits and half in (None, place % 2):
                alike[row.style, row.performed].append(row)
        self._alike = {key: (rows, np.array([row.ticks for row in rows])) for key, rows in alike.items()}

    def fitting(self, place: Place, like: Row) -> list[Row]:
        """Return the pieces that have such a place and are of a piece's style, played or written as it is.

        Those for the same groups of instruments, where there are any.
        """
        if (like.style, like.performed) not in self._alike:
            return []
        rows, ticks = self._alike[like.style, like.performed]
        if place.kind == "whole":
            fits = (ticks < place.length_ticks * AS_LONG) & (ticks > place.length_ticks / AS_LONG)
        else:
            fits = ticks * WHOLE >= place.length_ticks
        found = [rows[n] for n in np.flatnonzero(fits)]
        return [row for row in found if row.groups == like.groups] or found

    def draw(self, place: Place, like: Row, rng: np.random.Generator, itself: float = 0.5) -> Excerpt | None:
        """Return an excerpt that lies so in a real piece like another; None where there is none.

        Args:
            place: how it shall lie.
            like: the other piece.
            rng: chooses among the pieces.
            itself: chance that the other piece itself is taken if it fits.
        """
        fitting = self.fitting(place, like)
        if not fitting:
            return None
        row = like if rng.random() < itself and like in fitting else fitting[int(rng.integers(len(fitting)))]
        if place.kind == "whole":
            excerpt = of_piece(self.corpus, row, 0, row.ticks)
        else:
            excerpt = of_piece(self.corpus, row, start_of(place, row.ticks, rng), place.length_ticks)
        excerpt = replace(excerpt, prompt_ticks=place.prompt_ticks)
        return excerpt if len(excerpt.music) >= 4 else None


def vary(excerpt: Excerpt, rng: np.random.Generator, drop: float = 0.2) -> Excerpt:
    """Return an excerpt heard otherwise: transposed, louder or softer, slower or faster, less said of it.

    Args:
        excerpt: real or composed; both are varied alike.
        rng: draws how.
        drop: chance of each word of the header to be left out.
    """
    header = said(excerpt.header)
    tempo = header.tempo_bpm or 120.0
    wanted = tempo * float(np.exp(rng.uniform(-0.08, 0.08)))
    other = float(min(TEMPI_BPM, key=lambda t: abs(t - wanted)))
    factor = tempo / other
    music = excerpt.music
    ids = VOCABULARY.note_id[music.instruments, music.levels, music.pitches]
    ids, _ = transpose(ids, int(rng.integers(-5, 6)))
    if rng.random() < 0.3:
        steps: NDArray[np.int64] = rng.integers(-1, 2) + rng.integers(-1, 2, len(INSTRUMENTS))
        steps[0] = int(rng.integers(-3, 4))
        ids = change_volume(ids, steps)
    heard = music_of(ids, np.zeros(len(ids), np.int64))
    moved = replace(
        music,
        onsets=np.rint(music.onsets * factor).astype(np.int64),
        offsets=np.rint(music.offsets * factor).astype(np.int64),
        levels=heard.levels,
        pitches=heard.pitches,
    )
    keep = rng.random(5) >= drop
    header = Header(
        header.style if keep[0] else None,
        header.groups if keep[1] else (),
        header.genre if keep[2] else None,
        header.performed if keep[3] else None,
        None,
        header.beats_per_bar if keep[4] else None,
        tempo_bpm=other,
    )
    return replace(
        excerpt,
        music=moved,
        header=header,
        length_ticks=round(excerpt.length_ticks * factor),
        prompt_ticks=round(excerpt.prompt_ticks * factor),
    )
