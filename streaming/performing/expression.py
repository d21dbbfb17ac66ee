"""What players do to written notes: a little later, a little louder, each time the same.

A note is never played before its written place, and at most 25 ms after it. So what begins at a
time begins there also as it is played, and a piece can be changed from any time on.
Everything by chance hangs on the note itself and the piece's seed: other notes to come leave
those before as they were.

Source: A. Friberg, R. Bresin and J. Sundberg, Overview of the KTH rule system for musical
performance, Advances in Cognitive Psychology 2 (2006), for phrase arch, melody lead and accents.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.instruments import BY_NAME
from model.notes import Note
from streaming.performing import splice
from streaming.performing.manners import LATEST_MS, Manner, manner_of
from streaming.performing.notation import Score, is_written
from streaming.performing.phrases import melody_of, phrases_of, swell
from streaming.timeline import to_samples

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
_LATEST_S = LATEST_MS / 1000
# Over the first and last seconds the players are together with the clock.
_EDGE_S = 3.0
# Seconds from one turn to the next of what moves slowly.
_DRIFT_S, _WANDER_S = 4.0, 1.5
# Over so much on both sides a line whose volumes are told in four steps is made smooth again.
_SMOOTH_S = 1.5
_SNARES = (37, 38, 39, 40)
# So near a beat or its half, a rounded time means it.
_NEAR_S = 0.02
_SHORTEST_S = 0.01
# A chord of so many notes is spread all the way.
_FULL_CHORD = 4
_INDEX = {name: index for index, name in enumerate(BY_NAME)}
_COARSE = frozenset(_INDEX[name] for name, i in BY_NAME.items() if len(i.levels) <= 4 and i.sustains)


@dataclass(frozen=True, slots=True)
class Performance:
    """A piece as it is played.

    Attributes:
        written: its notes, sorted.
        played: the same notes, in the same order, as they are played.
        score: what it was played by; None: exactly as written.
        seed: of everything that is left to chance.
    """

    written: tuple[Note, ...]
    played: tuple[Note, ...]
    score: Score | None = None
    seed: int = 0

    def __iter__(self) -> Iterator[tuple[Note, Note]]:
        """Iterate over the notes as they are played, with what is written of each."""
        return zip(self.played, self.written, strict=True)


def perform(notes: Sequence[Note], score: Score | None, *, seed: int = 0) -> Performance:
    """Play written notes as people would; notes that people have played stay as they are.

    Args:
        notes: in any order.
        score: what is known of the piece; None: exactly as written.
        seed: with the first notes of the piece it decides on what is left to chance.
    """
    written = tuple(sorted(notes))
    if score is None:
        return Performance(written, written)
    own = zlib.crc32(repr(written[:16]).encode(), seed & 0xFFFFFFFF)
    return Performance(written, _played(written, score, own), score, own)


def revised(before: Performance, notes: Sequence[Note], at: int, score: Score | None = None) -> Performance:
    """Return a performance with other notes from a sample on; what is before it stays as it was played.

    Args:
        before: what is played now.
        notes: as for `streaming.performing.splice.joined`, as written.
        at: sample from the start of the piece.
        score: of the whole piece as it will be, where that is another.
    """
    written = tuple(sorted(splice.joined(before.written, notes, at)))
    if before.score is None:
        return Performance(written, written)
    score = score or before.score
    kept: dict[tuple[int, int, str, int], tuple[Note, Note]] = {}
    seen: Counter[tuple[int, int, str]] = Counter()
    for played, old in before:
        key = _key(old)
        kept[*key, seen[key]] = old, played
        seen[key] += 1
    seen.clear()
    result = []
    latest: dict[str, float] = {}
    for note, played in zip(written, _played(written, score, before.seed), strict=True):
        key = _key(note)
        found = kept.get((*key, seen[key])) if key[0] < at else None
        seen[key] += 1
        if found is not None:
            played = _ended_as(found[1], found[0], note)
            latest[note.instrument] = max(latest.get(note.instrument, 0.0), played.onset_s)
        elif played.onset_s < (floor := latest.get(note.instrument, 0.0)) and key[0] >= at:
            # Nobody overtakes himself at the seam.
            played = replace(played, onset_s=floor, duration_s=max(_SHORTEST_S, played.offset_s - floor))
        result.append(played)
    return Performance(written, tuple(result), score, before.seed)


def _key(note: Note) -> tuple[int, int, str]:
    return to_samples(note.onset_s), note.pitch, note.instrument


def _ended_as(played: Note, old: Note, new: Note) -> Note:
    """Return a note as it was played, with the end it is written with now."""
    if old.duration_s == new.duration_s:
        return played
    return replace(played, duration_s=max(0.0, new.offset_s - played.onset_s))


def _played(written: tuple[Note, ...], score: Score, seed: int) -> tuple[Note, ...]:
    if not written or not is_written(written, score):
        return written
    manner = manner_of(score.style)
    columns = _Columns(written, score)
    onsets_s = columns.onsets_s + _delays_s(columns, manner, seed)
    velocities = _velocities(columns, manner, seed)
    lengths_s = _ends_s(columns, onsets_s) - onsets_s
    rows = zip(written, onsets_s.tolist(), lengths_s.tolist(), velocities.tolist(), strict=True)
    return tuple(Note(onset, n.pitch, n.instrument, length, velocity, n.part) for n, onset, length, velocity in rows)


class _Columns:
    """Notes as arrays [notes], with their places among beats, bars and chords.

    Attributes:
        role: as of `streaming.performing.phrases.melody_of`.
        order: the notes player by player, by onset and pitch.
        chords: first places in `order` of the notes that a player strikes at once, and its length.
    """

    def __init__(self, notes: tuple[Note, ...], score: Score) -> None:
        self.notes = notes
        self.score = score
        self.onsets_s = np.array([n.onset_s for n in notes])
        self.ends_s = np.array([n.offset_s for n in notes])
        self.pitches = np.array([n.pitch for n in notes], np.int64)
        self.players = np.array([_INDEX[n.instrument] for n in notes], np.int64)
        self.velocities = np.array([n.velocity for n in notes], np.float64)
        self.beats = score.beats(self.onsets_s)
        self.beat_s = score.beat_s(self.onsets_s)
        self.role = melody_of(notes)
        self.order = np.lexsort((self.pitches, self.onsets_s, self.players))
        onsets_s, players = self.onsets_s[self.order], self.players[self.order]
        begins = np.flatnonzero((np.diff(onsets_s) != 0) | (np.diff(players) != 0)) + 1
        self.chords = np.concatenate([[0], begins, [len(notes)]])

    def near(self, place: float, every: float = 1.0) -> NDArray[np.bool_]:
        """Return which notes stand at a place of each beat, or of every so many beats."""
        off = np.abs((self.beats - place + every / 2) % every - every / 2)
        return np.asarray(off * self.beat_s < np.minimum(_NEAR_S, 0.2 * self.beat_s))


def _delays_s(columns: _Columns, manner: Manner, seed: int) -> Array:
    """Return how much later than written each note is played, float64 [notes], 0 to 0.025."""
    onsets_s, players = columns.onsets_s, columns.players
    ticks, keys = np.rint(onsets_s * 1000).astype(np.int64), players * 128
    delays = manner.drift_ms * _slow(seed, 1, 0 * players, onsets_s / _DRIFT_S)
    delays += manner.wander_ms * _slow(seed, 2, players, onsets_s / _WANDER_S)
    delays *= np.clip(np.minimum(onsets_s - onsets_s[0], onsets_s[-1] - onsets_s) / _EDGE_S, 0.0, 1.0)
    together, alone = _chance(seed, 3, keys, ticks), _chance(seed, 4, keys + columns.pitches, ticks)
    delays += manner.jitter_ms * (0.75 * together + 0.25 * alone)
    delays += manner.lead_ms * (columns.role < 0) + manner.spread_ms * _spread(columns)
    for instrument, late_ms in manner.late_ms.items():
        if instrument == "snare":
            late = (players == _INDEX["drums"]) & np.isin(columns.pitches, _SNARES) & ~columns.near(0.0, 2.0)
        else:
            late = players == _INDEX[instrument]
        delays += late_ms * late
    if manner.swing:
        delays += 500 * manner.swing * columns.beat_s * columns.near(0.5)
    return _in_order(columns, np.clip(delays, 0.0, LATEST_MS) / 1000)


def _spread(columns: _Columns) -> Array:
    """Return where in its player's chord each note is, from 0 the lowest to 1; a melody on top does not wait."""
    sizes = np.diff(columns.chords)
    place = np.arange(len(columns.notes)) - np.repeat(columns.chords[:-1], sizes)
    # Two notes are hardly spread, a full chord is.
    part = place / np.maximum(np.repeat(sizes, sizes) - 1, _FULL_CHORD - 1)
    spread = np.zeros(len(columns.notes))
    spread[columns.order] = part
    spread[(columns.role > 0) | (columns.players == _INDEX["drums"])] = 0.0
    return spread


def _in_order(columns: _Columns, delays_s: Array) -> Array:
    """Return delays with which nobody plays a note before one that is written before it."""
    found = delays_s.copy()
    floor, player = 0.0, -1
    for chord in np.split(columns.order, columns.chords[1:-1]):
        if columns.players[chord[0]] != player:
            floor, player = 0.0, int(columns.players[chord[0]])
        found[chord] = np.maximum(found[chord], floor - columns.onsets_s[chord])
        floor = float((columns.onsets_s[chord] + found[chord]).max())
    return found


def _ends_s(columns: _Columns, onsets_s: Array) -> Array:
    """Return where notes end: as long as written, but before their string or key is struck again."""
    ends_s = np.minimum(columns.ends_s + onsets_s - columns.onsets_s, columns.ends_s.max())
    order = np.lexsort((columns.onsets_s, columns.pitches, columns.players))
    one, following = order[:-1], order[1:]
    again = (columns.players[one] == columns.players[following]) & (columns.pitches[one] == columns.pitches[following])
    again &= columns.ends_s[one] <= columns.onsets_s[following]
    ends_s[one[again]] = np.minimum(ends_s[one[again]], onsets_s[following[again]])
    # What was written with a length keeps some of it.
    return np.asarray(np.maximum(ends_s, onsets_s + np.minimum(_SHORTEST_S, columns.ends_s - columns.onsets_s)))


def _velocities(columns: _Columns, manner: Manner, seed: int) -> NDArray[np.int64]:
    """Return how notes are struck: their velocities, shaped by phrase, voice, bar and chance; int64 [notes]."""
    bars_s = np.unique(columns.onsets_s[columns.near(0.0, columns.score.beats_per_bar)])
    arch = swell(phrases_of(columns.notes, bars_s.tolist()), columns.onsets_s)
    ticks, keys = np.rint(columns.onsets_s * 1000).astype(np.int64), columns.players * 128 + columns.pitches
    drums = columns.players == _INDEX["drums"]
    change = 0.5 * manner.swell * arch * np.where(drums, 0.3, 1.0)
    change += 0.5 * manner.voice * columns.role
    change += manner.stress * columns.near(0.0, columns.score.beats_per_bar)
    change += manner.touch * (2 * _chance(seed, 5, keys, ticks) - 1)
    return np.asarray(np.clip(np.rint(_smooth(columns) * (1 + change)), 1, 127), np.int64)


def _smooth(columns: _Columns) -> Array:
    """Return velocities without the steps in which those of most instruments are told."""
    found = columns.velocities.copy()
    for player in np.unique(columns.players):
        if player not in _COARSE:
            continue
        # Sorted by onset, as the notes are.
        own = np.flatnonzero(columns.players == player)
        times, sums = columns.onsets_s[own], np.concatenate([[0.0], np.cumsum(found[own])])
        first, last = np.searchsorted(times, times - _SMOOTH_S), np.searchsorted(times, times + _SMOOTH_S, "right")
        found[own] = 0.6 * found[own] + 0.4 * (sums[last] - sums[first]) / (last - first)
    return found


def _slow(seed: int, salt: int, keys: Ints, turns: Array) -> Array:
    """Return what moves slowly from 0 to 1, smoothly from turn to turn, float64 [notes]."""
    turn = np.floor(turns).astype(np.int64)
    part = 0.5 - 0.5 * np.cos(np.pi * (turns - turn))
    return _chance(seed, salt, keys, turn) * (1 - part) + _chance(seed, salt, keys, turn + 1) * part


def _chance(seed: int, salt: int, keys: Ints, places: Ints) -> Array:
    """Return numbers from 0 to 1 that hang on nothing but what is given, float64 [notes].

    Source: SplitMix64, G. Steele, D. Lea and C. Flood, OOPSLA 2014.
    """
    word = np.full(len(keys), (seed << 8) + salt, np.uint64)
    for part in (keys, places):
        word ^= part.astype(np.uint64)
        word += np.uint64(0x9E3779B97F4A7C15)
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        word ^= word >> np.uint64(31)
    return np.asarray((word >> np.uint64(11)).astype(np.float64) / 2**53)
