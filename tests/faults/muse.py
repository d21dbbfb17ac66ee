"""The composer's process with a muse of many moods: `python -m tests.faults.muse --run DIR`.

All but the music is the real composer: its wire, its queue, its answers to what breaks. The mood is read from a file
(`muse.mood` in the folder that `FAULTS` names) at each request: a word, and how many requests it lasts.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from conductor.composer import run
from model.composing.composer import Take
from model.composing.prompt import Prompt
from model.errors import ComposeError, ComposingCancelledError
from model.gate.gate import Gate
from model.notes import Note, Piece

# Of the scale, and how long a note rings: something sounds at every moment.
STEP_S, RING_S = 0.25, 0.6
# What composing takes a good muse, and one that is ten times slower.
QUICK_S, SLOW_S = 2.0, 20.0
_SCALE = (0, 2, 4, 5, 7, 9, 11, 12)


def scale(seed: int, duration_s: float, instrument: str = "piano") -> Piece:
    """Return notes without end or pause, up and down, that are not the same again for a while."""
    notes = []
    for n in range(int((duration_s - RING_S) / STEP_S)):
        pitch = 55 + _SCALE[(n * 3 + seed + n * n // 7) % len(_SCALE)]
        notes.append(Note(n * STEP_S, pitch, instrument, RING_S, 85))
    return Piece(tuple(notes), title="scale")


def _empty(piece: Piece) -> Piece:
    return replace(piece, notes=())


def _nan(piece: Piece) -> Piece:
    return replace(piece, notes=(*piece.notes[:-1], replace(piece.notes[-1], onset_s=math.nan)))


def _silent(piece: Piece) -> Piece:
    """A note at each end, and nothing between: the length is right."""
    return replace(piece, notes=(piece.notes[0], piece.notes[-1]))


def _short(piece: Piece) -> Piece:
    return replace(piece, notes=piece.notes[:8])


def _looping(piece: Piece) -> Piece:
    bar = piece.notes[:8]
    times = int(piece.duration_s / (8 * STEP_S))
    return replace(
        piece, notes=tuple(replace(note, onset_s=note.onset_s + 8 * STEP_S * n) for n in range(times) for note in bar)
    )


BENT: dict[str, Callable[[Piece], Piece]] = {
    "empty": _empty, "nan": _nan, "silent": _silent, "short": _short, "looping": _looping,
}  # fmt: skip
# What the real composer's gate never lets pass; here it is asked only where the mood says so.
GATED = ("gated silent", "gated short", "gated looping")


class Muse:
    """Composes scales, as its mood is.

    Args:
        folder: of the mood.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "muse.mood"
        self._gate = Gate()

    def compose(
        self,
        prompt: Prompt,
        *,
        progress: Callable[[float, float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        committed: Callable[[Piece, float], None] | None = None,
    ) -> Take:
        """Compose; see `model.composing.composer.Composer.compose`."""
        mood = self._mood()
        took_s = SLOW_S if mood == "slow" else QUICK_S
        for n in range(1, 21):
            time.sleep(took_s / 20)
            if cancelled and cancelled():
                raise ComposingCancelledError("composing was cancelled")
            if n == 10 and mood == "raises":
                raise RuntimeError("CUDA error: device-side assert triggered")
            if n == 10 and mood == "stops":
                os.kill(os.getpid(), signal.SIGSTOP)
            if n == 10 and mood == "hangs":
                # Alive, and deaf to everything.
                time.sleep(3600.0)
            if progress:
                progress(n / 20, prompt.duration_s * n / 20)
        piece = scale(prompt.seed, prompt.duration_s)
        if bend := BENT.get(mood.removeprefix("gated ")):
            piece = bend(piece)
        if mood.startswith("gated") and (refusals := self._gate.refusals(piece, length_s=prompt.duration_s)):
            raise ComposeError(f"all candidates were refused ({refusals[0]})")
        if committed:
            committed(piece, piece.duration_s)
        return Take(piece, prompt, (), 0, "scales", took_s)

    def _mood(self) -> str:
        """Return the mood, which wears off."""
        try:
            word, _, times = self._file.read_text().strip().rpartition(" ")
        except FileNotFoundError:
            return ""
        if int(times) > 1:
            self._file.write_text(f"{word} {int(times) - 1}")
        else:
            self._file.unlink()
        return word


def main() -> None:
    """Compose until told to quit."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", type=Path, required=True)
    options, _ = parser.parse_known_args()
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    asyncio.run(run(options.run, Muse(Path(os.environ["FAULTS"]))))


if __name__ == "__main__":
    main()
