"""Faults planted into music: one function a kind, each as strong as is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from model.instruments import BY_NAME
from model.notes import Note, Piece

TRIAD = (0, 4, 7)


def _between(piece: Piece, first_s: float, last_s: float) -> list[Note]:
    return [n for n in piece.notes if first_s <= n.onset_s < last_s]


def _with(piece: Piece, notes: list[Note]) -> Piece:
    return replace(piece, notes=tuple(sorted(notes)))


def _late(notes: list[Note], by_s: float) -> list[Note]:
    return [replace(n, onset_s=n.onset_s + by_s) for n in notes]


def _released(notes: list[Note], at_s: float) -> list[Note]:
    return [replace(n, duration_s=min(n.duration_s, at_s - n.onset_s)) for n in notes]


def pause(piece: Piece, seconds: float, at: float = 0.5) -> Piece:
    """Return a piece that falls silent for so long, `at` being a share of it."""
    at_s = at * piece.duration_s
    after = [n for n in piece.notes if n.onset_s >= at_s]
    return _with(piece, _released(_between(piece, 0.0, at_s), at_s) + _late(after, seconds))


def pauses(piece: Piece, share: float, every_s: float = 8.0) -> Piece:
    """Return a piece of which a share is silent, a pause every few seconds."""
    notes: list[Note] = []
    span = every_s * (1 - share)
    for n in range(int(np.ceil(piece.duration_s / span))):
        part = _released(_between(piece, n * span, (n + 1) * span), (n + 1) * span)
        notes += _late(part, n * (every_s - span))
    return _with(piece, notes)


def loop(
    piece: Piece, period_s: float, times: int, *, slips: float = 0.0, jitter_s: float = 0.0, at: float = 0.3
) -> Piece:
    """Return a piece that goes on repeating what it says from `at` on.

    Args:
        piece: the music.
        period_s: how long what is repeated is.
        times: how often it comes again.
        slips: share of its notes that are others each time.
        jitter_s: how far notes are off at most.
        at: where it begins, as a share of the piece.
    """
    rng = np.random.default_rng(7)
    at_s = at * piece.duration_s
    phrase = _released(_between(piece, at_s, at_s + period_s), at_s + period_s)
    notes = _between(piece, 0.0, at_s) + phrase
    for n in range(1, times + 1):
        for note in phrase:
            slipped = rng.random() < slips
            low, high = BY_NAME[note.instrument].low, BY_NAME[note.instrument].high
            pitch = int(np.clip(note.pitch + rng.integers(1, 8), low, high)) if slipped else note.pitch
            onset_s = max(0.0, note.onset_s + n * period_s + float(rng.uniform(-jitter_s, jitter_s)))
            notes.append(replace(note, pitch=pitch, onset_s=onset_s))
    rest = [n for n in piece.notes if n.onset_s >= at_s + period_s]
    return _with(piece, notes + _late(rest, times * period_s))


def stick(piece: Piece, seconds: float, at: float = 0.2) -> Piece:
    """Return a piece whose harmony is one triad for so long; from there on, where it is shorter."""
    at_s = at * piece.duration_s
    notes = []
    for note in piece.notes:
        inside = at_s <= note.onset_s < at_s + seconds and BY_NAME[note.instrument].sustains
        nearest = min(TRIAD, key=lambda c: abs((note.pitch - c + 6) % 12 - 6))
        by = (nearest - note.pitch + 6) % 12 - 6
        notes.append(replace(note, pitch=note.pitch + by) if inside else note)
    return _with(piece, notes)


def thin(piece: Piece, seconds: float, kept: float, at: float = 0.3) -> Piece:
    """Return a piece that keeps a share of its notes for so long, each held on."""
    at_s = at * piece.duration_s
    inside = _between(piece, at_s, at_s + seconds)
    some = inside[:: round(1 / kept)] if kept else []
    outside = [n for n in piece.notes if not at_s <= n.onset_s < at_s + seconds]
    return _with(piece, outside + [replace(n, duration_s=max(n.duration_s, 2.0)) for n in some])


def crowd(piece: Piece, per_s: int, seconds: float, *, length_s: float = 0.05, at: float = 0.5) -> Piece:
    """Return a piece in which so many notes a second begin beside its own."""
    rng = np.random.default_rng(3)
    at_s = at * piece.duration_s
    onsets = at_s + np.arange(int(per_s * seconds)) / per_s
    names = ("piano", "harp", "violin", "synth")
    others = [
        Note(float(t), int(rng.integers(60, 85)), names[int(rng.integers(len(names)))], length_s, 80) for t in onsets
    ]
    return _with(piece, [*piece.notes, *others])


def shorten(piece: Piece, share: float) -> Piece:
    """Return the first share of a piece."""
    end_s = share * piece.duration_s
    return _with(piece, _released(_between(piece, 0.0, end_s), end_s))


def hang(piece: Piece, seconds: float, at: float = 0.2) -> Piece:
    """Return a piece one of whose notes is held for so long; drums alone cannot hold one."""
    notes = list(piece.notes)
    tuned = [n for n, note in enumerate(notes) if BY_NAME[note.instrument].sustains]
    if not tuned:
        return piece
    which = tuned[int(at * len(tuned))]
    notes[which] = replace(notes[which], duration_s=seconds)
    return _with(piece, notes)


def copy(piece: Piece, other: Piece, notes: int, *, by: int = 0, at: float = 0.4) -> Piece:
    """Return a piece with so many notes of another in the middle, moved by so many semitones."""
    at_s = at * piece.duration_s
    first = len(other.notes) // 4
    taken = [
        replace(n, pitch=n.pitch + by * BY_NAME[n.instrument].sustains)
        for n in sorted(other.notes)[first : first + notes]
    ]
    start_s, stop_s = taken[0].onset_s, max(n.offset_s for n in taken)
    rest = [n for n in piece.notes if n.onset_s >= at_s]
    before = _released(_between(piece, 0.0, at_s), at_s)
    return _with(piece, before + _late(taken, at_s - start_s) + _late(rest, stop_s - start_s))


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault as it is planted.

    Attributes:
        kind: of `model.gate.gate.KINDS`.
        strength: how strong, for people.
        plant: does it.
    """

    kind: str
    strength: str
    plant: Callable[[Piece], Piece]


# All that need no other piece; the weakest of each kind first.
FAULTS = (
    Planted("silence", "10 s", lambda p: pause(p, 10.5)),
    Planted("silence", "20 s", lambda p: pause(p, 20.0)),
    Planted("silence", "40 % in pauses", lambda p: pauses(p, 0.4)),
    Planted("silence", "60 % in pauses", lambda p: pauses(p, 0.6)),
    Planted("loop", "0.8 s, 20 times", lambda p: loop(p, 0.8, 20)),
    Planted("loop", "2 s, 6 times", lambda p: loop(p, 2.0, 6)),
    Planted("loop", "5 s, 4 times", lambda p: loop(p, 5.0, 4)),
    Planted("loop", "12 s, 4 times", lambda p: loop(p, 12.0, 4)),
    Planted("loop", "2.4 s, 10 times, 20 ms off", lambda p: loop(p, 2.4, 10, jitter_s=0.02)),
    Planted("loop", "2 s, 24 times, every tenth note other", lambda p: loop(p, 2.0, 24, slips=0.1)),
    Planted("loop", "4 s, 10 times, every twentieth note other", lambda p: loop(p, 4.0, 10, slips=0.05)),
    Planted("stuck harmony", "25 s", lambda p: stick(p, 25.0)),
    Planted("stuck harmony", "40 s", lambda p: stick(p, 40.0)),
    Planted("density collapse", "nothing for 15 s but what is held", lambda p: thin(hang(p, 19.0, 0.27), 15.0, 0.0)),
    Planted("density collapse", "every 40th note for 25 s", lambda p: thin(p, 25.0, 1 / 40)),
    Planted("clipping density", "140 more a second for 2 s", lambda p: crowd(p, 140, 2.0)),
    Planted("clipping density", "100 more a second for 6 s", lambda p: crowd(p, 100, 6.0)),
    Planted("clipping density", "60 at once", lambda p: crowd(p, 60, 2.0, length_s=2.0)),
    Planted("too short", "95 %", lambda p: shorten(p, 0.95)),
    Planted("too short", "half", lambda p: shorten(p, 0.5)),
    Planted("hanging notes", "22 s", lambda p: hang(p, 22.0)),
    Planted("hanging notes", "to the end", lambda p: hang(p, 0.75 * p.duration_s)),
)
