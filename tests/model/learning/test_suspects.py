"""What a batch was read from is found again, although nothing was kept of it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from model.language.vocabulary import VOCABULARY
from model.learning.corpus import Corpus
from model.learning.suspects import Passage, Suspects, passages
from model.learning.windows import PLAIN, Recipe, Windows


def test_each_row_was_read_from_its_passages(corpus: Corpus) -> None:
    windows = Windows(corpus, "train", tokens=300, rows=3, seed=5, recipe=PLAIN)
    batch, found = windows.batch(2), passages(windows, 2, PLAIN)
    assert len(found) == 3
    pieces = {row.path: row for row in corpus}
    for tokens, row in zip(batch.tokens, found, strict=True):
        heard = tokens[np.isin(tokens, np.flatnonzero(VOCABULARY.pitch_of >= 0))]
        notes: list[int] = []
        for passage in row:
            piece = pieces[passage.path]
            assert 0 <= passage.first_token < passage.last_token <= piece.tokens
            assert 0 <= passage.first_s <= passage.last_s <= piece.ticks / 100
            here = corpus.tokens[piece.offset + passage.first_token : piece.offset + passage.last_token].tolist()
            notes += [token for token in here if VOCABULARY.pitch_of[token] >= 0]
        # All that the row plays is in its passages, in this order; they begin a little before.
        rest = iter(notes)
        assert all(token in rest for token in heard.tolist())
        assert len(heard) > 50


def test_to_look_changes_nothing(corpus: Corpus) -> None:
    windows = Windows(corpus, "train", tokens=200, rows=2, seed=1, recipe=Recipe())
    before = windows.batch(7)
    assert passages(windows, 7, Recipe()) == passages(windows, 7, Recipe())
    after = windows.batch(7)
    assert windows.batch_rows == 2
    assert windows.corpus is corpus
    np.testing.assert_array_equal(before.tokens, after.tokens)


HERE = Passage("a.mid", 5, 50, 1.25, 9.0)
THERE = Passage("b.mid", 0, 40, 0.0, 7.5)


@pytest.mark.parametrize(
    ("nats", "says"),
    [
        ((2.0, math.nan), "it failed: row 2 of 2 is no number by itself, from b.mid (0.0-7.5 s, tokens 0-40)"),
        ((9.5, 2.0), "row 1 of 2 has 9.50 nats a token, the most, from a.mid (1.2-9.0 s, tokens 5-50) and b.mid"),
        ((math.inf, math.nan), "every row of it: the weights are to blame more than the music"),
    ],
)
def test_the_row_that_is_most_to_blame_is_named(nats: tuple[float, ...], says: str) -> None:
    assert says in str(Suspects("it failed", 3, [[HERE, THERE], [THERE]], nats))


def test_all_rows_are_written_as_json(tmp_path: Path) -> None:
    found = Suspects("it failed", 3, [[HERE], [THERE]], (math.nan, 2.5))
    assert found.write(tmp_path / "list.json") == f"; the whole batch is listed in {tmp_path / 'list.json'}"
    listed = json.loads((tmp_path / "list.json").read_text())
    assert listed["rows"] == [
        {"nats": None, "passages": [HERE.as_dict()]},
        {"nats": 2.5, "passages": [THERE.as_dict()]},
    ]


def test_a_disk_that_refuses_the_list_hides_nothing(tmp_path: Path) -> None:
    assert Suspects("it failed", 3, [[HERE]], (math.nan,)).write(tmp_path / "none" / "list.json") == ""
