"""What a file turns is heard of a SoundFont's orchestra, too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from model.controls import Controls, Curve
from model.instruments import BY_NAME
from model.notes import Note
from streaming.performing.turning import Turning
from streaming.soundfonts.soundfont import SampledOrchestra
from streaming.synthesis.synth import Strike
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, to_samples
from tests.streaming.soundfonts.making import write_soundfont

Sound = NDArray[np.float64]
SECONDS = 1.6


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampledOrchestra]:
    orchestra = SampledOrchestra(write_soundfont(tmp_path_factory.mktemp("fonts") / "all.sf2"))
    yield orchestra
    orchestra.close()


def play(orchestra: SampledOrchestra, controls: Sequence[Controls], part: int = 1) -> tuple[Sound, Sound]:
    """Return left and right of a flute's long A, as one part is turned."""
    orchestra.reset()
    turning = Turning(controls, 1)
    strikes = [Strike(0, to_samples(SECONDS), Note(0.0, 69, "flute", SECONDS, 90, part), deck=1)]
    made = []
    for block in range(to_samples(SECONDS) // BLOCK_SAMPLES):
        for turned in turning.step(block * BLOCK_SAMPLES):
            orchestra.turn(turned)
        made.append(orchestra.process(strikes if block == 0 else ()).copy())
    at = 2 * list(BY_NAME).index("flute")
    sound = np.concatenate(made).astype(np.float64)
    return sound[:, at], sound[:, at + 1]


def level_db(sound: Sound, start_s: float, end_s: float) -> float:
    part = sound[to_samples(start_s) : to_samples(end_s)]
    return 10 * float(np.log10(np.mean(np.square(part)) + 1e-20))


def pitch_hz(sound: Sound, start_s: float, end_s: float) -> float:
    part = sound[to_samples(start_s) : to_samples(end_s)]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 8 * len(part)))
    return float(np.argmax(spectrum)) * SAMPLE_RATE / len(part) / 8


def test_volume_and_bend_move_a_note_that_sounds(built: SampledOrchestra) -> None:
    turned = Controls(gain_db=Curve((0.0, 0.8), (0.0, -20.0)), bend_cents=Curve((0.0, 0.8), (0.0, 200.0)))
    left, _ = play(built, (turned,))
    assert level_db(left, 0.3, 0.7) - level_db(left, 1.0, 1.5) == pytest.approx(20.0, abs=0.5)
    cents = 1200 * np.log2(pitch_hz(left, 1.0, 1.5) / pitch_hz(left, 0.3, 0.7))
    assert cents == pytest.approx(200.0, abs=5.0)


def test_a_note_begins_as_its_part_is_turned(built: SampledOrchestra) -> None:
    plain, _ = play(built, ())
    left, right = play(built, (Controls(gain_db=Curve((0.0,), (-12.0,)), place=Curve((0.0,), (1.0,))),))
    assert level_db(right, 0.3, 1.5) - level_db(plain, 0.3, 1.5) == pytest.approx(3.0 - 12.0, abs=0.5)
    assert level_db(left, 0.3, 1.5) < level_db(right, 0.3, 1.5) - 40.0


def test_notes_of_no_part_are_left_alone(built: SampledOrchestra) -> None:
    plain, _ = play(built, ())
    left, _ = play(built, (Controls(gain_db=Curve((0.0, 0.5), (-12.0, -40.0))),), part=0)
    assert np.array_equal(plain, left)


def test_a_step_is_a_slope(built: SampledOrchestra) -> None:
    jumps = tuple(0.4 + 0.1 * step for step in range(8))
    wild = Controls(gain_db=Curve((0.0, *jumps), (0.0, *(-30.0 if step % 2 == 0 else 0.0 for step in range(8)))))
    plain, _ = play(built, ())
    left, _ = play(built, (wild,))

    def steepest(sound: Sound) -> float:
        return float(np.abs(np.diff(sound, 2)).max())

    assert steepest(left) < 1.5 * steepest(plain)
