"""Stems: one file an instrument, one of the rooms, and their sum is the mix before the limiter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from model.notes import Note, Piece
from streaming.errors import EncodeError
from streaming.playing.render import Sound, render_wav
from streaming.playing.stemfiles import HEADROOM_DB, ROOM_FILE
from streaming.timeline import BLOCK_SAMPLES, to_samples, whole_blocks

NAMES = ("piano", "violin", "drums")
PIECE = Piece(
    tuple(sorted(Note(0.2 * i, 40 + i % 30, name, 0.4, 60 + 5 * i) for i in range(12) for name in NAMES)),
)
SOUND = Sound(tail_s=0.5)


def read(path: Path) -> NDArray[np.float64]:
    sound, _ = soundfile.read(path, always_2d=True)
    return np.asarray(sound)


def mixed(piece: Piece, sound: Sound) -> NDArray[np.float32]:
    """What goes to the limiter, the very same blocks."""
    playout = sound.playout()
    playout.load(1, piece.notes, piece.duration_s, room=sound.room or "hall")
    playout.go(1)
    blocks = []
    for _ in range(whole_blocks(to_samples(piece.duration_s + sound.tail_s))):
        playout.step()
        blocks.append(playout.master.mixed)
    return np.concatenate(blocks)


@pytest.mark.parametrize("room", [None, "dry"])
def test_the_stems_add_up_to_the_mix(tmp_path: Path, room: str | None) -> None:
    sound = Sound(tail_s=0.5, room=room)
    report = render_wav(PIECE, tmp_path / "mix.flac", sound, stems=tmp_path / "stems")
    assert {p.name for p in report.stems} == {f"{n}.flac" for n in (*NAMES, ROOM_FILE)}
    assert set(report.stems) == set((tmp_path / "stems").iterdir())
    parts = {path.stem: read(path) for path in report.stems}
    total = sum(parts.values()) * 10 ** (HEADROOM_DB / 20)
    expected = mixed(PIECE, sound)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(total, expected, atol=1e-4)
    assert not report.clipped
    assert all(parts[name].any() for name in NAMES)
    assert parts[ROOM_FILE].any() == (room is None)


def test_a_stem_has_its_instrument_alone(tmp_path: Path) -> None:
    notes = (*(Note(0.0, 60, "flute", 0.5, 90),), *(Note(1.0, 72, "harp", 0.5, 90),))
    report = render_wav(Piece(notes), tmp_path / "mix.wav", SOUND, stems=tmp_path / "stems")
    flute, harp, _ = (read(path) for path in report.stems)
    assert (report.stems[0].name, report.stems[1].name) == ("flute.flac", "harp.flac")
    struck = to_samples(1.0)
    assert not harp[:struck].any()
    assert harp[struck : struck + 4800].any()
    assert flute[:struck].any()


def test_stems_and_mix_are_of_one_length_and_begin_together(tmp_path: Path) -> None:
    report = render_wav(PIECE, tmp_path / "mix.wav", SOUND, stems=tmp_path / "stems")
    mix = read(tmp_path / "mix.wav")
    lengths = {len(read(path)) for path in report.stems}
    # The last block is still in the limiter when the stems are done.
    assert lengths == {len(mix)}
    total = np.sum([read(path) for path in report.stems], axis=0) * 10 ** (HEADROOM_DB / 20)
    first = slice(0, to_samples(0.3) // BLOCK_SAMPLES * BLOCK_SAMPLES)
    # Nothing is loud enough for the limiter yet; the constant is taken out of the mix only.
    np.testing.assert_allclose(total[first], mix[first], atol=0.02)


def test_a_folder_that_cannot_be_is_said_and_no_file_is_left(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(EncodeError, match="taken"):
        render_wav(PIECE, tmp_path / "mix.wav", SOUND, stems=tmp_path / "taken")
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]
