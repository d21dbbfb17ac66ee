"""Patterns: what each says of single tokens, and that parts and tables of tiles say the same."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kernels.attention.patterns import CAUSAL, KINDS, Part, Pattern, tables

PATTERNS = [
    *[CAUSAL, Pattern("window", 1), Pattern("window", 7), Pattern("strided", 1), Pattern("strided", 5)],
    *[Pattern("strided", 8), Pattern("fixed", 1, 1), Pattern("fixed", 6, 2), Pattern("fixed", 8, 1)],
    *[Pattern("fixed", 8, 8), Pattern("fixed", 16, 4)],
]
patterns = st.sampled_from(PATTERNS)


def grid(pattern: Pattern, tokens: int, head: int = 0) -> Any:
    places = np.arange(tokens)
    return pattern.allowed(places[:, None], places[None, :], head)


def sees(pattern: Pattern, query: int, head: int = 0) -> list[int]:
    return [key for key in range(2 * query + 8) if pattern.allowed(query, key, head)]


class TestWhatAQuerySees:
    def test_causal_is_everything_up_to_itself(self) -> None:
        assert sees(CAUSAL, 4) == [0, 1, 2, 3, 4]

    def test_a_window_is_the_last_so_many(self) -> None:
        assert sees(Pattern("window", 3), 7) == [5, 6, 7]
        assert sees(Pattern("window", 3), 1) == [0, 1]

    def test_strided_is_the_last_so_many_and_before_them_every_so_many_th(self) -> None:
        assert sees(Pattern("strided", 4), 14) == [2, 6, 10, 11, 12, 13, 14]

    def test_fixed_is_the_own_block_and_the_end_of_each_before(self) -> None:
        assert sees(Pattern("fixed", 4, 1), 9) == [3, 7, 8, 9]
        assert sees(Pattern("fixed", 6, 2), 13) == [4, 5, 10, 11, 12, 13]

    def test_fixed_gives_each_head_summaries_of_its_own(self) -> None:
        pattern = Pattern("fixed", 6, 2)
        assert [sees(pattern, 6, head) for head in range(4)] == [[4, 5, 6], [2, 3, 6], [0, 1, 6], [4, 5, 6]]

    @given(patterns, st.integers(0, 60), st.integers(0, 9))
    def test_everyone_sees_themselves_and_nobody_the_future(self, pattern: Pattern, query: int, head: int) -> None:
        assert sees(pattern, query, head)[-1] == query

    @pytest.mark.parametrize("pattern", PATTERNS, ids=str)
    def test_tensors_arrays_and_integers_are_told_the_same(self, pattern: Pattern) -> None:
        places, heads = torch.arange(20), torch.arange(3)
        mask = pattern.allowed(places[:, None], places[None, :], heads[:, None, None]).expand(3, 20, 20)
        for head in range(3):
            assert np.array_equal(mask[head].numpy(), grid(pattern, 20, head))
            assert [n for n in range(20) if mask[head, 13, n]] == sees(pattern, 13, head)


@given(patterns, st.integers(0, 70), st.integers(0, 70), st.integers(0, 5))
def test_keys_are_counted_without_looking_at_each(pattern: Pattern, first: int, more: int, head: int) -> None:
    mask = grid(pattern, first + more, head)
    assert pattern.seen(first, first + more) == mask[first:].sum()


@given(patterns, st.integers(1, 40))
def test_a_pattern_too_long_for_the_tokens_is_causal(pattern: Pattern, tokens: int) -> None:
    assert np.array_equal(grid(pattern.within(tokens), tokens), grid(pattern, tokens))
    assert (pattern.within(tokens) == CAUSAL) == (pattern.stride >= tokens or pattern == CAUSAL)


def spelt_out(part: Part, tokens: int, head: int) -> Any:
    """Count how often a part lets each query see each key."""
    count = np.zeros((tokens, tokens), dtype=int)
    for query in range(tokens):
        row, lane = divmod(query, part.lanes)
        for column in range(int(part.low(row)), int(part.high(row))):
            count[query, int(part.token(column, lane, head))] += 1
    return count


@given(patterns, st.integers(1, 50), st.integers(0, 9))
def test_parts_make_up_the_pattern_and_share_nothing(pattern: Pattern, tokens: int, head: int) -> None:
    together = sum(spelt_out(part, tokens, head) for part in pattern.parts)
    assert np.array_equal(together, grid(pattern, tokens, head).astype(int))


blocks = st.sampled_from([1, 2, 4, 5, 8, 16])


@given(patterns, st.integers(1, 70), blocks, blocks)
def test_tables_name_the_tiles_with_something_to_see_and_those_with_everything(
    pattern: Pattern, tokens: int, row_block: int, column_block: int
) -> None:
    for part in pattern.parts:
        rows, columns = part.rows(tokens), part.columns(tokens)
        row, column = np.arange(rows)[:, None], np.arange(columns)[None, :]
        seen = (column >= part.low(row)) & (column < part.high(row))
        found = tables(part, tokens, row_block, column_block)
        assert found.columns_of.shape == (-(-rows // row_block), 4)
        assert found.rows_of.shape == (-(-columns // column_block), 4)
        for r, by_row in enumerate(found.columns_of):
            for c, by_column in enumerate(found.rows_of):
                whole = (slice(r * row_block, (r + 1) * row_block), slice(c * column_block, (c + 1) * column_block))
                tile = seen[whole]
                for (a, full, end, d), here, cut in (
                    (by_row, c, tile.shape[1] < column_block),
                    (by_column, r, tile.shape[0] < row_block),
                ):
                    assert 0 <= a <= full <= end <= d
                    assert (a <= here < d) == tile.any()
                    assert (full <= here < end) == (tile.all() and not cut)


def test_the_tiles_of_a_sparse_pattern_grow_with_the_root_of_those_in_full() -> None:
    tokens, block = 16_384, 64
    [part] = CAUSAL.parts
    full = int(np.diff(tables(part, tokens, block, block).columns_of[:, ::3]).sum())
    for pattern in (Pattern("strided", 128), Pattern("fixed", 128, 8)):
        tiles = [
            np.diff(tables(part, tokens, block, block).columns_of[:, ::3]).sum() * part.lanes for part in pattern.parts
        ]
        assert 0 < sum(tiles) < full / 10


def test_tables_are_made_once() -> None:
    assert tables(Part(), 100, 16, 16) is tables(Part(), 100, 16, 16)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("dense",), "kind"),
        (("window",), "stride"),
        (("strided", -1), "stride"),
        (("causal", 4), "stride"),
        (("strided", 4, 2), "summary"),
        (("fixed", 8), "summary"),
        (("fixed", 8, 3), "summary"),
    ],
    ids=str,
)
def test_what_is_no_pattern_is_refused_by_name(arguments: tuple[Any, ...], named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}:"):
        Pattern(*arguments)


def test_patterns_are_values() -> None:
    assert {Pattern("window", 3), Pattern("window", 3)} == {Pattern("window", 3)}
    with pytest.raises(dataclasses.FrozenInstanceError):
        CAUSAL.stride = 3  # type: ignore[misc]
    assert [Pattern(kind, 4 * (kind != "causal"), 2 * (kind == "fixed")).kind for kind in KINDS] == list(KINDS)
