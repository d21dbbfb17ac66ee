"""What the critic learns from and is measured by: pairs of real and other music that lie alike.

A batch is a pure function of the seed and the step. Half of its rows are real,
a quarter the generator's own, a quarter real music broken on purpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from model.critic.corruptions import CORRUPTIONS
from model.critic.excerpts import Pieces, Place, draw_own, vary
from model.critic.replay import Generation
from model.critic.spans import MOST_TOKENS, Excerpt, Row, rows_of, settled
from model.errors import CorpusError
from model.learning.corpus import Corpus
from model.learning.corpus import Row as Piece

LENGTHS_S = {"15 s": 15.0, "30 s": 30.0, "60 s": 60.0, "whole": float("inf")}
_TRIES = 400
# Of excerpts that are corrupted and end their piece, so many are cut and no ending.
_CUT = 0.4


@dataclass(frozen=True, slots=True)
class Example:
    """An excerpt to be measured by.

    Attributes:
        kind: `real`, `own`, or the name of a corruption.
        length: a key of `LENGTHS_S`.
        group: excerpts of one group share a header.
        ends: whether the piece ends with it.
        excerpt: the music.
        most_tokens: in a row.
    """

    kind: str
    length: str
    group: int
    ends: bool
    excerpt: Excerpt
    most_tokens: int

    @property
    def rows(self) -> list[Row]:
        """What the critic reads; made anew each time, since it is a thousand times as large."""
        return rows_of(self.excerpt, self.most_tokens)


class Examples:
    """Real music of a split, and what was composed for its headers.

    Args:
        corpus: the real music.
        generations: the composer's own.
        split: of the real music.
        most_tokens: in a row.
        half: 0 or 1 for every other piece, so that two critics can learn from different music; None for all.

    Raises:
        CorpusError: nothing was composed for this split.
    """

    def __init__(
        self,
        corpus: Corpus,
        generations: Sequence[Generation],
        split: str,
        most_tokens: int = MOST_TOKENS,
        half: int | None = None,
    ) -> None:
        self.corpus, self.most_tokens = corpus, most_tokens
        self.own = [g for g in generations if corpus.rows[g.source].split == split and half in (None, g.source % 2)]
        self.pieces = Pieces(corpus, [split], half)
        if not self.own:
            raise CorpusError(f"nothing was composed yet for the {split} split; ask for more with --generations")

    def batch(self, seed: int, step: int, rows: int) -> tuple[list[Row], list[bool]]:
        """Return rows and which of them are real.

        Args:
            seed: of all batches.
            step: which batch.
            rows: a multiple of 4.

        Raises:
            CorpusError: no real piece is like what was composed.
        """
        rng = np.random.default_rng((seed, step))
        found: list[Row] = []
        labels: list[bool] = []
        for n in range(rows // 2):
            # Of a long excerpt any part.
            found += [part[int(rng.integers(len(part)))] for part in self._pair(rng, own=n % 2 == 0)]
            labels += [True, False]
        return found, labels

    def _pair(self, rng: np.random.Generator, *, own: bool) -> tuple[list[Row], list[Row]]:
        """Return rows of real music and of the composer's own, or of real music broken, that lie alike."""
        for _ in range(_TRIES):
            generation = self.own[int(rng.integers(len(self.own)))]
            source = self.corpus.rows[generation.source]
            drawn = draw_own(generation.span, rng)
            if drawn is None:
                continue
            place, composed = drawn
            real = self.pieces.draw(place, source, rng)
            other = vary(composed, rng) if own else self._broken(place, source, rng)
            if real is None or other is None:
                continue
            pair = rows_of(vary(real, rng), self.most_tokens), rows_of(other, self.most_tokens)
            if all(pair):
                return pair
        raise CorpusError(
            f"after {_TRIES} tries no real piece of the same style and length was found for a composed one; "
            "the corpus has too few pieces of 15 s or more"
        )

    def _broken(self, place: Place, like: Piece, rng: np.random.Generator) -> Excerpt | None:
        kind = str(rng.choice([name for name in CORRUPTIONS if name != "cut"]))
        if place.kind in ("ending", "whole") and rng.random() < _CUT:
            # As long as what ends, from where nothing does.
            kind, place = "cut", replace(place, kind="middle" if place.kind == "ending" else "opening")
        real = self.pieces.draw(place, like, rng)
        return None if real is None else CORRUPTIONS[kind](settled(vary(real, rng)), rng)

    def held_out(self, *, lengths: Sequence[str] = tuple(LENGTHS_S), most: int = 10_000) -> list[Example]:
        """Return the same examples whenever it is asked: nothing varied, real music of the same source if it fits.

        Args:
            lengths: keys of `LENGTHS_S`.
            most: generations to compare with, spread over all.
        """
        found: list[Example] = []
        every = max(1, -(-len(self.own) // most))
        for generation in self.own[::every]:
            for length in lengths:
                rng = np.random.default_rng((generation.batch, generation.candidate, list(LENGTHS_S).index(length)))
                found += self._compared(generation, length, rng)
        return found

    def _compared(self, generation: Generation, length: str, rng: np.random.Generator) -> list[Example]:
        """Return a composed excerpt, a real one that lies so, and the real one broken in each way."""
        source = self.corpus.rows[generation.source]
        drawn = draw_own(generation.span, rng, LENGTHS_S[length])
        if drawn is None:
            return []
        place, composed = drawn
        real = self.pieces.draw(place, source, rng, itself=1.0)
        if real is None:
            return []
        excerpts: list[tuple[str, Excerpt | None]] = [("real", real), ("own", composed)]
        for name, corruption in CORRUPTIONS.items():
            if name == "cut":
                goes_on = replace(place, kind="middle" if place.kind == "ending" else "opening")
                whole = self.pieces.draw(goes_on, source, rng, itself=1.0) if real.ends else None
                excerpts.append((name, None if whole is None else corruption(settled(whole), rng)))
            else:
                excerpts.append((name, corruption(settled(real), rng)))
        return [
            Example(kind, length, generation.source, excerpt.ends, excerpt, self.most_tokens)
            for kind, excerpt in excerpts
            if excerpt is not None and len(excerpt.music)
        ]
