"""Held-out music in bits: every token counted once, nothing told before its time."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.errors import CorpusError
from model.language.tokenizer import decode
from model.language.vocabulary import VOCABULARY
from model.learning.corpus import Corpus
from model.learning.trainer import on_device
from model.network.config import PRESETS
from model.network.transformer import Transformer
from tests.bench import heldout
from tests.bench.variations import flat
from tests.model.making import lively

PLAIN = contextlib.nullcontext()


def texts(corpus: Corpus, most: int = 400) -> list[heldout.Text]:
    return [heldout.from_corpus(corpus, row, most) for row in heldout.chosen(corpus, "train", 3)]


@given(st.integers(1, 3000), st.integers(8, 600))
def test_every_token_is_counted_once_behind_half_a_window(tokens: int, room: int) -> None:
    found = heldout.spans(tokens, room)
    counted = [n for _, since, end in found for n in range(since, end)]
    assert counted == list(range(tokens))
    for first, since, end in found:
        assert end - first <= room
        assert first == 0 or since - first >= room // 2


def test_all_notes_of_the_music_are_counted(corpus: Corpus) -> None:
    some = texts(corpus)
    found = heldout.bits(lively(), heldout.batches(some, 128), len(some), autocast=PLAIN)
    assert found.tokens == sum(len(text.tokens) for text in some)
    assert found.notes == sum(int((VOCABULARY.velocity_of[text.tokens] > 0).sum()) for text in some) > 50


def test_whoever_knows_nothing_pays_for_every_choice_alike(corpus: Corpus) -> None:
    model = Transformer(PRESETS["tiny"])
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    some = texts(corpus)
    found = heldout.bits(model, heldout.batches(some, 128), 0, autocast=PLAIN)
    assert sum(found.by_kind.values()) == pytest.approx(found.tokens * math.log2(len(VOCABULARY)), rel=1e-5)
    # A piano's volume is one of 16, a violin's one of 4, when nothing is known.
    struck = np.concatenate([t.tokens[VOCABULARY.velocity_of[t.tokens] > 0] for t in some])
    levels = [(VOCABULARY.note_id[VOCABULARY.instrument_of[n], 1:, VOCABULARY.pitch_of[n]] >= 0).sum() for n in struck]
    assert set(levels) == {4, 16}
    assert found.by_kind["volume"] == pytest.approx(float(np.log2(levels).sum()), rel=1e-5)


def test_what_comes_later_changes_nothing_before(corpus: Corpus) -> None:
    # The header too stands in the moment before the music: it does not tell the first note.
    row = corpus.split("train")[0]
    text = heldout.from_corpus(corpus, row, 60)
    model = lively()

    def costs(text: heldout.Text) -> torch.Tensor:
        (batch,) = heldout.batches([text], 256)
        tokens, places, targets, weights = on_device(batch)
        with torch.no_grad():
            nats: torch.Tensor = model.nats(tokens, places, targets)
        return nats[weights > 0]

    whole = costs(text)
    for cut in (1, 7, 30):
        part = heldout.Text(row, text.tokens[:cut], text.ticks[:cut], text.beats[:cut])
        assert torch.allclose(costs(part), whole[:cut], atol=1e-4)


def test_a_piece_read_from_its_notes_is_the_piece_of_the_corpus(corpus: Corpus) -> None:
    row = corpus.split("train")[0]
    text = heldout.from_corpus(corpus, row, 10_000)
    again = heldout.from_piece(row, decode([*heldout.header_of(row).tokens(), *text.tokens.tolist()]))
    assert again.tokens.tolist() == text.tokens.tolist()
    assert again.ticks.tolist() == text.ticks.tolist()
    assert np.allclose(again.beats, text.beats, atol=1e-3)


def test_a_header_told_is_paid_for(corpus: Corpus) -> None:
    some = texts(corpus)
    batches = heldout.batches(some, 128)
    free, paid = (heldout.bits(lively(), batches, n, autocast=PLAIN) for n in (0, len(some)))
    assert paid.per_note() - free.per_note() == pytest.approx(3 * heldout.header_bits() / paid.notes)
    assert paid.per_note("header") == pytest.approx(free.per_note())
    assert 30 < heldout.header_bits() < 100


def test_music_without_volumes_is_of_the_same_notes(corpus: Corpus) -> None:
    batches = heldout.batches(texts(corpus), 128)
    assert any((flat(b).targets != b.targets).any() for b in batches)
    for batch in batches:
        for field in (VOCABULARY.pitch_of, VOCABULARY.instrument_of, VOCABULARY.wait_ticks):
            assert (field[flat(batch).targets] == field[batch.targets]).all()


def test_pieces_are_chosen_from_all_over_the_split(corpus: Corpus) -> None:
    rows = corpus.split("train")
    assert heldout.chosen(corpus, "train", 2) == [rows[0], rows[len(rows) // 2]]
    assert heldout.chosen(corpus, "train", 99) == rows
    if not corpus.split("valid"):
        with pytest.raises(CorpusError, match="nothing is held out"):
            heldout.chosen(corpus, "valid", 2)
