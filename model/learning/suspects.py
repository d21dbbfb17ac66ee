"""Which music was in a batch: what to look at when its loss is no number.

A batch is a pure function of seed and step, so nothing is kept of it while all
goes well: it is read again, and the corpus tells what was read.
"""

from __future__ import annotations

import copy
import json
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from model.language.vocabulary import TICKS_PER_SECOND
from model.learning.corpus import Corpus
from model.learning.windows import Recipe, Windows


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of a piece that was read for a window.

    Attributes:
        path: the piece.
        first_token, last_token: where in the piece, the last one not included; what
            was looked at before a window for what sounds when it begins is included.
        first_s, last_s: the same in seconds.
    """

    path: str
    first_token: int
    last_token: int
    first_s: float
    last_s: float

    def __str__(self) -> str:
        return f"{self.path} ({self.first_s:.1f}-{self.last_s:.1f} s, tokens {self.first_token}-{self.last_token})"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Suspects:
    """What was in a batch that went wrong.

    Attributes:
        what: what went wrong.
        step: of the batch.
        rows: what each row was read from.
        nats: the loss of each row alone, unmixed.
    """

    what: str
    step: int
    rows: Sequence[Sequence[Passage]]
    nats: tuple[float, ...]

    def __str__(self) -> str:
        guilty = [n for n, nats in enumerate(self.nats) if not math.isfinite(nats)]
        if len(guilty) == len(self.rows) > 1:
            return f"{self.what}, every row of it: the weights are to blame more than the music"
        # With every row a number by itself, the strangest to the model is named.
        worst = guilty[0] if guilty else max(range(len(self.nats)), key=lambda n: self.nats[n])
        music = " and ".join(str(passage) for passage in self.rows[worst])
        alone = "is no number by itself" if guilty else f"has {self.nats[worst]:.2f} nats a token, the most"
        return f"{self.what}: row {worst + 1} of {len(self.rows)} {alone}, from {music}"

    def write(self, path: Path) -> str:
        """Write all rows as JSON; return words that say where, empty where the disk refuses."""
        rows = [
            {"nats": nats if math.isfinite(nats) else None, "passages": [passage.as_dict() for passage in row]}
            for row, nats in zip(self.rows, self.nats, strict=True)
        ]
        try:
            path.write_text(json.dumps({"what": self.what, "step": self.step, "rows": rows}, indent=1))
        except OSError:
            return ""
        return f"; the whole batch is listed in {path}"


class _Heard:
    """The tokens of a corpus, which note what is read of them."""

    def __init__(self, tokens: NDArray[np.uint16]) -> None:
        self.tokens = tokens
        self.read: list[tuple[int, int]] = []

    def __getitem__(self, here: slice) -> NDArray[np.uint16]:
        self.read.append((here.start, here.stop))
        return self.tokens[here]


def passages(windows: Windows, step: int, recipe: Recipe) -> list[list[Passage]]:
    """Return what each row of a batch was read from, in the order of the rows."""
    heard = _Heard(windows.corpus.tokens)
    again, corpus = copy.copy(windows), copy.copy(windows.corpus)
    corpus.tokens = cast("NDArray[np.uint16]", heard)
    again.corpus = corpus
    rows: list[list[Passage]] = []
    before = 0
    # A batch of fewer rows is the beginning of a batch of more.
    for count in range(1, windows.batch_rows + 1):
        again.batch_rows = count
        heard.read.clear()
        again.batch(step, recipe)
        rows.append([_passage(windows.corpus, *read) for read in heard.read[before:]])
        before = len(heard.read)
    return rows


def _passage(corpus: Corpus, first: int, last: int) -> Passage:
    row = corpus.rows[bisect_right(corpus.rows, first, key=lambda row: row.offset) - 1]
    first_s, last_s = (int(corpus.ticks[n]) / TICKS_PER_SECOND for n in (first, last - 1))
    return Passage(row.path, first - row.offset, last - row.offset, first_s, last_s)
