"""A piece as an MP4: picture and sound rendered offline, joined by the sample index."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.notes import Piece
from streaming.errors import EncodeError
from streaming.picture.pianoroll import PianoRoll
from streaming.picture.scene import Scene
from streaming.picture.theme import Theme
from streaming.programme.encoder import SAMPLE_RATE, Encoder
from streaming.programme.recorder import Recorder

# The level strip follows the sound this fast.
LEVEL_S = 0.2


def render_video(
    piece: Piece,
    blocks: Iterable[NDArray[np.float32]],
    path: Path,
    *,
    width: int = 1280,
    height: int = 720,
    fps: int = 30,
    caption: str | None = None,
    theme: Theme | None = None,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Write a piece as an MP4; it is as long as its sound.

    Args:
        piece: to draw, from its first second on.
        blocks: its sound from its first sample on, float32 [n, 2] each, at 48 kHz.
        path: of the MP4.
        width: pixels, even.
        height: pixels, even.
        fps: pictures a second.
        caption: the line under the title; the piece's style where None.
        theme: the look; None: the default.
        progress: called with the fraction done (0 to 1), about once for every second of music.

    Raises:
        EncodeError: there is no sound, or the file cannot be written; then no file is left behind.
    """
    roll = PianoRoll(width, height, fps=fps, theme=theme)
    scene = Scene.of_piece(piece, caption=caption)
    recorders: list[Recorder] = []
    encoder = Encoder(
        width, height, fps, preset="medium", on_packet=lambda stream, packet: recorders[0].write(stream, packet)
    )
    recorder = Recorder(path, encoder, fragmented=False)
    recorders.append(recorder)
    finished = False
    try:
        frame, samples, power = 0, 0, 0.0
        for block in blocks:
            power = _smoothed(power, block)
            # The pictures that begin within this block come before it: the file starts with a keyframe.
            while frame * SAMPLE_RATE < (samples + len(block)) * fps:
                position_s = frame / fps
                level_db = 10 * math.log10(power + 1e-12)
                encoder.video(roll.draw(scene, position_s, level_db=level_db, sound=block), frame)
                frame += 1
                if progress is not None and frame % fps == 0:
                    progress(min(1.0, position_s / max(piece.duration_s, position_s, 1e-9)))
            encoder.audio(block, samples)
            samples += len(block)
        if not samples:
            raise EncodeError(f"there is no sound to write to {path}")
        encoder.flush()
        recorder.close()
        finished = True
    finally:
        if not finished:
            recorder.abandon()
        encoder.close()
    if progress is not None:
        progress(1.0)


def _smoothed(power: float, block: NDArray[np.float32]) -> float:
    """Mean square of the sound, following it within `LEVEL_S`."""
    if not len(block):
        return power
    keep = math.exp(-len(block) / (LEVEL_S * SAMPLE_RATE))
    return keep * power + (1 - keep) * float(np.mean(np.square(block)))
