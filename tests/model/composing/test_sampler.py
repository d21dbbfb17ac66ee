"""The sampler: candidates that depend on seed and number alone, within the rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.composing.candidate import Candidate
from model.composing.grammar import Grammar
from model.composing.sampler import Sampler, Watch
from model.composing.settings import Settings
from model.errors import ComposingCancelledError
from model.language.context import Clock
from model.language.header import Header
from model.language.tokenizer import decode, from_text
from model.language.vocabulary import VOCABULARY
from model.network.decoding import Reading
from model.network.transformer import Places, Transformer
from tests.model.making import SHORT_SIGHTED, lively

HEADER = Header(style="bach", groups=("piano",), tempo_bpm=100.0)
ASKED = Settings(6.0, ("piano", "violin"), HEADER, candidates=3, seed=5, top_p=0.95)


@pytest.fixture(name="model", scope="module")
def _model() -> Transformer:
    return lively(SHORT_SIGHTED)


@pytest.fixture(name="drawn", scope="module")
def _drawn(model: Transformer) -> list[Candidate]:
    return Sampler(model).draw(ASKED)


def music(candidates: list[Candidate]) -> list[list[int]]:
    return [candidate.tokens for candidate in candidates]


def test_the_same_seed_is_the_same_music(model: Transformer, drawn: list[Candidate]) -> None:
    again = Sampler(model).draw(ASKED)
    assert music(again) == music(drawn)
    assert [c.log_probability for c in again] == [c.log_probability for c in drawn]


def test_another_seed_is_other_music_and_so_is_every_candidate(model: Transformer, drawn: list[Candidate]) -> None:
    others = Sampler(model).draw(replace(ASKED, seed=6, candidates=1))
    assert len({tuple(tokens) for tokens in music(drawn) + music(others)}) == 4


@pytest.mark.parametrize("candidates", [1, 2])
def test_a_candidate_is_the_same_however_many_there_are_beside_it(
    model: Transformer, drawn: list[Candidate], candidates: int
) -> None:
    fewer = Sampler(model).draw(replace(ASKED, candidates=candidates))
    assert music(fewer) == music(drawn)[:candidates]


def test_every_candidate_ends_at_the_length_asked_for(drawn: list[Candidate]) -> None:
    for candidate in drawn:
        assert candidate.tokens[-1] == VOCABULARY.end
        assert candidate.tokens.count(VOCABULARY.end) == 1
        assert 591 <= VOCABULARY.wait_ticks[candidate.tokens].sum() <= 600
        assert set(decode(candidate.tokens).instruments) <= {"piano", "violin"}


def test_its_log_probability_is_that_of_its_own_tokens(model: Transformer) -> None:
    candidate = Sampler(model).draw(replace(ASKED, candidates=1))[0]
    head, grammar = HEADER.tokens(), Grammar(ASKED.instruments, 600)
    # Short enough that it was read at once: reading it again says how likely each token was.
    assert 20 < len(head) + len(candidate.tokens) <= SHORT_SIGHTED.context
    clock = Clock(600, bpm=100.0)
    rows = [Clock(600).step(VOCABULARY.start)] * len(head) + [clock.step(t) for t in candidate.tokens[:-1]]
    ticks, beats, chord, part, countdown, sounding = (
        torch.from_numpy(np.array([column])) for column in zip(*rows, strict=True)
    )
    tokens = torch.tensor([head + candidate.tokens[:-1]])
    places = Places(ticks, beats.float(), chord, part, countdown, torch.zeros_like(tokens), sounding)
    with torch.no_grad():
        logits = model(tokens, places)[0, len(head) - 1 :]
    expected = 0.0
    for row, token in zip(logits, candidate.tokens, strict=True):
        forbidden = ~torch.from_numpy(grammar.mask())
        expected += float(row.masked_fill(forbidden, float("-inf")).log_softmax(-1)[token])
        grammar.feed(token)
    assert candidate.log_probability == pytest.approx(expected, rel=1e-3)


def test_a_piece_longer_than_the_context_slides_on(model: Transformer) -> None:
    sampler = Sampler(model, context=40)
    begun: list[Reading] = []

    def begin(rows: int, capacity: int) -> Reading:
        begun.append(usual(rows, capacity))
        return begun[-1]

    usual, sampler.read_by = sampler.read_by, begin
    candidates = sampler.draw(replace(ASKED, length_s=30.0, candidates=2))
    assert len(begun) > 3
    assert all(reading.length == 40 for reading in begun[:-1])
    # Each time a good part of the context is free again.
    assert max(len(candidate.tokens) for candidate in candidates) >= 14 * (len(begun) - 1)
    for candidate in candidates:
        assert len(candidate.tokens) > 40
        assert 2955 <= VOCABULARY.wait_ticks[candidate.tokens].sum() <= 3000


def test_less_is_looked_back_over_where_that_is_asked_for(model: Transformer, drawn: list[Candidate]) -> None:
    asked = replace(ASKED, length_s=30.0, candidates=2)
    short = Sampler(model, context=40).draw(asked)
    assert music(Sampler(model).draw(replace(asked, context=40))) == music(short)
    # More than the model was made for is all it was made for.
    assert music(Sampler(model).draw(replace(ASKED, context=10**6))) == music(drawn)


def test_an_opening_longer_than_the_context_is_gone_on_from(model: Transformer) -> None:
    opening = from_text("piano:v80:C4 wait:1 piano:v0:C4 wait:1 " * 60)
    (candidate,) = Sampler(model, context=96).draw(replace(ASKED, opening=tuple(opening), candidates=1))
    assert candidate.tokens[: len(opening)] == opening
    assert candidate.grammar.ended


def test_an_opening_is_kept_token_for_token_and_not_counted(model: Transformer) -> None:
    opening = from_text("violin:v80:C5 piano:v72:C4 wait:50 piano:v0:C4 wait:13")
    for candidate in Sampler(model).draw(replace(ASKED, opening=tuple(opening), candidates=2)):
        assert candidate.tokens[: len(opening)] == opening
        assert candidate.composed == len(candidate.tokens) - len(opening)
        # The violin sounds on into the piece and is ended there.
        assert VOCABULARY.id("violin:v0:C5") in candidate.tokens[len(opening) :]


def test_it_can_be_stopped_at_any_step(model: Transformer) -> None:
    asked: list[bool] = []

    def cancelled() -> bool:
        asked.append(True)
        return len(asked) > 10

    with pytest.raises(ComposingCancelledError):
        Sampler(model).draw(ASKED, Watch(cancelled=cancelled))
    assert len(asked) == 11


def test_progress_rises_towards_all_the_music(model: Transformer) -> None:
    told: list[tuple[float, float]] = []
    Sampler(model).draw(
        replace(ASKED, length_s=60.0), Watch(lambda fraction, seconds: told.append((fraction, seconds)))
    )
    assert len(told) >= 3
    assert told == sorted(told)
    assert all(0 <= fraction <= 1 and seconds == pytest.approx(fraction * 180, abs=0.1) for fraction, seconds in told)


def test_a_header_without_a_tempo_gets_one_from_the_model(model: Transformer) -> None:
    asked = replace(ASKED, header=replace(HEADER, tempo_bpm=None), candidates=3)
    drawn = Sampler(model).draw(asked)
    tempi = [VOCABULARY.tempo_of(candidate.head[-1]) for candidate in drawn]
    assert None not in tempi
    assert len(set(tempi)) > 1, "each candidate takes its own"
    assert [decode(c.head + c.tokens).tempi[0].bpm for c in drawn] == tempi


def test_groups_on_several_threads_draw_what_one_draws(model: Transformer, drawn: list[Candidate]) -> None:
    together = Sampler(model, threads=2).draw(ASKED)
    assert music(together) == music(drawn)


def test_what_fails_in_one_group_ends_all(model: Transformer) -> None:
    def progress(_fraction: float, _seconds: float) -> None:
        raise KeyError("told")

    with pytest.raises((KeyError, ComposingCancelledError)):
        Sampler(model, threads=3).draw(replace(ASKED, length_s=600.0), Watch(progress))
