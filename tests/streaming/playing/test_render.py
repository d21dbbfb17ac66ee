"""Rendering: the file holds the piece, whole, in tune with the air, or nothing at all."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest
import soundfile

from model.notes import Note, Piece
from streaming.errors import EncodeError
from streaming.playing.playout import Playout
from streaming.playing.render import Sound, render, render_wav
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, to_samples

PIECE = Piece(tuple(Note(0.25 * i + 0.1, 48 + 5 * i % 24, ("piano", "cello")[i % 2], 0.5, 90) for i in range(8)))


def loud() -> Piece:
    names = ("drums", "trumpet", "organ", "bass", "violin", "choir")
    return Piece(tuple(Note(0.1 * i, 36 + i % 12, n, 1.0, 127) for i in range(40) for n in names))


def test_offline_is_online_bit_for_bit() -> None:
    rendered = np.concatenate(list(render(PIECE, Sound(tail_s=0.5))))
    air = Playout(bed=False)
    air.load(1, PIECE.notes, PIECE.duration_s)
    air.go(1)
    live = np.concatenate([air.step() for _ in range(len(rendered) // BLOCK_SAMPLES + 1)])[BLOCK_SAMPLES:]
    assert live.tobytes() == rendered.tobytes()
    assert np.flatnonzero(np.abs(rendered[:, 0]) > 1e-9)[0] == to_samples(0.1) + 1


@pytest.mark.parametrize("ending", [".wav", ".flac"])
def test_a_file_holds_what_was_rendered_in_24_bits(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"piece{ending}"
    told: list[float] = []
    report = render_wav(PIECE, path, Sound(tail_s=0.5), progress=told.append)
    sound, rate = soundfile.read(path, always_2d=True)
    info = soundfile.info(path)
    assert (rate, info.subtype, sound.shape[1]) == (SAMPLE_RATE, "PCM_24", 2)
    expected = np.concatenate(list(render(PIECE, Sound(tail_s=0.5))))
    np.testing.assert_allclose(sound, expected, atol=2**-22)
    assert report.duration_s == pytest.approx(PIECE.duration_s + 0.5, abs=0.01)
    assert -30.0 < report.lufs < -8.0
    assert report.voices_stolen == 0
    # A damper may fall on each note: that takes a voice, too.
    assert 1 <= report.most_voices <= 16
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)


def test_another_seed_is_another_orchestra() -> None:
    assert np.concatenate(list(render(PIECE, Sound(seed=1)))).any()
    one, two = (np.concatenate(list(render(PIECE, Sound(seed=s)))) for s in (0, 1))
    assert one.tobytes() != two.tobytes()


def test_a_loud_piece_keeps_under_the_ceiling(tmp_path: Path) -> None:
    report = render_wav(loud(), tmp_path / "loud.wav")
    assert -3.0 < report.dbtp <= -1.0
    assert report.lufs < -6.0


def test_a_piece_without_notes_is_silence(tmp_path: Path) -> None:
    report = render_wav(Piece(()), tmp_path / "none.wav", Sound(tail_s=1.0))
    assert report.duration_s == pytest.approx(1.0, abs=0.01)
    assert report.lufs == -120.0


def test_what_cannot_be_written_is_said_with_its_path_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(EncodeError, match=r"mp3.*\.wav or \.flac"):
        render_wav(PIECE, tmp_path / "piece.mp3")
    with pytest.raises(EncodeError, match=r"nowhere.*No such file"):
        render_wav(PIECE, tmp_path / "nowhere" / "piece.wav")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_and_the_half_file_removed(tmp_path: Path) -> None:
    # Files may grow to 100 kB and no further, as on a full disk.
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    path = tmp_path / "piece.wav"
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, old[1]))
    try:
        with pytest.raises(EncodeError, match=r"piece\.wav"):
            render_wav(PIECE, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert not path.exists()
