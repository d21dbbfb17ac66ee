"""Parts of a MIDI file: some of its tracks or voices taken out, new ones written beside them. Torch-free.

Notes, programs, pedal, tempi and time signatures stay in the ticks of the file,
so that what is taken out of one and written into another comes back bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from symusic import Note as MidiNote
from symusic import Score, Track

from model.errors import MidiError
from model.instruments import BY_NAME, of_program
from model.midi import read_midi
from model.notes import DEFAULT_TEMPO_BPM, Piece
from model.smf import mend
from model.whole import write_whole

Voices = Literal["all", "top", "bottom", "outer", "inner"]


@dataclass(frozen=True, slots=True)
class Parts:
    """Tracks of a MIDI file that have notes.

    Attributes:
        path: the file.
        score: its tracks and tempi as they are.
    """

    path: Path
    score: Any

    @property
    def names(self) -> list[str]:
        """What each track is, for people: `violin (35 notes)`."""
        playing = ("drums" if track.is_drum else of_program(track.program).name for track in self.score.tracks)
        return [f"{name} ({len(track.notes)} notes)" for name, track in zip(playing, self.score.tracks, strict=True)]

    def write(self, path: Path) -> None:
        """Write them as a MIDI file.

        Raises:
            MidiError: the place cannot be written.
        """
        try:
            write_whole(path, self.score.dumps_midi())
        except OSError as error:
            raise MidiError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error


def read_parts(path: Path, tracks: Sequence[int] = (), voices: Voices = "all") -> Parts:
    """Read a MIDI file, or some tracks or voices of it.

    Args:
        path: the file.
        tracks: which of the tracks that have notes, counted from 1; empty for all.
        voices: of the notes that sound together, which; drums have no voices and stay.

    Raises:
        MidiError: as `model.midi.read_midi`, or there are no such tracks or voices.
    """
    # It says what is wrong with a file; the score here is the same file unchanged.
    read_midi(path)
    score: Any = Score.from_midi(mend(path.read_bytes()))
    playing = [track for track in score.tracks if len(track.notes)]
    unknown = [number for number in tracks if not 1 <= number <= len(playing)]
    if unknown:
        found = ", ".join(f"{n} {name}" for n, name in enumerate(_named(path, score, playing).names, 1))
        raise MidiError(f"{path}: no track {unknown[0]}; it has {found}")
    chosen = [playing[number - 1] for number in dict.fromkeys(tracks)] or playing
    parts = _named(path, score, chosen)
    if voices != "all":
        _keep_voices(parts.score, voices)
        if not parts.score.tracks:
            raise MidiError(f"{path}: of its notes none is of the {voices} voices; choose others")
    return parts


def _named(path: Path, score: Any, tracks: list[Any]) -> Parts:
    kept = score.copy()
    kept.tracks = [track.copy() for track in tracks]
    return Parts(path, kept)


def _keep_voices(score: Any, voices: Voices) -> None:
    """Leave of each moment's notes the highest, the lowest, both, or those between."""
    tuned = [track for track in score.tracks if not track.is_drum]
    columns = [track.notes.numpy() for track in tuned]
    if not columns:
        return
    start, length, pitch = (
        np.concatenate([c[name].astype(np.int64) for c in columns]) for name in ("time", "duration", "pitch")
    )
    end = start + np.maximum(length, 1)
    highest, lowest = np.zeros(len(start), bool), np.zeros(len(start), bool)
    for n in range(len(start)):
        together = (start <= start[n]) & (end > start[n])
        highest[n] = not (together & (pitch > pitch[n])).any()
        lowest[n] = not (together & (pitch < pitch[n])).any()
    kept = {"top": highest, "bottom": lowest, "outer": highest | lowest, "inner": ~highest & ~lowest}[voices]
    first = 0
    for track, column in zip(tuned, columns, strict=True):
        here = kept[first : first + len(column["time"])]
        first += len(here)
        track.notes = [note for note, keep in zip(track.notes, here.tolist(), strict=True) if keep]
    score.tracks = [track for track in score.tracks if len(track.notes)]


def write_beside(parts: Parts, composed: Piece, path: Path) -> None:
    """Write tracks of a file as they are, and composed notes as tracks of their own.

    Args:
        parts: tracks that stay as they are.
        composed: notes in seconds of the file's own time.
        path: where to.

    Raises:
        MidiError: the place cannot be written.
    """
    score = parts.score.copy()
    for name in sorted(composed.instruments, key=list(BY_NAME).index):
        notes = [note for note in composed.notes if note.instrument == name]
        onsets = _ticks(score, [note.onset_s for note in notes])
        durations = np.maximum(_ticks(score, [note.offset_s for note in notes]) - onsets, 1)
        track: Any = Track(name=f"composed {name}", program=BY_NAME[name].program, is_drum=name == "drums")
        for note, onset, duration in zip(notes, onsets.tolist(), durations.tolist(), strict=True):
            track.notes.append(MidiNote(onset, duration, note.pitch, note.velocity))
        score.tracks.append(track)
    Parts(parts.path, score).write(path)


def _ticks(score: Any, times_s: list[float]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return times in the ticks of a score, through its changes of tempo."""
    micros = {0: 60e6 / DEFAULT_TEMPO_BPM}
    for tempo in sorted(score.tempos, key=lambda t: int(t.time)):
        if tempo.mspq > 0:
            micros[max(0, int(tempo.time))] = float(tempo.mspq)
    ticks = np.array(list(micros), np.int64)
    tick_s = np.array(list(micros.values())) / 1e6 / score.ticks_per_quarter
    starts_s = np.concatenate(([0.0], np.cumsum(np.diff(ticks) * tick_s[:-1])))
    times = np.array(times_s)
    at = np.maximum(np.searchsorted(starts_s, times, side="right") - 1, 0)
    return np.asarray(np.rint(ticks[at] + (times - starts_s[at]) / tick_s[at]), np.int64)
