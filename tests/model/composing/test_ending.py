"""Endings: whatever came before, a piece closes on its tonic, on a bar line, and rings until its end."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.composing.ending import LONGEST_S, SHORTEST_S, LastChord, chord_tick
from model.composing.grammar import BREATH_TICKS, MOST_IN_LAST_CHORD, Grammar
from model.evaluation.endings import find_ending
from model.language.tokenizer import decode
from model.language.vocabulary import KEYS, PITCH_CLASSES, VOCABULARY

BARS = st.sampled_from([2.0, 3.0, 4.0])
TONICS = {name: n for n, name in enumerate(PITCH_CLASSES)}


@given(length=st.integers(1000, 60000), bpm=st.integers(40, 240), bar=BARS)
def test_the_last_chord_falls_on_a_beat_and_has_time_to_ring(length: int, bpm: int, bar: float) -> None:
    beat = 6000 / bpm
    tick = chord_tick(length, beat, bar, in_time=True, drums_alone=False)
    assert 100 * SHORTEST_S <= length - tick <= 100 * LONGEST_S
    assert abs(tick / beat - round(tick / beat)) < 0.02


def test_on_a_bar_line_where_one_is_near_enough_else_on_a_beat() -> None:
    assert chord_tick(6000, 50, 4, in_time=True, drums_alone=False) == 5800
    assert chord_tick(6000, 150, 4, in_time=True, drums_alone=False) == 5850
    assert chord_tick(6000, 50, 4, in_time=False, drums_alone=False) == 5750
    # Drums do not ring: their last stroke is the end.
    assert chord_tick(6000, 50, 4, in_time=True, drums_alone=True) == 5950


def walked(grammar: Grammar, seed: int) -> list[int]:
    """Choose at random among what is allowed: waits a third of the time, long ones as likely as short."""
    rng = random.Random(seed)
    tokens: list[int] = []
    while not grammar.ended:
        allowed = np.flatnonzero(grammar.mask()).tolist()
        waits = [t for t in allowed if VOCABULARY.wait_ticks[t]]
        others = [t for t in allowed if not VOCABULARY.wait_ticks[t]]
        token = rng.choice(waits if waits and (not others or rng.random() < 0.35) else others)
        grammar.feed(token)
        tokens.append(token)
    return tokens


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), key=st.sampled_from(KEYS), other=st.sampled_from(["cello", "drums", "flute"]))
def test_whatever_came_before_it_closes_properly(seed: int, key: str, other: str) -> None:
    grammar = Grammar(("piano", other), 1500, last_chord=LastChord(1300, key))
    piece = decode(walked(grammar, seed))
    assert piece.duration_s == 15.0
    last = [n for n in piece.notes if n.onset_s >= 13.0]
    tuned = [n for n in last if n.instrument != "drums"]
    assert {n.onset_s for n in last} == {13.0}
    assert 1 <= len(last) <= MOST_IN_LAST_CHORD
    assert {n.offset_s for n in tuned} == {15.0}
    tonic = TONICS[key.split("_")[0]]
    assert min(tuned, key=lambda n: n.pitch).pitch % 12 == tonic
    third = 4 if key.endswith("major") else 3
    assert {(n.pitch - tonic) % 12 for n in tuned} <= {0, third, 7}
    # What sounded before is over, and nothing slipped in just before.
    assert not [n for n in piece.notes if n.onset_s < 13.0 < n.offset_s and n.instrument != "drums"]
    assert not [n for n in piece.notes if 13.0 - BREATH_TICKS / 100 < n.onset_s < 13.0]


def test_its_key_is_that_of_what_was_played_by_how_long_it_sounded() -> None:
    chord = LastChord(5000)
    for pitch, lasted in ((62, 300), (65, 200), (69, 250), (64, 60), (67, 60), (70, 60), (60, 40)):
        chord.release(1000, pitch, lasted)
    bass = {VOCABULARY.pitch_of[n] % 12 for n in np.flatnonzero(chord.fitting()) if VOCABULARY.pitch_of[n] < 60}
    assert bass == {TONICS["D"], *(() if chord._bass == 128 else (5, 9))}


@pytest.mark.parametrize("instruments", [("drums",), ("violin",), ("piano", "bass", "drums")])
def test_nothing_hangs_over_and_drums_alone_end_with_a_stroke(instruments: tuple[str, ...]) -> None:
    for seed in range(5):
        chord = LastChord(1390 if instruments == ("drums",) else 1300, "G_major", instruments == ("drums",))
        piece = decode(walked(Grammar(instruments, 1400, last_chord=chord), seed))
        ending = find_ending(piece)
        if instruments == ("drums",):
            assert ending is None
            assert max(n.onset_s for n in piece.notes) == 13.9
        else:
            assert ending is not None
            assert ending.released
            assert {n.offset_s for n in piece.notes if n.onset_s == 13.0 and n.instrument != "drums"} == {14.0}


def test_only_those_who_played_before_strike_it() -> None:
    chord = LastChord(1000, "C_major")
    chord.feed(100, 0, 60, 0)
    rows = {int(VOCABULARY.instrument_of[token]) for token in np.flatnonzero(chord.fitting())}
    assert rows == {0}
    chord.feed(200, 3, 40, 1)
    chord.feed(1000, 0, 60, 0)
    rows = {int(VOCABULARY.instrument_of[token]) for token in np.flatnonzero(chord.fitting())}
    assert rows == {0, 3}


def test_a_copy_goes_on_by_itself() -> None:
    grammar = Grammar(("piano",), 1500, last_chord=LastChord(1300, "C_major"))
    for token in walked(Grammar(("piano",), 600), 1)[:-1]:
        grammar.feed(token)
    twin = grammar.copy()
    assert (twin.mask() == grammar.mask()).all()
    for token in np.flatnonzero(twin.mask())[:1].tolist():
        twin.feed(token)
    before = grammar.mask().copy()
    walked(twin, 3)
    assert twin.ended
    assert not grammar.ended
    assert (grammar.mask() == before).all()
