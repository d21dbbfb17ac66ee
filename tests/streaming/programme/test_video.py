from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from model.notes import Note, Piece
from streaming.errors import EncodeError
from streaming.picture.pianoroll import PianoRoll, Scene
from streaming.programme.video import render_video

RATE = 48_000
ONSET_S = 1.5
PIECE = Piece((Note(ONSET_S, 60, "violin", 0.5, 127),), title="One note", style="test")


def sound(seconds: float, block: int = 256) -> Iterator[NDArray[np.float32]]:
    """A beep where the piece has its note."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    beep = 0.5 * np.sin(2 * np.pi * 440 * time_s) * ((time_s >= ONSET_S) & (time_s < ONSET_S + 0.5))
    samples = np.repeat(beep.astype(np.float32)[:, None], 2, axis=1)
    for start in range(0, len(samples), block):
        yield samples[start : start + block]


@pytest.mark.parametrize("fps", [25, 30])
def test_a_note_is_seen_and_heard_at_the_same_time(tmp_path: Path, fps: int) -> None:
    path = tmp_path / "piece.mp4"
    progress: list[float] = []
    render_video(PIECE, sound(3.0), path, width=640, height=360, fps=fps, progress=progress.append)
    roll = PianoRoll(640, 360, fps=fps)
    left, right = roll.keyboard(Scene.of_piece(PIECE)).key_edges(60)
    key = (round(roll.layout.playhead + roll.layout.keyboard * 0.8), round((left + right) / 2))
    seen: list[float] = []
    with av.open(str(path)) as file:
        frames = list(file.decode(video=0))
    assert len(frames) == 3 * fps
    assert frames[0].colorspace == 1
    for frame in frames:
        rgb = frame.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()
        if np.abs(rgb[key].astype(int) - roll.look.theme.instrument("violin")).max() < 70:
            assert frame.time is not None
            seen.append(frame.time)
    heard: list[float] = []
    with av.open(str(path)) as file:
        for block in file.decode(audio=0):
            assert block.time is not None
            heard += [block.time + int(i) / RATE for i in np.flatnonzero(np.abs(block.to_ndarray()[0]) > 0.2)]
    assert seen
    assert heard
    assert 0 <= seen[0] - ONSET_S <= 1 / fps
    assert abs(heard[0] - ONSET_S) < 0.003
    assert abs(heard[0] - seen[0]) < 0.040
    assert progress == sorted(progress)
    assert progress[-1] == 1.0


def test_the_video_is_as_long_as_its_sound(tmp_path: Path) -> None:
    path = tmp_path / "piece.mp4"
    render_video(PIECE, sound(2.21, block=1000), path, width=320, height=180)
    with av.open(str(path)) as file:
        assert file.duration is not None
        assert file.duration / av.time_base == pytest.approx(2.21, abs=0.035)
        assert file.streams.video[0].frames == 67


def test_a_piece_without_sound_or_with_a_fault_in_it_leaves_no_file(tmp_path: Path) -> None:
    def broken() -> Iterator[NDArray[np.float32]]:
        yield np.zeros((4800, 2), np.float32)
        raise RuntimeError("the orchestra left")

    with pytest.raises(EncodeError, match="no sound"):
        render_video(PIECE, [], tmp_path / "piece.mp4", width=320, height=180)
    with pytest.raises(RuntimeError, match="the orchestra left"):
        render_video(PIECE, broken(), tmp_path / "piece.mp4", width=320, height=180)
    assert list(tmp_path.iterdir()) == []
