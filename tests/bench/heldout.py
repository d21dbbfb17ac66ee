"""Held-out music, and what it costs our model in bits.

Every piece is read in windows that overlap by half, so that each token is
counted once and with at least half a window of music before it. The bits of a
note token are taken apart: its volume is what it costs beyond its instrument
and pitch, `-log2 p(token) + log2 p(any volume of that instrument and pitch)`.

The header is told and not read, so its words are charged as if drawn with
equal chances, the length of the piece with them: whoever is told nothing shall
not lose by it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from model.errors import CorpusError
from model.instruments import GROUPS
from model.language.context import Context, beats_at, place
from model.language.header import Header
from model.language.tokenizer import encode_body
from model.language.vocabulary import BARS, GENRES, STYLES, TEMPI_BPM, VOCABULARY
from model.learning.corpus import Corpus, Row
from model.learning.trainer import on_device
from model.learning.windows import Batch
from model.network.transformer import Transformer
from model.notes import Piece

# Lengths up to a day in ticks of 10 ms would take 23 bits; up to 20 minutes, 17.
LENGTH_BITS = 17.0
ROWS = 4

Ints = NDArray[np.int64]


class Text(NamedTuple):
    """A piece from its beginning, as much of it as is read: arrays of shape [tokens]."""

    row: Row
    tokens: Ints
    ticks: Ints
    beats: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Bits:
    """What held-out music costs.

    Attributes:
        notes: notes struck in it.
        tokens: tokens it takes.
        by_kind: bits in all of each kind of token.
    """

    notes: int
    tokens: int
    by_kind: dict[str, float] = field(default_factory=dict)

    def per_note(self, *left_out: str) -> float:
        """Return bits for each note, some kinds left out."""
        return sum(bits for kind, bits in self.by_kind.items() if kind not in left_out) / max(1, self.notes)

    def as_dict(self) -> dict[str, Any]:
        """Return bits per note in all and by kind, for the line of JSON."""
        return {
            "notes": self.notes,
            "tokens": self.tokens,
            "bits_per_note": round(self.per_note(), 4),
            "by_kind": {kind: round(bits / max(1, self.notes), 4) for kind, bits in sorted(self.by_kind.items())},
        }


def chosen(corpus: Corpus, split: str, count: int) -> list[Row]:
    """Return some of the pieces of a split, evenly from all of them.

    Raises:
        CorpusError: there are none.
    """
    rows = corpus.split(split)
    if not rows:
        raise CorpusError(f"the corpus has no pieces in its {split} split: nothing is held out")
    if count >= len(rows):
        return list(rows)
    return [rows[n * len(rows) // count] for n in range(count)]


def from_corpus(corpus: Corpus, row: Row, most: int) -> Text:
    """Return the first tokens of a piece of a corpus, `end` left out."""
    here = slice(row.offset, row.offset + min(most, row.tokens - 1))
    return Text(
        row,
        corpus.tokens[here].astype(np.int64),
        corpus.ticks[here].astype(np.int64),
        np.asarray(corpus.beats[here], np.float32),
    )


def from_piece(row: Row, piece: Piece) -> Text:
    """Return a tidied piece, or the beginning of one, as tokens, `end` left out."""
    tokens = np.array(encode_body(piece)[:-1], np.int64)
    ticks = np.cumsum(VOCABULARY.wait_ticks[tokens])
    return Text(row, tokens, ticks, beats_at(ticks, piece.tempi))


def header_of(row: Row) -> Header:
    """Return all that is known of a piece, as validation tells it."""
    return Header(row.style, row.groups, row.genre, row.performed, None, row.beats_per_bar, tempo_bpm=row.bpm)


def header_bits() -> float:
    """Return what a header is charged, its length of the piece with it."""
    choices = (len(STYLES) + 1, len(GENRES) + 1, 2, len(BARS) + 1, len(TEMPI_BPM))
    return sum(math.log2(n) for n in choices) + len(GROUPS) + LENGTH_BITS


def spans(tokens: int, room: int) -> list[tuple[int, int, int]]:
    """Return windows over a text as (first, counted from, end); each token is counted in one of them.

    Args:
        tokens: length of the text.
        room: most tokens of a window.
    """
    found = []
    first = counted = 0
    while counted < tokens:
        end = min(first + room, tokens)
        found.append((first, counted, end))
        counted = end
        first = max(end - room // 2, 0)
    return found


def _row(text: Text, context: Context, head: Ints, span: tuple[int, int, int]) -> tuple[Ints, Context, Ints]:
    """Return a window behind its header: tokens, context, and 1 where a token counts."""
    first, counted, end = span
    tokens = np.concatenate([head, text.tokens[first:end]])
    # The header stands in the moment before the window, in which the first token is chosen.
    fields: tuple[NDArray[Any], ...] = tuple(context)
    before = [np.zeros_like(f[:1]) if first == 0 else f[first - 1 : first] for f in fields]
    if first == 0:
        before[Context._fields.index("countdown")] = context.countdown[:1]
    placed = Context._make(
        np.concatenate([np.repeat(b, len(head), axis=0), f[first:end]]) for b, f in zip(before, fields, strict=True)
    )
    placed.chord[: len(head)] = 0
    counts = np.zeros(len(tokens), np.int64)
    counts[len(head) + counted - first :] = 1
    return tokens, placed, counts


def batches(texts: Sequence[Text], length: int) -> list[Batch]:
    """Return all windows of some texts, `ROWS` at a time; a batch's weights are 1 where a token counts."""
    rows: list[tuple[Ints, Context, Ints]] = []
    for text in texts:
        head = np.array(header_of(text.row).tokens(), np.int64)
        context = place(text.tokens, text.ticks, text.beats, text.row.ticks)
        rows += [_row(text, context, head, s) for s in spans(len(text.tokens), length - len(head))]
    # Rows of a batch are of about the same length.
    rows.sort(key=lambda row: len(row[0]))
    return [_joined(rows[n : n + ROWS]) for n in range(0, len(rows), ROWS)]


def _joined(rows: list[tuple[Ints, Context, Ints]]) -> Batch:
    most = max(len(tokens) for tokens, _, _ in rows)

    def padded(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        return np.stack([np.pad(a, [(0, most - len(a))] + [(0, 0)] * (a.ndim - 1)) for a in arrays])

    tokens = padded([row[0] for row in rows])
    context = Context._make(padded([row[1][n] for row in rows])[:, :-1] for n in range(len(Context._fields)))
    weights = padded([row[2] for row in rows])[:, 1:].astype(np.float32)
    return Batch(tokens[:, :-1], context, tokens[:, 1:], weights)


def _siblings() -> Tensor:
    """Return, by id, the ids of all volumes of its instrument and pitch, shape [V, volumes]; a token itself if none."""
    table = np.tile(np.arange(len(VOCABULARY))[:, None], VOCABULARY.note_id.shape[1] - 1)
    struck = np.flatnonzero(VOCABULARY.velocity_of > 0)
    table[struck] = VOCABULARY.note_id[VOCABULARY.instrument_of[struck], 1:, VOCABULARY.pitch_of[struck]]
    return torch.from_numpy(table)


@torch.no_grad()
def bits(model: Transformer, found: Sequence[Batch], texts: int, *, autocast: Any) -> Bits:
    """Return what held-out music costs a model.

    Args:
        model: ours.
        found: of `batches`.
        texts: number of texts in them, each charged for its header.
        autocast: the precision that the model was trained in.
    """
    siblings = _siblings()
    total: defaultdict[str, float] = defaultdict(float)
    notes = counted = 0
    for batch in found:
        tokens, places, targets, weights = on_device(batch)
        with autocast:
            logits = model(tokens, places).float()
        here = weights > 0
        log_p = F.log_softmax(logits[here], dim=-1)
        said = targets[here]
        own = log_p.gather(1, said[:, None]).squeeze(1)
        others = siblings[said]
        any_volume = log_p.gather(1, others.clamp(min=0)).masked_fill(others < 0, -math.inf).logsumexp(dim=1)
        velocity = torch.from_numpy(VOCABULARY.velocity_of)[said]
        waits = torch.from_numpy(VOCABULARY.wait_ticks)[said] > 0
        struck = velocity > 0
        for kind, nats in (
            ("note", -any_volume[struck]),
            ("volume", (any_volume - own)[struck]),
            ("end of note", -own[velocity == 0]),
            ("time", -own[waits]),
            ("tempo", -own[(velocity < 0) & ~waits]),
        ):
            total[kind] += float(nats.double().sum()) / math.log(2)
        notes += int(struck.sum())
        counted += len(said)
    return Bits(notes, counted, {**total, "header": texts * header_bits()})
