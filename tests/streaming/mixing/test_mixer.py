"""The master: loudness as others measure it, the ceiling, the alarm, what is no number."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.mixing.loudness import SILENCE_LUFS, BlockFilter, Meter, TruePeak, to_db
from streaming.mixing.mixer import ALARM_S, LATENCY_SAMPLES, Master
from streaming.mixing.room import ROOMS
from streaming.mixing.stage import mix_matrix
from streaming.patches import PATCHES, library
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE

Array = NDArray[np.float64]
PIANO = 2 * [p.name for p in PATCHES].index("piano")
SECOND = SAMPLE_RATE // BLOCK_SAMPLES


def music(seconds: float, gain: float, seed: int = 3) -> Array:
    """Noise in bursts, louder and softer, float64 [frames, 2]; whole blocks."""
    rng = np.random.default_rng(seed)
    frames = int(seconds * SECOND) * BLOCK_SAMPLES
    t = np.arange(frames) / SAMPLE_RATE
    swell = 0.2 + np.square(np.sin(1.7 * t))[:, None]
    tone = np.sin(2 * np.pi * 220 * t)[:, None] + 0.5 * rng.normal(size=(frames, 2))
    return np.asarray(gain * swell * tone)


def blocks(sound: Array) -> list[Array]:
    return list(sound.reshape(-1, BLOCK_SAMPLES, 2))


def ebur128(sound: Array) -> tuple[float, float]:
    """Integrated loudness and true peak, as FFmpeg measures them."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        sample_rate=SAMPLE_RATE, format="dbl", layout="stereo", time_base=Fraction(1, SAMPLE_RATE)
    )
    meter = graph.add("ebur128", "metadata=1:peak=true")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="dbl", layout="stereo")
    frame.sample_rate = SAMPLE_RATE
    frame.pts = 0
    graph.push(frame)
    graph.push(None)
    integrated, peak = SILENCE_LUFS, 0.0
    while True:
        try:
            metadata = graph.pull().metadata
        except (av.EOFError, av.BlockingIOError):
            return integrated, to_db(peak)
        if "lavfi.r128.I" not in metadata:
            continue
        integrated = float(metadata["lavfi.r128.I"])
        peak = max(float(metadata[f"lavfi.r128.true_peaks_ch{c}"]) for c in (0, 1))


def test_meter_and_true_peak_agree_with_ffmpeg() -> None:
    # Loud, then 20 dB softer than the gate lets through.
    sound = np.concatenate([music(6.0, 0.1), music(4.0, 0.004)])
    meter, true_peak = Meter(), TruePeak()
    peak = 0.0
    for block in blocks(sound):
        meter.process(block)
        peak = max(peak, true_peak.process(block))
    integrated, dbtp = ebur128(sound)
    assert meter.integrated_lufs == pytest.approx(integrated, abs=0.15)
    assert to_db(peak) == pytest.approx(dbtp, abs=0.15)


def test_a_full_scale_sine_measures_as_the_standard_says() -> None:
    # BS.1770: 997 Hz at 0 dBFS in one channel is -3.01 LUFS.
    tone = np.sin(2 * np.pi * 997 * np.arange(200 * BLOCK_SAMPLES) / SAMPLE_RATE)
    meter = Meter()
    for block in blocks(np.stack([tone, np.zeros_like(tone)], axis=1)):
        meter.process(block)
    assert meter.momentary_lufs == pytest.approx(-3.01, abs=0.02)
    assert Meter().integrated_lufs == Meter().momentary_lufs == SILENCE_LUFS


def test_a_peak_between_samples_is_seen() -> None:
    tone = np.sin(2 * np.pi * 12_000 * np.arange(20 * BLOCK_SAMPLES) / SAMPLE_RATE + np.pi / 4)
    sound = np.stack([tone, tone], axis=1)
    true_peak = TruePeak()
    peaks = [true_peak.process(b) for b in blocks(sound)]
    assert np.abs(sound).max() < 0.71
    assert peaks[5] == pytest.approx(1.0, abs=0.01)


def test_a_block_filter_equals_its_recursion() -> None:
    rng = np.random.default_rng(1)
    sound = rng.normal(size=(4 * BLOCK_SAMPLES, 2))
    b, a = (0.5, -0.3, 0.2), (1.0, -1.2, 0.5)
    expected = np.zeros_like(sound)
    for i in range(len(sound)):
        expected[i] = sum(b[k] * sound[i - k] for k in range(3) if i >= k)
        expected[i] -= sum(a[k] * expected[i - k] for k in (1, 2) if i >= k)
    block_filter = BlockFilter(((b, a),))
    got = np.concatenate([block_filter.process(block) for block in blocks(sound)])
    np.testing.assert_allclose(got, expected, atol=1e-10)


def stems(sound: Array) -> list[NDArray[np.float32]]:
    """The sound as what the piano plays."""
    wide = np.zeros((len(sound), 2 * len(PATCHES)), np.float32)
    wide[:, PIANO : PIANO + 2] = sound
    return list(wide.reshape(-1, BLOCK_SAMPLES, wide.shape[1]))


def mastered(master: Master, sound: Array, **more: bool) -> Array:
    return np.concatenate([master.process(block, **more) for block in stems(sound)]).astype(np.float64)


def test_nothing_passes_the_ceiling_however_loud_it_comes_in() -> None:
    sound = music(4.0, 3.0)
    sound[SAMPLE_RATE] = 40.0
    out = mastered(Master(), sound)
    assert np.abs(out).max() > 0.5
    assert -2.5 < ebur128(out)[1] <= -1.0


def test_below_the_ceiling_the_sound_passes_one_block_late_and_unbent() -> None:
    sound = np.zeros((20 * BLOCK_SAMPLES, 2))
    sound[300] = 0.5, 0.5
    out = mastered(Master(), sound)
    assert np.abs(out).sum(axis=1).argmax() == 300 + LATENCY_SAMPLES
    assert np.flatnonzero(out.any(axis=1))[0] == 300 + LATENCY_SAMPLES


@pytest.mark.parametrize("dbtp", [-1.0, -6.0])
def test_the_ceiling_is_where_it_is_asked_for(dbtp: float) -> None:
    peak = ebur128(mastered(Master(dbtp=dbtp), music(3.0, 2.0)))[1]
    assert dbtp - 1.0 < peak <= dbtp


def test_a_constant_is_taken_out_and_does_not_come_back_in_pauses() -> None:
    master = Master()
    shifted = np.full((7 * SECOND * BLOCK_SAMPLES, 2), 0.2)
    out = mastered(master, shifted)
    assert np.abs(out[: SAMPLE_RATE // 100]).max() > 0.1
    assert np.abs(out[6 * SAMPLE_RATE :]).max() < 1e-5


def test_after_the_last_sound_comes_digital_silence_and_the_master_is_as_new() -> None:
    used = Master(seed=3)
    mastered(used, music(3.0, 2.0))
    rest = mastered(used, np.zeros((5 * SECOND * BLOCK_SAMPLES, 2)))
    assert rest[: SAMPLE_RATE // 10].any()
    assert not rest[-SAMPLE_RATE:].any()
    assert used.reduction_db == 0.0
    again = music(2.0, 0.7, seed=8)
    assert mastered(used, again).tobytes() == mastered(Master(seed=3), again).tobytes()


def test_what_goes_to_the_limiter_is_the_places_and_the_rooms() -> None:
    master = Master()
    for block in stems(music(1.0, 0.1)):
        master.process(block)
    dry = stems(music(1.0, 0.1))[-1] @ mix_matrix("dry")[:, :2]
    assert master.returned is not None
    assert np.abs(master.returned).max() > 1e-4
    np.testing.assert_allclose(master.mixed, dry + master.returned, atol=1e-6)


@pytest.mark.parametrize("room", [*(shape.name for shape in ROOMS), "dry"])
def test_a_change_of_room_is_faded_and_the_old_one_rings_out(room: str) -> None:
    master, plain = Master(), Master()
    tone = np.sin(2 * np.pi * 440 * np.arange(2 * SECOND * BLOCK_SAMPLES) / SAMPLE_RATE)
    sound = 0.1 * np.stack([tone, tone], axis=1)
    first, second = (stems(half) for half in np.split(sound, 2))
    for block in first:
        master.process(block)
        plain.process(block)
    master.play_in(room)
    changed = np.concatenate([master.process(block) for block in second])
    unchanged = np.concatenate([plain.process(block) for block in second])
    # No step anywhere: the second difference of a slow tone stays small.
    assert np.abs(np.diff(changed, n=2, axis=0)).max() < 1.5 * np.abs(np.diff(unchanged, n=2, axis=0)).max()
    assert (changed.tobytes() == unchanged.tobytes()) == (room == "hall")


def test_the_alarm_goes_off_once_when_notes_are_not_heard_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    master = Master()
    silence = np.zeros((int(ALARM_S + 2) * SECOND * BLOCK_SAMPLES, 2))
    mastered(master, silence)
    assert not master.alarm
    mastered(master, silence, expected=True)
    assert master.alarm
    assert len([r for r in caplog.records if r.levelname == "WARNING"]) == 1
    mastered(master, music(1.0, 0.1), expected=True)
    assert not master.alarm


def test_what_is_no_number_is_muted_and_forgotten() -> None:
    master = Master()
    sound = music(1.0, 0.1)
    sound[5000] = np.nan
    assert np.isfinite(mastered(master, sound)).all()
    assert np.abs(mastered(master, music(1.0, 0.1))).max() > 0.01


def test_each_stem_is_heard_from_where_the_patch_that_plays_it_stands() -> None:
    electric, upright = (library().ensemble(variants={"bass": name}) for name in ("electric", "upright"))
    rows = slice(2 * list(electric).index("bass"), 2 * list(electric).index("bass") + 2)
    ratio = 10 ** ((electric["bass"].room_db - upright["bass"].room_db) / 20)
    first = 2 + 2 * [shape.name for shape in ROOMS].index("hall")
    mixes = [mix_matrix("hall", players) for players in (electric, upright)]
    sends = [np.abs(mix[rows, first : first + 2]).sum() / np.abs(mix[rows, :2]).sum() for mix in mixes]
    assert sends[0] / sends[1] == pytest.approx(ratio, rel=1e-5)
    assert ratio < 0.9
    others = np.ones(len(mixes[0]), bool)
    others[rows] = False
    assert np.array_equal(mixes[0][others], mixes[1][others])


def test_other_players_take_their_places_without_a_click() -> None:
    master = Master()
    master.play_in("dry", at_once=True)
    wide = np.zeros((BLOCK_SAMPLES, 2 * len(PATCHES)), np.float32)
    violin = 2 * [p.name for p in PATCHES].index("violin")
    wide[:, violin] = 0.1
    out = [master.process(wide)]
    before = master.places.copy()
    master.play_in("dry", library().ensemble("quartet"))
    out += [master.process(wide) for _ in range(40)]
    assert not np.array_equal(master.places, before)
    assert np.abs(np.diff(np.concatenate(out[2:]), axis=0)).max() < 1e-3
