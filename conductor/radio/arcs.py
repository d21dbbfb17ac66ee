"""Keys that go around the circle of fifths; energy and tempo that rise and fall."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from functools import cache

from conductor.radio.plan import Arc, Mode
from model.language.vocabulary import KEYS, PITCH_CLASSES, TEMPI_BPM

# Where an arc is highest, as a part of it.
PEAK = 2 / 3
# What is usual where nothing is said: mean velocity and quarter notes a minute.
USUAL_ENERGY, USUAL_TEMPO_BPM = 72.0, 96.0
# Beside the arc, neighbours differ a little.
_ENERGY_JITTER, _TEMPO_JITTER = 4.0, 0.06
# A key does not come again while so many others have been since, if there is any way around it.
KEYS_APART = 3
# How much each accidental speaks against a key.
_HOMESICK = 0.5


@cache
def fifths(key: str) -> int:
    """Return where a key's signature lies on the circle of fifths: 0 C major and A minor, 1 one sharp, 11 one flat.

    Args:
        key: one of the vocabulary, such as `D_minor`.
    """
    name, _, mode = key.partition("_")
    tonic = PITCH_CLASSES.index(name) + (3 if mode == "minor" else 0)
    return tonic * 7 % 12


def accidentals(key: str) -> int:
    """Return how many sharps or flats a key has, 0 to 6."""
    return min(fifths(key), 12 - fifths(key))


def steps(one: str, other: str) -> int:
    """Return how many fifths lie between the signatures of two keys, 0 to 6."""
    apart = (fifths(one) - fifths(other)) % 12
    return min(apart, 12 - apart)


@cache
def neighbours(key: str) -> tuple[str, ...]:
    """Return the five keys that are closely related to one: its relative, and both a fifth up and down."""
    return tuple(other for other in KEYS if other != key and steps(key, other) <= 1)


def next_key(rng: random.Random, earlier: Sequence[str], *, near: bool, mode: Mode) -> str:
    """Return a key that follows others.

    Args:
        rng: draws it.
        earlier: keys of the pieces before, the latest last.
        near: whether it is to be a neighbour of the latest.
        mode: of the key.
    """
    fitting = [key for key in KEYS if mode in ("any", key.partition("_")[2])]
    if near and earlier:
        fitting = [key for key in fitting if key in neighbours(earlier[-1])]
    recent = set(earlier[-KEYS_APART:])
    fitting = [key for key in fitting if key not in recent] or fitting
    # The same mode is nearer than the other; and where all keys are near, few accidentals are what most music has.
    same = earlier[-1].partition("_")[2] if earlier else ""
    weights = [(2.0 if key.endswith(same) else 1.0) / (1 + _HOMESICK * accidentals(key)) for key in fitting]
    return rng.choices(fitting, weights)[0]


def swing(arc: Arc, elapsed_s: float) -> float:
    """Return where an arc is, -1 (lowest) to 1 (highest).

    Args:
        arc: it begins anew every `every_s`.
        elapsed_s: seconds since the first began.
    """
    gone = elapsed_s % arc.every_s / arc.every_s
    return -math.cos(math.pi * (gone / PEAK if gone < PEAK else 1 + (gone - PEAK) / (1 - PEAK)))


def energy_at(rng: random.Random, arc: Arc, elapsed_s: float, usual: float | None) -> float:
    """Return the mean velocity of a piece, 1 to 127.

    Args:
        rng: makes neighbours differ.
        arc: as of `swing`.
        elapsed_s: as of `swing`.
        usual: what the arc goes around; None: the middle.
    """
    middle = USUAL_ENERGY if usual is None else usual
    told = middle + arc.energy * swing(arc, elapsed_s) + rng.uniform(-_ENERGY_JITTER, _ENERGY_JITTER)
    return float(round(min(max(told, 20.0), 120.0)))


def tempo_at(rng: random.Random, arc: Arc, elapsed_s: float, usual_bpm: float | None) -> float:
    """Return the tempo of a piece, one of the vocabulary; arguments as for `energy_at`."""
    middle = USUAL_TEMPO_BPM if usual_bpm is None else usual_bpm
    told = middle * (1 + arc.tempo * swing(arc, elapsed_s) + rng.uniform(-_TEMPO_JITTER, _TEMPO_JITTER))
    return float(min(TEMPI_BPM, key=lambda bpm: abs(bpm - told)))
