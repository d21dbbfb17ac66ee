"""Whatever is asked of it, the playout plays on: too many notes, senseless controllers, notes that are none."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model.instruments import BY_NAME
from model.midi import read_midi
from model.notes import Note, Piece
from streaming.mixing.loudness import TruePeak, to_db
from streaming.playing.playout import Playout, Troubled
from streaming.playing.render import Sound, render, render_wav
from streaming.synthesis.synth import POLYPHONY
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE
from tests.model.midi_bytes import off, on, program, smf, track
from tests.streaming.soundfonts.making import write_soundfont

SECOND = SAMPLE_RATE // BLOCK_SAMPLES


def crowd(count: int, at_s: float = 0.2, length_s: float = 1.0) -> list[Note]:
    """Notes that begin at one moment, on all instruments, at full force."""
    players = list(BY_NAME.values())
    notes = []
    for index in range(count):
        player = players[index % len(players)]
        pitch = player.low + index // len(players) % (player.high - player.low)
        notes.append(Note(at_s, pitch, player.name, length_s, 127))
    return notes


def heard(blocks: list[NDArray[np.float32]]) -> float:
    """Return the true peak of some blocks, dBTP; they must all be numbers."""
    meter, peak = TruePeak(), 0.0
    for block in blocks:
        assert np.isfinite(block).all()
        peak = max(peak, meter.process(block.astype(np.float64)))
    return to_db(peak)


@pytest.mark.parametrize("bank", ["synth", "samples"])
def test_five_hundred_notes_at_once_are_heard_counted_and_over(bank: str, tmp_path: Path) -> None:
    playout = Playout(bed=False, patient=True)
    path = str(write_soundfont(tmp_path / "a.sf2")) if bank == "samples" else "synth"
    playout.load(1, [*crowd(500), Note(3.0, 60, "piano", 0.5, 80)], 3.5, bank=path)
    playout.go(1)
    before, most = [], 0
    for _ in range(SECOND):
        before.append(playout.step())
        most = max(most, playout.orchestra.voices)
    assert POLYPHONY <= most <= 2 * POLYPHONY
    assert playout.orchestra.stolen >= 500 - 2 * POLYPHONY
    assert -20.0 < heard(before) <= -1.0
    rest = [playout.step() for _ in range(9 * SECOND)]
    assert heard(rest) <= -1.0
    # A key struck afterwards sounds, nothing hangs, and no dropout was made of it.
    assert np.abs(np.concatenate(rest[2 * SECOND : 3 * SECOND])).max() > 1e-3
    assert playout.orchestra.voices == 0
    assert playout.idle


def test_a_file_tells_how_many_notes_were_cut_short(tmp_path: Path) -> None:
    report = render_wav(Piece(tuple(sorted(crowd(500)))), tmp_path / "a.wav", Sound(tail_s=1.0))
    assert report.voices_stolen >= 500 - 2 * POLYPHONY
    assert report.dbtp <= -1.0


@pytest.mark.parametrize("seed", range(3))
def test_senseless_controllers_break_nothing_and_the_notes_are_heard(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    turns = [
        (rng.randrange(6), bytes((rng.choice((0xB0, 0xE0, 0xA0)), rng.randrange(128), rng.randrange(128))))
        for _ in range(3000)
    ]
    # Sound off, keys off, reset: they come at random, too.
    notes = [(0, program(rng.randrange(128))), (0, on(60, 100)), (0, on(67, 100))]
    path = tmp_path / "a.mid"
    path.write_bytes(
        smf(track(*notes, *turns, (10, off(60)), (0, off(67))), track((0, on(72, 90, 1)), (960, off(72, 1))))
    )
    piece = read_midi(path, pedal=True, controls=True).piece
    assert piece.notes
    blocks = list(render(piece, Sound(tail_s=0.5)))
    assert -30.0 < heard(blocks) <= -1.0


def test_notes_that_are_none_are_told_of_and_the_others_are_heard() -> None:
    playout = Playout(bed=False)
    good = [Note(0.0, 60, "piano", 0.5, 90)]
    odd = [
        Note(0.0, 60, "theremin", 0.5, 90), Note(math.nan, 60, "piano", 0.5, 90), Note(0.0, 60, "piano", math.inf, 90)
    ]  # fmt: skip
    playout.load(1, [*good, *odd], 1.0)
    playout.go(1)
    blocks = [playout.step() for _ in range(SECOND)]
    (told,) = [news.text for news in playout.take_news() if isinstance(news, Troubled)]
    assert told == "piece 1: 3 notes cannot be played (no instrument is called theremin)"
    assert np.abs(np.concatenate(blocks)).max() > 0.01
    alone = Playout(bed=False)
    alone.load(1, good, 1.0)
    alone.go(1)
    assert np.array_equal(np.concatenate(blocks), np.concatenate([alone.step() for _ in range(SECOND)]))


def test_pitches_and_velocities_out_of_range_are_played_somehow() -> None:
    playout = Playout(bed=False)
    names = list(BY_NAME)
    notes = [Note(0.05 * i, p, names[i % 13], 0.2, v) for i, (p, v) in enumerate(
        [(-5, 64), (0, 0), (127, 127), (140, 300), (60, -3)] * 6)]  # fmt: skip
    playout.load(1, notes, 3.0)
    playout.go(1)
    assert -40.0 < heard([playout.step() for _ in range(4 * SECOND)]) <= -1.0
