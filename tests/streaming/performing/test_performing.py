"""A playout plays written notes as people would: the same on air, in a file and to a MIDI port."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model.notes import Note, Piece, TempoMark
from streaming.mixing.mixer import LATENCY_SAMPLES
from streaming.notetape import Kind, NoteTape, Record
from streaming.performing.expression import perform
from streaming.performing.notation import Score
from streaming.playing.playout import Changed, Playout
from streaming.playing.render import Sound, render
from streaming.timeline import BLOCK_SAMPLES, to_samples
from tests.streaming.performing.test_expression import band

SCORE = Score("rock", (TempoMark(0.0, 120.0),), 4.0)
SECONDS = 3.0


def tune(seed: int = 1) -> list[Note]:
    return [note for note in band(seed, bars=2) if note.offset_s <= SECONDS]


def blocks(playout: Playout, seconds: float) -> list[NDArray[np.float32]]:
    return [playout.step() for _ in range(to_samples(seconds) // BLOCK_SAMPLES)]


def struck(tape: NoteTape, since: int = 0) -> list[Record]:
    return [record for record in tape.read(since) if record.kind == Kind.NOTE]


@pytest.fixture
def tape(tmp_path: Path) -> NoteTape:
    return NoteTape.join(tmp_path / "notes")


def test_a_file_holds_what_is_heard_on_air() -> None:
    piece = Piece(tuple(tune()), SCORE.tempi, "tune", SCORE.style, SCORE.beats_per_bar)
    sound = Sound(room="small", expression=True)
    written = np.concatenate(list(render(piece, sound)))
    air = Playout(bed=False)
    air.load(1, piece.notes, piece.duration_s, room="small", score=SCORE, style="rock")
    air.go(1)
    heard = np.concatenate(blocks(air, SECONDS + 0.5))
    late = LATENCY_SAMPLES
    assert np.array_equal(written[: len(heard) - late], heard[late:])
    exact = np.concatenate(list(render(piece, replace(sound, expression=False))))
    assert not np.array_equal(written, exact)


def test_those_who_play_along_are_told_what_is_played(tape: NoteTape) -> None:
    air = Playout(bed=False)
    air.tape = tape
    air.load(1, tune(), SECONDS, score=SCORE)
    air.go(1)
    blocks(air, SECONDS)
    expected = {(to_samples(n.onset_s), n.pitch, n.instrument, n.velocity) for n in perform(tune(), SCORE).played}
    told = {(record.sample, record.pitch, record.instrument, record.velocity) for record in struck(tape)}
    assert told == expected
    assert told != {(to_samples(n.onset_s), n.pitch, n.instrument, n.velocity) for n in tune()}


@pytest.mark.parametrize("at_s", [1.5, 1.51, 1.495])
def test_a_change_on_air_plays_each_note_once(tape: NoteTape, at_s: float) -> None:
    air = Playout(bed=False)
    air.tape = tape
    air.load(1, tune(), SECONDS, score=SCORE)
    air.go(1)
    # The change comes when notes that are written a moment before it are still to be played.
    blocks(air, at_s - 0.002)
    other = [note for note in tune(2) if note.onset_s >= at_s]
    air.revise(1, at_s, other, SECONDS)
    (changed,) = [news for news in air.take_news() if isinstance(news, Changed)]
    assert not changed.late
    blocks(air, SECONDS - at_s + 0.1)
    written = [n for n in tune() if n.onset_s < at_s] + other
    told = sorted((record.pitch, record.instrument) for record in struck(tape))
    assert told == sorted((n.pitch, n.instrument) for n in written)
    before = {(to_samples(p.onset_s), p.pitch, p.velocity) for p, w in perform(tune(), SCORE) if w.onset_s < at_s}
    assert before <= {(record.sample, record.pitch, record.velocity) for record in struck(tape)}


def test_a_late_change_repeats_nothing_that_was_played(tape: NoteTape) -> None:
    air = Playout(bed=False)
    air.tape = tape
    air.load(1, tune(), SECONDS, score=SCORE)
    air.go(1)
    blocks(air, 2.0)
    played = struck(tape)
    count = tape.count
    # The same notes again, from a time that is past.
    air.revise(1, 1.0, [note for note in tune() if note.onset_s >= 1.0], SECONDS)
    blocks(air, SECONDS - 2.0)
    later = struck(tape, count)
    places = [(record.sample, record.pitch, record.instrument) for record in (*played, *later)]
    assert len(set(places)) == len(places)
    assert min(record.sample for record in later) >= to_samples(2.0) - BLOCK_SAMPLES
    assert 0 <= len(tune()) - len(places) <= 2


def test_without_a_score_every_note_is_where_it_is_written(tape: NoteTape) -> None:
    air = Playout(bed=False)
    air.tape = tape
    air.load(1, tune(), SECONDS)
    air.go(1)
    blocks(air, SECONDS)
    told = sorted((record.sample, record.pitch, record.velocity) for record in struck(tape))
    assert told == sorted((to_samples(n.onset_s), n.pitch, n.velocity) for n in tune())
