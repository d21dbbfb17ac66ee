"""What a language keeps of the music it is told: onsets, lengths and volumes, by note."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.language.tokenizer import decode, encode_body
from model.notes import Note
from tests.bench.remi import Remi, Source, notes_of

# A decoded note further off than this is another note.
NEAR_S = 1.0


def pairs(before: Sequence[Note], after: Sequence[Note]) -> list[tuple[Note, Note]]:
    """Return notes with what became of them: of the same instrument and pitch, each of them once, the nearest."""
    left: defaultdict[tuple[str, int], list[Note]] = defaultdict(list)
    for note in after:
        left[note.instrument, note.pitch].append(note)
    found = []
    for note in sorted(before):
        others = left[note.instrument, note.pitch]
        near = min(others, key=lambda other: abs(other.onset_s - note.onset_s), default=None)
        if near is not None and abs(near.onset_s - note.onset_s) < NEAR_S:
            others.remove(near)
            found.append((note, near))
    return found


def errors(before: Sequence[Note], after: Sequence[Note]) -> dict[str, NDArray[np.float64]]:
    """Return how far decoded notes are from those that were told.

    Returns:
        `onset_ms`, `length_ms` (no drums) and `velocity`, absolute, an entry a note; `lost`, one entry:
        the share of notes that did not come back.
    """
    both = pairs(before, after)
    return {
        "onset_ms": np.array([abs(b.onset_s - a.onset_s) * 1000 for a, b in both]),
        "length_ms": np.array([abs(b.duration_s - a.duration_s) * 1000 for a, b in both if a.instrument != "drums"]),
        "velocity": np.array([abs(b.velocity - a.velocity) for a, b in both], np.float64),
        "lost": np.array([1 - len(both) / max(1, len(before))]),
    }


def ours(source: Source) -> dict[str, NDArray[np.float64]]:
    """Return what our language does to a piece."""
    return errors(source.piece.notes, decode(encode_body(source.piece)).notes)


def remi(language: Remi, source: Source) -> dict[str, NDArray[np.float64]]:
    """Return what REMI does to a piece, were its tempi told exactly: seconds by the file's own tempo map."""
    score = language.decode(language.encode(source).tolist())
    ratio = source.score.ticks_per_quarter / score.ticks_per_quarter
    notes = notes_of(score, lambda ticks: source.beats.to_seconds(ticks * ratio) - source.start_s)
    return errors(source.piece.notes, notes)


def summary(found: Sequence[dict[str, NDArray[np.float64]]]) -> dict[str, float]:
    """Return mean and 95th percentile over all notes of some pieces, and the share of notes lost."""
    out = {}
    for key in ("onset_ms", "length_ms", "velocity"):
        values = np.concatenate([f[key] for f in found])
        out[f"{key}_mean"] = round(float(values.mean()), 2) if len(values) else 0.0
        out[f"{key}_p95"] = round(float(np.percentile(values, 95)), 2) if len(values) else 0.0
    out["lost"] = round(float(np.mean(np.concatenate([f["lost"] for f in found]))), 4)
    return out
