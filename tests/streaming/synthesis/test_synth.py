"""The orchestra: in tune, on the sample, the same every time, and never stuck."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from model.instruments import BY_NAME
from model.notes import Note
from streaming.errors import SynthError
from streaming.patches import KIT, PATCHES
from streaming.synthesis.synth import POLYPHONY, Orchestra, Strike
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, to_samples

Array = NDArray[np.float32]
PITCHED = [p.name for p in PATCHES if p.name != "drums"]


@pytest.fixture(scope="module")
def built() -> Orchestra:
    return Orchestra()


@pytest.fixture
def orchestra(built: Orchestra) -> Orchestra:
    built.reset()
    return built


def strike(note: Note, offset: int = 0, **more: int | float) -> Strike:
    plain = Strike(offset, to_samples(note.duration_s), note)
    return dataclasses.replace(plain, **more)  # type: ignore[arg-type]


def played(orchestra: Orchestra, strikes: list[Strike], seconds: float) -> Array:
    """What all stems give together, mono."""
    blocks = [orchestra.process(strikes).sum(axis=1)]
    blocks += [orchestra.process().sum(axis=1) for _ in range(to_samples(seconds) // BLOCK_SAMPLES)]
    return np.concatenate(blocks)


def measured_hz(sound: Array, near_hz: float) -> float:
    """The fundamental of a held sound: its first three harmonics, weighed by their power."""
    window = sound * np.hanning(len(sound))
    size = 2**18
    spectrum = np.abs(np.fft.rfft(window, size))
    step = SAMPLE_RATE / size
    votes, weights = [], []
    for n in (1, 2, 3):
        low, high = (int(n * near_hz * factor / step) for factor in (0.97, 1.03))
        band = np.square(spectrum[low:high])
        # The centre of the power: a section is a band, not a line.
        close = np.abs(np.arange(len(band)) - int(band.argmax())) * step < 0.012 * n * near_hz
        votes.append(float(np.sum(np.arange(low, high)[close] * band[close]) / band[close].sum()) * step / n)
        weights.append(float(band.sum()))
    return float(np.average(votes, weights=weights))


@pytest.mark.parametrize("name", PITCHED)
def test_every_instrument_is_in_tune_within_five_cents(orchestra: Orchestra, name: str) -> None:
    middle = (BY_NAME[name].low + BY_NAME[name].high) // 2
    for pitch in (middle - 7, middle, middle + 6):
        orchestra.reset()
        sound = played(orchestra, [strike(Note(0.0, pitch, name, 1.6, 90))], 1.5)[9600:]
        wanted = 440.0 * 2 ** ((pitch - 69) / 12)
        assert np.sqrt(np.mean(np.square(sound))) > 1e-3
        cents = 1200 * np.log2(measured_hz(sound, wanted) / wanted)
        assert abs(cents) < 5.0, f"{name} {pitch}: {cents:+.1f} cents"


@pytest.mark.parametrize("offset", [0, 1, 100, 255])
@pytest.mark.parametrize("name", ["piano", "flute", "violin", "drums"])
def test_a_note_begins_at_its_exact_sample(orchestra: Orchestra, name: str, offset: int) -> None:
    note = Note(0.0, 60 if name != "drums" else 38, name, 0.5, 90)
    late = played(orchestra, [strike(note, offset)], 0.3)
    # The first sample of a rise is zero itself; the one after it sounds.
    assert np.flatnonzero(late)[0] == offset + 1
    orchestra.reset()
    prompt = played(orchestra, [strike(note, 0)], 0.3)
    # Vibrato, which blooms later, is timed by blocks.
    np.testing.assert_allclose(late[offset : offset + 480], prompt[:480], atol=3e-6)


@pytest.mark.parametrize("name", [p.name for p in PATCHES])
def test_louder_keys_sound_louder_and_brighter(orchestra: Orchestra, name: str) -> None:
    levels, centres = [], []
    for velocity in (20, 64, 120):
        orchestra.reset()
        pitch = 38 if name == "drums" else 60
        sound = played(orchestra, [strike(Note(0.0, pitch, name, 0.6, velocity))], 0.5)
        levels.append(float(np.sqrt(np.mean(np.square(sound)))))
        power = np.square(np.abs(np.fft.rfft(sound)))
        centres.append(float(np.sum(power * np.arange(len(power))) / power.sum()))
    assert levels[0] < levels[1] < levels[2]
    assert centres[0] < centres[2]


def test_every_sound_of_the_kit_and_every_percussion_key_sounds_and_ends(orchestra: Orchestra) -> None:
    seen = set()
    for key in range(BY_NAME["drums"].low, BY_NAME["drums"].high + 1):
        orchestra.reset()
        sound = played(orchestra, [strike(Note(0.0, key, "drums", 0.0, 100))], 0.1)
        assert np.abs(sound).max() > 0.01, key
        seen.add(hashlib.sha256(sound.tobytes()).digest())
    assert len(seen) == len(KIT)
    orchestra.reset()
    played(orchestra, [strike(Note(0.0, 49, "drums", 0.0, 100))], 3.0)
    assert orchestra.voices == 0


def test_a_closed_hat_chokes_an_open_one(orchestra: Orchestra) -> None:
    def tail(second: int) -> float:
        orchestra.reset()
        played(orchestra, [strike(Note(0.0, 46, "drums", 0.0, 100))], 0.1)
        sound = played(orchestra, [strike(Note(0.0, second, "drums", 0.0, 1))], 0.4)
        return float(np.square(sound[9600:]).sum())

    assert tail(42) < 0.01 * tail(36)


def test_the_same_notes_give_the_same_bits_here_and_in_another_process(orchestra: Orchestra) -> None:
    def digest(orchestra: Orchestra) -> str:
        sums = hashlib.sha256()
        for block in range(300):
            names = [PATCHES[block % 13].name] if block % 7 == 0 else []
            strikes = [strike(Note(0.0, 40 + block % 40, n, 0.3, 90), offset=block % 256, colour=block) for n in names]
            sums.update(orchestra.process(strikes).tobytes())
        return sums.hexdigest()

    first = digest(orchestra)
    orchestra.reset()
    assert digest(orchestra) == first
    code = (
        "from tests.streaming.synthesis.test_synth import *\n"
        "import tests.streaming.synthesis.test_synth as t, inspect, textwrap\n"
        "source = inspect.getsource(t.test_the_same_notes_give_the_same_bits_here_and_in_another_process)\n"
        "start = source.index('    def digest'); end = source.index('    first =')\n"
        "exec(textwrap.dedent(source[start:end]))\n"
        "print(digest(Orchestra()))\n"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert other.stdout.strip().splitlines()[-1] == first


def test_more_notes_than_voices_cut_the_oldest_short_and_none_hangs(orchestra: Orchestra) -> None:
    for block in range(POLYPHONY + 60):
        orchestra.process([strike(Note(0.0, 21 + block % 88, ("piano", "organ")[block // 88], 2.0, 80))])
        assert orchestra.voices <= POLYPHONY + 8
    assert orchestra.stolen == 60
    played(orchestra, [], 3.0)
    assert orchestra.voices == 0
    assert not played(orchestra, [], 0.1).any()


def test_a_flood_of_notes_in_one_block_is_survived(orchestra: Orchestra) -> None:
    flood = [strike(Note(0.0, 21 + i % 88, PITCHED[i // 88], 1.0, 80), offset=i % 256) for i in range(400)]
    sound = played(orchestra, sorted(flood, key=lambda s: s.offset), 4.0)
    assert np.isfinite(sound).all()
    assert orchestra.voices == 0


def test_a_note_of_no_length_is_heard_and_ends(orchestra: Orchestra) -> None:
    sound = played(orchestra, [strike(Note(0.0, 60, "organ", 0.0, 80))], 0.6)
    assert np.abs(sound).max() > 1e-3
    assert orchestra.voices == 0


def test_a_fader_moves_its_own_deck_only(orchestra: Orchestra) -> None:
    orchestra.process(
        [strike(Note(0.0, 60, "organ", 9.0, 80), deck=1), strike(Note(0.0, 48, "flute", 9.0, 80), deck=2)]
    )
    orchestra.fade(1, 0.0, 0.0)
    played(orchestra, [], 0.2)
    stems = orchestra.process()
    organ, flute = (2 * [p.name for p in PATCHES].index(n) for n in ("organ", "flute"))
    assert np.abs(stems[:, organ]).max() < 1e-5 < 1e-2 < np.abs(stems[:, flute]).max()
    orchestra.release(2)
    played(orchestra, [], 0.5)
    assert orchestra.voices == 1


def test_a_voice_that_makes_no_numbers_is_muted_and_made_anew(
    orchestra: Orchestra, caplog: pytest.LogCaptureFixture
) -> None:
    orchestra.process([strike(Note(0.0, 60, "organ", 9.0, 80)), strike(Note(0.0, 67, "piano", 9.0, 80))])
    broken = next(s for s in orchestra._sounding if s.patch.name == "organ")
    broken.voice._body.oscillators[0].setMul(float("nan"))
    assert np.isfinite(played(orchestra, [], 0.2)).all()
    assert "organ" in caplog.text
    assert orchestra.voices == 1
    again = played(orchestra, [strike(Note(0.0, 60, "organ", 0.5, 80))], 0.3)
    assert np.isfinite(again).all()


def test_orchestras_that_come_and_go_leave_no_voice_reading_what_is_gone() -> None:
    # In a process of its own: it would end with a fault.
    code = (
        "from streaming.patches import Library, library\n"
        "from streaming.synthesis.synth import *\n"
        "import gc, streaming.synthesis.bank, streaming.synthesis.synth\n"
        "streaming.synthesis.synth.tables = lambda seed, patches: streaming.synthesis.bank.tables(seed=seed)\n"
        "first = Orchestra(patches=Library(library().patches, library().styles))\n"
        "second = Orchestra()\n"
        "def play(orchestra, *names):\n"
        "    for _ in range(5):\n"
        "        orchestra.process([Strike(0, 9600, Note(0.0, 60, n, 0.2, 90)) for n in names])\n"
        "play(first, 'piano', 'violin')\n"
        "first.reset()\n"
        "# Where one ear's oscillator plays for both, the other's still reads what it read before.\n"
        "play(second, 'flute', 'clarinet')\n"
        "del first; gc.collect()\n"
        "play(second, 'piano', 'violin', 'flute')\n"
        "del second; gc.collect()\n"
        "third = Orchestra()\n"
        "for _ in range(50): third.process([])\n"
        "print('there')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "there", done.stderr[-500:]


def test_an_unknown_instrument_is_refused_by_name(orchestra: Orchestra) -> None:
    with pytest.raises(SynthError, match="kazoo"):
        orchestra.process([strike(Note(0.0, 60, "kazoo", 1.0, 80))])
