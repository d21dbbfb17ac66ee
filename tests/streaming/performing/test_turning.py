"""What a file turns is heard: volume, place, bends and vibrato, without clicks, whatever is turned."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from model.controls import PLAIN, Controls, Curve, controls_of
from model.instruments import BY_NAME
from model.notes import Note
from streaming.performing.lanes import LANES
from streaming.performing.turning import Turning, gain_db_of, gains_of
from streaming.playing.playout import Playout
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, to_samples

Sound = NDArray[np.float64]


def stems(notes: list[Note], controls: tuple[Controls, ...], seconds: float) -> tuple[Playout, NDArray[np.float32]]:
    """Return what the orchestra plays, float32 [samples, 26], with the steering and the rooms left out."""
    playout = Playout(bed=False)
    playout.load(1, notes, seconds, room="dry", controls=controls)
    playout.go(1)
    made = []
    for _ in range(to_samples(seconds) // BLOCK_SAMPLES):
        playout.step()
        made.append(playout.stems.copy())
    return playout, np.concatenate(made)


def ears(sound: NDArray[np.float32], instrument: str = "organ") -> tuple[Sound, Sound]:
    at = 2 * list(BY_NAME).index(instrument)
    return sound[:, at].astype(np.float64), sound[:, at + 1].astype(np.float64)


def level_db(sound: Sound, start_s: float, end_s: float) -> float:
    part = sound[to_samples(start_s) : to_samples(end_s)]
    return 10 * float(np.log10(np.mean(np.square(part)) + 1e-20))


def pitch_hz(sound: Sound, start_s: float, end_s: float) -> float:
    part = sound[to_samples(start_s) : to_samples(end_s)]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 8 * len(part)))
    return float(np.argmax(spectrum)) * SAMPLE_RATE / len(part) / 8


def held(part: int = 1, instrument: str = "organ", pitch: int = 69, seconds: float = 3.0) -> Note:
    return Note(0.0, pitch, instrument, seconds, 90, part)


def test_volume_is_heard_while_a_note_sounds() -> None:
    _, sound = stems([held()], (Controls(gain_db=Curve((0.0, 1.5), (0.0, -20.0))),), 3.0)
    left, _ = ears(sound)
    assert level_db(left, 0.5, 1.4) - level_db(left, 2.0, 2.9) == pytest.approx(20.0, abs=1.0)


def test_place_goes_to_one_ear_and_keeps_the_power() -> None:
    _, plain = stems([held()], (), 1.5)
    for place, at in ((-1.0, 0), (1.0, 1)):
        _, sound = stems([held()], (Controls(place=Curve((0.0,), (place,))),), 1.5)
        both = ears(sound)
        assert level_db(both[at], 0.5, 1.4) - level_db(ears(plain)[at], 0.5, 1.4) == pytest.approx(3.0, abs=0.3)
        assert level_db(both[1 - at], 0.5, 1.4) < -100.0


@pytest.mark.parametrize("instrument", ["organ", "trumpet", "piano", "guitar"])
def test_a_bend_moves_notes_that_sound_and_notes_to_come(instrument: str) -> None:
    controls = (Controls(bend_cents=Curve((0.0, 1.0), (0.0, 200.0))),)
    _, sound = stems([held(instrument=instrument, seconds=2.0), Note(2.0, 69, instrument, 1.0, 90, 1)], controls, 3.0)
    left, _ = ears(sound, instrument)
    start, bent, later = (pitch_hz(left, *span) for span in ((0.2, 0.9), (1.3, 1.9), (2.2, 2.9)))
    assert start == pytest.approx(440.0, rel=0.002)
    assert 1200 * np.log2(bent / start) == pytest.approx(200.0, abs=6.0)
    assert 1200 * np.log2(later / start) == pytest.approx(200.0, abs=6.0)


def test_modulation_shakes_the_pitch() -> None:
    _, still = stems([held()], (PLAIN,), 2.0)
    _, shaken = stems([held()], (Controls(vibrato=Curve((0.0,), (1.0,))),), 2.0)

    def spread(sound: NDArray[np.float32]) -> float:
        left, _ = ears(sound)
        found = [pitch_hz(left, 0.5 + 0.03 * step, 0.56 + 0.03 * step) for step in range(40)]
        return max(found) - min(found)

    assert spread(shaken) > spread(still) + 10.0


def test_notes_of_other_parts_and_of_none_are_left_alone() -> None:
    soft = Controls(gain_db=Curve((0.0,), (-40.0,)))
    notes = [held(1, pitch=69), held(2, "flute"), held(0, "clarinet")]
    _, alone = stems([held(0, pitch=69), held(0, "flute"), held(0, "clarinet")], (), 1.0)
    _, sound = stems(notes, (soft, PLAIN), 1.0)
    change = {
        name: level_db(ears(sound, name)[0], 0.4, 0.9) - level_db(ears(alone, name)[0], 0.4, 0.9)
        for name in ("organ", "flute", "clarinet")
    }
    # The whole is as loud as it was, so the others are louder.
    assert change["flute"] == pytest.approx(change["clarinet"], abs=0.1)
    assert change["flute"] - change["organ"] == pytest.approx(40.0, abs=0.5)


def test_a_step_of_a_controller_does_not_click() -> None:
    """Above the organ's own partials there is next to nothing, also when everything jumps at once."""
    jumps = tuple(0.4 + 0.1 * step for step in range(12))
    wild = Controls(
        gain_db=Curve((0.0, *jumps), (0.0, *(-30.0 if step % 2 == 0 else 0.0 for step in range(12)))),
        place=Curve((0.0, *jumps), (0.0, *(1.0 if step % 2 == 0 else -1.0 for step in range(12)))),
    )
    _, plain = stems([held(pitch=45)], (), 2.0)
    _, turned = stems([held(pitch=45)], (wild,), 2.0)

    def above(sound: NDArray[np.float32]) -> float:
        left, _ = ears(sound)
        part = left[to_samples(0.3) : to_samples(1.9)]
        spectrum = np.abs(np.fft.rfft(part * np.blackman(len(part))))
        first = int(9000 * len(part) / SAMPLE_RATE)
        return 20 * float(np.log10(spectrum[first:].max() / spectrum.max()))

    assert above(turned) < max(above(plain) + 6.0, -70.0)


def test_a_controller_that_is_turned_thousands_of_times_breaks_nothing() -> None:
    rng = random.Random(2)
    turns = sorted(
        (rng.randrange(1500), rng.choice((1, 6, 7, 10, 11, 38, 98, 99, 100, 101, 121, 128)), rng.randrange(16384))
        for _ in range(20_000)
    )
    turns = [(tick, number, value if number == 128 else value % 128) for tick, number, value in turns]
    wild = controls_of(turns, [tick / 1000 for tick, _, _ in turns])
    names = [name for name, i in BY_NAME.items() if i.sustains]
    playout, sound = stems([held(1, name, pitch=62) for name in names] + [held(1, "drums", 38)], (wild,), 1.6)
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() > 0.001
    assert playout.master.take_peak_dbtp() <= -1.0


def test_more_parts_than_lanes_are_played_all_the_same() -> None:
    controls = tuple(Controls(gain_db=Curve((0.0,), (-0.01 * n,))) for n in range(LANES + 8))
    notes = [Note(0.0, 40 + n, "piano", 0.5, 80, n + 1) for n in range(LANES + 8)]
    playout, sound = stems(notes, controls, 0.6)
    assert playout.orchestra.voices >= LANES + 8
    assert np.isfinite(sound).all()


def test_parts_of_one_piece_are_forgotten_with_the_next() -> None:
    soft = (Controls(gain_db=Curve((0.0,), (-40.0,))),)
    playout = Playout(bed=False)
    for number, controls in ((1, soft), (2, ())):
        playout.load(number, [held(seconds=0.5)], 0.5, room="dry", controls=controls)
    playout.go(1)
    first = 0
    while playout.number in (0, 1) and not playout.idle and first < 2000:
        playout.step()
        first += 1
    playout.go(2)
    again = []
    for _ in range(to_samples(0.4) // BLOCK_SAMPLES):
        playout.step()
        again.append(playout.stems.copy())
    _, alone = stems([held(seconds=0.5)], (), 0.5)
    left, right = ears(np.concatenate(again))
    assert level_db(left, 0.1, 0.4) == pytest.approx(level_db(ears(alone)[0], 0.1, 0.4), abs=1.0)
    assert level_db(right, 0.1, 0.4) == pytest.approx(level_db(ears(alone)[1], 0.1, 0.4), abs=1.0)


def test_what_does_not_change_is_told_once() -> None:
    turning = Turning((Controls(gain_db=Curve((0.0, 0.5), (-6.0, -12.0))),), deck=2)
    told = [turning.step(block * BLOCK_SAMPLES) for block in range(300)]
    assert len(told[0]) == 1
    assert (told[0][0].deck, told[0][0].part) == (2, 1)
    assert not told[10]
    moved = [block for block, found in enumerate(told) if found and block]
    assert 90 < moved[0] < 96
    assert moved[-1] < 150
    assert told[moved[-1]][0].end == gains_of(Controls(gain_db=Curve((0.0,), (-12.0,))), 0.0)
    # From block to block the line goes on where it was.
    ends = [found[0] for found in told if found]
    assert all(b.start == a.end for a, b in pairwise(ends))


def test_the_level_of_a_note_is_that_of_its_part() -> None:
    controls = (PLAIN, Controls(gain_db=Curve((0.0, 1.0), (-6.0, -12.0))))
    assert [gain_db_of(controls, part, 2.0) for part in (0, 1, 2, 3)] == [0.0, 0.0, -12.0, 0.0]
