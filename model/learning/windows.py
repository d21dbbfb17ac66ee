"""Training batches: windows from anywhere in a piece, each with its header.

A batch is a pure function of the seed and the step, so that training resumed
is training uninterrupted. A row is filled with windows of one piece after
another; styles are balanced by temperature sampling. In some windows a part of
the music is given ahead of time (`model.language.given`).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.errors import CorpusError
from model.instruments import INSTRUMENTS
from model.language.context import Context, place
from model.language.given import Woven, choose, pair, weave
from model.language.header import Header, find_key
from model.language.vocabulary import TICKS_PER_SECOND, VOCABULARY
from model.learning.augment import change_volume, stretch, transpose
from model.learning.corpus import Corpus, Row

# A window shorter than this is not worth its header.
SHORTEST = 48
# Tokens before a window that are looked at for what sounds when it begins.
PREROLL = 256


@dataclass(frozen=True, slots=True)
class Recipe:
    """How training music is varied.

    Attributes:
        balance: styles are drawn in proportion to their tokens to this power.
        transpose: largest transposition, semitones up or down.
        stretch: largest change of timing, as a fraction.
        volume: chance that volumes are changed.
        drop: chance that a word of the header is left out.
        mixup: chance that the rows of a batch are mixed in pairs.
        given: chance that some of a window's notes are given ahead of time.
    """

    balance: float = 0.6
    transpose: int = 5
    stretch: float = 0.08
    volume: float = 0.3
    drop: float = 0.2
    mixup: float = 0.1
    given: float = 0.25


PLAIN = Recipe(transpose=0, stretch=0.0, volume=0.0, drop=0.0, mixup=0.0, given=0.0)


class Batch(NamedTuple):
    """Arrays of shape [rows, tokens], the context's `sounding` [rows, tokens, features].

    Attributes:
        tokens: what the model reads.
        context: where each token stands.
        targets: the token that follows each, or (at a wait that a given note cuts short) should.
        weights: 1 where a target counts: not in headers, not in padding, not where a note is given.
    """

    tokens: NDArray[np.int64]
    context: Context
    targets: NDArray[np.int64]
    weights: NDArray[np.float32]


class _Part(NamedTuple):
    tokens: NDArray[np.int64]
    labels: NDArray[np.int64]
    context: Context
    counts: NDArray[np.float32]


class Windows:
    """Batches of a split of a corpus."""

    def __init__(self, corpus: Corpus, split: str, *, tokens: int, rows: int, seed: int, recipe: Recipe) -> None:
        self.corpus, self.length, self.batch_rows = corpus, tokens, rows
        self.seed, self.recipe = seed, recipe
        self.pieces = corpus.split(split)
        if not self.pieces:
            raise CorpusError(f"the corpus has no pieces in its {split} split")
        by_style: defaultdict[str, list[int]] = defaultdict(list)
        for n, row in enumerate(self.pieces):
            by_style[row.style or "?"].append(n)
        self.styles = [np.array(members) for members in by_style.values()]
        sizes = [np.array([self.pieces[n].tokens for n in members], float) for members in self.styles]
        # A window of a long piece is one of many: a piece is drawn by its length.
        self.within = [np.cumsum(size) / size.sum() for size in sizes]
        self.share = np.cumsum([size.sum() ** recipe.balance for size in sizes])
        self.share /= self.share[-1]

    def batch(self, step: int, recipe: Recipe | None = None) -> Batch:
        """Return the batch of a step; `recipe` replaces the usual one."""
        rng = np.random.default_rng((self.seed, step))
        rows = [self._fill(rng, recipe or self.recipe) for _ in range(self.batch_rows)]
        tokens = np.stack([r.tokens for r in rows])
        labels = np.stack([r.labels for r in rows])
        columns = zip(*(r.context for r in rows), strict=True)
        context = Context._make(np.stack([field[:-1] for field in fields]) for fields in columns)
        weights = np.stack([r.counts[1:] for r in rows])
        return Batch(tokens[:, :-1], context, labels[:, 1:], weights)

    def _fill(self, rng: np.random.Generator, recipe: Recipe) -> _Part:
        room = self.length + 1
        parts: list[_Part] = []
        while room >= SHORTEST or not parts:
            style = int(np.searchsorted(self.share, rng.random(), side="right"))
            n = int(np.searchsorted(self.within[style], rng.random(), side="right"))
            part = window(self.corpus, self.pieces[self.styles[style][n]], room, rng, recipe)
            parts.append(part)
            room -= len(part.tokens)
        joined = _Part(
            np.concatenate([p.tokens for p in parts]),
            np.concatenate([p.labels for p in parts]),
            Context._make(np.concatenate(fields) for fields in zip(*(p.context for p in parts), strict=True)),
            np.concatenate([p.counts for p in parts]),
        )
        pad = self.length + 1 - len(joined.tokens)
        if pad <= 0:
            return joined
        return _Part(
            np.pad(joined.tokens, (0, pad), constant_values=VOCABULARY.pad),
            np.pad(joined.labels, (0, pad), constant_values=VOCABULARY.pad),
            Context._make(np.pad(field, [(0, pad)] + [(0, 0)] * (field.ndim - 1)) for field in joined.context),
            np.pad(joined.counts, (0, pad)),
        )


def window(corpus: Corpus, row: Row, room: int, rng: np.random.Generator, recipe: Recipe) -> _Part:
    """Return a window of a piece, at most `room` tokens with its header."""
    most = max(SHORTEST, room - len(_full_header(row).tokens()))
    first = 0 if row.tokens <= most else int(rng.integers(0, row.tokens - most + 1))
    # Half of the openings are windows that begin where the piece does.
    if first and rng.random() < 0.15:
        first = 0
    some_given = recipe.given > 0 and rng.random() < recipe.given
    # Of a window with given notes the end is lost: nothing is known of what is given after it.
    last = min(row.tokens, first + (most * 5 // 4 if some_given else most))
    # What sounds when a window begins is known from a little before it.
    before = min(first, PREROLL)
    here = slice(row.offset + first - before, row.offset + last)
    tokens = corpus.tokens[here].astype(np.int64)
    ticks = corpus.ticks[here].astype(np.int64)
    beats = np.asarray(corpus.beats[here], np.float32)
    length, bpm = row.ticks, row.bpm
    if recipe.stretch:
        factor = float(np.exp(rng.uniform(-recipe.stretch, recipe.stretch)))
        tokens, ticks = stretch(tokens, ticks, factor)
        length, bpm = round(length * factor), bpm / factor
    if recipe.transpose:
        tokens, _ = transpose(tokens, int(rng.integers(-recipe.transpose, recipe.transpose + 1)))
    if recipe.volume and rng.random() < recipe.volume:
        overall = int(rng.integers(-1, 2))
        steps = overall + rng.integers(-1, 2, len(INSTRUMENTS)) * (rng.random(len(INSTRUMENTS)) < 0.3)
        steps[0] = int(rng.integers(-3, 4))
        tokens = change_volume(tokens, steps)
    woven = _with_given(rng, tokens, ticks, beats, before, length, last == row.tokens) if some_given else None
    header = _header(row, tokens[before:], ticks[before:], bpm, rng, recipe.drop)
    if woven is not None:
        return _behind(replace(header, given=True), woven, room, length)
    context = place(tokens, ticks, beats, length)
    return _behind(header, Woven(tokens, tokens, np.ones(len(tokens), np.float32), context, before), room, length)


def _with_given(
    rng: np.random.Generator,
    tokens: NDArray[np.int64],
    ticks: NDArray[np.int64],
    beats: NDArray[np.float32],
    before: int,
    length_ticks: int,
    whole: bool,
) -> Woven | None:
    """Return a row with some of its notes given, or None where nothing can be given or nothing would be left."""
    notes = pair(tokens)
    if len(notes.on) == 0:
        return None
    given = choose(rng, tokens, ticks, notes)
    if given.all() or not given.any():
        return None
    woven = weave(tokens, ticks, beats, given, notes, before=before, length_ticks=length_ticks, whole=whole)
    # A window shorter than what is known ahead has no end left.
    return woven if len(woven.tokens) - woven.before >= SHORTEST else None


def _behind(header: Header, woven: Woven, room: int, length_ticks: int) -> _Part:
    """Return a window behind its header, as much of it as there is room for."""
    head = np.array(header.tokens(), np.int64)
    tokens, labels, counts = (x[woven.before :] for x in (woven.tokens, woven.labels, woven.counts))
    # The header stands where its music begins: before the first token, not after it.
    before = Context._make(field[woven.before - 1 : woven.before] for field in woven.context)
    if woven.before == 0:
        before = place(head[:1], np.zeros(1, np.int64), np.zeros(1, np.float32), length_ticks)
    bodies: list[NDArray[Any]] = list(woven.context)
    befores: list[NDArray[Any]] = list(before)
    fields = zip(befores, bodies, strict=True)
    context = Context._make(np.concatenate([np.repeat(b, len(head), axis=0), x[woven.before :]]) for b, x in fields)
    context.chord[: len(head)] = 0
    context.given[: len(head)] = 0
    learned = np.zeros(len(head), np.float32)
    # The model learns to name a tempo, not to guess a style.
    if header.tempo_bpm is not None:
        learned[-1] = 1.0
    return _Part(
        np.concatenate([head, tokens])[:room],
        np.concatenate([head, labels])[:room],
        Context._make(field[:room] for field in context),
        np.concatenate([learned, counts])[:room],
    )


def _full_header(row: Row) -> Header:
    return Header(row.style, row.groups, row.genre, row.performed, "C_major", row.beats_per_bar, 1.0, 64.0, row.bpm)


def _header(
    row: Row, tokens: NDArray[np.int64], ticks: NDArray[np.int64], bpm: float, rng: np.random.Generator, drop: float
) -> Header:
    """Say what is known of a window, each word left out by chance."""
    velocity = VOCABULARY.velocity_of[tokens]
    struck = velocity > 0
    seconds = max(1.0, float(ticks[-1] - ticks[0]) / TICKS_PER_SECOND)
    tuned = struck & (VOCABULARY.instrument_of[tokens] != len(INSTRUMENTS) - 1)
    classes = np.bincount(VOCABULARY.pitch_of[tokens[tuned]] % 12, minlength=12).astype(float)
    keep = rng.random(8) >= drop
    # Key, density and energy are wishes more than facts: they are said half of the time.
    wish = rng.random(3) >= 0.5 if drop else np.zeros(3, bool)
    return Header(
        style=row.style if keep[0] else None,
        groups=row.groups if keep[1] else (),
        genre=row.genre if keep[2] else None,
        performed=row.performed if keep[3] else None,
        key=find_key(classes) if wish[0] else None,
        beats_per_bar=row.beats_per_bar if keep[4] else None,
        notes_per_second=float(struck.sum()) / seconds if wish[1] else None,
        velocity=float(velocity[struck].mean()) if wish[2] and struck.any() else None,
        tempo_bpm=bpm if keep[5] else None,
    )
