"""The model's surprise at held-out music."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from model.evaluation.surprise import choose, find_surprise, header_of, windows_of
from model.language.context import place
from model.language.vocabulary import VOCABULARY
from model.learning.corpus import Corpus
from model.network.transformer import Places
from tests.model.making import SHORT_SIGHTED, lively


@pytest.mark.parametrize("context", [64, 100, 256, 5000])
def test_every_token_counts_once_and_past_the_opening_with_half_a_context_before_it(
    corpus: Corpus, context: int
) -> None:
    row = max(corpus.rows, key=lambda r: r.tokens)
    room = context + 1 - len(header_of(row).tokens())
    windows = windows_of(row, context)
    counted = [n for w in windows for n in range(w.first, w.last)]
    assert counted == list(range(row.tokens))
    for window in windows:
        assert window.last - window.start <= room
        assert window.start == 0 or window.first - window.start >= room // 2


def test_a_piece_read_at_once_is_what_the_model_says_of_it(corpus: Corpus) -> None:
    model = lively(replace(SHORT_SIGHTED, context=1024))
    row = min(corpus.rows, key=lambda r: r.tokens)
    here = slice(row.offset, row.offset + row.tokens)
    tokens = corpus.tokens[here].astype(np.int64)
    assert 100 < row.tokens < 1000
    # By hand: header and music in one row, each token's nats from the logits before it.
    head = np.array(header_of(row).tokens())
    body = place(tokens, corpus.ticks[here].astype(np.int64), np.asarray(corpus.beats[here]), row.ticks)
    fields = [np.concatenate([np.repeat(f[:1], len(head), axis=0), f]) for f in body]
    fields[2][: len(head)] = 0
    whole = np.concatenate([head, tokens])
    places = Places(*(torch.from_numpy(f)[None] for f in fields))
    with torch.inference_mode():
        logits = model(torch.from_numpy(whole)[None], places)[0].double()
    log_odds = torch.log_softmax(logits, dim=-1)
    expected = [-float(log_odds[len(head) - 1 + n, t]) for n, t in enumerate(tokens)]

    found = find_surprise(model, corpus, [row], most_tokens=row.tokens)["all"]
    assert found.nats_per_token == pytest.approx(sum(expected) / len(tokens), rel=2e-3)
    assert found.notes == int((VOCABULARY.velocity_of[tokens] > 0).sum())


def test_styles_kinds_and_sums_agree(corpus: Corpus) -> None:
    found = find_surprise(lively(SHORT_SIGHTED), corpus, corpus.rows, most_tokens=10**9)
    assert found.keys() == {"all", "bach", "folk"}
    every = found["all"]
    assert every.tokens == sum(row.tokens for row in corpus.rows)
    assert every.notes == sum(row.notes for row in corpus.rows)
    assert every.pieces == len(corpus.rows)
    for one in found.values():
        assert sum(share for share, _ in one.kinds.values()) == pytest.approx(1.0)
        assert sum(share * nats for share, nats in one.kinds.values()) == pytest.approx(one.nats_per_token)
        assert one.bits_per_note == pytest.approx(one.nats_per_token * one.tokens / one.notes / math.log(2))
        assert one.error > 0
        assert one.kinds["note on"][0] == pytest.approx(one.notes / one.tokens)


def test_padding_and_neighbours_change_nothing(corpus: Corpus) -> None:
    model = lively(SHORT_SIGHTED)
    together = find_surprise(model, corpus, corpus.rows[:3], most_tokens=10**9, batch=4)
    alone = find_surprise(model, corpus, corpus.rows[:3], most_tokens=10**9, batch=1)
    for style, one in together.items():
        assert one.nats_per_token == pytest.approx(alone[style].nats_per_token, rel=2e-3)


def test_a_part_is_drawn_by_the_seed_and_about_as_much_as_was_said(corpus: Corpus) -> None:
    one, again, other = (choose(corpus.rows, 128, 300, seed) for seed in (1, 1, 2))
    assert one == again != other
    assert 300 <= sum(w.last - w.first for w in one) < 300 + 128
    assert len({(w.row.path, w.first) for w in one}) == len(one)
