"""A SoundFont's orchestra: on the sample, in tune, as loud as the synth, and the same every time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model.instruments import BY_NAME, INSTRUMENTS
from model.notes import Note
from streaming.errors import SoundFontError
from streaming.mixing.calibration import measured
from streaming.mixing.levels import Levels, integrated_lufs
from streaming.mixing.room import DRY
from streaming.patches import PATCHES
from streaming.soundfonts import soundfont
from streaming.soundfonts.levels import matched, phrase, rows_of
from streaming.soundfonts.sf2 import Preset
from streaming.soundfonts.soundfont import POLYPHONY, SampledOrchestra
from streaming.synthesis.synth import Orchestra, Strike
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, to_samples
from tests.streaming.soundfonts.making import write_soundfont

Array = NDArray[np.float32]
DEBIAN = Path("/usr/share/sounds/sf2/TimGM6mb.sf2")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampledOrchestra]:
    orchestra = SampledOrchestra(write_soundfont(tmp_path_factory.mktemp("fonts") / "all.sf2"))
    yield orchestra
    orchestra.close()


@pytest.fixture
def orchestra(built: SampledOrchestra) -> SampledOrchestra:
    built.reset()
    return built


def strike(pitch: int = 69, name: str = "flute", seconds: float = 0.2, offset: int = 0, **more: float) -> Strike:
    note = Note(0.0, pitch, name, seconds, int(more.pop("velocity", 80)))
    return dataclasses.replace(Strike(offset, to_samples(seconds), note), **more)  # type: ignore[arg-type]


def stems(orchestra: SampledOrchestra, strikes: list[Strike], seconds: float) -> Array:
    """What all stems give, float32 [samples, 26]."""
    blocks = [orchestra.process(strikes).copy()]
    blocks += [orchestra.process().copy() for _ in range(to_samples(seconds) // BLOCK_SAMPLES)]
    return np.concatenate(blocks)


def power_db(sound: Array) -> float:
    return 10 * float(np.log10(np.square(sound.astype(np.float64)).mean() + 1e-20))


def busy(orchestra: SampledOrchestra, seed: int) -> Array:
    """A second of many notes on all instruments and decks."""
    rng = np.random.default_rng(seed)
    out = []
    for block in range(200):
        names: list[str] = list(rng.choice([i.name for i in INSTRUMENTS], 2)) if block % 3 == 0 else []
        strikes = [
            strike(
                int(rng.integers(40, 80)), name, float(rng.uniform(0.05, 0.6)), int(rng.integers(256)),
                deck=int(rng.integers(4)), gain_db=float(rng.uniform(-12, 3)), velocity=int(rng.integers(1, 128)),
            )
            for name in names
        ]  # fmt: skip
        if block == 90:
            orchestra.release(1, within_s=0.02)
        orchestra.fade(2, 1.0 - block / 400, 1.0 - (block + 1) / 400)
        out.append(orchestra.process(sorted(strikes, key=lambda s: s.offset)).copy())
    return np.concatenate(out)


def test_the_stems_are_in_the_order_of_the_patches() -> None:
    assert [patch.name for patch in PATCHES] == [instrument.name for instrument in INSTRUMENTS]


@pytest.mark.parametrize("name", list(BY_NAME))
def test_every_instrument_sounds_on_its_own_stem_only(orchestra: SampledOrchestra, name: str) -> None:
    sound = stems(orchestra, [strike(60, name)], 0.3)
    index = 2 * list(BY_NAME).index(name)
    assert power_db(sound[:, index : index + 2]) > -50
    assert not np.delete(sound, [index, index + 1], axis=1).any()


@pytest.mark.parametrize("offset", [0, 1, 63, 64, 100, 255])
def test_a_note_begins_on_its_sample(orchestra: SampledOrchestra, offset: int) -> None:
    sound = stems(orchestra, [strike(offset=offset)], 0.1)
    at_0 = stems(fresh(orchestra), [strike()], 0.1)
    # The envelope begins with 0: the first sample that is heard is the one after.
    assert np.flatnonzero(sound.any(axis=1))[0] == offset + 1
    # The same sound, only later.
    assert np.array_equal(sound[offset : offset + 4000], at_0[:4000])


def fresh(orchestra: SampledOrchestra) -> SampledOrchestra:
    orchestra.reset()
    return orchestra


def test_a_note_is_let_go_within_a_chunk_of_its_end(orchestra: SampledOrchestra) -> None:
    held = stems(orchestra, [strike(seconds=1.0, offset=37)], 0.6)
    short = stems(fresh(orchestra), [strike(seconds=0.2, offset=37)], 0.6)
    differ = np.flatnonzero((held != short).any(axis=1))[0]
    assert 0 <= differ - (37 + to_samples(0.2)) <= 64
    assert power_db(short[-2000:]) < -100 < -40 < power_db(held[-2000:])


@pytest.mark.parametrize("pitch", [45, 57, 69, 81])
def test_notes_are_in_tune(orchestra: SampledOrchestra, pitch: int) -> None:
    sound = stems(orchestra, [strike(pitch, seconds=2.0)], 2.0)[:, 2 * list(BY_NAME).index("flute")]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 2**20))
    hz = float(spectrum.argmax()) * SAMPLE_RATE / 2**20
    assert abs(1200 * np.log2(hz / (440 * 2 ** ((pitch - 69) / 12)))) < 1.0


def test_velocity_makes_louder_at_every_step(orchestra: SampledOrchestra) -> None:
    levels = [power_db(stems(fresh(orchestra), [strike(velocity=v)], 0.2)) for v in range(1, 128, 9)]
    assert (np.diff(levels) > 0).all()


def test_gain_is_exact(orchestra: SampledOrchestra) -> None:
    plain = power_db(stems(orchestra, [strike()], 0.2))
    for gain_db in (-12.0, 6.0, 15.0):
        assert power_db(stems(fresh(orchestra), [strike(gain_db=gain_db)], 0.2)) == pytest.approx(
            plain + gain_db, abs=0.01
        )


def test_a_deck_fades_along_a_straight_line_and_leaves_the_others_alone(orchestra: SampledOrchestra) -> None:
    notes = [strike(seconds=1.0, deck=1), strike(seconds=1.0, name="organ", deck=2)]
    plain = stems(orchestra, notes, 0.1)
    fresh(orchestra).process(notes)
    orchestra.fade(1, 1.0, 0.5)
    faded = orchestra.process().copy()
    line = np.linspace(1.0, 0.5, BLOCK_SAMPLES, endpoint=False)[:, None]
    flute, organ = (2 * list(BY_NAME).index(name) for name in ("flute", "organ"))
    same = plain[BLOCK_SAMPLES : 2 * BLOCK_SAMPLES]
    assert np.allclose(faded[:, flute : flute + 2], same[:, flute : flute + 2] * line, atol=1e-7)
    assert np.array_equal(faded[:, organ : organ + 2], same[:, organ : organ + 2])


def test_a_released_deck_is_silent_in_the_time_it_is_given(orchestra: SampledOrchestra) -> None:
    orchestra.process([strike(seconds=9.0, deck=1), strike(60, seconds=9.0, deck=2)])
    orchestra.release(1, within_s=0.01)
    for _ in range(8):
        orchestra.process()
    assert not orchestra.sounds(1)
    assert orchestra.sounds(2)


def test_keys_are_let_go_earlier_when_the_piece_changes(orchestra: SampledOrchestra) -> None:
    orchestra.process([strike(seconds=9.0, offset=5)])
    orchestra.shorten(0, {(5, 69, "flute"): 600})
    for _ in range(100):
        orchestra.process()
    assert orchestra.voices == 0


def test_a_closed_hat_ends_the_open_one_and_a_drum_does_not(orchestra: SampledOrchestra) -> None:
    for second, alone in ((42, True), (38, False)):
        fresh(orchestra).process([strike(46, "drums")])
        orchestra.process([strike(second, "drums")])
        for _ in range(20):
            orchestra.process()
        assert (orchestra.voices == 1) is alone


def test_the_same_notes_give_the_same_samples_whatever_was_before(orchestra: SampledOrchestra) -> None:
    first = busy(orchestra, 1)
    busy(fresh(orchestra), 2)
    assert power_db(first) > -60
    assert np.array_equal(busy(fresh(orchestra), 1), first)
    other = SampledOrchestra(orchestra.path)
    assert np.array_equal(busy(other, 1), first)
    other.close()


def test_too_many_notes_take_the_oldest_place_and_are_counted(orchestra: SampledOrchestra) -> None:
    before = orchestra.process(
        [strike(pitch, name, 9.0) for name in ("flute", "organ", "harp") for pitch in range(30, 62)]
    )
    assert orchestra.voices == POLYPHONY
    assert orchestra.stolen == 0
    assert np.isfinite(before).all()
    orchestra.process([strike(100, "violin", 9.0)])
    assert orchestra.stolen == 1
    for _ in range(20):
        orchestra.process()
    assert orchestra.voices == POLYPHONY
    orchestra.process([strike(pitch, "piano", 9.0) for pitch in range(128)] * 4)
    assert orchestra.stolen > POLYPHONY
    for _ in range(20):
        assert np.isfinite(orchestra.process()).all()
    assert POLYPHONY // 2 < orchestra.voices <= POLYPHONY


def test_a_stolen_note_goes_without_a_click(orchestra: SampledOrchestra) -> None:
    orchestra.process([strike(seconds=9.0)])
    for n in range(POLYPHONY - 1):
        orchestra.process([strike(n, "organ", 9.0, velocity=1)])
    flute = 2 * list(BY_NAME).index("flute")
    quiet = np.concatenate([orchestra.process().copy() for _ in range(20)])[:, flute]
    orchestra.process([strike(100, "harp", 9.0, velocity=1)])
    going = np.concatenate([orchestra.process().copy() for _ in range(20)])[:, flute]
    # No step is larger than the tone's own.
    assert np.abs(np.diff(going)).max() <= 1.05 * np.abs(np.diff(quiet)).max()
    assert not going[-2000:].any()


def test_what_it_has_no_sample_for_is_told_and_not_heard(tmp_path: Path) -> None:
    orchestra = SampledOrchestra(write_soundfont(tmp_path / "a.sf2", [(0, 0)], keys=(60, 72)))
    assert set(orchestra.presets) == {"piano"}
    assert [orchestra.plays("piano", p) for p in (59, 60, 72, 73)] == [False, True, True, False]
    assert not orchestra.plays("flute", 60)
    assert not stems(orchestra, [strike(60, "flute"), strike(80, "piano")], 0.1).any()
    orchestra.close()


def test_samples_keep_their_place_between_left_and_right(tmp_path: Path) -> None:
    orchestra = SampledOrchestra(write_soundfont(tmp_path / "a.sf2", pan=-500))
    sound = stems(orchestra, [strike()], 0.1)
    flute = 2 * list(BY_NAME).index("flute")
    assert power_db(sound[:, flute]) > -40
    assert power_db(sound[:, flute + 1]) < -100
    orchestra.close()


def test_instruments_become_as_loud_as_those_of_another_orchestra(orchestra: SampledOrchestra) -> None:
    own = measured(orchestra)
    like = dataclasses.replace(own, power=own.power * np.linspace(0.1, 10.0, len(INSTRUMENTS))[:, None, None])
    there = set(BY_NAME) - {"harp"}
    levels_db, levels = matched(own, like, there)
    assert set(levels_db) == there
    for instrument in INSTRUMENTS:
        wanted, found = (integrated_lufs(x.course(phrase(instrument), DRY)) for x in (like, levels))
        assert found == pytest.approx(wanted, abs=0.05)


def test_an_instrument_that_is_missing_is_expected_to_be_as_loud_as_its_stand_in() -> None:
    own = measured(Silent())
    like = dataclasses.replace(own, **{slot: getattr(own, slot) + 1 for slot in Levels.__slots__})
    _, levels = matched(own, like, set(BY_NAME) - {"harp"})
    harp = list(BY_NAME).index("harp")
    for slot in Levels.__slots__:
        rows, stand_in, before = (rows_of(getattr(x, slot)) for x in (levels, like, own))
        assert len(rows) == len(INSTRUMENTS)
        assert np.array_equal(rows[harp], stand_in[harp])
        assert slot == "power" or np.array_equal(rows[0], before[0])


class Silent:
    """An orchestra that nobody hears."""

    def reset(self) -> None: ...

    def process(self, strikes: object = ()) -> Array:  # noqa: ARG002, it plays nothing
        return np.zeros((BLOCK_SAMPLES, 2 * len(INSTRUMENTS)), np.float32)


@pytest.mark.skipif(not DEBIAN.exists(), reason="no SoundFont of Debian's is installed")
def test_a_real_soundfont_is_as_loud_as_the_synth_instrument_by_instrument() -> None:
    synth = Orchestra()
    like = measured(synth)
    sampled = SampledOrchestra(DEBIAN, like=like)
    assert set(sampled.presets) == set(BY_NAME)
    again = measured(sampled)
    for instrument in INSTRUMENTS:
        wanted, found = (integrated_lufs(x.course(phrase(instrument), DRY)) for x in (like, again))
        assert found == pytest.approx(wanted, abs=0.3), instrument.name
    sampled.close()


def test_a_file_that_only_begins_like_a_soundfont_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_soundfont(tmp_path / "a.sf2")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"shdr", b"xxxx"))
    with pytest.raises(SoundFontError, match="damaged, it cannot be loaded; fetch it again"):
        SampledOrchestra(path)
    monkeypatch.setattr(soundfont, "instruments_of", lambda _: {"piano": Preset(0, 77, "gone")})
    path.write_bytes(data)
    with pytest.raises(SoundFontError, match="its preset 'gone' cannot be loaded"):
        SampledOrchestra(path)
