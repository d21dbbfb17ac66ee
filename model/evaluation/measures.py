"""What is measured of an excerpt: each measure a number or a histogram.

Sources: Dong et al. (2020), MusPy (pitch-class entropy, scale consistency);
Wu and Yang (2020), The Jazz Transformer (grooving pattern similarity); Yang and
Lerch (2020), On the evaluation of generative models in music (histograms of
inter-onset intervals and of note lengths).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.composing.quality import measure
from model.evaluation.structure import bar_similarity, best_match, similarity_by_lag, theme_recall
from model.instruments import BY_NAME, GROUPS
from model.language.context import beats_at
from model.language.tokenizer import to_ticks
from model.notes import Piece

Floats = NDArray[np.float64]

# Half octaves of time from 10 ms to 7 s, the last open.
INTERVAL_EDGES_S = 0.01 * 2.0 ** (np.arange(20) / 2)
LENGTH_EDGES_S = 0.02 * 2.0 ** (np.arange(20) / 2)
SLOTS_A_BEAT = 4
# Tokens fall into these; the model's surprise is told apart by them.
KINDS = ("note on", "note off", "wait", "other")
_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_SCALES = np.array([[(pitch - tonic) % 12 in _MAJOR for pitch in range(12)] for tonic in range(12)], float)


@dataclass(frozen=True, slots=True)
class Feature:
    """A measure.

    Attributes:
        key: its name in the report's data.
        title: its name for people.
        unit: of a number.
        says: what it tells, in a sentence.
        bins: names of the bins of a histogram; empty for a number.
        structure: whether it is about form, measured where a piece begins.
    """

    key: str
    title: str
    unit: str
    says: str
    bins: tuple[str, ...] = ()
    structure: bool = False


def _times(edges: Floats) -> tuple[str, ...]:
    return tuple(f"{edge * 1000:.0f} ms" if edge < 0.9 else f"{edge:.1f} s" for edge in edges)


FEATURES: tuple[Feature, ...] = (
    Feature(
        "pitch_class_entropy", "Pitch-class entropy", "bits",
        "How evenly the twelve pitch classes are used: 0 for one of them, 3.58 for all alike.",
    ),
    Feature(
        "scale_consistency", "Scale consistency", "",
        "Largest share of the notes that lie in one diatonic scale.",
    ),
    Feature(
        "groove_consistency", "Groove consistency", "",
        "How alike the onsets of neighbouring bars are, on a grid of sixteenths.",
    ),
    Feature("density", "Density", "notes/s", "Notes struck in a second."),
    Feature("polyphony", "Polyphony", "notes", "Notes that sound at once, averaged while any sounds."),
    Feature("silence", "Silence", "", "Share of the time in which nothing sounds."),
    Feature("looped", "Looping", "", "Share of spans of 1 to 6 s that repeat the span before, note for note."),
    Feature(
        "inter_onset", "Inter-onset intervals", "s",
        "Times from an onset to the next, as a histogram in half octaves.", _times(INTERVAL_EDGES_S),
    ),
    Feature(
        "durations", "Note lengths", "s",
        "Lengths of notes, as a histogram in half octaves; drums have none.", _times(LENGTH_EDGES_S),
    ),
    Feature("groups", "Instruments", "", "Share of the notes by group of instruments.", GROUPS),
    Feature(
        "best_match", "Self-similarity", "",
        "How alike a bar is to the most similar of the bars that are not beside it, averaged.", structure=True,
    ),
    Feature(
        "similarity_by_lag", "Self-similarity by lag", "bars",
        "How alike bars are that lie 1 to 8 bars apart.", tuple(str(n) for n in range(1, 9)), structure=True,
    ),
    Feature(
        "theme_recall", "Theme recall", "",
        "Largest share of the notes of the first 8 s that return later at one time and one transposition.",
        structure=True,
    ),
)  # fmt: skip
BY_KEY = {feature.key: feature for feature in FEATURES}


def features(piece: Piece, *, opening: bool) -> dict[str, Floats]:
    """Return every measure of an excerpt, by key; not a number where it makes no sense.

    Args:
        piece: the excerpt; it has notes.
        opening: whether a piece begins with it; form is measured only there.

    Returns:
        Arrays of shape [1] for numbers, [bins] for histograms.
    """
    counted = measure(piece)
    pitched = [n for n in piece.notes if BY_NAME[n.instrument].sustains]
    classes = np.bincount([n.pitch % 12 for n in pitched], minlength=12).astype(float)
    onsets = np.unique([to_ticks(n.onset_s) for n in piece.notes]) / 100
    found = {
        "pitch_class_entropy": _number(counted.entropy_bits if pitched else np.nan),
        "scale_consistency": _number(float((_SCALES @ classes).max() / classes.sum()) if pitched else np.nan),
        "groove_consistency": _number(groove_consistency(piece)),
        "density": _number(counted.notes_per_second),
        "polyphony": _number(counted.polyphony),
        "silence": _number(counted.silence),
        "looped": _number(counted.looped),
        "inter_onset": _histogram(np.diff(onsets), INTERVAL_EDGES_S),
        "durations": _histogram(np.array([n.duration_s for n in pitched]), LENGTH_EDGES_S),
        "groups": _shares(counted.presence),
    }
    for feature in FEATURES:
        if feature.structure:
            found[feature.key] = np.full(max(1, len(feature.bins)), np.nan)
    if opening:
        alike = bar_similarity(piece)
        found["best_match"] = _number(best_match(alike))
        found["similarity_by_lag"] = similarity_by_lag(alike, len(BY_KEY["similarity_by_lag"].bins))
        found["theme_recall"] = _number(theme_recall(piece))
    return found


def groove_consistency(piece: Piece) -> float:
    """Return how alike the onset patterns of neighbouring bars are, 0 to 1.

    One minus the mean Hamming distance of binary patterns of sixteenths; not a
    number for less than two bars.
    """
    ticks = np.array([to_ticks(n.onset_s) for n in piece.notes], np.int64)
    slots = np.rint(beats_at(ticks, piece.tempi) * SLOTS_A_BEAT).astype(np.int64)
    width = max(1, round(piece.beats_per_bar * SLOTS_A_BEAT))
    bars = int(slots.max()) // width + 1 if len(slots) else 0
    if bars < 2:
        return float("nan")
    struck = np.zeros(bars * width, bool)
    struck[slots] = True
    patterns = struck.reshape(bars, width)
    return 1.0 - float((patterns[1:] != patterns[:-1]).mean())


def _number(value: float) -> Floats:
    return np.array([value], float)


def _histogram(values: Floats, edges: Floats) -> Floats:
    if not len(values):
        return np.full(len(edges), np.nan)
    # A touch more than an edge of whole ticks, so that 10 ms is not now below it, now above.
    places = np.clip(np.searchsorted(edges, values + 1e-4, side="right") - 1, 0, len(edges) - 1)
    return np.bincount(places, minlength=len(edges)) / len(values)


def _shares(presence: dict[str, float]) -> Floats:
    return np.array([sum(s for name, s in presence.items() if BY_NAME[name].group == group) for group in GROUPS])
