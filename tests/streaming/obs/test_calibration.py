"""How late a recording shows its flashes is measured to the millisecond, and kept."""

from __future__ import annotations

import asyncio
import itertools
import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from streaming.errors import ObsError
from streaming.obs.calibration import Calibration, calibrate, marks, pairs_ms
from streaming.obs.kept import keep_offset, kept_offset_ms
from streaming.timeline import SAMPLE_RATE
from tests.fakes_obs import PASSWORD, FakeObs

FPS = 30


def recorded(path: Path, seconds: int, late_frames: int) -> None:
    """Write the marks into a file, the pictures some frames late."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=FPS)
        video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
        audio = container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="stereo")
        for frame in itertools.islice(marks(FPS), seconds * FPS):
            assert frame.picture is not None
            picture = av.VideoFrame.from_ndarray(frame.picture, format="yuv420p")
            picture.pts, picture.time_base = frame.index + late_frames, Fraction(1, FPS)
            container.mux(video.encode(picture))
            block = np.ascontiguousarray((frame.audio * 32767).astype(np.int16).reshape(1, -1))
            sound = av.AudioFrame.from_ndarray(block, format="s16", layout="stereo")
            sound.sample_rate, sound.pts, sound.time_base = SAMPLE_RATE, frame.sample, Fraction(1, SAMPLE_RATE)
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


@pytest.mark.parametrize("late_frames", [0, 1, 3])
def test_pictures_that_are_late_are_measured(tmp_path: Path, late_frames: int) -> None:
    path = tmp_path / "marks.mkv"
    recorded(path, 5, late_frames)
    found = pairs_ms(path)
    # The first second begins bright: where its flash begins is not known.
    assert len(found) == 4
    assert found == pytest.approx([late_frames * 1000 / FPS] * 4, abs=2.0)


@pytest.mark.parametrize("fps", [24, 25, 30, 50, 60])
def test_marks_flash_and_beep_at_the_same_moment_in_each_second(fps: int) -> None:
    frames = list(itertools.islice(marks(fps), 2 * fps))
    assert sum(len(frame.audio) for frame in frames) == 2 * SAMPLE_RATE
    bright = [frame.index for frame in frames if frame.picture is not None and frame.picture[:360].mean() > 128]
    assert bright == [0, 1, fps, fps + 1]
    audio = np.concatenate([frame.audio for frame in frames])
    assert np.flatnonzero(np.abs(audio[:, 0]) > 0.1)[0] < 48
    assert not audio[SAMPLE_RATE // 2 : SAMPLE_RATE].any()


def test_a_file_that_is_none_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "none.mkv"
    path.write_bytes(b"nothing")
    with pytest.raises(ObsError, match=r"none\.mkv: OBS's recording cannot be read"):
        pairs_ms(path)


def test_the_middle_of_several_starts_counts() -> None:
    assert Calibration((12.7, 90.0, 2.0)).offset_ms == 13


@pytest.mark.parametrize("output", ["streaming", "recording"])
async def test_nobody_is_shown_flashes_on_air(obs: FakeObs, output: str) -> None:
    setattr(obs, output, True)
    with pytest.raises(ObsError, match="calibrate it before going on air"):
        await asyncio.to_thread(calibrate, obs.url, PASSWORD)
    assert obs.shown.scenes == ["Main", "Break"]


async def test_an_obs_that_does_not_read_the_marks_is_left_as_it_was(
    obs: FakeObs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streaming.obs.calibration.CONNECT_WITHIN_S", 0.1)
    with pytest.raises(ObsError, match="does not read the marks"):
        await asyncio.to_thread(calibrate, obs.url, PASSWORD)
    assert (obs.shown.scenes, obs.scene, obs.inputs) == (["Main", "Break"], "Main", {})


def test_what_was_measured_is_kept_for_its_obs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert kept_offset_ms("ws://a:1") == 20
    path = keep_offset("ws://a:1", 33)
    keep_offset("ws://b:1", -5)
    assert (kept_offset_ms("ws://a:1"), kept_offset_ms("ws://b:1"), kept_offset_ms("ws://c:1")) == (33, -5, 20)
    for text in ("", "[]", json.dumps({"ws://a:1": "late"}), json.dumps({"ws://a:1": 99999})):
        path.write_text(text)
        assert kept_offset_ms("ws://a:1") == 20
    path.write_text("[]")
    keep_offset("ws://a:1", 7)
    assert kept_offset_ms("ws://a:1") == 7
