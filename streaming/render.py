"""A piece as sound without a clock: blocks, or a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from model.notes import Piece
from streaming.errors import EncodeError
from streaming.loudness import Meter, TruePeak, to_db
from streaming.mixer import LATENCY_SAMPLES
from streaming.playout import Playout
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, to_samples, whole_blocks

_FORMATS = {".wav": "WAV", ".flac": "FLAC"}
_WRITE_BLOCKS = 64


class _Disk:
    """A file whose refusals wait until we are out of libsndfile, which cannot carry them."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell, self.read = file.seek, file.tell, file.read
        self._file = file
        self._error: OSError | None = None

    def write(self, data: bytes) -> int:
        if self._error is None:
            try:
                self._file.write(data)
            except OSError as error:
                self._error = error
        return len(data)

    def check(self) -> None:
        """Raise what a write was refused with."""
        if self._error is not None:
            raise self._error


@dataclass(frozen=True, slots=True)
class RenderReport:
    """What a rendered file holds.

    Attributes:
        duration_s: length of the file.
        lufs: integrated loudness.
        dbtp: true peak.
        voices_stolen: notes cut short for want of voices.
        most_voices: the most that sounded at once.
    """

    duration_s: float
    lufs: float
    dbtp: float
    voices_stolen: int
    most_voices: int


def render(
    piece: Piece,
    *,
    seed: int = 0,
    tail_s: float = 3.0,
    progress: Callable[[float], None] | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Yield a piece as blocks, float32 [256, 2], the same ones that it plays on air.

    Only one piece can be rendered at a time in a process.

    Args:
        piece: the music.
        seed: of the instruments' tables.
        tail_s: how long the room may ring after the last note.
        progress: told the fraction done, 0 to 1, about every second of music.
    """
    yield from _blocks(Playout(seed=seed, bed=False), piece, tail_s, progress)


def _blocks(
    playout: Playout, piece: Piece, tail_s: float, progress: Callable[[float], None] | None
) -> Iterator[NDArray[np.float32]]:
    playout.load(1, piece.notes, piece.duration_s)
    playout.go(1)
    total = whole_blocks(to_samples(piece.duration_s + tail_s))
    every = SAMPLE_RATE // BLOCK_SAMPLES
    for _ in range(LATENCY_SAMPLES // BLOCK_SAMPLES):
        playout.step()
    for index in range(total):
        if progress is not None and index % every == 0:
            progress(index / total)
        yield playout.step()
    if progress is not None:
        progress(1.0)


def render_wav(
    piece: Piece,
    path: Path,
    *,
    seed: int = 0,
    tail_s: float = 3.0,
    progress: Callable[[float], None] | None = None,
) -> RenderReport:
    """Write a piece to a 24-bit WAV or FLAC file, by the ending of its name.

    Args:
        piece: the music.
        path: the file; an old one is replaced.
        seed: of the instruments' tables.
        tail_s: how long the room may ring after the last note.
        progress: told the fraction done, 0 to 1.

    Raises:
        EncodeError: the file cannot be written; what there was of it is removed.
    """
    format_name = _FORMATS.get(path.suffix.lower())
    if format_name is None:
        raise EncodeError(f"{path}: sound is written to .wav or .flac")
    playout = Playout(seed=seed, bed=False)
    meter, true_peak = Meter(), TruePeak()
    peak, blocks, most = 0.0, 0, 0
    waiting: list[NDArray[np.float32]] = []
    try:
        # Opened by us, so that the reason of a refusal is the system's own.
        with path.open("wb", buffering=0) as raw:
            disk = _Disk(raw)
            try:
                with soundfile.SoundFile(disk, "w", SAMPLE_RATE, 2, "PCM_24", format=format_name) as file:
                    for block in _blocks(playout, piece, tail_s, progress):
                        exact = block.astype(np.float64)
                        meter.process(exact)
                        peak = max(peak, true_peak.process(exact))
                        most = max(most, playout.orchestra.voices)
                        blocks += 1
                        waiting.append(block)
                        if len(waiting) == _WRITE_BLOCKS:
                            file.write(np.concatenate(waiting))
                            disk.check()
                            waiting.clear()
                    if waiting:
                        file.write(np.concatenate(waiting))
                # Closing writes the header again.
                disk.check()
            except BaseException:
                path.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise EncodeError(f"{path}: {error.strerror or error}") from error
    except soundfile.SoundFileError as error:
        raise EncodeError(f"{path}: {error}") from error
    return RenderReport(
        duration_s=blocks * BLOCK_SAMPLES / SAMPLE_RATE,
        lufs=meter.integrated_lufs,
        dbtp=to_db(peak),
        voices_stolen=playout.orchestra.stolen,
        most_voices=most,
    )
