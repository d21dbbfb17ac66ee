"""A sound file in 24 bits, written block by block: whole, or not at all."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from streaming.errors import EncodeError
from streaming.timeline import SAMPLE_RATE

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


class SoundWriter:
    """A stereo file at 48 kHz, 24 bits, WAV or FLAC by its ending; used in `with`.

    What there is of it is removed when anything goes wrong.

    Args:
        path: the file; an old one is replaced.

    Raises:
        EncodeError: another ending, or the file cannot be written; also at `write` and at the end.
    """

    def __init__(self, path: Path) -> None:
        format_name = _FORMATS.get(path.suffix.lower())
        if format_name is None:
            raise EncodeError(f"{path}: sound is written to .wav or .flac")
        self.path = path
        self._waiting: list[NDArray[np.float32]] = []
        try:
            # Opened by us, so that the reason of a refusal is the system's own.
            self._raw = path.open("wb", buffering=0)
        except OSError as error:
            raise EncodeError(f"{path}: {error.strerror or error}") from error
        self._disk = _Disk(self._raw)
        self._file = soundfile.SoundFile(self._disk, "w", SAMPLE_RATE, 2, "PCM_24", format=format_name)

    def __enter__(self) -> Self:
        return self

    def write(self, block: NDArray[np.float32]) -> None:
        """Add sound, float32 [frames, 2], from -1 to 1; it is kept until there is enough of it."""
        self._waiting.append(block)
        if len(self._waiting) == _WRITE_BLOCKS:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        try:
            self._file.write(np.concatenate(self._waiting))
            self._disk.check()
        except OSError as error:
            raise EncodeError(f"{self.path}: {error.strerror or error}") from error
        except soundfile.SoundFileError as error:
            raise EncodeError(f"{self.path}: {error}") from error
        self._waiting.clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failure: EncodeError | None = None
        # What is left over has no place in a file that is given up.
        for step in (self._flush, self._close) if kind is None else (self._close,):
            try:
                step()
            except EncodeError as refused:
                failure = failure or refused
        if kind is not None or failure is not None:
            self.path.unlink(missing_ok=True)
        if kind is None and failure is not None:
            raise failure

    def _close(self) -> None:
        """Close the file, which writes its header again."""
        try:
            self._file.close()
            self._disk.check()
        except OSError as error:
            raise EncodeError(f"{self.path}: {error.strerror or error}") from error
        except soundfile.SoundFileError as error:
            raise EncodeError(f"{self.path}: {error}") from error
        finally:
            self._raw.close()
