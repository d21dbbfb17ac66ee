from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.errors import EncodeError
from streaming.programme.encoder import Encoder
from streaming.programme.recorder import Recorder

WIDTH, HEIGHT, FPS = 320, 180, 30
RATE = 48_000


class Programme:
    """Black and silent, but for a white picture with a beep where it is told to."""

    def __init__(self, *, flash_at: int | None = None, noise: bool = False) -> None:
        self.recorders: list[Recorder] = []
        self.reported: list[str] = []
        self.encoder = Encoder(WIDTH, HEIGHT, FPS, preset="ultrafast", on_packet=self._on_packet)
        self.flash_at = flash_at
        self._noise = np.random.default_rng(0) if noise else None

    def _on_packet(self, stream: str, packet: object) -> None:
        for recorder in self.recorders:
            try:
                recorder.write(stream, packet)  # type: ignore[arg-type]
            except EncodeError as error:
                self.reported.append(str(error))

    def play(self, first: int, last: int) -> None:
        for frame in range(first, last):
            flash = frame == self.flash_at
            self.encoder.video(self._picture(flash), frame)
            sound = np.zeros((RATE // FPS, 2), np.float32)
            if flash:
                sound[:] = 0.5 * np.sin(np.arange(len(sound)) * 2 * np.pi * 1000 / RATE)[:, None]
            self.encoder.audio(sound, frame * RATE // FPS)

    def _picture(self, flash: bool) -> NDArray[np.uint8]:
        shape = (HEIGHT * 3 // 2, WIDTH)
        if self._noise is not None:
            return self._noise.integers(16, 235, shape, np.uint8)
        picture = np.full(shape, 128, np.uint8)
        picture[:HEIGHT] = 235 if flash else 16
        return picture


def read(path: Path) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Decode a file: (seconds, mean luma) of its pictures, (seconds, peak) of each millisecond of its sound."""
    pictures: list[tuple[float, float]] = []
    sound: list[tuple[float, float]] = []
    with av.open(str(path)) as file:
        for frame in file.decode(video=0):
            assert frame.time is not None
            pictures.append((frame.time, float(frame.to_ndarray()[:HEIGHT].mean())))
    with av.open(str(path)) as file:
        for block in file.decode(audio=0):
            assert block.time is not None
            left = np.abs(block.to_ndarray()[0])
            sound += [(block.time + i / RATE, float(left[i : i + 48].max())) for i in range(0, len(left), 48)]
    return pictures, sound


@pytest.mark.parametrize("fragmented", [True, False])
@pytest.mark.parametrize("start", [0, 37])
def test_flash_and_beep_of_one_sample_come_together(tmp_path: Path, start: int, fragmented: bool) -> None:
    programme = Programme(flash_at=start + 50)
    recorder = Recorder(tmp_path / "show.mp4", programme.encoder, fragmented=fragmented)
    programme.play(start, start + 1)
    programme.recorders.append(recorder)
    programme.encoder.force_keyframe()
    programme.play(start + 1, start + 100)
    programme.encoder.flush()
    recorder.close()
    pictures, sound = read(recorder.path)
    assert len(pictures) == 99
    assert pictures[0][0] == pytest.approx(0, abs=0.001)
    assert 0 <= sound[0][0] < 0.022
    flash_s = next(time_s for time_s, luma in pictures if luma > 200)
    beep_s = next(time_s for time_s, peak in sound if peak > 0.2)
    assert flash_s == pytest.approx(49 / FPS, abs=0.001)
    assert abs(beep_s - flash_s) < 0.005


def test_a_recording_begins_with_a_keyframe_it_asked_for(tmp_path: Path) -> None:
    programme = Programme()
    programme.play(0, 10)
    recorder = Recorder(tmp_path / "new" / "show.mp4", programme.encoder)
    programme.recorders.append(recorder)
    programme.play(10, 40)
    assert recorder.recorded_s == pytest.approx(1.0, abs=0.03)
    recorder.close()
    recorder.close()
    pictures, _ = read(recorder.path)
    assert len(pictures) == 30
    assert [time_s for time_s, _ in pictures] == pytest.approx([i / FPS for i in range(30)], abs=0.001)


def test_two_recordings_share_one_encode(tmp_path: Path) -> None:
    programme = Programme()
    programme.recorders = [Recorder(tmp_path / f"{i}.mp4", programme.encoder) for i in range(2)]
    programme.play(0, 65)
    for recorder in programme.recorders:
        recorder.close()
    assert (tmp_path / "0.mp4").read_bytes() == (tmp_path / "1.mp4").read_bytes()
    assert len(read(tmp_path / "1.mp4")[0]) == 65


def test_a_killed_recording_can_be_played_up_to_its_last_keyframe(tmp_path: Path) -> None:
    path = tmp_path / "show.mp4"
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from streaming.programme.recorder import Recorder\n"
        "from tests.streaming.programme.test_recorder import Programme\n"
        "programme = Programme()\n"
        "programme.recorders.append(Recorder(Path(sys.argv[1]), programme.encoder))\n"
        "programme.play(0, 200)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[3]
    run = subprocess.run([sys.executable, "-c", script, str(path)], cwd=root, check=False, timeout=60)
    assert run.returncode == -signal.SIGKILL
    pictures, sound = read(path)
    # Keyframes at 0, 60, 120 and 180: three whole fragments are safe.
    assert len(pictures) >= 180
    assert sound[-1][0] > 5.9


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Make writes beyond a size fail, as a full disk does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_reported_once_and_the_programme_goes_on(tmp_path: Path) -> None:
    programme = Programme(noise=True)
    recorder = Recorder(tmp_path / "show.mp4", programme.encoder)
    healthy = Recorder(Path("/dev/null"), programme.encoder)
    programme.recorders = [recorder, healthy]
    with files_no_larger_than(600_000):
        programme.play(0, 150)
        assert recorder.failed
        programme.play(150, 240)
        recorder.close()
    assert len(programme.reported) == 1
    assert str(recorder.path) in programme.reported[0]
    assert os.strerror(errno.EFBIG) in programme.reported[0]
    assert not healthy.failed
    assert healthy.recorded_s == pytest.approx(8.0, abs=0.03)
    healthy.close()


def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    programme = Programme()
    with pytest.raises(EncodeError, match=r"cannot record to .*show\.mp4"):
        Recorder(tmp_path / "file" / "show.mp4", programme.encoder)
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(EncodeError, match=r"folder\.mp4: "):
        Recorder(tmp_path / "folder.mp4", programme.encoder)


def test_an_abandoned_recording_leaves_no_file(tmp_path: Path) -> None:
    programme = Programme()
    recorder = Recorder(tmp_path / "show.mp4", programme.encoder)
    programme.recorders.append(recorder)
    programme.play(0, 70)
    recorder.abandon()
    assert list(tmp_path.iterdir()) == []
