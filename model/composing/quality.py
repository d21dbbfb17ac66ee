"""Simple musical measures of a piece, and a first judgement by them. Torch-free."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from model.instruments import BY_NAME
from model.notes import Note, Piece

# Within these, real music of the training corpus lies nearly always.
SPARSE_NOTES_PER_SECOND = 0.4
MOST_SILENCE = 0.25
MOST_LOOPED = 0.5
LOWEST_ENTROPY_BITS = 1.5
LONGEST_NOTE_S = 15.0
LEAST_PRESENCE = 0.01
LENGTH_TOLERANCE = 0.02
# What a fault costs, in log-odds of the critic, and how far its liking counts.
FAULT, CRITIC_REACH = 2.0, 6.0
# A loop comes round after 1 to 6 s; a beat of no whole ticks falls a tick or two beside.
LOOP_JITTER_TICKS = 2
LOOP_SPANS_TICKS = range(100, 601, 2 * LOOP_JITTER_TICKS)


@dataclass(frozen=True, slots=True)
class Measures:
    """What can be counted in a piece.

    Attributes:
        seconds: end of the last note.
        notes_per_second: how dense it is.
        silence: share of the time in which nothing sounds.
        looped: share of its spans that repeat the span before, note for note; of spans of
            1 to 6 s, those that repeat most.
        entropy_bits: entropy of its pitch classes; 0 to log2(12) = 3.58.
        polyphony: notes that sound together, averaged over the time in which any does.
        longest_note_s: length of its longest note.
        presence: share of the notes by instrument.
    """

    seconds: float
    notes_per_second: float
    silence: float
    looped: float
    entropy_bits: float
    polyphony: float
    longest_note_s: float
    presence: dict[str, float]


def measure(piece: Piece) -> Measures:
    """Return the measures of a piece (of no notes: all silence)."""
    seconds = piece.duration_s
    counts = Counter(note.instrument for note in piece.notes)
    total = max(1, len(piece.notes))
    sounding = _sounding(piece.notes, seconds)
    return Measures(
        seconds=seconds,
        notes_per_second=len(piece.notes) / max(seconds, 1e-9),
        silence=float((sounding == 0).mean()) if len(sounding) else 1.0,
        looped=_looped(piece.notes),
        entropy_bits=_entropy(piece.notes),
        polyphony=float(sounding[sounding > 0].mean()) if (sounding > 0).any() else 0.0,
        longest_note_s=max((n.duration_s for n in piece.notes), default=0.0),
        presence={name: count / total for name, count in sorted(counts.items())},
    )


def _sounding(notes: tuple[Note, ...], seconds: float) -> NDArray[np.int64]:
    """Return how many notes sound in each tenth of a second; a drum sounds for one."""
    slots = np.zeros(max(1, math.ceil(seconds * 10)) + 1, np.int64)
    for note in notes:
        first = min(int(note.onset_s * 10), len(slots) - 2)
        last = max(first + 1, min(math.ceil(note.offset_s * 10), len(slots) - 1))
        slots[first] += 1
        slots[last] -= 1
    return np.cumsum(slots)[:-1]


def _looped(notes: tuple[Note, ...]) -> float:
    """Return the share of spans whose notes are those of the span before, for the span that repeats most."""
    if not notes:
        return 0.0
    ticks = np.array([round(n.onset_s * 100) for n in notes])
    rows = {name: row for row, name in enumerate(BY_NAME)}
    keys = np.array([rows[n.instrument] << 7 | n.pitch for n in notes], np.int64)
    struck = np.sort(keys << 32 | ticks)
    return max(_repeats(keys, ticks, struck, span) for span in LOOP_SPANS_TICKS)


def _repeats(keys: NDArray[np.int64], ticks: NDArray[np.int64], struck: NDArray[np.int64], span: int) -> float:
    """Return the share of spans that repeat the one before; a span is so many ticks of 10 ms."""
    earliest = keys << 32 | np.maximum(ticks - span - LOOP_JITTER_TICKS, 0)
    found = struck[np.minimum(np.searchsorted(struck, earliest), len(struck) - 1)]
    again = (ticks >= span) & (found >= earliest) & (found <= earliest + 2 * LOOP_JITTER_TICKS)
    notes = np.bincount(ticks // span)
    repeated = np.bincount(ticks // span, again)
    before = np.concatenate([[0], notes[:-1]])
    # Nearly all of its notes are those of the span before, and nearly all of those.
    alike = (repeated > 0.8 * notes) & (repeated > 0.8 * before) & (notes > 0)
    return float(alike.sum() / max(1, np.count_nonzero(notes)))


def _entropy(notes: tuple[Note, ...]) -> float:
    counts = np.zeros(12)
    for note in notes:
        if BY_NAME[note.instrument].sustains:
            counts[note.pitch % 12] += 1
    if not counts.any():
        return 0.0
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a candidate did.

    Attributes:
        score: higher is better.
        faults: what is wrong with it, for people; empty for nothing.
        nats_per_token: its mean surprise under the model.
        critic: log-odds that it is a real piece, by the inner critic; None without one.
        measures: what was counted.
    """

    score: float
    faults: tuple[str, ...]
    nats_per_token: float
    critic: float | None
    measures: Measures

    def as_dict(self) -> dict[str, object]:
        """Return the fields as plain values."""
        return asdict(self)


def judge(
    piece: Piece,
    *,
    length_s: float,
    wanted: tuple[str, ...],
    nats_per_token: float,
    typical_nats: float,
    critic: float | None = None,
) -> Judgement:
    """Judge a candidate by its measures and by the inner critic, or else by the model's own surprise.

    Real music is neither dull nor wild to the model: without a critic the best
    candidate is not the most probable one, which would be a loop, but the one
    whose surprise is nearest to that of held-out music.

    Args:
        piece: the candidate.
        length_s: the length asked for.
        wanted: instruments or groups asked for, one of whose members should play.
        nats_per_token: its mean surprise.
        typical_nats: that of held-out music.
        critic: log-odds that it is real, by the inner critic.
    """
    found = measure(piece)
    faults: list[str] = []
    if abs(found.seconds - length_s) > LENGTH_TOLERANCE * length_s:
        faults.append(f"{found.seconds:.1f} s long, {length_s:.1f} s asked for")
    if found.silence > MOST_SILENCE:
        faults.append(f"silent for {found.silence:.0%} of the time")
    if found.notes_per_second < SPARSE_NOTES_PER_SECOND:
        faults.append(f"only {found.notes_per_second:.2f} notes a second")
    if found.looped > MOST_LOOPED:
        faults.append(f"repeats itself in {found.looped:.0%} of its spans")
    pitched = any(BY_NAME[name].sustains for name in found.presence)
    if pitched and found.entropy_bits < LOWEST_ENTROPY_BITS:
        faults.append(f"stuck on few pitches ({found.entropy_bits:.1f} bits)")
    if found.longest_note_s > LONGEST_NOTE_S:
        faults.append(f"a note hangs for {found.longest_note_s:.0f} s")
    for name in wanted:
        share = sum(s for i, s in found.presence.items() if name in (i, BY_NAME[i].group))
        if share < LEAST_PRESENCE:
            faults.append(f"no {name}")
    surprise = abs(nats_per_token - typical_nats)
    liking = -surprise if critic is None else min(max(critic, -CRITIC_REACH), CRITIC_REACH)
    score = liking - FAULT * len(faults) - found.silence - found.looped
    return Judgement(score, tuple(faults), nats_per_token, critic, found)
