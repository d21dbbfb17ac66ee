"""What two pieces have in common."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from model.gate.shingles import LINES, SHINGLE, shingles, symbols, timed_symbols


@given(st.integers(-20, 20), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_lines_are_free_of_key_and_time(by: int, late: int) -> None:
    rng = np.random.default_rng(1)
    ticks, instruments = np.sort(rng.integers(0, 400, 80)), rng.integers(0, 4, 80)
    pitches = rng.integers(40, 90, 80)
    for line in LINES:
        there = symbols(ticks * 2 + late, instruments, pitches + by, line)
        assert np.array_equal(symbols(ticks, instruments, pitches, line), there)
        assert len(there) > SHINGLE


def test_equal_shingles_and_no_others_have_equal_hashes() -> None:
    line = np.random.default_rng(0).integers(0, 3, 3000)
    hashes, _ = shingles(line)
    exact = {tuple(line[n : n + SHINGLE].tolist()) for n in range(len(hashes))}
    assert len(np.unique(hashes)) == len(exact)
    assert len(shingles(line[: SHINGLE - 1])[0]) == 0


def test_a_symbol_begins_when_its_note_does() -> None:
    ticks, pitches = np.arange(5) * 7, np.array([60, 62, 64, 65, 67])
    for line in LINES:
        said, at = timed_symbols(ticks, np.zeros(5, np.int64), pitches, line)
        assert len(said) == 4, "the first note has no interval"
        assert at.tolist() == [7, 14, 21, 28]
