"""Every patch as it sounds: in tune, louder when hit harder, clean, in its place, and never a click."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from model.instruments import BY_NAME
from model.notes import Note
from streaming.patches import Library, Patch, library
from streaming.patches.recipe import StringSound, ToneSound, level
from streaming.synthesis import bank, synth
from streaming.synthesis.synth import POLYPHONY, Orchestra, Strike
from streaming.synthesis.wavetables import pitch_hz
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, to_samples

Array = NDArray[np.float64]
ALL = list(library().patches)
PITCHED = [key for key in ALL if key != "drums"]
HELD = [key for key in PITCHED if library().patches[key].tone is not None]


def bare(patch: Patch) -> Patch:
    """A patch without what is noise on purpose, and without vibrato: what is left is tone, or a fault."""

    def quiet(sound: StringSound | ToneSound | None) -> StringSound | ToneSound | None:
        if isinstance(sound, StringSound):
            return dataclasses.replace(sound, knock_db=level(-90.0))
        return None if sound is None else dataclasses.replace(sound, breath_db=level(-120.0))

    string, tone = quiet(patch.string), quiet(patch.tone)
    return dataclasses.replace(
        patch,
        string=string if isinstance(string, StringSound) else None,
        tone=tone if isinstance(tone, ToneSound) else None,
        loud=quiet(patch.loud),
        onset=None,
        halo=None,
        let_go=None,
        played=dataclasses.replace(patch.played, vibrato_cents=0.0),
    )


@pytest.fixture(scope="module")
def tones() -> Iterator[Orchestra]:
    """An orchestra of the bare tones; not kept in the cache."""
    shipped = library()
    own = Library({key: bare(patch) for key, patch in shipped.patches.items()}, shipped.styles)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(synth, "tables", bank.compute)
        yield Orchestra(patches=own)


@pytest.fixture(scope="module")
def whole() -> Orchestra:
    return Orchestra()


def played(orchestra: Orchestra, key: str, notes: list[Note], seconds: float) -> NDArray[np.float64]:
    """All stems of some notes on one patch, [samples, 26]."""
    orchestra.reset()
    patch = library().patches[key]
    orchestra.choose(0, variants={patch.name: key})
    blocks = []
    for _ in range(to_samples(seconds) // BLOCK_SAMPLES):
        now = orchestra.sample
        due = [n for n in notes if now <= to_samples(n.onset_s) < now + BLOCK_SAMPLES]
        strikes = [Strike(to_samples(n.onset_s) - now, to_samples(n.duration_s), n) for n in due]
        blocks.append(orchestra.process(strikes).astype(np.float64))
    return np.concatenate(blocks)


def one(orchestra: Orchestra, key: str, pitch: int, velocity: int, seconds: float, held_s: float) -> Array:
    name = library().patches[key].name
    return np.asarray(played(orchestra, key, [Note(0.0, pitch, name, held_s, velocity)], seconds).sum(axis=1))


def middle(key: str) -> int:
    instrument = BY_NAME[library().patches[key].name]
    return 38 if key == "drums" else (instrument.low + instrument.high) // 2


def partial_cents(sound: Array, wanted_hz: float) -> tuple[float, float]:
    """How far the power around a frequency lies from it, in cents; and that power."""
    size = 2**18
    step = SAMPLE_RATE / size
    spectrum = np.square(np.abs(np.fft.rfft(sound * np.hanning(len(sound)), size)))
    first, last = (int(wanted_hz * factor / step) for factor in (0.975, 1.025))
    band = spectrum[first : last + 2]
    found_hz = float(np.sum(np.arange(first, last + 2) * band) / band.sum()) * step
    return 1200 * float(np.log2(found_hz / wanted_hz)), float(band.sum())


def stretched(patch: Patch, pitch: int, number: int) -> float:
    """The frequency a partial should have: a stiff string's lie a little higher, by its own formula."""
    stiff = 0.0 if patch.string is None else patch.string.inharmonicity.at(pitch)
    return pitch_hz(pitch) * number * float(np.sqrt((1 + stiff * number**2) / (1 + stiff)))


@pytest.mark.parametrize("key", PITCHED)
def test_every_patch_is_in_tune_within_three_cents_over_all_its_range(tones: Orchestra, key: str) -> None:
    patch = library().patches[key]
    instrument = BY_NAME[patch.name]
    for pitch in [*range(instrument.low, instrument.high, 9), instrument.high]:
        sound = one(tones, key, pitch, 80, 3.1, 4.0)[to_samples(0.3) :]
        assert np.sqrt(np.mean(np.square(sound))) > 1e-5
        votes = [partial_cents(sound, stretched(patch, pitch, n)) for n in (1, 2, 3)]
        cents = np.average([c for c, _ in votes], weights=[power for _, power in votes])
        assert abs(cents) < 3.0, f"{pitch}: {cents:+.1f} cents"


@pytest.mark.parametrize("key", ALL)
def test_every_step_of_velocity_is_louder_and_hard_notes_are_brighter(whole: Orchestra, key: str) -> None:
    levels, centres = [], []
    for velocity in (*range(1, 127, 6), 127):
        sound = one(whole, key, middle(key), velocity, 0.5, 0.45)
        power = np.square(np.abs(np.fft.rfft(sound)))
        levels.append(10 * np.log10(float(np.mean(np.square(sound)))))
        centres.append(float(np.sum(power * np.arange(len(power))) / power.sum()))
    assert np.diff(levels).min() > 0.1
    assert centres[-1] > 1.05 * centres[4]


def test_every_sound_of_the_kit_is_louder_when_hit_harder(whole: Orchestra) -> None:
    for sound in library().patches["drums"].kit:
        levels = [float(np.sum(np.square(one(whole, "drums", sound.keys[0], v, 0.3, 0.1)))) for v in (10, 60, 127)]
        assert (np.diff(10 * np.log10(levels)) > 1.0).all(), sound.name


@pytest.mark.parametrize("key", PITCHED)
def test_nothing_sounds_between_the_partials_of_a_high_loud_note(tones: Orchestra, key: str) -> None:
    patch = library().patches[key]
    # C7, or the highest note of those who do not get there.
    pitch = min(96, BY_NAME[patch.name].high)
    sound = one(tones, key, pitch, 127, 1.0, 2.0)[to_samples(0.15) : to_samples(0.9)]
    spectrum = np.abs(np.fft.rfft(sound * np.blackman(len(sound))))
    at_hz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    partials = np.array([stretched(patch, pitch, n) for n in range(1, 24)])
    # A section is a band around each partial.
    between = (np.abs(at_hz[:, None] - partials) > 60 + 0.03 * partials).all(axis=1) & (at_hz > 60)
    assert between.sum() > 5000
    assert 20 * np.log10(spectrum[between].max() / spectrum.max()) < -60.0


def clicks_db(sound: Array, events_s: list[float]) -> float:
    """The most that high frequencies rise about some events, over what they are elsewhere, against the whole."""
    at_hz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    high = np.fft.irfft(np.fft.rfft(sound) * (at_hz > 9000), len(sound))
    width = to_samples(0.004)
    power = np.convolve(np.square(high), np.ones(width) / width, "same")
    near = np.zeros(len(sound), bool)
    for event_s in events_s:
        near[to_samples(event_s - 0.004) : to_samples(event_s + 0.03)] = True
    settled = np.arange(len(sound)) > to_samples(0.2)
    rise = power[near & settled].max() - power[~near & settled].max()
    return 10 * float(np.log10(max(rise, 1e-20) / np.mean(np.square(sound))))


@pytest.mark.parametrize("key", HELD)
def test_letting_go_striking_again_and_stealing_make_no_click(tones: Orchestra, key: str) -> None:
    name, pitch = library().patches[key].name, middle(key) - 10
    held = Note(0.0, pitch, name, 0.7, 60)
    let_go = np.asarray(played(tones, key, [held], 1.5).sum(axis=1))
    assert clicks_db(let_go, [0.7]) < -70.0
    again = played(tones, key, [held, dataclasses.replace(held, onset_s=0.5)], 1.5).sum(axis=1)
    assert clicks_db(np.asarray(again), [0.5, 1.2]) < -70.0
    # The same note cut off on a sample, so that the test is known to hear a click.
    cut = let_go.copy()
    cut[to_samples(0.6) + int(np.abs(let_go[to_samples(0.6) :][:1000]).argmax()) :] = 0.0
    assert clicks_db(cut, [0.6]) > -70.0


def test_a_stolen_note_makes_no_click(tones: Orchestra) -> None:
    low = [Note(0.0, 36, "cello", 9.0, 100)]
    # So many silent notes of another instrument that the first has to give way.
    crowd = [Note(0.5, 30 + i % 60, ("organ", "synth")[i // 60], 9.0, 1) for i in range(POLYPHONY + 4)]
    sound = played(tones, "cello", low + crowd, 1.0)
    assert tones.stolen > 0
    cello = sound[:, 4:6].sum(axis=1)
    assert np.abs(cello[to_samples(0.3) : to_samples(0.45)]).max() > 0.01
    assert not np.abs(cello[to_samples(0.7) :]).any() or np.abs(cello[to_samples(0.7) :]).max() < 1e-4
    assert clicks_db(np.asarray(cello), [0.5]) < -65.0


@pytest.mark.parametrize("key", ALL)
def test_a_chord_of_every_patch_sounds_and_ends(whole: Orchestra, key: str) -> None:
    name = library().patches[key].name
    notes = [Note(0.01, middle(key) + step, name, 0.4, 100) for step in (0, 4, 7)]
    stems = played(whole, key, notes, 3.0)
    assert np.isfinite(stems).all()
    index = 2 * list(BY_NAME).index(name)
    own = stems[:, index : index + 2]
    assert np.abs(own).max() > 0.02
    assert not np.delete(stems, [index, index + 1], axis=1).any()
    # No offset, whatever is played.
    assert np.abs(own.mean(axis=0)).max() < 1e-3 * np.abs(own).max()
    assert np.abs(own[-4800:]).max() < 1e-3 * np.abs(own).max()


def test_a_place_in_the_stereo_stage_is_kept(whole: Orchestra) -> None:
    places = {key: (patch.place, patch.width) for key, patch in library().patches.items()}
    assert all(-1 <= place <= 1 and 0 <= width <= 1 for place, width in places.values())
    assert places["violin-section"][0] < -0.2 < 0.2 < places["cello"][0]
    # Soloists are points, sections are wide.
    assert places["violin-solo"][1] < places["violin-section"][1]
    for sound in library().patches["drums"].kit:
        stems = played(whole, "drums", [Note(0.0, sound.keys[0], "drums", 0.1, 100)], 0.4)
        left, right = np.sqrt(np.mean(np.square(stems[:, -2:]), axis=0))
        assert np.isclose((right - left) / (right + left), np.tan(sound.place * np.pi / 4), atol=0.08), sound.name


def test_a_piano_that_is_held_down_rings_with_what_is_struck(whole: Orchestra) -> None:
    def after(pitch: int, *held: int) -> float:
        silent = [Note(0.0, pitch, "piano", 3.0, 1) for pitch in held]
        sound = played(whole, "piano", [*silent, Note(0.5, pitch, "piano", 2.0, 100)], 2.4).sum(axis=1)
        return float(np.sum(np.square(sound[to_samples(1.8) :])))

    free = [after(pitch, 36, 40, 43, 48, 52, 55, 64) for pitch in (60, 67, 72)]
    assert sum(free) > 1.15 * sum(after(pitch) for pitch in (60, 67, 72))


def test_a_damper_falls_when_a_key_is_let_go_but_not_on_what_was_cut(whole: Orchestra) -> None:
    def thump(orchestra: Orchestra, held_s: float) -> float:
        sound = one(orchestra, "piano", 84, 100, 1.0, held_s)
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
        low, high = (int(f * len(sound) / SAMPLE_RATE) for f in (60, 140))
        return float(np.sum(np.square(spectrum[low:high])))

    assert thump(whole, 0.5) > 4 * thump(whole, 0.05)
    assert whole.voices <= 1


def test_the_same_notes_sound_differently_on_the_variants_and_on_each_deck_its_own(whole: Orchestra) -> None:
    one_s = {key: one(whole, key, 60, 90, 0.5, 0.5) for key in ("guitar-nylon", "guitar-steel", "guitar-clean")}
    sounds = list(one_s.values())
    assert all(np.abs(a - b).max() > 0.01 for i, a in enumerate(sounds) for b in sounds[i + 1 :])
    whole.reset()
    whole.choose(1, "country")
    note = Note(0.0, 60, "guitar", 0.5, 90)
    blocks = [whole.process([Strike(0, 24_000, note, deck=1)])]
    blocks = [blocks[0].copy()] + [whole.process().copy() for _ in range(60)]
    steel = np.concatenate(blocks).sum(axis=1)
    np.testing.assert_allclose(steel, one_s["guitar-steel"][: len(steel)], atol=1e-7)
