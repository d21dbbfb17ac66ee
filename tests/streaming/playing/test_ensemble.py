"""Two banks in one show: each piece by the one it asks for, and never silence for want of a file."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model.notes import Note
from streaming.mixing.calibration import levels_of_patches
from streaming.mixing.levels import Levels, PatchLevels, integrated_lufs
from streaming.mixing.loudness import Meter
from streaming.patches import library
from streaming.playing import ensemble as room
from streaming.playing.deck import Troubled
from streaming.playing.ensemble import Ensemble
from streaming.playing.playout import Playout
from streaming.soundfonts.sf2 import SYNTH
from streaming.soundfonts.soundfont import SampledOrchestra
from streaming.synthesis.synth import Orchestra, Strike
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, to_samples
from tests.streaming.soundfonts.making import write_soundfont

Array = NDArray[np.float32]
TUNE = [Note(0.25 * n, 60 + 2 * (n % 5), "flute", 0.24, 80) for n in range(8)]


@pytest.fixture(scope="module")
def synth() -> Orchestra:
    return Orchestra()


@pytest.fixture(scope="module")
def levels(synth: Orchestra) -> PatchLevels:
    return levels_of_patches(synth, library(), "synth 0")


@pytest.fixture
def font(tmp_path: Path) -> Path:
    return write_soundfont(tmp_path / "all.sf2")


def strike(deck: int, pitch: int = 69, name: str = "flute") -> Strike:
    return Strike(0, to_samples(0.5), Note(0.0, pitch, name, 0.5, 80), deck)


def blocks(ensemble: Ensemble, strikes: list[Strike], count: int = 40) -> Array:
    return np.concatenate([ensemble.process(strikes if n == 0 else []).copy() for n in range(count)])


def ensemble_of(synth: Orchestra, levels: PatchLevels, *, patient: bool = True) -> Ensemble:
    synth.reset()
    # As loud as they are: measuring takes seconds.
    return Ensemble(synth, library(), levels, patient=patient, load=lambda path, _: SampledOrchestra(path))


def test_decks_are_played_by_their_banks_side_by_side(synth: Orchestra, levels: PatchLevels, font: Path) -> None:
    both = ensemble_of(synth, levels)
    both.assign(2, str(font))
    together = blocks(both, [strike(1), strike(2)])
    assert both.synth.voices == 1
    assert both.voices == 2
    alone = ensemble_of(synth, levels)
    alone.assign(2, str(font))
    synthesised, sampled = blocks(alone, [strike(1)]), None
    alone = ensemble_of(synth, levels)
    alone.assign(2, str(font))
    sampled = blocks(alone, [strike(2)])
    assert synthesised.any()
    assert sampled.any()
    assert np.allclose(together, synthesised + sampled, atol=1e-6)


def test_a_note_that_a_bank_has_no_sample_for_is_played_by_the_synth(
    synth: Orchestra, levels: PatchLevels, tmp_path: Path
) -> None:
    ensemble = ensemble_of(synth, levels)
    ensemble.assign(1, str(write_soundfont(tmp_path / "a.sf2", [(0, 0)], keys=(60, 72))))
    ensemble.process([strike(1, 65, "piano")])
    assert (ensemble.synth.voices, ensemble.voices) == (0, 1)
    ensemble.process([strike(1, 80, "piano"), strike(1, 65, "flute")])
    assert (ensemble.synth.voices, ensemble.voices) == (2, 3)
    assert ensemble.sounds(1)
    assert not ensemble.sounds(2)


def test_a_bank_that_cannot_be_loaded_is_told_once_and_the_synth_plays(
    synth: Orchestra, levels: PatchLevels, tmp_path: Path
) -> None:
    ensemble = ensemble_of(synth, levels)
    path = str(tmp_path / "gone.sf2")
    for _ in range(3):
        ensemble.assign(1, path)
        assert blocks(ensemble, [strike(1)]).any()
        assert ensemble.levels(path) is ensemble.levels(SYNTH)
    (told,) = ensemble.take_troubles()
    assert told.startswith(f"{path}: no such file or directory")
    assert told.endswith("the synth plays in its place")
    assert ensemble.take_troubles() == []


def test_on_air_nothing_waits_for_a_bank_and_the_synth_plays_until_it_is_there(
    synth: Orchestra, levels: PatchLevels, font: Path
) -> None:
    may = threading.Event()

    def slowly(path: Path, _: Levels) -> SampledOrchestra:
        assert may.wait(60)
        return SampledOrchestra(path)

    synth.reset()
    ensemble = Ensemble(synth, library(), levels, load=slowly)
    ensemble.prepare([str(font), SYNTH, ""])
    ensemble.assign(1, str(font))
    ensemble.process([strike(1)])
    assert ensemble.synth.voices == 1
    assert "still being loaded; the synth plays until it is there" in ensemble.take_troubles()[0]
    may.set()
    deadline = time.monotonic() + 60
    while ensemble.synth.voices == ensemble.voices:
        assert time.monotonic() < deadline
        ensemble.process([strike(1, 71)])
        time.sleep(0.01)
    # It counts as the synth does: keys of a piece can be let go by their samples.
    began = ensemble.sample
    ensemble.process([strike(1, 50)])
    ensemble.shorten(1, {(began, 50, "flute"): began + 600})
    before = ensemble.voices
    blocks(ensemble, [], 80)
    assert ensemble.voices < before


def test_a_bank_that_vanishes_once_it_is_loaded_is_not_missed(
    synth: Orchestra, levels: PatchLevels, font: Path
) -> None:
    ensemble = ensemble_of(synth, levels)
    ensemble.assign(1, str(font))
    font.unlink()
    ensemble.assign(1, str(font))
    assert blocks(ensemble, [strike(1)]).any()
    assert ensemble.synth.voices == 0
    assert ensemble.take_troubles() == []


def test_banks_asked_for_long_ago_make_room(synth: Orchestra, levels: PatchLevels, font: Path, tmp_path: Path) -> None:
    ensemble = ensemble_of(synth, levels)
    paths = [str(shutil.copy(font, tmp_path / f"{n}.sf2")) for n in range(7)]
    for path in paths:
        ensemble.assign(1, path)
    ensemble.prepare([paths[-1]])
    assert len(ensemble._banks) == 4
    assert paths[-1] in ensemble._banks
    assert blocks(ensemble, [strike(1)]).any()
    assert ensemble.synth.voices == 0


def programme(bank: str, *, after: str = "") -> tuple[Array, Playout]:
    """A piece, and another one after it, as it goes out."""
    playout = Playout(bed=False, patient=True)
    playout.load(1, TUNE, 2.0, bank=bank)
    if after:
        playout.load(2, TUNE, 2.0, bank=after)
    playout.follow([1, 2] if after else [1], gap_s=-0.5)
    made = np.concatenate([playout.step() for _ in range((4 if after else 2) * SAMPLE_RATE // BLOCK_SAMPLES)])
    return made, playout


def test_a_piece_is_the_same_every_time_and_as_loud_with_samples_as_without(font: Path) -> None:
    first, _ = programme(str(font))
    again, _ = programme(str(font))
    assert np.array_equal(first, again)
    plain, _ = programme(SYNTH)
    loudness = []
    for sound in (first, plain):
        meter = Meter()
        for block in sound.astype(np.float64).reshape(-1, BLOCK_SAMPLES, 2):
            meter.process(block)
        loudness.append(meter.integrated_lufs)
    assert abs(loudness[0] - loudness[1]) < 1.5


def test_a_piece_with_samples_and_one_without_meet_without_a_gap(font: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "loaded", lambda path, _: SampledOrchestra(path))
    sound, playout = programme(str(font), after=SYNTH)
    assert playout.number == 2
    steps = np.abs(sound).max(axis=1)[SAMPLE_RATE // 4 : 3 * SAMPLE_RATE]
    windows = steps[: len(steps) // 2400 * 2400].reshape(-1, 2400).max(axis=1)
    assert windows.min() > 1e-3
    assert not any(isinstance(news, Troubled) for news in playout.take_news())


def test_trouble_with_a_bank_is_news_and_the_piece_is_heard(tmp_path: Path) -> None:
    sound, playout = programme(str(tmp_path / "gone.sf2"))
    told = [news.text for news in playout.take_news() if isinstance(news, Troubled)]
    assert len(told) == 1
    assert "the synth plays in its place" in told[0]
    assert np.array_equal(sound, programme(SYNTH)[0])


def test_a_deck_is_played_by_the_patches_of_its_style_and_by_those_asked_for(
    synth: Orchestra, levels: PatchLevels
) -> None:
    def bass(style: str = "", **variants: str) -> Array:
        ensemble = ensemble_of(synth, levels)
        ensemble.assign(1, SYNTH, style, variants)
        return blocks(ensemble, [strike(1, 40, "bass")])

    upright, electric = bass(), bass("rock")
    assert upright.any()
    assert not np.allclose(upright, electric, atol=1e-3)
    assert np.array_equal(bass("rock", bass="upright"), upright)
    assert np.array_equal(bass(bass="electric"), electric)


def test_how_loud_a_note_will_be_is_told_of_the_patch_that_plays_it(synth: Orchestra, levels: PatchLevels) -> None:
    ensemble = ensemble_of(synth, levels)
    note = [Note(0.0, 40, "bass", 1.0, 80)]

    def told(**variants: str) -> float:
        return integrated_lufs(ensemble.levels(SYNTH, "", variants).course(note, "hall"))

    assert told() == told(bass="upright") != told(bass="electric")


def test_a_bank_stands_where_the_players_of_the_style_do(synth: Orchestra, levels: PatchLevels, font: Path) -> None:
    ensemble = Ensemble(
        synth, library(), levels, patient=True, load=lambda path, like: SampledOrchestra(path, like=like)
    )
    ensemble.prepare([str(font)])
    chamber, full = (ensemble.levels(str(font), style) for style in ("quartet", "orchestra"))
    assert np.array_equal(chamber.power, full.power)
    at = list(library().ensemble()).index("violin")
    assert chamber.room_db[at] == library().patches["violin-solo"].room_db
    assert full.room_db[at] == library().patches["violin-section"].room_db
