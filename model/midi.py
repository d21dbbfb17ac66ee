"""Standard MIDI files in and out: real-world files to pieces, pieces to files. Torch-free."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from symusic import Note as MidiNote
from symusic import Score, Tempo, TextMeta, TimeSignature, Track

from model.controls import PLAIN, Controls, Turn, controls_of
from model.errors import MidiError
from model.instruments import BY_NAME, CELLO_BELOW, Instrument, of_program
from model.notes import DEFAULT_TEMPO_BPM, Mark, Note, Piece, TempoMark
from model.smf import SUSTAIN_PEDAL, mend, mend_apart
from model.whole import write_whole

MAX_BYTES = 20_000_000
# A stray note far behind the music would keep a show silent for days.
MAX_S = 24 * 3600
# The pedal holds a note for this long at most: a string has died away by then,
# and some files never lift the pedal.
PEDAL_HOLD_S = 8.0
# A new tempo is worth a mark when it differs by this much and stays this long;
# files that trace a rubato change it several times a bar.
TEMPO_CHANGE = 0.03
TEMPO_HOLD_S = 4.0
# 1 ms at 20 beats a minute is 640 ticks: a rounded time is never 1 ms off.
TICKS_PER_BEAT = 1920
STRING_ENSEMBLES = range(48, 52)
# Some files mark every note: that tells nothing.
MOST_MARKS = 200

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Imported:
    """A piece read from a file, and what had to be bent to fit the ensemble.

    Attributes:
        piece: the music, with the velocities of the file.
        folded: notes moved by octaves into their instrument's range.
        clamped: notes whose velocity is further than half a step from every
            level of their instrument; the piece keeps the real velocity.
        dropped: notes that could not be kept.
    """

    piece: Piece
    folded: int
    clamped: int
    dropped: int


@dataclass(frozen=True, slots=True)
class _Clock:
    """The tempo map: from `ticks[i]` on, a tick lasts `tick_s[i]` seconds."""

    ticks: Ints
    starts_s: Floats
    tick_s: Floats

    def seconds(self, ticks: Ints) -> Floats:
        at = np.searchsorted(self.ticks, ticks, side="right") - 1
        return np.asarray(self.starts_s[at] + (ticks - self.ticks[at]) * self.tick_s[at], dtype=np.float64)


def read_midi(path: Path, *, pedal: bool = False, controls: bool = False) -> Imported:
    """Read a Standard MIDI File.

    Args:
        path: a file of up to 20 MB and 500,000 notes.
        pedal: lengthen notes to the release of the sustain pedal, or to the
            next onset of their pitch, by 8 s at most.
        controls: read volume, pan, expression, modulation and bends, too.

    Returns:
        The piece and counts of what was bent; its title is the name of the file.

    Raises:
        MidiError: the file is missing, broken, too big, or has no notes.
    """
    score, turns = _score(path, controls)
    clock = _clock(score)
    parts = _Parts(turns, clock)
    voices: dict[str, list[tuple[Ints, Ints, Ints, Ints, Ints]]] = {}
    pedals: dict[str, list[tuple[Ints, Ints]]] = {}
    for track in score.tracks:
        arrays = track.notes.numpy()
        pitches = arrays["pitch"].astype(np.int64)
        name = _instrument(track.program, track.is_drum, pitches).name
        onsets = arrays["time"].astype(np.int64)
        offsets = onsets + np.maximum(arrays["duration"].astype(np.int64), 0)
        part = np.full(len(pitches), parts.of(track.name), np.int64)
        voices.setdefault(name, []).append((onsets, offsets, pitches, arrays["velocity"].astype(np.int64), part))
        pedals.setdefault(name, []).append(_pedal_events(track))
    notes: list[Note] = []
    folded = clamped = 0
    for name, columns in voices.items():
        instrument = BY_NAME[name]
        onset_ticks, offset_ticks, pitches, velocities, part = (
            np.concatenate(column) for column in zip(*columns, strict=True)
        )
        onsets_s, offsets_s = clock.seconds(onset_ticks), clock.seconds(offset_ticks)
        ranged = _fold(pitches, instrument)
        folded += int(np.count_nonzero(ranged != pitches))
        velocities = np.clip(velocities, 1, 127)
        clamped += _unsayable(velocities, instrument)
        if pedal and instrument.sustains:
            struck_s = _next_strikes(onset_ticks, onsets_s, ranged)
            offsets_s = _hold(offsets_s, struck_s, *_spans(pedals[name], clock))
        lengths_s = offsets_s - onsets_s
        rows = zip(*(c.tolist() for c in (onsets_s, ranged, lengths_s, velocities, part)), strict=True)
        notes.extend(Note(onset, pitch, name, length, velocity, of) for onset, pitch, length, velocity, of in rows)
    notes.sort()
    end_s = max(n.offset_s for n in notes)
    if end_s > MAX_S:
        raise MidiError(f"{path}: its last note ends after {end_s / 3600:.0f} hours ({MAX_S // 3600} at most); cut it")
    tempi = _tempi(clock, score.ticks_per_quarter, end_s)
    marks = _marks(score, clock, end_s)
    piece = Piece(tuple(notes), tempi, path.stem, None, _beats_per_bar(score), marks, tuple(parts.controls))
    return Imported(piece, folded, clamped, dropped=0)


class _Parts:
    """The controls of a file: those that are turned alike are one part, and what is not turned is none."""

    def __init__(self, turns: list[list[Turn]], clock: _Clock) -> None:
        self.controls: list[Controls] = []
        self._numbers: list[int] = []
        for found in turns:
            times_s = clock.seconds(np.array([tick for tick, _, _ in found], np.int64)).tolist()
            drawn = controls_of(found, times_s)
            if drawn != PLAIN and drawn not in self.controls:
                self.controls.append(drawn)
            self._numbers.append(0 if drawn == PLAIN else self.controls.index(drawn) + 1)

    def of(self, name: str) -> int:
        """Return the part of a track by its name."""
        return self._numbers[int(name)] if self._numbers else 0


def _score(path: Path, controls: bool) -> tuple[Any, list[list[Turn]]]:
    """Parse a file, mended first: symusic alone refuses damage and loses notes without an end."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise MidiError(
                f"{path}: {size / 1e6:.0f} MB is too big for a MIDI file (20 MB at most); cut it into pieces"
            )
        data = path.read_bytes()
    except OSError as error:
        raise MidiError(f"{path}: cannot be read ({_reason(error)}); check the path") from error
    if not data:
        raise MidiError(f"{path}: the file is empty; export or download it again")
    try:
        mended, turns = mend_apart(data) if controls else (mend(data), [])
        return Score.from_midi(mended), turns
    except (MidiError, RuntimeError, ValueError) as error:
        raise MidiError(f"{path}: {error}") from error


def _clock(score: Any) -> _Clock:
    """Build the tempo map; of tempi at one tick the last holds, tempo 0 is ignored."""
    micros = {0: 60e6 / DEFAULT_TEMPO_BPM}
    for tempo in sorted(score.tempos, key=lambda t: int(t.time)):
        if tempo.mspq > 0:
            micros[max(0, int(tempo.time))] = float(tempo.mspq)
    ticks = np.array(list(micros), dtype=np.int64)
    tick_s = np.array(list(micros.values())) / 1e6 / score.ticks_per_quarter
    starts_s = np.concatenate(([0.0], np.cumsum(np.diff(ticks) * tick_s[:-1])))
    return _Clock(ticks, starts_s, tick_s)


def _instrument(program: int, is_drum: bool, pitches: Ints) -> Instrument:
    if is_drum:
        return BY_NAME["drums"]
    if program in STRING_ENSEMBLES and len(pitches) and float(np.median(pitches)) < CELLO_BELOW:
        return BY_NAME["cello"]
    return of_program(program)


def _fold(pitches: Ints, instrument: Instrument) -> Ints:
    """Move pitches by whole octaves into the instrument's range."""
    up = np.maximum(0, -(-(instrument.low - pitches) // 12))
    down = np.maximum(0, -(-(pitches - instrument.high) // 12))
    return np.asarray(pitches + 12 * (up - down), dtype=np.int64)


def _unsayable(velocities: Ints, instrument: Instrument) -> int:
    """Count velocities more than half a step below the lowest or above the highest level."""
    levels = instrument.levels
    low = levels[0] - (levels[1] - levels[0]) / 2
    high = levels[-1] + (levels[-1] - levels[-2]) / 2
    return int(np.count_nonzero((velocities < low) | (velocities > high)))


def _pedal_events(track: Any) -> tuple[Ints, Ints]:
    columns = track.controls.numpy()
    at = columns["number"] == SUSTAIN_PEDAL
    return columns["time"][at].astype(np.int64), columns["value"][at].astype(np.int64)


def _spans(parts: Iterable[tuple[Ints, Ints]], clock: _Clock) -> tuple[Floats, Floats]:
    """Return when the pedal goes down and up, in seconds, as spans that do not touch.

    The tracks of one instrument share a pedal, as a pianist's two hands do.
    """
    spans: list[tuple[float, float]] = []
    for ticks, values in parts:
        down_s: float | None = None
        order = np.argsort(ticks, kind="stable")
        for time_s, value in zip(clock.seconds(ticks[order]).tolist(), values[order].tolist(), strict=True):
            if value >= 64 and down_s is None:
                down_s = time_s
            elif value < 64 and down_s is not None:
                spans.append((down_s, time_s))
                down_s = None
        if down_s is not None:
            spans.append((down_s, float("inf")))
    joined: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return np.array([s for s, _ in joined]), np.array([e for _, e in joined])


def _next_strikes(ticks: Ints, onsets_s: Floats, pitches: Ints) -> Floats:
    """Return for every note when its pitch sounds next, in seconds (infinity: never again)."""
    keys = pitches << 32 | ticks
    order = np.argsort(keys)
    after = np.searchsorted(keys[order], keys, side="right")
    following = order[np.minimum(after, len(order) - 1)]
    again = (after < len(order)) & (pitches[following] == pitches)
    return np.asarray(np.where(again, onsets_s[following], np.inf), dtype=np.float64)


def _hold(offsets_s: Floats, struck_s: Floats, downs_s: Floats, ups_s: Floats) -> Floats:
    """Lengthen notes that end under the pedal.

    A note that ends as the pedal goes down is not caught: where the pedal
    changes with the harmony, the old chord must not ring into the new one.
    """
    if not len(downs_s):
        return offsets_s
    at = np.searchsorted(downs_s, offsets_s, side="left") - 1
    under = (at >= 0) & (offsets_s < ups_s[at])
    held = np.where(under, np.minimum(ups_s[at], offsets_s + PEDAL_HOLD_S), offsets_s)
    # A string struck again ends its own ringing, but never a key still held down.
    return np.asarray(np.maximum(offsets_s, np.minimum(held, struck_s)), dtype=np.float64)


def _marks(score: Any, clock: _Clock, end_s: float) -> tuple[Mark, ...]:
    """Return the markers of a file."""
    at_s = clock.seconds(np.array([int(marker.time) for marker in score.markers], dtype=np.int64)).tolist()
    texts = ("".join(c if c.isprintable() else " " for c in marker.text).strip() for marker in score.markers)
    marks = sorted(Mark(time_s, text) for time_s, text in zip(at_s, texts, strict=True) if text and time_s <= end_s)
    return tuple(marks[:MOST_MARKS])


def _tempi(clock: _Clock, ticks_per_beat: int, end_s: float) -> tuple[TempoMark, ...]:
    """Thin the tempo map to what a listener would call a new tempo."""
    bpms = (60.0 / (clock.tick_s * ticks_per_beat)).tolist()
    starts_s = clock.starts_s.tolist()
    marks = [TempoMark(0.0, bpms[0])]
    first = 1
    while first < len(bpms):
        # The stretch of about this tempo is judged as a whole, so that a long map takes no long time.
        last = next((j for j in range(first + 1, len(bpms)) if _differs(bpms[j], bpms[first])), len(bpms))
        left_s = starts_s[last] if last < len(bpms) else end_s
        if _differs(bpms[first], marks[-1].bpm) and left_s - starts_s[first] >= TEMPO_HOLD_S:
            marks.append(TempoMark(starts_s[first], bpms[first]))
        first = last
    return tuple(marks)


def _differs(bpm: float, from_bpm: float) -> bool:
    return abs(bpm / from_bpm - 1.0) >= TEMPO_CHANGE


def _beats_per_bar(score: Any) -> float:
    first = min(score.time_signatures, key=lambda signature: int(signature.time), default=None)
    return 4.0 if first is None else float(first.numerator * 4 / first.denominator)


def write_midi(piece: Piece, path: Path) -> None:
    """Write a piece as a MIDI file, one track and channel per instrument.

    Args:
        piece: the music.
        path: where to; an existing file is replaced.

    Raises:
        MidiError: the place cannot be written.
    """
    # Files hold whole microseconds a beat: count ticks by those, or the notes drift.
    micros = np.maximum(1, np.rint([60e6 / m.bpm for m in piece.tempi])).astype(np.int64)
    starts_s = np.array([m.time_s for m in piece.tempi])
    starts_ticks: Floats = np.zeros(len(starts_s))
    for i in range(1, len(starts_s)):
        ticks_before = (starts_s[i] - starts_s[i - 1]) * 1e6 / micros[i - 1] * TICKS_PER_BEAT
        starts_ticks[i] = np.rint(starts_ticks[i - 1] + ticks_before)

    def ticks(times_s: Floats) -> Ints:
        at = np.maximum(np.searchsorted(starts_s, times_s, side="right") - 1, 0)
        exact = starts_ticks[at] + (times_s - starts_s[at]) * 1e6 / micros[at] * TICKS_PER_BEAT
        return np.asarray(np.rint(exact), dtype=np.int64)

    score: Any = Score(TICKS_PER_BEAT)
    for tick, micro in zip(starts_ticks.astype(np.int64).tolist(), micros.tolist(), strict=True):
        score.tempos.append(Tempo(tick, mspq=micro))
    numerator, denominator = _signature(piece.beats_per_bar)
    score.time_signatures.append(TimeSignature(0, numerator, denominator))
    for mark, tick in zip(piece.marks, ticks(np.array([m.time_s for m in piece.marks])).tolist(), strict=True):
        score.markers.append(TextMeta(max(0, tick), mark.text))
    # Players show the name of an empty first track as the title.
    score.tracks.append(Track(name=piece.title))
    for name in sorted(piece.instruments, key=list(BY_NAME).index):
        instrument = BY_NAME[name]
        notes = [n for n in piece.notes if n.instrument == name]
        track: Any = Track(name=name, program=instrument.program, is_drum=name == "drums")
        onsets = np.maximum(0, ticks(np.array([n.onset_s for n in notes])))
        # A note of no ticks would end before it begins in some readers.
        durations = np.maximum(ticks(np.array([n.offset_s for n in notes])) - onsets, 1)
        for note, onset, duration in zip(notes, onsets.tolist(), durations.tolist(), strict=True):
            # Velocity 0 would be read as the end of a note.
            track.notes.append(MidiNote(onset, duration, note.pitch, max(1, note.velocity)))
        score.tracks.append(track)
    try:
        write_whole(path, score.dumps_midi())
    except OSError as error:
        raise MidiError(f"{path}: cannot be written ({_reason(error)}); choose another folder") from error


def _signature(beats_per_bar: float) -> tuple[int, int]:
    """Return numerator and denominator of the simplest time signature of that length."""
    for denominator in (4, 8, 16, 32):
        numerator = beats_per_bar * denominator / 4
        if abs(numerator - round(numerator)) < 1e-6 and 1 <= round(numerator) <= 255:
            return round(numerator), denominator
    return max(1, min(255, round(beats_per_bar))), 4


def _reason(error: OSError) -> str:
    reasons = {
        errno.EACCES: "no permission",
        errno.ENOENT: "no such file or folder",
        errno.ENOSPC: "disk full",
        errno.EISDIR: "it is a folder",
    }
    return reasons.get(error.errno or 0, error.strerror or str(error))
