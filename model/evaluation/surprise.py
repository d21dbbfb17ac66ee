"""How well the model foresees held-out music: nats per token, bits per note.

A piece is read in windows as long as the model's context, behind its whole
header, nothing varied. Windows lie half over each other and count only what the
window before did not, so that every token counts once and, past the opening,
with half a context before it. Headers do not count.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from model.evaluation.measures import KINDS
from model.language.context import Context, place
from model.language.header import Header
from model.language.vocabulary import VOCABULARY
from model.learning.corpus import Corpus, Row
from model.learning.windows import PREROLL
from model.network.precision import autocast
from model.network.transformer import Places, Transformer


@dataclass(frozen=True, slots=True)
class Surprise:
    """How surprising some music is to the model.

    Attributes:
        tokens, notes, pieces: how much was read.
        nats_per_token: mean cross-entropy.
        error: half the width of its 95 % interval, from the spread of the windows.
        bits_per_note: cross-entropy in bits over notes struck.
        kinds: (share of the tokens, nats per token) by kind of token.
    """

    tokens: int
    notes: int
    pieces: int
    nats_per_token: float
    error: float
    bits_per_note: float
    kinds: dict[str, tuple[float, float]]


class Window(NamedTuple):
    """A stretch of a piece: targets `first` to `last` of its tokens count, read from `start` on."""

    row: Row
    start: int
    first: int
    last: int


class _Counted(NamedTuple):
    path: str
    nats: NDArray[np.float64]
    counts: NDArray[np.int64]
    notes: int


def windows_of(row: Row, context: int) -> list[Window]:
    """Return the windows of a piece: every token is in exactly one's `first` to `last`."""
    room = context - len(header_of(row).tokens()) + 1
    step = max(1, room // 2)
    found = [Window(row, 0, 0, min(room, row.tokens))]
    while found[-1].last < row.tokens:
        first = found[-1].last
        last = min(first + step, row.tokens)
        found.append(Window(row, max(0, last - room), first, last))
    return found


def header_of(row: Row) -> Header:
    """Return all that is known of a piece; wishes (key, density, energy) are not said."""
    return Header(row.style, row.groups, row.genre, row.performed, beats_per_bar=row.beats_per_bar, tempo_bpm=row.bpm)


def _read(corpus: Corpus, window: Window) -> tuple[NDArray[np.int64], Context]:
    """Return a window behind its header: tokens and where they stand."""
    row, start, _, last = window
    before = min(start, PREROLL)
    here = slice(row.offset + start - before, row.offset + last)
    tokens, ticks = corpus.tokens[here].astype(np.int64), corpus.ticks[here].astype(np.int64)
    body = place(tokens, ticks, np.asarray(corpus.beats[here], np.float32), row.ticks)
    head = np.array(header_of(row).tokens(), np.int64)
    kept = [field[before:] for field in body]
    context = Context._make(np.concatenate([np.repeat(field[:1], len(head), axis=0), field]) for field in kept)
    context.chord[: len(head)] = 0
    context.given[: len(head)] = 0
    return np.concatenate([head, tokens[before:]]), context


def _kind_of() -> NDArray[np.int64]:
    velocity = VOCABULARY.velocity_of
    return np.where(velocity > 0, 0, np.where(velocity == 0, 1, np.where(VOCABULARY.wait_ticks > 0, 2, 3)))


def choose(rows: Sequence[Row], context: int, most: int, seed: int) -> list[Window]:
    """Return the windows to read of some pieces: all of them, or by chance as many as have `most` tokens."""
    every = [window for row in rows for window in windows_of(row, context)]
    if sum(row.tokens for row in rows) <= most:
        return every
    chosen: list[Window] = []
    left = most
    for n in np.random.default_rng(seed).permutation(len(every)).tolist():
        if left <= 0:
            break
        chosen.append(every[n])
        left -= every[n].last - every[n].first
    return chosen


@torch.inference_mode()
def find_surprise(
    model: Transformer,
    corpus: Corpus,
    rows: Sequence[Row],
    *,
    most_tokens: int,
    seed: int = 0,
    batch: int = 4,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Surprise]:
    """Return the model's surprise at some pieces, by style and, under `all`, over what was read of them.

    Args:
        model: in float32; runs in bfloat16 where the processor has it.
        corpus: where the pieces lie.
        rows: the pieces.
        most_tokens: read of a style at most, about; its windows are then drawn by chance.
        seed: of that chance.
        batch: windows read side by side.
        progress: told the fraction done.
    """
    by_style: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_style[row.style or "no style"].append(row)
    context = model.config.context
    chosen = {style: choose(some, context, most_tokens, seed) for style, some in by_style.items()}
    # Windows of one length side by side: little is padded.
    todo = [(style, window) for style, some in chosen.items() for window in some]
    todo.sort(key=lambda item: item[1].last - item[1].start)
    counted: defaultdict[str, list[_Counted]] = defaultdict(list)
    for begin in range(0, len(todo), batch):
        some = todo[begin : begin + batch]
        with autocast():
            measured = _measure(model, corpus, [window for _, window in some])
        for (style, _), count in zip(some, measured, strict=True):
            counted[style].append(count)
        if progress is not None:
            progress((begin + len(some)) / len(todo))
    found = {style: _sum(counts) for style, counts in counted.items()}
    found["all"] = _sum([count for counts in counted.values() for count in counts])
    return dict(sorted(found.items(), key=lambda item: item[1].nats_per_token))


def _measure(model: Transformer, corpus: Corpus, windows: list[Window]) -> list[_Counted]:
    read = [_read(corpus, window) for window in windows]
    longest = max(len(tokens) for tokens, _ in read)

    def padded(field: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.pad(field, [(0, longest - len(field)), *[(0, 0)] * (field.ndim - 1)])

    tokens = np.stack([padded(tokens) for tokens, _ in read]).astype(np.int64)
    fields = zip(*(context for _, context in read), strict=True)
    places = Places._make(torch.from_numpy(np.stack([padded(f)[:-1] for f in column])) for column in fields)
    targets = torch.from_numpy(tokens[:, 1:].copy())
    nats_BT = model.nats(torch.from_numpy(tokens[:, :-1].copy()), places, targets).double().numpy()
    kind_of = _kind_of()
    found = []
    for n, (window, (own, _)) in enumerate(zip(windows, read, strict=True)):
        counting = slice(len(own) - (window.last - window.first), len(own))
        nats = nats_BT[n, counting.start - 1 : counting.stop - 1]
        kinds = kind_of[own[counting]]
        by_kind = np.bincount(kinds, nats, minlength=len(KINDS)).astype(np.float64)
        counts = np.bincount(kinds, minlength=len(KINDS))
        found.append(_Counted(window.row.path, by_kind, counts, int(counts[0])))
    return found


def _sum(counted: Sequence[_Counted]) -> Surprise:
    nats = np.sum([c.nats for c in counted], axis=0)
    counts = np.sum([c.counts for c in counted], axis=0)
    tokens, notes = int(counts.sum()), sum(c.notes for c in counted)
    mean = float(nats.sum()) / tokens
    # Delta method for a ratio of sums, windows being independent.
    sizes = np.array([c.counts.sum() for c in counted])
    residues = np.array([c.nats.sum() for c in counted]) - mean * sizes
    error = 1.96 * math.sqrt(float((residues**2).sum())) / tokens if len(counted) > 1 else float("nan")
    return Surprise(
        tokens=tokens,
        notes=notes,
        pieces=len({c.path for c in counted}),
        nats_per_token=mean,
        error=error,
        bits_per_note=float(nats.sum()) / max(1, notes) / math.log(2),
        kinds={
            kind: (int(counts[n]) / tokens, float(nats[n] / counts[n])) for n, kind in enumerate(KINDS) if counts[n]
        },
    )
