"""Stems: a FLAC file of each instrument, and one of the rooms, that add up to the mix.

Each instrument is as it stands on the stage, behind its fader, without a room; what the
rooms give back to all of them is a file of its own. Their sum is the mix before the limiter.
All are 12 dB softer than in the mix, since there is no limiter that keeps them below full scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from model.instruments import BY_NAME
from streaming.errors import EncodeError
from streaming.playing.playout import Playout
from streaming.playing.soundwriter import SoundWriter
from streaming.timeline import BLOCK_SAMPLES

HEADROOM_DB = 12.0
ROOM_FILE = "room"
_GAIN = np.float32(10 ** (-HEADROOM_DB / 20))


class StemFiles:
    """The files of one piece; used in `with`.

    Attributes:
        paths: the files.
        clipped: samples beyond full scale, by the name of the file.

    Args:
        folder: where they go; made where there is none.
        instruments: that play in the piece.

    Raises:
        EncodeError: the folder or a file cannot be written.
    """

    def __init__(self, folder: Path, instruments: Sequence[str]) -> None:
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise EncodeError(f"{folder}: {error.strerror or error}; give a folder for the stems") from error
        self._stack = ExitStack()
        self._parts: list[tuple[SoundWriter, slice]] = []
        self.clipped: dict[str, int] = {}
        with ExitStack() as stack:
            for index, name in enumerate(BY_NAME):
                if name in instruments:
                    writer = stack.enter_context(SoundWriter(folder / f"{name}.flac"))
                    self._parts.append((writer, slice(2 * index, 2 * index + 2)))
            self._room = stack.enter_context(SoundWriter(folder / f"{ROOM_FILE}.flac"))
            self._stack = stack.pop_all()
        self.paths = (*(writer.path for writer, _ in self._parts), self._room.path)

    def __enter__(self) -> Self:
        return self

    def write(self, playout: Playout) -> None:
        """Add the block that was made last."""
        places = playout.master.places * _GAIN
        for writer, rows in self._parts:
            self._put(writer, playout.stems[:, rows] @ places[rows])
        returned = playout.master.returned
        silence = np.zeros((BLOCK_SAMPLES, 2), np.float32)
        self._put(self._room, silence if returned is None else returned * _GAIN)

    def _put(self, writer: SoundWriter, block: NDArray[np.float32]) -> None:
        if float(np.abs(block).max()) > 1.0:
            name = writer.path.name
            self.clipped[name] = self.clipped.get(name, 0) + int(np.count_nonzero(np.abs(block) > 1.0))
        writer.write(block)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
