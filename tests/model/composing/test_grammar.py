"""The grammar: whatever is chosen among what it allows, the piece can be played."""

from __future__ import annotations

import random
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.composing.grammar import (
    LAST_ONSET_S,
    LONGEST_NOTE_S,
    LONGEST_SILENCE_S,
    MOST_AT_ONCE,
    MOST_SOUNDING,
    NEAR_END,
    Grammar,
)
from model.instruments import BY_NAME
from model.language.tokenizer import decode, from_text
from model.language.vocabulary import VOCABULARY, NoteToken
from model.notes import Note

# The longest wait: what a rule about time may be exceeded by.
WAIT_S = 1.28
KINDS = ("wait", "strike", "end of note", "end")


def kind(token: int) -> str:
    note = VOCABULARY.notes[token]
    if note is not None:
        return "strike" if note.velocity else "end of note"
    return "end" if token == VOCABULARY.end else "wait"


def walk(grammar: Grammar, weights: tuple[int, ...], seed: int) -> list[int]:
    """Choose at random, some kinds of token more gladly than others, until the end."""
    rng = random.Random(seed)
    tokens: list[int] = []
    while not grammar.ended:
        allowed = np.flatnonzero(grammar.mask()).tolist()
        assert allowed, "nothing may come next"
        by_kind: defaultdict[str, list[int]] = defaultdict(list)
        for token in allowed:
            by_kind[kind(token)].append(token)
        assert set(by_kind) <= set(KINDS)
        chances = {k: w for k, w in zip(KINDS, weights, strict=True) if k in by_kind}
        if any(chances.values()):
            chosen = rng.choices(list(chances), list(chances.values()))[0]
        else:
            chosen = rng.choice(list(by_kind))
        token = rng.choice(by_kind[chosen])
        grammar.feed(token)
        tokens.append(token)
        assert len(tokens) < 10_000, "it never ends"
    return tokens


def after(text: str, instruments: tuple[str, ...] = ("piano",), length: int = 6000) -> Grammar:
    grammar = Grammar(instruments, length)
    for token in from_text(text):
        grammar.feed(token)
    return grammar


def allows(grammar: Grammar, word: str) -> bool:
    return bool(grammar.mask()[VOCABULARY.id(word)])


ensembles = st.lists(st.sampled_from(list(BY_NAME)), min_size=1, max_size=4, unique=True).map(tuple)
tempers = st.tuples(*(st.integers(0, 4) for _ in KINDS))


@settings(max_examples=120, deadline=None)
@given(ensembles, st.integers(300, 3000), tempers, st.integers(0, 2**32))
def test_any_walk_is_a_playable_piece_of_the_length_asked_for(
    instruments: tuple[str, ...], length: int, weights: tuple[int, ...], seed: int
) -> None:
    tokens = walk(Grammar(instruments, length), weights, seed)
    assert tokens[-1] == VOCABULARY.end
    ticks = np.cumsum(VOCABULARY.wait_ticks[tokens])
    assert NEAR_END * length <= ticks[-1] <= length
    piece = decode(tokens)
    assert set(piece.instruments) <= set(instruments)
    every_note_is_ended(tokens)
    nothing_is_struck_while_it_sounds(tokens)
    sustained = [n for n in piece.notes if BY_NAME[n.instrument].sustains]
    assert max((n.duration_s for n in sustained), default=0.0) <= LONGEST_NOTE_S + WAIT_S + 1e-6
    longest_silence_s(list(piece.notes), length / 100)


def every_note_is_ended(tokens: list[int]) -> None:
    balance: defaultdict[tuple[str, int], int] = defaultdict(int)
    for note in said(tokens):
        if BY_NAME[note.instrument].sustains:
            balance[note.instrument, note.pitch] += 1 if note.velocity else -1
            assert balance[note.instrument, note.pitch] in (0, 1), "an end without a beginning, or two beginnings"
    assert not any(balance.values())


def nothing_is_struck_while_it_sounds(tokens: list[int]) -> None:
    at_once: set[tuple[str, int]] = set()
    sounding: set[tuple[str, int]] = set()
    for token in tokens:
        note = VOCABULARY.notes[token]
        if note is None:
            at_once.clear()
            continue
        key = (note.instrument, note.pitch)
        if note.velocity == 0:
            sounding.remove(key)
            continue
        assert key not in at_once
        at_once.add(key)
        assert len(at_once) <= MOST_AT_ONCE
        if BY_NAME[note.instrument].sustains:
            assert key not in sounding
            sounding.add(key)
            assert len(sounding) <= MOST_SOUNDING


def longest_silence_s(notes: list[Note], length_s: float) -> None:
    heard_until_s = 0.0
    for note in sorted(notes):
        assert note.onset_s - heard_until_s <= LONGEST_SILENCE_S + WAIT_S + 1e-6
        sounds_s = note.duration_s if BY_NAME[note.instrument].sustains else 0.0
        heard_until_s = max(heard_until_s, note.onset_s + sounds_s)
    assert length_s - heard_until_s <= LONGEST_SILENCE_S + WAIT_S + LAST_ONSET_S + 1e-6


def said(tokens: list[int]) -> list[NoteToken]:
    return [note for note in map(VOCABULARY.notes.__getitem__, tokens) if note is not None]


@pytest.mark.parametrize("seed", range(3))
def test_a_walk_that_only_strikes_and_waits_still_ends_its_notes(seed: int) -> None:
    # It never ends a note by itself, so that every one hangs until it is ended for it.
    tokens = walk(Grammar(("organ", "drums"), 4000), (1, 3, 0, 0), seed)
    every_note_is_ended(tokens)
    longest = max(n.duration_s for n in decode(tokens).notes)
    assert LONGEST_NOTE_S - WAIT_S <= longest <= LONGEST_NOTE_S + WAIT_S


def test_at_the_beginning_only_notes_and_waits_may_come() -> None:
    grammar = after("")
    assert {kind(t) for t in np.flatnonzero(grammar.mask()).tolist()} == {"strike", "wait"}


def test_only_the_instruments_asked_for_may_play() -> None:
    allowed = np.flatnonzero(after("", ("violin", "drums")).mask()).tolist()
    assert {note.instrument for note in said(allowed)} == {"violin", "drums"}


def test_what_sounds_is_not_struck_again_at_any_volume_and_may_end() -> None:
    grammar = after("piano:v80:C4 wait:10")
    assert not allows(grammar, "piano:v80:C4")
    assert not allows(grammar, "piano:v24:C4")
    assert allows(grammar, "piano:v80:D4")
    assert allows(grammar, "piano:v0:C4")
    assert not allows(grammar, "piano:v0:D4")


def test_what_ended_may_be_struck_again_at_once() -> None:
    assert allows(after("piano:v80:C4 wait:10 piano:v0:C4"), "piano:v80:C4")


def test_at_one_instant_ends_come_before_beginnings() -> None:
    assert not allows(after("piano:v80:C4 wait:10 piano:v80:D4"), "piano:v0:C4")


def test_a_drum_is_struck_once_at_an_instant_and_again_after_it() -> None:
    assert not allows(after("drums:v80:C2", ("drums",)), "drums:v112:C2")
    assert allows(after("drums:v80:C2 wait:1", ("drums",)), "drums:v112:C2")


def test_silence_is_broken_by_a_note() -> None:
    grammar = after("piano:v80:C4 wait:10 piano:v0:C4 wait:128 wait:80")
    assert {kind(t) for t in np.flatnonzero(grammar.mask()).tolist()} == {"strike"}


def test_a_held_note_is_no_silence() -> None:
    assert allows(after("piano:v80:C4 wait:128 wait:128 wait:128"), "wait:1")


def test_a_note_that_hangs_is_ended_before_anything_else() -> None:
    grammar = after("piano:v80:C4 wait:1 piano:v80:D4 " + "wait:125 " * 8)
    assert [VOCABULARY.texts[t] for t in np.flatnonzero(grammar.mask())] == ["piano:v0:C4"]


def test_the_last_moments_are_for_ringing_out() -> None:
    grammar = after("wait:100 wait:100 piano:v80:C4 " + "wait:100 " * 3 + "wait:30", length=600)
    assert allows(grammar, "wait:70")
    assert not allows(grammar, "wait:71")
    assert "strike" not in {kind(t) for t in np.flatnonzero(grammar.mask()).tolist()}


def test_at_the_end_every_note_ends_and_then_the_piece() -> None:
    grammar = after("piano:v80:C4 piano:v80:E4 wait:100 ", length=100)
    assert {VOCABULARY.texts[t] for t in np.flatnonzero(grammar.mask())} == {"piano:v0:C4", "piano:v0:E4"}
    for word in ("piano:v0:C4", "piano:v0:E4"):
        grammar.feed(VOCABULARY.id(word))
    assert [VOCABULARY.texts[t] for t in np.flatnonzero(grammar.mask())] == ["end"]
    assert not grammar.ended
    grammar.feed(VOCABULARY.end)
    assert grammar.ended


def test_an_opening_of_other_instruments_is_borne_and_ended() -> None:
    grammar = after("violin:v80:C5 violin:v80:C5 drums:v80:C2 wait:100", ("piano",))
    assert grammar.sounding == ["violin"]
    assert allows(grammar, "violin:v0:C5")
    assert not allows(grammar, "violin:v80:D5")
