"""Spans of music as the critic reads them: by one rule, whoever made the music.

The context of a span is made from the span alone: time runs from 0 at its first
note, the beat is about its header's tempo, and its length is its own where it
ends with the piece, else 200 s more. Nothing tells where it was cut from, and
timing is told no finer than it is heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.composing.candidate import Candidate
from model.critic.music import Music, blur, music_of, ring_out, tame
from model.language.context import Context, place
from model.language.header import Header
from model.language.vocabulary import TICKS_PER_SECOND, VOCABULARY
from model.network.transformer import Places

MOST_TOKENS = 1024
# What is left of a piece that goes on: more than the countdown can say.
GOES_ON_TICKS = 200 * TICKS_PER_SECOND
DEFAULT_BPM = 120.0
# The beat that is told is off by so much, as a fraction.
_DRIFT = 0.02


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a piece to be judged.

    Attributes:
        tokens: its music, without the header, shape [tokens].
        header: what is said of the piece.
        prompt_tokens: how many tokens at its beginning were given, not composed.
        ends: whether the piece ends with it.
    """

    tokens: NDArray[np.int64]
    header: Header | None = None
    prompt_tokens: int = 0
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A span as notes, from the first of them.

    Attributes:
        music: its notes.
        header: what is said of the piece.
        length_ticks: how long it is.
        prompt_ticks: music up to here was given.
        ends: whether the piece ends with it.
    """

    music: Music
    header: Header
    length_ticks: int
    prompt_ticks: int = 0
    ends: bool = False

    @property
    def beat_ticks(self) -> float:
        """Ticks in a beat of its tempo."""
        return 60.0 * TICKS_PER_SECOND / (self.header.tempo_bpm or DEFAULT_BPM)


class Row(NamedTuple):
    """What the critic reads at once: tokens and context [tokens], and which of the tokens are scored."""

    tokens: NDArray[np.int64]
    context: Context
    scored: NDArray[np.bool_]


class Rows(NamedTuple):
    """Rows as tensors [B, T], padded on the right."""

    tokens: Tensor
    places: Places
    scored: Tensor


def span_of(candidate: Candidate, header: Header, start_s: float = 0.0, end_s: float | None = None) -> Span:
    """Return a candidate, whole or cut by time, as a span.

    Args:
        candidate: as the sampler grows it, finished or not.
        header: what was said of it; its tempo is the candidate's own.
        start_s: where the span begins.
        end_s: where it stops; None for as far as the candidate has come.
    """
    tokens = np.array(candidate.music(), np.int64)
    ticks = np.cumsum(VOCABULARY.wait_ticks[tokens])
    first = int(np.searchsorted(ticks, round(start_s * TICKS_PER_SECOND), "left")) if start_s > 0 else 0
    last = len(tokens) if end_s is None else int(np.searchsorted(ticks, round(end_s * TICKS_PER_SECOND), "right"))
    here = tokens[first:last]
    return Span(
        here,
        replace(header, tempo_bpm=candidate.tempo_bpm),
        max(0, candidate.opening - first),
        bool(len(here) and here[-1] == VOCABULARY.end),
    )


def excerpt_of(span: Span) -> Excerpt:
    """Return a span as notes."""
    ticks = np.cumsum(VOCABULARY.wait_ticks[span.tokens])
    given = int(ticks[min(span.prompt_tokens, len(ticks)) - 1]) if span.prompt_tokens and len(ticks) else 0
    length = int(ticks[-1]) if len(ticks) else 0
    return Excerpt(music_of(span.tokens), said(span.header), length, given, span.ends)


def said(header: Header | None) -> Header:
    """Return what the critic is told: what a piece is, not what was wished for it."""
    return replace(header or Header(), key=None, notes_per_second=None, velocity=None, given=False)


def settled(excerpt: Excerpt) -> Excerpt:
    """Return an excerpt in the one form in which all music is judged."""
    music = excerpt.music
    if not len(music):
        return excerpt
    music = tame(music, excerpt.beat_ticks)
    first = int(music.onsets.min())
    music, length = music.moved(-first), excerpt.length_ticks - first
    if excerpt.ends:
        music = ring_out(music)
        length = int(music.offsets.max())
    return replace(excerpt, music=music, length_ticks=max(length, 1), prompt_ticks=max(0, excerpt.prompt_ticks - first))


def rows_of(excerpt: Excerpt, most_tokens: int = MOST_TOKENS) -> list[Row]:
    """Return an excerpt as rows of at most so many tokens, each with something to score."""
    all_given = excerpt.prompt_ticks > 0 and excerpt.prompt_ticks >= excerpt.length_ticks
    if all_given or not len(excerpt.music):
        return []
    excerpt = settled(excerpt)
    # What is blurred past the end makes the end later.
    heard = blur(excerpt.music, excerpt.prompt_ticks)
    excerpt = replace(excerpt, music=heard, length_ticks=max(excerpt.length_ticks, int(heard.onsets[-1]) + 1))
    if excerpt.ends:
        excerpt = replace(excerpt, length_ticks=max(excerpt.length_ticks, int(heard.offsets.max())))
    room = most_tokens - len(excerpt.header.tokens())
    tokens = len(excerpt.music.tokens(excerpt.length_ticks, ends=excerpt.ends))
    parts = 1 if tokens <= room else -(-tokens * 10 // (room * 9))
    onsets = excerpt.music.onsets
    # Parts of equally many notes, cut where a note begins.
    cuts = sorted({int(onsets[len(onsets) * n // parts]) for n in range(1, parts)} - {0})
    bounds = [0, *cuts, excerpt.length_ticks]
    rows: list[Row] = []
    for n, (first, last) in enumerate(pairwise(bounds)):
        final = n + 2 == len(bounds)
        here = (onsets >= first) & ((onsets < last) | final)
        part = Excerpt(
            excerpt.music.take(here).moved(-first),
            excerpt.header,
            last - first,
            max(0, excerpt.prompt_ticks - first),
            excerpt.ends and final,
        )
        row = _row(part, most_tokens)
        if row.scored.any():
            rows.append(row)
    return rows


def _row(part: Excerpt, most_tokens: int) -> Row:
    body = part.music.tokens(part.length_ticks, ends=part.ends)
    ticks = np.cumsum(VOCABULARY.wait_ticks[body])
    # Composed music drifts from the beat of its header, slower than one hears: so does the beat that is told.
    rng = np.random.default_rng([len(body), int(body.sum())])
    beats = (rng.uniform(0, 16) + ticks / part.beat_ticks * np.exp(rng.normal(0, _DRIFT))).astype(np.float32)
    where = place(body, ticks, beats, part.length_ticks + (0 if part.ends else GOES_ON_TICKS))
    head = np.array(part.header.tokens(), np.int64)
    context = Context._make(np.concatenate([np.repeat(field[:1], len(head), axis=0), field]) for field in where)
    context.chord[: len(head)] = 0
    scored = np.concatenate([np.zeros(len(head), bool), ticks > part.prompt_ticks if part.prompt_ticks else ticks >= 0])
    tokens = np.concatenate([head, body])
    return Row(tokens[:most_tokens], Context._make(f[:most_tokens] for f in context), scored[:most_tokens])


def stack(rows: Sequence[Row]) -> Rows:
    """Return rows side by side, padded to the longest."""
    longest = max(len(row.tokens) for row in rows)

    def padded(arrays: Sequence[NDArray[np.generic]]) -> Tensor:
        shape = [(0, 0)] * (arrays[0].ndim - 1)
        return torch.from_numpy(np.stack([np.pad(a, [(0, longest - len(a)), *shape]) for a in arrays]))

    fields = zip(*(row.context for row in rows), strict=True)
    return Rows(
        padded([row.tokens for row in rows]),
        Places._make(padded(field) for field in fields),
        padded([row.scored for row in rows]),
    )
