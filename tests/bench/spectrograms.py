"""What a chord of every patch looks like: the pictures of `docs/sound.md`.

    python -m tests.bench.spectrograms [--out docs]

Each chord is played softly (velocity 40), then hard (velocity 115), held for 1.4 s and let go; the
kit plays its keys one after the other. Dry, at the patches' own levels.
"""

from __future__ import annotations

import argparse
from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from model.notes import Note
from streaming.patches import Patch, library
from streaming.synthesis.synth import Orchestra, Strike
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, to_samples

matplotlib.use("Agg")
from matplotlib import pyplot

_ROOTS = {"bass": 36, "cello": 43, "flute": 72, "violin": 62, "trumpet": 60, "harp": 55, "guitar": 48}
_HELD_S, _EACH_S = 1.4, 2.2
_DRUMS_EACH_S = 0.35
_LOUD, _SOFT = 115, 40
_FLOOR_DB = -80.0
_PICTURES = {
    "sound-struck.png": ("piano", "harp", "guitar-nylon", "guitar-steel", "guitar-clean", "bass-upright",
                         "bass-electric"),
    "sound-held.png": ("violin-solo", "violin-section", "cello", "flute", "clarinet", "trumpet-solo",
                       "trumpet-brass", "choir", "organ", "synth"),
}  # fmt: skip


def chord(patch: Patch, orchestra: Orchestra) -> NDArray[np.float64]:
    """Return a chord of a patch, soft and then hard, mono."""
    root = _ROOTS.get(patch.name, 60)
    steps = (0, 7, 12) if patch.name == "bass" else (0, 4, 7, 12)
    notes = [
        Note(at_s, root + step, patch.name, _HELD_S, velocity)
        for at_s, velocity in ((0.1, _SOFT), (0.1 + _EACH_S, _LOUD))
        for step in steps
    ]
    return played(notes, patch, orchestra, 2 * _EACH_S + 0.1)


def played(notes: list[Note], patch: Patch, orchestra: Orchestra, seconds: float) -> NDArray[np.float64]:
    """Return notes on a patch, mono."""
    orchestra.reset()
    orchestra.choose(0, variants={patch.name: patch.key})
    made = []
    for _ in range(to_samples(seconds) // BLOCK_SAMPLES):
        now = orchestra.sample
        due = [n for n in notes if now <= to_samples(n.onset_s) < now + BLOCK_SAMPLES]
        strikes = [Strike(to_samples(n.onset_s) - now, to_samples(n.duration_s), n, colour=n.pitch) for n in due]
        made.append(orchestra.process(strikes).sum(axis=1, dtype=np.float64))
    return np.concatenate(made)


def draw(axes: Axes, sound: NDArray[np.float64], title: str) -> None:
    """Draw a spectrogram: logarithmic frequency, 80 dB of colours."""
    # What nobody hears, so that a picture of silence has a colour.
    hiss = 1e-9 * np.random.default_rng(0).normal(size=len(sound))
    axes.specgram(
        sound + hiss, NFFT=2048, Fs=SAMPLE_RATE, noverlap=1664, window=np.hanning(2048), cmap="magma",
        vmin=_FLOOR_DB - 50, vmax=-50,
    )  # fmt: skip
    axes.set_yscale("symlog", linthresh=500)
    axes.set_ylim(40, 20_000)
    axes.set_yticks([100, 500, 2000, 8000], ["100", "500", "2k", "8k"])
    axes.set_title(title, fontsize=9)
    axes.tick_params(labelsize=7)


def save(figure: Figure, path: Path) -> None:
    """Write a picture in few colours: a third of the size."""
    memory = BytesIO()
    figure.savefig(memory, dpi=80)
    Image.open(memory).convert("RGB").quantize(48, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    options = parser.parse_args()
    orchestra = Orchestra()
    patches = library().patches
    for name, keys in _PICTURES.items():
        rows = (len(keys) + 1) // 2
        figure, grid = pyplot.subplots(rows, 2, figsize=(10, 1.9 * rows), layout="constrained")
        for axes in grid.flat[len(keys) :]:
            axes.set_axis_off()
        for axes, key in zip(grid.flat, keys, strict=False):
            sound = chord(patches[key], orchestra)
            if not np.isfinite(sound).all() or not np.abs(sound).max() > 0.01:
                raise SystemExit(f"{key}: not heard")
            draw(axes, sound, f"{patches[key].title}: soft, then hard")
        save(figure, options.out / name)
    kit = patches["drums"]
    figure, grid = pyplot.subplots(4, 1, figsize=(10, 8), layout="constrained")
    sounds = sorted(kit.kit, key=lambda sound: sound.keys[0])
    for row, axes in enumerate(grid.flat):
        part = sounds[row * 15 : row * 15 + 15]
        notes = [Note(0.02 + i * _DRUMS_EACH_S, s.keys[0], "drums", 0.1, 100) for i, s in enumerate(part)]
        draw(axes, played(notes, kit, orchestra, 15 * _DRUMS_EACH_S), "")
        axes.set_xticks([0.02 + i * _DRUMS_EACH_S for i in range(len(part))], [s.name for s in part], rotation=20)
    save(figure, options.out / "sound-drums.png")


if __name__ == "__main__":
    main()
