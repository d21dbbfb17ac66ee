"""The header: what is said of a piece before its first note, each word optional."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.instruments import BY_NAME, GROUPS
from model.language.vocabulary import BARS, DENSITIES, ENERGIES, KEYS, VOCABULARY, style_token

# Krumhansl and Kessler (1982): how well each pitch class fits a major and a minor key.
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


def _profiles() -> NDArray[np.float64]:
    rows = [np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)]
    centred = np.array(rows) - np.mean(rows, axis=1, keepdims=True)
    return np.asarray(centred / np.linalg.norm(centred, axis=1, keepdims=True))


_KEY_PROFILES = _profiles()


def find_key(pitch_class_weights: NDArray[np.float64]) -> str | None:
    """Return the key that fits best, such as `C_major`, or None for no clear one.

    Args:
        pitch_class_weights: shape [12], how much each pitch class sounds, C first.

    Source: Krumhansl-Schmuckler key finding, correlation with key profiles.
    """
    centred = pitch_class_weights - pitch_class_weights.mean()
    norm = float(np.linalg.norm(centred))
    if norm == 0.0:
        return None
    fit = _KEY_PROFILES @ centred / norm
    return KEYS[int(fit.argmax())] if fit.max() > 0.5 else None


@dataclass(frozen=True, slots=True)
class Header:
    """What is said of a piece; None or empty where nothing is said.

    Attributes:
        style: a name of `vocabulary.STYLES` or `OWN_STYLES`.
        groups: instrument groups, any order.
        genre: a name of `vocabulary.GENRES`.
        performed: played by a person (True) or taken from a score (False).
        key: a name of `vocabulary.KEYS`.
        beats_per_bar: quarter notes in a bar; said only if in `vocabulary.BARS`.
        notes_per_second: how dense the music is.
        velocity: mean MIDI velocity, how loud it is.
        tempo_bpm: quarter notes a minute.
        given: some notes are given ahead of time (see the `given` embedding).
    """

    style: str | None = None
    groups: tuple[str, ...] = ()
    genre: str | None = None
    performed: bool | None = None
    key: str | None = None
    beats_per_bar: float | None = None
    notes_per_second: float | None = None
    velocity: float | None = None
    tempo_bpm: float | None = None
    given: bool = False

    def tokens(self) -> list[int]:
        """Return the header's tokens, `start` and the tempo included."""
        words: list[str] = []
        if self.style is not None:
            words.append(style_token(self.style))
        words += [g for g in GROUPS if g in self.groups]
        if self.genre is not None:
            words.append(f"genre:{self.genre}")
        if self.performed is not None:
            words.append("performed" if self.performed else "scored")
        if self.key is not None:
            words.append(f"key:{self.key}")
        if self.beats_per_bar in BARS:
            words.append(f"bar:{self.beats_per_bar:g}")
        if self.notes_per_second is not None:
            words.append(f"density:{bisect_right(DENSITIES, self.notes_per_second) - 1}")
        if self.velocity is not None:
            words.append(f"energy:{bisect_right(ENERGIES, self.velocity) - 1}")
        if self.given:
            words.append("given")
        ids = [VOCABULARY.id(w) for w in words] + [VOCABULARY.start]
        return ids if self.tempo_bpm is None else [*ids, VOCABULARY.tempo_id(self.tempo_bpm)]


def habit_key(style: str, groups: tuple[str, ...] = ()) -> str:
    """Return what a style's habits are kept under: `chopin`, or `chopin piano_strings`."""
    return f"{style} {'_'.join(groups)}" if groups else style


def groups_of(instruments: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """Return the groups some instruments belong to, in the vocabulary's order."""
    found = {BY_NAME[name].group for name in instruments}
    return tuple(g for g in GROUPS if g in found)
