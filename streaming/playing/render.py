"""A piece as sound without a clock: blocks, or a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.notes import Piece
from streaming.mixing.loudness import Meter, TruePeak, to_db
from streaming.mixing.mixer import CEILING_DBTP, LATENCY_SAMPLES
from streaming.mixing.room import room_of
from streaming.patches import library
from streaming.performing.notation import Score
from streaming.playing.playout import TARGET_LUFS, Playout
from streaming.playing.soundwriter import SoundWriter
from streaming.playing.stemfiles import StemFiles
from streaming.soundfonts.sf2 import SYNTH
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, to_samples, whole_blocks

TAIL_S = 3.0


@dataclass(frozen=True, slots=True)
class Sound:
    """How a piece is played into a file.

    Attributes:
        seed: of the instruments' tables and the rooms.
        tail_s: how long the room may ring after the last note.
        lufs: integrated loudness of the whole.
        dbtp: true peak that nothing passes.
        room: of `streaming.mixing.room.ROOMS`, or `dry`; None: the one of the piece's style.
        bank: path of the SoundFont that plays it, or `synth`.
        expression: whether written notes are played as people would, instead of exactly as written.
        variants: instrument to variant, before what the style of the piece says.
        patches: folder of one's own patches.
    """

    seed: int = 0
    tail_s: float = TAIL_S
    lufs: float = TARGET_LUFS
    dbtp: float = CEILING_DBTP
    room: str | None = None
    bank: str = SYNTH
    expression: bool = False
    variants: Mapping[str, str] = field(default_factory=dict)
    patches: Path | None = None

    def playout(self) -> Playout:
        """Return what plays it.

        Raises:
            PatchError: a patch is wrong, or a variant is unknown.
        """
        patches = library(self.patches)
        patches.ensemble(variants=self.variants)
        return Playout(seed=self.seed, bed=False, lufs=self.lufs, dbtp=self.dbtp, patient=True, patches=patches)


@dataclass(frozen=True, slots=True)
class RenderReport:
    """What a rendered file holds.

    Attributes:
        duration_s: length of the file.
        lufs: integrated loudness.
        dbtp: true peak.
        voices_stolen: notes cut short for want of voices.
        most_voices: the most that sounded at once.
        stems: the files of the instruments, and of the room.
        clipped: samples that were too loud even for the room above the stems, by file.
    """

    duration_s: float
    lufs: float
    dbtp: float
    voices_stolen: int
    most_voices: int
    stems: tuple[Path, ...] = ()
    clipped: dict[str, int] = field(default_factory=dict)


def render(
    piece: Piece, sound: Sound = Sound(), *, progress: Callable[[float], None] | None = None
) -> Iterator[NDArray[np.float32]]:
    """Yield a piece as blocks, float32 [256, 2], the same ones that it plays on air.

    Only one piece can be rendered at a time in a process.

    Args:
        piece: the music.
        sound: how it is played.
        progress: told the fraction done, 0 to 1, about every second of music.
    """
    yield from _blocks(sound.playout(), piece, sound, progress)


def _blocks(
    playout: Playout,
    piece: Piece,
    sound: Sound,
    progress: Callable[[float], None] | None,
    stems: StemFiles | None = None,
) -> Iterator[NDArray[np.float32]]:
    score = Score(piece.style, piece.tempi, piece.beats_per_bar) if sound.expression else None
    room = sound.room or room_of(piece.style)
    playout.load(
        1, piece.notes, piece.duration_s, room=room, bank=sound.bank, score=score, controls=piece.controls,
        style=piece.style or "", variants=sound.variants,
    )  # fmt: skip
    playout.go(1)
    total = whole_blocks(to_samples(piece.duration_s + sound.tail_s))
    every = SAMPLE_RATE // BLOCK_SAMPLES
    late = LATENCY_SAMPLES // BLOCK_SAMPLES
    for index in range(-late, total):
        if progress is not None and index >= 0 and index % every == 0:
            progress(index / total)
        block = playout.step()
        # The stems have not waited for the limiter: they are ahead of it.
        if stems is not None and index < total - late:
            stems.write(playout)
        if index >= 0:
            yield block
    if progress is not None:
        progress(1.0)


def render_wav(
    piece: Piece,
    path: Path,
    sound: Sound = Sound(),
    *,
    stems: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> RenderReport:
    """Write a piece to a 24-bit WAV or FLAC file, by the ending of its name.

    Args:
        piece: the music.
        path: the file; an old one is replaced.
        sound: how it is played.
        stems: folder for a file of each instrument, as of `streaming.playing.stemfiles`.
        progress: told the fraction done, 0 to 1.

    Raises:
        EncodeError: a file cannot be written; what there was of it is removed.
    """
    playout = sound.playout()
    meter, true_peak = Meter(), TruePeak()
    peak, blocks, most = 0.0, 0, 0
    with ExitStack() as files:
        out = files.enter_context(SoundWriter(path))
        apart = files.enter_context(StemFiles(stems, piece.instruments)) if stems is not None else None
        for block in _blocks(playout, piece, sound, progress, apart):
            exact = block.astype(np.float64)
            meter.process(exact)
            peak = max(peak, true_peak.process(exact, peak))
            most = max(most, playout.orchestra.voices)
            blocks += 1
            out.write(block)
    return RenderReport(
        duration_s=blocks * BLOCK_SAMPLES / SAMPLE_RATE,
        lufs=meter.integrated_lufs,
        dbtp=to_db(peak),
        voices_stolen=playout.orchestra.stolen,
        most_voices=most,
        stems=apart.paths if apart is not None else (),
        clipped=apart.clipped if apart is not None else {},
    )
