"""Candidates that grow around given notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from model.composing.arrangement import arrangement
from model.composing.candidate import Candidate
from model.composing.prompt import Prompt
from model.composing.sampler import Sampler
from model.composing.settings import Settings
from model.language.given import pair, weave
from model.language.header import Header
from model.language.tokenizer import decode
from model.language.vocabulary import VOCABULARY
from model.network.transformer import Transformer
from model.notes import Piece
from tests.model.making import SHORT_SIGHTED, lively, tune

MELODY = Piece(tuple(n for n in tune(16.0).notes if n.instrument == "violin"), title="melody")
TELLING = arrangement(MELODY, Prompt(), None)
HEADER = Header("bach", ("piano", "strings"), tempo_bpm=120.0, given=True)
ASKED = Settings(16.0, ("piano", "violin"), HEADER, candidates=2, seed=3, telling=TELLING)


@pytest.fixture(name="model", scope="module")
def _model() -> Transformer:
    return lively(SHORT_SIGHTED)


@pytest.fixture(name="drawn", scope="module")
def _drawn(model: Transformer) -> list[Candidate]:
    return Sampler(model).draw(ASKED)


def test_the_given_notes_are_all_there_and_others_beside_them(drawn: list[Candidate]) -> None:
    for candidate in drawn:
        given = [t for t, g in zip(candidate.tokens, candidate.given, strict=True) if g]
        assert sorted(given) == sorted(told.token for told in TELLING.music.told)
        heard, own = decode(candidate.music()), decode(candidate.own())
        assert len(heard.notes) == len(own.notes) + len(MELODY.notes)
        assert own.notes
        assert candidate.grammar.ended


def test_the_model_reads_what_it_would_in_training(drawn: list[Candidate]) -> None:
    for candidate in drawn:
        heard = np.array(candidate.music(), np.int64)
        ticks = np.cumsum(VOCABULARY.wait_ticks[heard])
        notes = pair(heard)
        melody = {(round(n.onset_s * 100), n.pitch) for n in MELODY.notes}
        violin = VOCABULARY.instrument_of[VOCABULARY.id("violin:v80:C4")]
        given = np.array(
            [
                (int(ticks[on]), int(VOCABULARY.pitch_of[heard[on]])) in melody
                and VOCABULARY.instrument_of[heard[on]] == violin
                for on in notes.on.tolist()
            ]
        )
        beats = (ticks / 50.0).astype(np.float32)
        row = weave(heard, ticks, beats, given, notes, before=0, length_ticks=1600, whole=True)

        def listed(tokens: Sequence[int], flags: Sequence[Any], fields: list[Sequence[Any]]) -> list[tuple[int, ...]]:
            return sorted(
                (int(t), int(g), *map(int, where))
                for t, g, *where in zip(tokens, flags, *fields, strict=True)
                if VOCABULARY.wait_ticks[t] == 0 and t != VOCABULARY.end
            )

        places = list(zip(*candidate.places, strict=True))
        mine = listed(candidate.tokens, candidate.given, [places[0], places[3], places[4]])
        context = row.context
        assert mine == listed(
            row.tokens.tolist(),
            context.given.tolist(),
            [f.tolist() for f in (context.ticks, context.part, context.countdown)],
        )


def test_nothing_composed_doubles_a_given_note(drawn: list[Candidate]) -> None:
    for candidate in drawn:
        for note in decode(candidate.own()).notes:
            for given in MELODY.notes:
                if (note.instrument, note.pitch) == (given.instrument, given.pitch):
                    apart = note.offset_s <= given.onset_s + 5e-3 or note.onset_s >= given.offset_s - 5e-3
                    assert apart, (note, given)


def test_past_the_context_it_goes_on_with_what_is_told(model: Transformer) -> None:
    # A context of a part of the piece: it is read anew several times.
    (candidate,) = Sampler(model, context=160).draw(replace(ASKED, candidates=1))
    assert len(candidate.tokens) > 2 * 160
    assert sum(candidate.given) == len(TELLING.music.told)


def test_a_candidate_is_the_same_however_many_there_are_beside_it(model: Transformer, drawn: list[Candidate]) -> None:
    (alone,) = Sampler(model).draw(replace(ASKED, candidates=1))
    assert alone.tokens == drawn[0].tokens
