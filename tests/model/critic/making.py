"""A small corpus with all three splits, and generations made up for it."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from model.critic.excerpts import of_piece
from model.critic.replay import Generation
from model.critic.spans import Excerpt, settled
from model.learning.corpus import Corpus, build
from model.midi import write_midi
from model.notes import Note, Piece
from tests.model.making import tune

SPLITS = ("train", "train", "train", "valid", "test")


def write_split_corpus(folder: Path, pieces: int = 30, seconds: float = 24.0) -> Path:
    """Write tunes as MIDI files with an index that names their splits."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "index.csv").open("w", newline="") as file:
        index = csv.writer(file)
        index.writerow(["path", "style", "genre", "split", "performed"])
        for n in range(pieces):
            instruments = (("piano", "violin"), ("guitar", "flute"))[n % 2]
            write_midi(tune(seconds + n % 5, n, instruments), folder / f"tune{n}.mid")
            index.writerow([f"tune{n}.mid", ("bach", "folk")[n % 2], "", SPLITS[n % len(SPLITS)], 0])
    return folder


def split_corpus(folder: Path, pieces: int = 30, seconds: float = 24.0) -> Corpus:
    """Return the tunes as tokens."""
    build(write_split_corpus(folder / "midi", pieces, seconds), folder / "built", processes=1)
    return Corpus(folder / "built")


def excerpts(corpus: Corpus) -> Iterator[Excerpt]:
    """Return every piece whole, as it is judged."""
    for row in corpus.rows:
        yield settled(of_piece(corpus, row, 0, row.ticks))


def random_piece(seed: int, seconds: float = 20.0) -> Piece:
    """Return notes without sense: the same density and instruments as `tune`, any pitch at any time."""
    rng = np.random.default_rng(seed)
    notes = [
        Note(float(rng.uniform(0, seconds)), int(rng.integers(45, 85)), "piano", float(rng.uniform(0.1, 9.0)), 72)
        for _ in range(int(5 * seconds))
    ]
    return Piece(tuple(sorted([Note(0.0, 60, "piano", 0.5, 72), *notes])))


def made_up(corpus: Corpus, count: int = 1) -> list[Generation]:
    """Return generations as a bad composer would make them: the source with every pitch drawn anew."""
    found: list[Generation] = []
    for number, row in enumerate(corpus.rows):
        excerpt = settled(of_piece(corpus, row, 0, row.ticks))
        for candidate in range(count):
            rng = np.random.default_rng((number, candidate))
            music = replace(excerpt.music, pitches=rng.integers(60, 84, len(excerpt.music)))
            tokens = music.sorted().tokens(excerpt.length_ticks, ends=True)
            found.append(
                Generation(tokens, excerpt.header, 0, True, number, number, candidate, "none", 1, 1.0, 0.98, number)
            )
    return found
