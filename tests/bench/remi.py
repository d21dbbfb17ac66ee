"""The peer's language: MidiTok's REMI, told of the same notes as ours.

A piece is the notes our corpus holds of a file, ours in seconds; for REMI they
stand on the file's own beats, with its bars and its tempi, which is where REMI
is at its best. What our language cannot say is spared it too: volumes are
those of our levels, drums have no length, there are thirteen instruments, and
an instrument is named where it changes, not before every note.

Source: Huang and Yang (2020), REMI; Fradet et al. (2021), MidiTok.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from symusic import Note as MidiNote
from symusic import Score, Track

from model.errors import MidiError
from model.instruments import BY_NAME, INSTRUMENTS
from model.language.tokenizer import DRUM_SECONDS, level_velocity
from model.learning.corpus import Row, tidy
from model.midi import read_midi
from model.notes import Note, Piece, TempoMark
from model.smf import mend

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Steps of a beat, in its first four beats and after. MidiTok's own, and one of 12 ms at 100 beats a minute.
GRIDS = {"remi": {(0, 4): 8, (4, 12): 4}, "remi-fine": {(0, 4): 48, (4, 12): 8}}
METERS = {2: [1, 2, 3, 4], 4: [1, 2, 3, 4, 5, 6, 7], 8: [1, 3, 5, 6, 7, 9, 12], 16: [3, 6, 9, 12]}
KINDS = ("note", "volume", "length", "time", "tempo", "instrument", "meter", "other")
_KIND_OF = {
    "Pitch": "note", "PitchDrum": "note", "Velocity": "volume", "Duration": "length", "Bar": "time",
    "Position": "time", "Tempo": "tempo", "Program": "instrument", "TimeSig": "meter",
}  # fmt: skip
_NAMES = {-1 if i.name == "drums" else i.program: i.name for i in INSTRUMENTS}


@dataclass(frozen=True, slots=True)
class Beats:
    """A tempo map: from `ticks[n]` on, which is at `starts_s[n]`, a tick lasts `tick_s[n]` seconds."""

    ticks: Floats
    starts_s: Floats
    tick_s: Floats

    @classmethod
    def of(cls, score: Any) -> Beats:
        """Return a score's tempo map; of tempi at one tick the last holds."""
        tempi = {0: 500_000}
        for tempo in sorted(score.tempos, key=lambda t: int(t.time)):
            if tempo.mspq > 0:
                tempi[max(0, int(tempo.time))] = int(tempo.mspq)
        ticks = np.array(list(tempi), np.float64)
        tick_s = np.array(list(tempi.values()), np.float64) / 1e6 / score.ticks_per_quarter
        return cls(ticks, np.concatenate([[0.0], np.cumsum(np.diff(ticks) * tick_s[:-1])]), tick_s)

    def to_ticks(self, seconds: Floats) -> Floats:
        """Return ticks for seconds."""
        n = np.maximum(np.searchsorted(self.starts_s, seconds + 1e-9, side="right") - 1, 0)
        return np.asarray(self.ticks[n] + (seconds - self.starts_s[n]) / self.tick_s[n])

    def to_seconds(self, ticks: Floats) -> Floats:
        """Return seconds for ticks."""
        n = np.maximum(np.searchsorted(self.ticks, ticks, side="right") - 1, 0)
        return np.asarray(self.starts_s[n] + (ticks - self.ticks[n]) * self.tick_s[n])


@dataclass(frozen=True, slots=True)
class Source:
    """A piece of the corpus with the beats of its file.

    Attributes:
        row: what the corpus knows of it.
        piece: its notes as our corpus holds them, from the first one on.
        start_s: where the first note is in the file, seconds.
        beats: the file's tempo map.
        score: the file's tempi and meters, without its notes.
    """

    row: Row
    piece: Piece
    start_s: float
    beats: Beats
    score: Any

    def cut(self, seconds: float) -> Source:
        """Return the notes that begin in its first seconds."""
        notes = tuple(n for n in self.piece.notes if n.onset_s < seconds)
        tempi = tuple(m for m in self.piece.tempi if m.time_s < seconds)
        return replace(self, piece=replace(self.piece, notes=notes, tempi=tempi))


def read(row: Row) -> Source:
    """Return a piece of a corpus, read again from the file it was built from.

    Raises:
        MidiError: the file has gone, or cannot be read any more.
    """
    path = Path(row.path)
    found = read_midi(path, pedal=row.performed).piece
    try:
        score: Any = Score.from_midi(mend(path.read_bytes()))
    except (OSError, RuntimeError, ValueError) as error:
        raise MidiError(f"{path}: {error}") from error
    bare = score.copy()
    bare.tracks = []
    return Source(row, tidy(found), min(n.onset_s for n in found.notes), Beats.of(score), bare)


def to_score(source: Source) -> Any:
    """Return a piece on the beats of its file, a track for each instrument, its volumes those of our levels."""
    score = source.score.copy()
    for name in sorted(source.piece.instruments, key=list(BY_NAME).index):
        notes = [n for n in source.piece.notes if n.instrument == name]
        track: Any = Track(name=name, program=BY_NAME[name].program, is_drum=name == "drums")
        onsets, offsets = (
            np.rint(source.beats.to_ticks(np.array(times) + source.start_s)).astype(np.int64).tolist()
            for times in ([n.onset_s for n in notes], [n.offset_s for n in notes])
        )
        for note, onset, offset in zip(notes, onsets, offsets, strict=True):
            length = max(1, offset - onset)
            track.notes.append(MidiNote(onset, length, note.pitch, level_velocity(name, note.velocity)))
        score.tracks.append(track)
    return score


class Remi:
    """REMI on one of the `GRIDS`.

    Attributes:
        name: of the grid.
        kinds: of each token id, what it says, shape [vocabulary]; an index into `KINDS`.
        end, begin, pad: ids.
    """

    def __init__(self, name: str = "remi") -> None:
        import miditok

        config = miditok.TokenizerConfig(
            pitch_range=(min(i.low for i in INSTRUMENTS), max(i.high for i in INSTRUMENTS) + 1),
            beat_res=GRIDS[name],
            num_velocities=32,
            special_tokens=["PAD", "BOS", "EOS"],
            use_programs=True,
            programs=sorted(_NAMES),
            program_changes=True,
            use_note_duration_programs=[p for p in _NAMES if p >= 0],
            use_tempos=True,
            num_tempos=116,
            tempo_range=(20, 250),
            use_time_signatures=True,
            time_signature_range=METERS,
        )
        self.name = name
        self.tokenizer: Any = miditok.REMI(config)
        texts = sorted(self.tokenizer.vocab, key=self.tokenizer.vocab.__getitem__)
        self.kinds = np.array([KINDS.index(_KIND_OF.get(t.split("_")[0], "other")) for t in texts], np.int64)
        self.pitch = np.array([int(t[6:]) if t.startswith("Pitch_") else -1 for t in texts], np.int64)
        self.pad, self.begin, self.end = (self.tokenizer[f"{t}_None"] for t in ("PAD", "BOS", "EOS"))
        self._first_pitch = int(np.flatnonzero(self.pitch >= 0)[0])
        self._low, self._high = int(self.pitch[self.pitch >= 0].min()), int(self.pitch.max())

    def __len__(self) -> int:
        return len(self.kinds)

    def encode(self, source: Source) -> Ints:
        """Return a piece's tokens, neither begin nor end among them."""
        return np.array(self.tokenizer.encode(to_score(source)).ids, np.int64)

    def decode(self, tokens: Sequence[int]) -> Any:
        """Return the score that tokens say, in ticks of its own."""
        return self.tokenizer.decode([t for t in tokens if t not in (self.pad, self.begin, self.end)])

    def notes(self, tokens: Ints) -> int:
        """Return the number of notes struck in some tokens."""
        return int((self.kinds[tokens] == KINDS.index("note")).sum())

    def transpose(self, tokens: Ints, semitones: int) -> Ints:
        """Return tokens with all pitches but drums moved; unmoved where one would leave the range."""
        moved = self.pitch[tokens] >= 0
        pitches = self.pitch[tokens[moved]] + semitones
        if np.any((pitches < self._low) | (pitches > self._high)):
            return tokens
        out = tokens.copy()
        out[moved] = self._first_pitch + pitches - self._low
        return out


def notes_of(score: Any, to_seconds: Callable[[Floats], Floats]) -> tuple[Note, ...]:
    """Return the notes of a score made of REMI.

    Args:
        score: of `Remi.decode`.
        to_seconds: tells the seconds of its ticks.
    """
    notes = []
    for track in score.tracks:
        name = _NAMES.get(-1 if track.is_drum else int(track.program), "piano")
        onsets_s = to_seconds(np.array([n.time for n in track.notes], np.float64)).tolist()
        ends_s = to_seconds(np.array([n.end for n in track.notes], np.float64)).tolist()
        for note, onset_s, end_s in zip(track.notes, onsets_s, ends_s, strict=True):
            length_s = DRUM_SECONDS if track.is_drum else max(0.0, end_s - onset_s)
            notes.append(Note(onset_s, int(note.pitch), name, length_s, max(1, int(note.velocity))))
    return tuple(sorted(notes))


def to_piece(score: Any) -> Piece:
    """Return a score made of REMI as a piece of ours."""
    beats = Beats.of(score)
    tempi = (
        TempoMark(start_s, 60.0 / (tick_s * score.ticks_per_quarter))
        for start_s, tick_s in zip(beats.starts_s.tolist(), beats.tick_s.tolist(), strict=True)
    )
    return Piece(notes_of(score, beats.to_seconds), tuple(tempi))
