"""Music, corpora and models made for tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model.midi import write_midi
from model.network.config import PRESETS, Config
from model.notes import Note, Piece, TempoMark

if TYPE_CHECKING:
    from model.network.transformer import Transformer

SCALE = (0, 2, 4, 5, 7, 9, 11)
# For sampler and composer: small enough that a piece slides past its context.
SHORT_SIGHTED = Config(layers=2, width=64, heads=2, kv_heads=1, context=256, window=64, full_every=2, hidden=128)


def tune(seconds: float = 20.0, seed: int = 0, instruments: tuple[str, ...] = ("piano", "violin")) -> Piece:
    """Return a tune that wanders in C major over held chords, never twice the same."""
    rng = np.random.default_rng(seed)
    notes: list[Note] = []
    melody, accompaniment = instruments[-1], instruments[0]
    step = 7
    for n in range(int(seconds / 0.25)):
        step = int(np.clip(step + rng.integers(-2, 3), 0, 13))
        pitch = 60 + 12 * (step // 7) + SCALE[step % 7]
        notes.append(Note(n * 0.25, pitch, melody, 0.24, int(rng.integers(50, 110))))
    for n in range(int(seconds / 2)):
        root = int(rng.integers(0, 7))
        for third in (0, 2, 4):
            degree = root + third
            notes.append(Note(n * 2.0, 48 + 12 * (degree // 7) + SCALE[degree % 7], accompaniment, 1.9, 72))
    return Piece(tuple(sorted(set(notes))), (TempoMark(0.0, 120.0),), "tune")


def write_corpus(folder: Path, pieces: int = 10, seconds: float = 20.0) -> Path:
    """Write tunes as MIDI files into sub-folders named after styles."""
    for n in range(pieces):
        path = folder / ("bach", "folk")[n % 2] / f"tune{n}.mid"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_midi(tune(seconds, n, (("piano", "violin"), ("guitar", "flute"))[n % 2]), path)
    return folder


def lively(config: Config = PRESETS["tiny"], seed: int = 0) -> Transformer:
    """Return an untrained model whose every weight matters: fresh ones begin with blocks that add nothing."""
    import torch

    from model.network.transformer import Transformer

    torch.manual_seed(seed)
    model = Transformer(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and name.startswith("blocks"):
                weight.normal_(std=1.5 * weight.shape[1] ** -0.5)
            elif weight.dim() == 2:
                weight.normal_(std=0.05)
    return model.eval()
