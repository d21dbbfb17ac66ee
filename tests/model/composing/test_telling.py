"""Given notes while a piece grows: what the model is told is what it was trained on."""

from __future__ import annotations

import random
from typing import Literal

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from model.composing.given_music import GivenMusic
from model.composing.telling import GivenClock, Telling, in_time
from model.instruments import BY_NAME, INSTRUMENTS
from model.language.context import CHORD, Place, beats_at
from model.language.given import AHEAD_TICKS, Woven, pair, weave
from model.language.sounding import PITCHES
from model.language.tokenizer import decode, encode_body
from model.language.vocabulary import MAX_WAIT_TICKS, VOCABULARY
from model.learning.corpus import tidy
from model.notes import Note, Piece, TempoMark
from tests.model.making import tune

NAMES = ("piano", "violin", "choir", "drums")
TEMPI = (TempoMark(0.0, 93.0), TempoMark(3.0, 121.0))


@st.composite
def music(draw: st.DrawFn) -> tuple[Piece, list[bool]]:
    """A tidy piece that begins with a given note, and which of its notes are given."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    instruments = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    notes = [
        Note(
            rng.choice([round(rng.uniform(0, 9), 2), rng.randrange(36) / 4]),
            rng.randint(53, 56) if rng.random() < 0.5 else rng.randint(50, 80),
            rng.choice(instruments),
            round(rng.uniform(0.02, 5.0), 2),
            80,
        )
        for _ in range(draw(st.integers(2, 40)))
    ]
    tempi = TEMPI[: draw(st.integers(1, 2))]
    piece = tidy(Piece(tuple(sorted(notes)), TEMPI[:1]))
    piece = Piece(piece.notes, tempi)
    share = draw(st.floats(0.1, 0.9))
    first = piece.notes[0]
    # Given and composed notes share no pitch: where one cuts off the other, the order of ends is another.
    chosen = {(n.instrument, n.pitch): n == first or rng.random() < share for n in reversed(piece.notes)}
    return piece, [chosen[n.instrument, n.pitch] for n in piece.notes]


def woven(piece: Piece, given: list[bool], before: int = 0) -> Woven:
    tokens = np.array(encode_body(piece), np.int64)
    ticks = np.cumsum(VOCABULARY.wait_ticks[tokens])
    notes = pair(tokens)
    # Tokens of one instant are in another order than notes: both are told apart by what they say.
    wanted = {(round(n.onset_s * 100), n.instrument, n.pitch): g for n, g in zip(piece.notes, given, strict=True)}
    said = [VOCABULARY.notes[t] for t in tokens[notes.on].tolist()]
    chosen = np.array(
        [wanted[int(ticks[on]), s.instrument, s.pitch] for on, s in zip(notes.on, said, strict=True) if s is not None]
    )
    beats = beats_at(ticks, piece.tempi)
    length = int(ticks[-1])
    return weave(tokens, ticks, beats, chosen, notes, before=before, length_ticks=length, whole=True)


def clock_of(piece: Piece, given: list[bool], others: int | None = None) -> GivenClock:
    told = Piece(tuple(n for n, g in zip(piece.notes, given, strict=True) if g), piece.tempi)
    length = int(VOCABULARY.wait_ticks[encode_body(piece)].sum())
    return GivenClock(length, bpm=piece.tempi[0].bpm, telling=Telling(GivenMusic(told), others))


def assert_same(places: list[Place], row: Woven, first: int = 0, *, chords: bool = True) -> None:
    ticks, beats, chord, part, countdown, sounding = (np.array(column) for column in zip(*places, strict=True))
    here = slice(first, first + len(places))
    np.testing.assert_array_equal(ticks, row.context.ticks[here])
    np.testing.assert_allclose(beats, row.context.beats[here], atol=2e-2)
    if chords:
        np.testing.assert_array_equal(chord, row.context.chord[here])
    np.testing.assert_array_equal(part, row.context.part[here])
    np.testing.assert_array_equal(countdown, row.context.countdown[here])
    np.testing.assert_allclose(sounding, row.context.sounding[here], atol=1e-6)


def grown(clock: GivenClock, row: Woven) -> tuple[list[Place], list[bool]]:
    """Let a clock grow through a row: the composed tokens come as if drawn, the others when they are due."""
    places: list[Place] = []
    was_given: list[bool] = []
    for n, token in enumerate(row.tokens.tolist()):
        is_given = bool(row.context.given[n])
        told = clock.due()
        if told is not None:
            assert (told.token, told.given) == (token, is_given), n
            places.append(clock.hear(told))
        else:
            assert not is_given
            waited = int(VOCABULARY.wait_ticks[token])
            if waited:
                # What is learned here, cut to the room there is, is the wait that comes.
                meant = int(VOCABULARY.wait_ticks[row.labels[n]])
                assert waited == min(meant if row.counts[n] else MAX_WAIT_TICKS, clock.room())
            places.append(clock.step(token))
        was_given.append(is_given)
    return places, was_given


@settings(max_examples=150, deadline=None)
@given(music())
def test_a_piece_grows_in_the_very_context_it_was_trained_in(found: tuple[Piece, list[bool]]) -> None:
    piece, given_notes = found
    row = woven(piece, given_notes)
    clock = clock_of(piece, given_notes)
    places, _ = grown(clock, row)
    assert_same(places, row)
    assert clock.due() is None
    assert row.context.given.sum() >= 1


@settings(max_examples=60, deadline=None)
@given(music(), st.floats(0.1, 0.9))
def test_read_anew_from_its_middle_it_is_what_a_window_is(found: tuple[Piece, list[bool]], where: float) -> None:
    piece, given_notes = found
    tokens = np.array(encode_body(piece), np.int64)
    # A window that begins after all that one instant has.
    waits = VOCABULARY.wait_ticks[tokens] > 0
    starts = [n for n in range(1, len(tokens)) if waits[n] and not waits[n - 1]]
    assume(bool(starts))
    before = starts[int(where * len(starts))]
    now = int(VOCABULARY.wait_ticks[tokens[:before]].sum())
    row, window = woven(piece, given_notes), woven(piece, given_notes, before)
    clock = clock_of(piece, given_notes)
    places, was_given = grown(clock, row)
    elapsed = np.cumsum(VOCABULARY.wait_ticks[row.tokens])
    own = [n for n in range(len(places)) if not was_given[n] and elapsed[n] <= now]
    # Where nothing of its own has come at that time, a window would not begin.
    assume(bool(own) and elapsed[own[-1]] == now)
    here = own[-1] + 1
    head = places[here - 1]
    assert_same([(head[0], head[1], 0, *head[3:])], window, window.before - 1, chords=False)
    again = clock.recall(sum(was_given[:here]), head)
    read = [token for token, _ in again] + row.tokens[here:].tolist()
    assert read == window.tokens[window.before :].tolist()
    assert_same([place for _, place in again] + places[here:], window, window.before, chords=False)
    assert all(0 <= place[2] < CHORD for _, place in again)


def melody() -> Piece:
    return Piece(tuple(Note(n / 2, 60 + n, "violin", 0.5, 80) for n in range(20)))


def test_notes_are_told_four_seconds_ahead_and_sound_on_their_time() -> None:
    clock = clock_of(melody(), [True] * 20)
    heard: dict[int, int] = {}
    while clock.tick < 900:
        while (told := clock.due()) is not None:
            place = clock.hear(told)
            assert (place[0], clock.tick) == (told.tick, max(0, told.tick - AHEAD_TICKS))
        place = clock.step(VOCABULARY.first_wait + min(clock.room(), 10) - 1)
        (pitch,) = np.flatnonzero(place[5][:PITCHES]).tolist()
        heard[pitch] = heard.get(pitch, 0) + 1
        assert pitch == 60 + clock.tick // 50
    assert len(heard) == 19


def test_no_token_doubles_a_given_note() -> None:
    clock = clock_of(melody(), [True] * 20)
    ids = {VOCABULARY.texts[n] for n in clock.forbidden()}
    assert ids == {f"violin:v{level}:C4" for level in BY_NAME["violin"].levels} | {"end"}
    clock.step(VOCABULARY.first_wait + 49)
    assert {text.split(":")[-1] for text in (VOCABULARY.texts[n] for n in clock.forbidden())} == {"C#4", "end"}


def test_a_given_stroke_of_a_drum_is_not_doubled_at_its_moment_and_may_be_repeated_after_it() -> None:
    drums = Piece((Note(0.0, 36, "drums", 0.1, 80), Note(1.0, 38, "drums", 0.1, 80)))
    clock = clock_of(drums, [True, True])
    assert {VOCABULARY.pitch_of[n] for n in clock.forbidden()} == {36, -1}
    clock.step(VOCABULARY.first_wait)
    assert {VOCABULARY.pitch_of[n] for n in clock.forbidden()} == {-1}


def test_a_composed_note_ends_where_a_given_one_strikes_its_pitch() -> None:
    clock = clock_of(melody(), [True] * 20)
    while (told := clock.due()) is not None:
        clock.hear(told)
    clock.step(VOCABULARY.id("violin:v48:E4"))
    assert clock.room() == 50
    for _ in range(4):
        while (told := clock.due()) is not None:
            assert told.given
            clock.hear(told)
        clock.step(VOCABULARY.first_wait + clock.room() - 1)
    assert clock.tick == 200
    ends = []
    while (told := clock.due()) is not None:
        clock.hear(told)
        ends += [] if told.given else [VOCABULARY.texts[told.token]]
    assert ends == ["violin:v0:E4"]
    assert clock.heard.own == []


@pytest.mark.parametrize(("outer", "crossing"), [("top", range(61, 128)), ("bottom", range(60))])
def test_no_voice_crosses_a_given_line(outer: Literal["top", "bottom"], crossing: range) -> None:
    clock = clock_of(melody(), [True] * 20)
    clock.telling.outer = outer
    ids = clock.forbidden()
    tuned = VOCABULARY.instrument_of != len(INSTRUMENTS) - 1
    ids = ids[tuned[ids] & (VOCABULARY.velocity_of[ids] > 0)]
    choir = [n for n in ids if (said := VOCABULARY.notes[n]) is not None and said.instrument == "choir"]
    voice = BY_NAME["choir"]
    assert {int(VOCABULARY.pitch_of[n]) for n in choir} == set(crossing) & set(range(voice.low, voice.high + 1))
    assert {int(VOCABULARY.pitch_of[n]) for n in ids} - {60} <= set(crossing)
    assert not np.isin(np.flatnonzero((VOCABULARY.velocity_of > 0) & ~tuned), clock.forbidden()).any()


def test_all_voices_sing_where_a_given_one_does() -> None:
    clock = clock_of(melody(), [True] * 20, others=2)
    wait = VOCABULARY.id("wait:50")
    clock.step(VOCABULARY.id("choir:v80:C3"))
    assert wait in clock.forbidden()
    clock.step(VOCABULARY.id("choir:v80:G3"))
    assert wait not in clock.forbidden()
    # In the last moments nothing begins any more: they may only ring out.
    clock.step(VOCABULARY.id("choir:v0:G3"))
    clock.tick = 925
    assert wait not in clock.forbidden()
    assert wait not in clock_of(melody(), [True] * 20).forbidden()


def test_no_voice_is_added_beyond_those_asked_for() -> None:
    clock = clock_of(melody(), [True] * 20, others=2)
    chord = ("choir:v80:C3", "choir:v80:G3")
    assert not np.isin(VOCABULARY.id(chord[1]), clock.forbidden())
    for text in chord:
        clock.step(VOCABULARY.id(text))
    assert np.isin(np.flatnonzero(VOCABULARY.velocity_of > 0), clock.forbidden()).all()
    clock.step(VOCABULARY.id("choir:v0:C3"))
    assert not np.isin(VOCABULARY.id("choir:v80:D3"), clock.forbidden())


def test_a_piece_does_not_end_before_the_given_music() -> None:
    clock = clock_of(melody(), [True] * 20)
    clock.tick = 999
    assert VOCABULARY.end in clock.forbidden()
    clock.tick = 1000
    assert VOCABULARY.end not in clock.forbidden()


def test_cut_short_a_piece_may_end_within_the_given_music() -> None:
    clock = clock_of(melody(), [True] * 20)
    clock.tick = clock.length_ticks = 500
    assert VOCABULARY.end not in clock.forbidden()


@pytest.mark.parametrize("steps", [0, 7, 40])
def test_copies_go_on_apart(steps: int) -> None:
    piece = tune(12.0)
    given_notes = [n.instrument == "violin" for n in piece.notes]
    row = woven(tidy(piece), [n.instrument == "violin" for n in tidy(piece).notes])
    clock = clock_of(piece, given_notes)

    def walk(one: GivenClock, first: int, last: int) -> list[Place]:
        places = []
        for token in row.tokens[first:last].tolist():
            told = one.due()
            places.append(one.hear(told) if told is not None else one.step(token))
        return places

    walk(clock, 0, steps)
    twin = clock.copy()
    ahead = walk(twin, steps, steps + 100)
    assert_same(ahead, row, steps)
    assert_same(walk(clock, steps, steps + 100), row, steps)


def test_the_instruments_of_these_tests_are_in_the_ensemble() -> None:
    assert set(NAMES) <= {i.name for i in INSTRUMENTS}


@settings(max_examples=60, deadline=None)
@given(music(), st.floats(0.0, 1.0))
def test_put_in_time_it_is_the_music_that_was_woven(found: tuple[Piece, list[bool]], part: float) -> None:
    piece, given_notes = found
    row = woven(piece, given_notes)
    places, _ = grown(clock_of(piece, given_notes), row)
    tokens = row.tokens.tolist()
    whole = in_time(tokens, places, int(row.context.ticks[-1]))
    assert decode(whole).notes == decode(encode_body(piece)).notes
    # Halfway nothing is heard of what is only told.
    here = int(part * len(tokens))
    now = int(VOCABULARY.wait_ticks[tokens[:here]].sum())
    so_far = in_time(tokens[:here], places[:here], now)
    assert VOCABULARY.wait_ticks[so_far].sum() == now if so_far else now == 0
    struck = sorted(
        place[0]
        for token, place in zip(tokens[:here], places[:here], strict=True)
        if VOCABULARY.velocity_of[token] > 0 and place[0] <= now
    )
    assert sorted(round(note.onset_s * 100) for note in decode(so_far).notes) == struck
