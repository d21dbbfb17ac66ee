"""Levels: what the notes of a piece tell of its loudness is what the meter says of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model.notes import Note
from streaming.mixing.calibration import levels_of_patches, measured
from streaming.mixing.levels import Levels, PatchLevels, integrated_lufs
from streaming.mixing.loudness import Meter
from streaming.mixing.mixer import Master
from streaming.patches import Patch, library
from streaming.synthesis.synth import Orchestra, Strike
from streaming.timeline import BLOCK_SAMPLES, Timeline, to_samples, whole_blocks
from tests.bench.phrases import phrase


@pytest.fixture(scope="module")
def orchestra() -> Orchestra:
    return Orchestra()


@pytest.fixture(scope="module")
def every(orchestra: Orchestra) -> PatchLevels:
    return levels_of_patches(orchestra, library(), "synth 0")


@pytest.fixture(scope="module")
def levels(every: PatchLevels) -> Levels:
    return every.of(library().ensemble())


def heard_lufs(orchestra: Orchestra, notes: tuple[Note, ...], room: str, variants: dict[str, str]) -> float:
    """Return the loudness of notes as they come out, softly, so that no limiter works."""
    orchestra.reset()
    orchestra.choose(0, variants=variants)
    master, meter, line = Master(), Meter(), Timeline(notes)
    master.play_in(room, library().ensemble(variants=variants), at_once=True)
    end_s = max(n.offset_s for n in notes) + 1.0
    for _ in range(whole_blocks(to_samples(end_s))):
        now = orchestra.sample
        strikes = [
            Strike(e.sample - now, e.end_sample - e.sample, e.note, gain_db=-20.0, colour=e.sample)
            for e in line.take(now + BLOCK_SAMPLES)
        ]
        orchestra.process(strikes)
        master.process(_stems(orchestra))
        meter.process(master.mixed.astype(np.float64))
    orchestra.reset()
    return meter.integrated_lufs + 20.0


def _stems(orchestra: Orchestra) -> NDArray[np.float32]:
    return orchestra._engine.stems


@pytest.mark.parametrize("patch", library().patches.values(), ids=lambda patch: patch.key)
def test_a_phrase_is_as_loud_as_its_notes_tell_on_every_patch(
    orchestra: Orchestra, every: PatchLevels, patch: Patch
) -> None:
    notes, variants = phrase(patch.name).notes, {patch.name: patch.key}
    levels = every.of(library().ensemble(variants=variants))
    dry = integrated_lufs(levels.course(notes, "dry"))
    assert dry == pytest.approx(heard_lufs(orchestra, notes, "dry", variants), abs=1.3)
    # What a few notes meet in a room is chance.
    heard = heard_lufs(orchestra, notes, "hall", variants)
    assert integrated_lufs(levels.course(notes, "hall")) == pytest.approx(heard, abs=3.0)


def test_rooms_make_louder_and_velocity_does_too(levels: Levels) -> None:
    notes = phrase("violin").notes
    dry, small, hall = (integrated_lufs(levels.course(notes, room)) for room in ("dry", "small", "hall"))
    assert dry < min(hall, small) < max(hall, small) < dry + 4.0
    by_velocity = [integrated_lufs(levels.course(phrase("piano", velocity=v).notes, "dry")) for v in range(30, 127, 8)]
    assert by_velocity == sorted(by_velocity)
    assert by_velocity[-1] - by_velocity[0] > 8.0


def test_two_notes_at_once_have_the_power_of_both(levels: Levels) -> None:
    one, other = [Note(0.3, 60, "organ", 3.0, 80)], [Note(0.3, 67, "flute", 3.0, 80)]
    both = levels.course([*one, *other], "hall")
    np.testing.assert_allclose(both, levels.course(one, "hall") + levels.course(other, "hall"), rtol=1e-9)


def test_the_course_follows_the_piece_in_time(levels: Levels) -> None:
    late = levels.course([Note(5.0, 60, "clarinet", 2.0, 80)], "dry", duration_s=12.0)
    assert not late[:48].any()
    assert late[55:65].min() > 0
    assert late[85:].max() < 1e-3 * late[60]
    assert len(levels.course([], "dry", duration_s=3.0)) >= 29


def test_a_course_bears_whatever_notes_there_are(levels: Levels) -> None:
    odd = [
        Note(0.0, 0, "piano", 0.0, 1), Note(0.0, 127, "harp", 500.0, 127), Note(-1.0, 60, "drums", 0.0, 127),
        Note(0.5, 90, "kazoo", 1.0, 80),
    ]  # fmt: skip
    course = levels.course(odd, "small")
    assert np.isfinite(course).all()
    assert (course >= 0).all()
    assert course.any()


def test_what_was_measured_is_kept_and_a_damaged_copy_is_measured_anew(
    orchestra: Orchestra, every: PatchLevels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = levels_of_patches(orchestra, library(), "synth 0")
    (kept,) = (tmp_path / "conductor-live").glob("levels-*.npz")
    assert set(first.keys) == set(library().patches)
    np.testing.assert_array_equal(first.rows.power, every.rows.power)
    kept.write_bytes(kept.read_bytes()[:1000])
    again = levels_of_patches(orchestra, library(), "synth 0")
    np.testing.assert_array_equal(again.rows.power, first.rows.power)
    assert kept.stat().st_size > 1000
    # Now from the copy.
    np.testing.assert_array_equal(levels_of_patches(orchestra, library(), "synth 0").rows.shape, first.rows.shape)


def test_measuring_twice_gives_the_same_figures(orchestra: Orchestra) -> None:
    np.testing.assert_array_equal(measured(orchestra).power, measured(orchestra).power)
