"""Which tokens a token attends to: all before it, a window, or the Sparse Transformer's two patterns.

A pattern is the union of parts that have no key in common. Within a part the
keys of a query are one interval whose ends never go back as the query goes on,
so that of a tile of queries the tiles of keys form one run, and so do those among
them of which every query sees every key. Where the keys of a query lie apart the
part counts its tokens otherwise: in *strided* every stride-th token is a sequence
of its own, a lane, and in *fixed* the columns are the summaries alone.

    strided, stride 4                     fixed, stride 4, summary 1
    x . . . . . . . . .                   x . . . . . . . . .
    x x . . . . . . . .                   x x . . . . . . . .
    x x x . . . . . . .                   x x x . . . . . . .
    x x x x . . . . . .                   x x x x . . . . . .
    x x x x x . . . . .                   . . . x x . . . . .
    . x x x x x . . . .                   . . . x x x . . . .
    . . x x x x x . . .                   . . . x x x x . . .
    . . . x x x x x . .                   . . . x x x x x . .
    x . . . x x x x x .                   . . . x . . . x x .
    . x . . . x x x x x                   . . . x . . . x x x

Source: Child et al. (2019), Generating Long Sequences with Sparse Transformers.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["CAUSAL", "KINDS", "Kind", "Part", "Pattern", "Tables", "tables"]

Kind = Literal["causal", "window", "strided", "fixed"]
KINDS: tuple[Kind, ...] = ("causal", "window", "strided", "fixed")
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """An interval of columns for each row: row r sees those from low(r) to high(r), not included.

    Attributes:
        lanes: row r of lane l is token r * lanes + l; so is column r, unless the columns are summaries.
        ahead: with `span` 1, high(r) is r + ahead.
        span, run: high(r) is r // span * run + ahead; with `span` above 1 the
            columns are summaries, `run` of them in each block of `span` tokens.
        band: low(r) is r - band + 1; 0 for no band.
        own: low(r) is the beginning of r's block of so many; 0 for none.
    """

    lanes: int = 1
    ahead: int = 1
    span: int = 1
    run: int = 1
    band: int = 0
    own: int = 0

    @property
    def slots(self) -> int:
        """Summaries a block has room for: each head reads one of them; 1 where columns are no summaries."""
        return self.span // self.run

    def rows(self, tokens: int) -> int:
        """Return the rows of the longest lane."""
        return -(-tokens // self.lanes)

    def columns(self, tokens: int) -> int:
        """Return the columns that the last row may see, or the rows where they are the same tokens."""
        return (tokens - 1) // self.span * self.run if self.span > 1 else self.rows(tokens)

    def low(self, row: Any) -> Any:
        """Return the first column that a row sees."""
        if self.own:
            return row // self.own * self.own
        return np.maximum(row - self.band + 1, 0) if self.band else row * 0

    def high(self, row: Any) -> Any:
        """Return the column behind the last that a row sees."""
        return row // self.span * self.run + self.ahead

    def token(self, column: Any, lane: int = 0, head: int = 0) -> Any:
        """Return the token that is a column."""
        if self.span == 1:
            return column * self.lanes + lane
        offset = self.span - self.run * (1 + head % self.slots)
        return column // self.run * self.span + column % self.run + offset


@dataclass(frozen=True, slots=True)
class Tables:
    """Which tiles of a part must be computed, as runs.

    Each line holds four numbers of tiles, a <= b <= c <= d: those from a to d (not
    included) hold something to see, of those from b to c everything is seen.

    Attributes:
        columns_of: of each tile of rows the tiles of columns, shape [row tiles, 4].
        rows_of: of each tile of columns the tiles of rows, shape [column tiles, 4].
    """

    columns_of: NDArray[np.int32]
    rows_of: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a query sees, itself always included and nothing after it.

    Attributes:
        kind: "causal": everything; "window": the last `stride` tokens; "strided": those
            and before them every stride-th, counted from the query; "fixed": its own
            block of `stride` tokens and the summary of each block before.
        stride: in tokens, 1 or more; 0 for "causal".
        summary: "fixed": columns of each earlier block that a head sees, a divisor of
            `stride`; the first head reads the last ones, the next those before.
    """

    kind: Kind = "causal"
    stride: int = 0
    summary: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: {self.kind!r} is no pattern; there are {', '.join(KINDS)}")
        if (self.kind == "causal") != (self.stride == 0) or self.stride < 0:
            raise ValueError(f"stride: {self.stride} does not go with {self.kind!r}; 0 for causal, else 1 or more")
        if self.kind != "fixed" and self.summary != 0:
            raise ValueError(f"summary: {self.summary} does not go with {self.kind!r}; only fixed has summaries")
        if self.kind == "fixed" and (self.summary < 1 or self.stride % self.summary):
            raise ValueError(f"summary: {self.summary} is no divisor of the stride, {self.stride}")

    def within(self, tokens: int) -> Pattern:
        """Return the simplest pattern that is the same on so many tokens."""
        return CAUSAL if self.stride >= tokens else self

    def allowed(self, query: Any, key: Any, head: Any = 0) -> Any:
        """Return whether a query sees a key: of integers, or of arrays or tensors of them that broadcast.

        Args:
            query: places of queries, from 0.
            key: places of keys, from 0.
            head: query heads, from 0; only "fixed" tells them apart.
        """
        past, distance = key <= query, query - key
        if self.kind == "causal":
            return past
        if self.kind == "window":
            return past & (distance < self.stride)
        if self.kind == "strided":
            return past & ((distance < self.stride) | (distance % self.stride == 0))
        slot = (self.stride - 1 - key % self.stride) // self.summary
        own, summary = query // self.stride == key // self.stride, slot == head % (self.stride // self.summary)
        return past & (own | summary)

    def seen(self, first: int, last: int) -> int:
        """Return how many keys the queries `first` to `last` (not included) see together, of one head."""
        places = np.arange(first, last, dtype=np.int64)
        if self.kind == "causal":
            keys = places + 1
        elif self.kind == "window":
            keys = np.minimum(places + 1, self.stride)
        elif self.kind == "strided":
            keys = np.minimum(places + 1, self.stride) + places // self.stride
        else:
            keys = places % self.stride + 1 + places // self.stride * self.summary
        return int(keys.sum())

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts; every token is a row of each."""
        if self.kind == "causal":
            return (Part(),)
        if self.kind == "window":
            return (Part(band=self.stride),)
        if self.kind == "strided":
            # The token itself is in the first part.
            return (Part(band=self.stride), Part(lanes=self.stride, ahead=0))
        if self.summary == self.stride:
            return (Part(),)
        return (Part(own=self.stride), Part(span=self.stride, run=self.summary, ahead=0))


CAUSAL = Pattern()


@functools.lru_cache(maxsize=256)
def tables(part: Part, tokens: int, row_block: int, column_block: int) -> Tables:
    """Return which tiles of a part must be computed.

    Args:
        part: of a pattern.
        tokens: of the sequence, 1 or more.
        row_block: rows of a tile.
        column_block: columns of a tile.
    """
    rows, columns = part.rows(tokens), part.columns(tokens)
    each = np.arange(rows)
    low, high = part.low(each), part.high(each)
    first_row = np.arange(0, rows, row_block)
    last_row = np.minimum(first_row + row_block, rows) - 1
    # Every row of the tile sees the columns from the last row's low to the first row's high.
    columns_of = _runs(low[first_row], high[last_row], low[last_row], high[first_row], column_block, columns)
    first_column = np.arange(0, columns, column_block)
    last_column = np.minimum(first_column + column_block, columns) - 1
    # Row r sees column n where high(r) > n and low(r) <= n: from the first of the one to the last of the other.
    rows_of = _runs(
        np.searchsorted(high, first_column, side="right"),
        np.searchsorted(low, last_column, side="right"),
        np.searchsorted(high, last_column, side="right"),
        np.searchsorted(low, first_column, side="right"),
        row_block,
        rows,
    )
    return Tables(columns_of, rows_of)


def _runs(some_from: Ints, some_to: Ints, all_from: Ints, all_to: Ints, block: int, count: int) -> NDArray[np.int32]:
    """Return runs of tiles, given where something is to see and where everything is."""
    a = some_from // block
    d = np.where(some_to > some_from, -(-some_to // block), a)
    # A tile that the end cuts off has places that nobody sees.
    b = np.clip(-(-all_from // block), a, d)
    c = np.clip(np.minimum(all_to, count) // block, b, d)
    return np.stack([a, b, c, d], axis=1).astype(np.int32)
