"""What the model reads of growing candidates, and what it says to it.

Shapes: N candidates, R rows read, T tokens, V vocabulary.

A row is a header and the latest music of a candidate, the header saying where
in the piece that music stands, just as training windows are made. Where styles
are blended, a candidate is read once under the header of each, and the logits
are mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from model.composing.candidate import Candidate
from model.composing.settings import Settings
from model.composing.telling import GivenClock
from model.language.context import Clock, Context, Place
from model.language.vocabulary import TICKS_PER_SECOND, VOCABULARY
from model.network.decoding import Reader, Reading

# Tokens kept when a full context slides on, as a part of it.
KEPT = 0.6
# A style that comes in within this time is read from now on.
COMING_TICKS = 30 * TICKS_PER_SECOND


class Rows:
    """What is read of some candidates: each under the header of each of its styles, from its latest music on.

    Args:
        read_by: begins a reading of a model.
        context: tokens it looks back over.
        settings: what is said of the music.
        group: the candidates.
    """

    def __init__(self, read_by: Reader, context: int, settings: Settings, group: Sequence[Candidate]) -> None:
        self._settings, self._group = settings, list(group)
        self._styles: list[list[str | None]] = []
        tokens: list[list[int]] = []
        places: list[list[Place]] = []
        given: list[list[int]] = []
        for candidate in group:
            now = candidate.clock.tick
            self._styles.append(list(dict.fromkeys([*settings.shares(now), *settings.shares(now + COMING_TICKS)])))
            for style in self._styles[-1]:
                header = replace(settings.said(style, now), tempo_bpm=candidate.tempo_bpm)
                row, where, told = _latest(candidate, header.tokens(), context)
                tokens.append(row)
                places.append(where)
                given.append(told)
        longest = max(map(len, tokens))
        padding = np.array([longest - len(row) for row in tokens])
        padded = [[VOCABULARY.pad] * gap + row for gap, row in zip(padding, tokens, strict=True)]
        spread = [[row[0]] * gap + row for gap, row in zip(padding, places, strict=True)]
        self._reading: Reading = read_by(len(tokens), context)
        marked = [[0] * gap + row for gap, row in zip(padding, given, strict=True)]
        self._logits_RV = self._reading.read(np.array(padded), _columns(spread, marked), padding)

    @property
    def length(self) -> int:
        """Tokens read, of the row that has most."""
        return self._reading.length

    def logits(self) -> NDArray[np.float32]:
        """Return what may follow, mixed by the shares that styles have now, shape [N, V]."""
        if all(len(styles) == 1 for styles in self._styles):
            return self._logits_RV
        mixed = []
        row = 0
        for candidate, styles in zip(self._group, self._styles, strict=True):
            shares = self._settings.shares(candidate.clock.tick)
            weights = np.array([shares.get(style, 0.0) for style in styles], np.float32)
            mixed.append(weights @ self._logits_RV[row : row + len(styles)])
            row += len(styles)
        return np.stack(mixed)

    def read_on(self) -> None:
        """Read the last token of each candidate."""
        of_rows = [c for c, styles in zip(self._group, self._styles, strict=True) for _ in styles]
        tokens = np.array([[c.tokens[-1]] for c in of_rows])
        context = _columns([[c.places[-1]] for c in of_rows], [[c.given[-1]] for c in of_rows])
        self._logits_RV = self._reading.read(tokens, context)

    def keep(self, alive: Sequence[int]) -> None:
        """Go on with some of the candidates."""
        starts = np.cumsum([0, *map(len, self._styles)])
        self._reading.keep([row for n in alive for row in range(starts[n], starts[n + 1])])
        self._group = [self._group[n] for n in alive]
        self._styles = [self._styles[n] for n in alive]


def _latest(candidate: Candidate, head: list[int], context: int) -> tuple[list[int], list[Place], list[int]]:
    """Return a header and as much of a candidate's latest music as there is room for, and which of it is given."""
    most = context - len(head)
    kept = len(candidate.tokens) if len(candidate.tokens) < most else int(most * KEPT)
    body, where = candidate.tokens[-kept:] if kept else [], candidate.places[-kept:] if kept else []
    # The header stands where its music begins, as in training.
    passed = len(candidate.places) - kept
    first = _own_place(candidate, passed)
    still: list[tuple[int, Place]] = []
    if passed and isinstance(candidate.clock, GivenClock):
        # What was told before, and is still to come, is told again.
        still = candidate.clock.recall(sum(candidate.given[:passed]), first)
        still = still[: context - len(head) - len(body) - 1]
    return (
        [*head, *(token for token, _ in still), *body],
        [*[(first[0], first[1], 0, *first[3:])] * len(head), *(place for _, place in still), *where],
        [*[0] * len(head), *[1] * len(still), *(candidate.given[-kept:] if kept else [])],
    )


def _own_place(candidate: Candidate, passed: int) -> Place:
    """Return where the last of a candidate's own tokens before a place stands."""
    own = next((n for n in range(passed - 1, -1, -1) if not candidate.given[n]), None)
    return Clock(candidate.clock.length_ticks).step(VOCABULARY.start) if own is None else candidate.places[own]


def _columns(places: list[list[Place]], given: list[list[int]]) -> Context:
    """Return places of candidates as arrays [N, T]."""
    ticks, beats, chord, part, countdown = (
        np.array([[place[field] for place in row] for row in places]) for field in range(5)
    )
    sounding = np.array([[place[5] for place in row] for row in places])
    return Context(ticks, beats.astype(np.float32), chord, part, countdown, np.array(given, np.int64), sounding)
