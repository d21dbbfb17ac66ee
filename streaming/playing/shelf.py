"""The pieces in memory: as they are played, by whom, and how loud they will be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from model.controls import Controls
from model.instruments import BY_NAME
from model.notes import Note
from streaming.errors import PatchError
from streaming.mixing.levels import gain_db_to
from streaming.mixing.room import DEFAULT_ROOM
from streaming.performing import expression
from streaming.performing.notation import Score
from streaming.performing.turning import gain_db_of
from streaming.playing.deck import Loaded
from streaming.playing.ensemble import Ensemble
from streaming.soundfonts.sf2 import SYNTH
from streaming.timeline import to_samples, to_seconds

_GAIN_RANGE_DB = (-24.0, 24.0)
# A piece ends a little after its last key is let go: the strings ring.
RELEASE_S = 1.0


class Shelf:
    """Loaded pieces by their numbers.

    Args:
        orchestra: that plays them.
        lufs: integrated loudness each is brought to.
        cap: power of the loudest moment that the limiter lets through.
        seed: of what players leave to chance.
    """

    def __init__(self, orchestra: Ensemble, *, lufs: float, cap: float, seed: int) -> None:
        self._orchestra = orchestra
        self._lufs, self._cap, self._seed = lufs, cap, seed
        self._pieces: dict[int, Loaded] = {}

    def __contains__(self, number: object) -> bool:
        return number in self._pieces

    def get(self, number: int) -> Loaded | None:
        """Return a piece, None where there is none of that number."""
        return self._pieces.get(number)

    def drop(self, number: int) -> None:
        """Forget a piece."""
        self._pieces.pop(number, None)

    def load(
        self,
        number: int,
        notes: Sequence[Note],
        duration_s: float,
        gain_db: float = 0.0,
        room: str = DEFAULT_ROOM,
        bank: str = SYNTH,
        score: Score | None = None,
        controls: Sequence[Controls] = (),
        style: str = "",
        variants: Mapping[str, str] | None = None,
    ) -> None:
        """Keep a piece; see `Playout.load`."""
        self._orchestra.prepare([bank])
        performance = expression.perform(self._playable(number, notes), score, seed=self._seed)
        style = style or (score and score.style) or ""
        variants = self._known(style, dict(variants or {}))
        piece = Loaded(
            performance.played, duration_s, gain_db, gain_db, room=room, bank=bank, controls=tuple(controls),
            performance=performance, style=style, variants=variants,
        )  # fmt: skip
        piece.gain_db += self._gain_db(piece, piece.notes)
        piece.course = self._course(piece)
        self._pieces[number] = piece

    def _playable(self, number: int, notes: Sequence[Note]) -> list[Note]:
        """Return the notes that can be played; the others are told of, and the rest of the piece is heard."""
        found = [n for n in notes if n.instrument in BY_NAME and math.isfinite(n.onset_s + n.duration_s)]
        if len(found) < len(notes):
            names = sorted({n.instrument for n in notes} - BY_NAME.keys())
            why = f"no instrument is called {', '.join(names)}" if names else "their times are no numbers"
            self._orchestra.say(f"piece {number}: {len(notes) - len(found)} notes cannot be played ({why})")
        return found

    def _known(self, style: str, variants: dict[str, str]) -> dict[str, str]:
        """Return the variants there are; what is asked for in vain is told, and the style decides."""
        found = {}
        for name, variant in variants.items():
            try:
                self._orchestra.players(style, {name: variant})
            except PatchError as error:
                self._orchestra.say(f"{error} - the style decides who plays")
            else:
                found[name] = variant
        return found

    def revise(
        self, number: int, at: int, notes: Sequence[Note], duration_s: float, score: Score | None = None
    ) -> Loaded:
        """Replace the notes of a piece from a sample on, and return it.

        Args:
            number: of a loaded piece.
            at: sample of the piece.
            notes: from there on; earlier ones are those that may go on.
            duration_s: of the whole piece.
            score: of the whole piece, where it is another now.
        """
        piece, notes = self._pieces[number], self._playable(number, notes)
        # No note is played before its written place: what was played is what is written before this time.
        piece.performance = expression.revised(piece.performance, notes, at, score)
        piece.notes = piece.performance.played
        new = [n for n, as_written in piece.performance if to_samples(as_written.onset_s) >= at]
        gain_db = piece.own_gain_db + self._gain_db(piece, new)
        piece.duration_s = max(duration_s, to_seconds(at))
        piece.levels = [*((since, db) for since, db in piece.levels if since < at), (at, gain_db)]
        piece.course = self._course(piece)
        return piece

    def _gain_db(self, piece: Loaded, notes: Sequence[Note]) -> float:
        """Return the gain that brings notes of a piece to the programme's loudness, as far as they tell."""
        levels = self._orchestra.levels(piece.bank, piece.style, piece.variants)
        course = levels.course(notes, piece.room, gains_db=_turned_db(piece, notes))
        low, high = _GAIN_RANGE_DB
        return min(high, max(low, gain_db_to(course, self._lufs, self._cap)))

    def _course(self, piece: Loaded) -> NDArray[np.float64]:
        """Return how loud a piece is expected to be at each moment."""
        levels = self._orchestra.levels(piece.bank, piece.style, piece.variants)
        course = levels.course((), piece.room, piece.duration_s + RELEASE_S)
        since = [(0, piece.gain_db), *piece.levels]
        for (first, gain_db), (end, _) in zip(since, [*since[1:], (2**62, 0.0)], strict=True):
            notes = [n for n in piece.notes if first <= max(0, to_samples(n.onset_s)) < end]
            part = levels.course(notes, piece.room, gains_db=_turned_db(piece, notes)) * 10 ** (gain_db / 10)
            if len(part) > len(course):
                course = np.concatenate([course, np.zeros(len(part) - len(course))])
            course[: len(part)] += part
        return course


def _turned_db(piece: Loaded, notes: Sequence[Note]) -> list[float] | None:
    """Return what the controls of a piece add to the level of each of some notes; None: nothing."""
    if not piece.controls:
        return None
    return [gain_db_of(piece.controls, n.part, n.onset_s) for n in notes]
