"""What is in a corpus: files, notes, hours and instruments, counted from its files as they are.

Nothing is tidied: a note is a note of the file, an instrument a General MIDI
family, and time runs from the first onset to the last end. Tokens are counted
without a vocabulary, two a note and one a distinct time at which something
begins or ends, so that corpora can be compared across vocabularies.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from symusic import Score

from model.errors import MidiError
from model.learning.corpus import Source
from model.smf import mend

FAMILIES: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("piano", tuple(range(8))),
    ("chromatic percussion", tuple(range(8, 16))),
    ("organ", tuple(range(16, 24))),
    ("guitar", tuple(range(24, 32))),
    ("bass", tuple(range(32, 40))),
    ("strings", (*range(40, 46), *range(48, 52))),
    ("harp", (46,)),
    ("timpani", (47,)),
    ("choir", tuple(range(52, 55))),
    ("orchestra hit", (55,)),
    ("brass", tuple(range(56, 64))),
    ("reed", tuple(range(64, 72))),
    ("pipe", tuple(range(72, 80))),
    ("synth", tuple(range(80, 104))),
    ("ethnic", tuple(range(104, 112))),
    ("percussive and effects", tuple(range(112, 128))),
)
_FAMILY_OF = {program: name for name, programs in FAMILIES for program in programs}


@dataclass(slots=True)
class Count:
    """What was counted of some files.

    Attributes:
        files, notes: how many.
        seconds: from first onset to last end, summed.
        tokens: two a note and one a distinct event time.
        families: notes by family of instruments.
    """

    files: int = 0
    notes: int = 0
    seconds: float = 0.0
    tokens: int = 0
    families: Counter[str] = field(default_factory=Counter)

    def add(self, other: Count) -> None:
        """Count other files, too."""
        self.files += other.files
        self.notes += other.notes
        self.seconds += other.seconds
        self.tokens += other.tokens
        self.families += other.families

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain values, shares of the families most first."""
        shares = {name: count / max(1, self.notes) for name, count in self.families.most_common()}
        return {
            "files": self.files,
            "notes": self.notes,
            "hours": self.seconds / 3600,
            "tokens": self.tokens,
            "families": shares,
        }


@dataclass(slots=True)
class Census:
    """A corpus counted.

    Attributes:
        total: all of it.
        splits, styles, genres: parts of it, by name.
        style_files: files of a style by split.
        family_files: files in which a family plays.
        unreadable: a line for each file that is no music.
    """

    total: Count = field(default_factory=Count)
    splits: dict[str, Count] = field(default_factory=lambda: defaultdict(Count))
    styles: dict[str, Count] = field(default_factory=lambda: defaultdict(Count))
    genres: dict[str, Count] = field(default_factory=lambda: defaultdict(Count))
    style_files: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    family_files: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain values, the biggest first."""

        def parts(counts: dict[str, Count]) -> dict[str, Any]:
            return {name: c.as_dict() for name, c in sorted(counts.items(), key=lambda item: -item[1].tokens)}

        styles = parts(self.styles)
        for name, figures in styles.items():
            figures["split"] = dict(self.style_files[name])
        return {
            "total": self.total.as_dict(),
            "splits": parts(self.splits),
            "styles": styles,
            "genres": parts(self.genres),
            "families": {
                name: {"notes": notes, "share": notes / max(1, self.total.notes), "files": self.family_files[name]}
                for name, notes in self.total.families.most_common()
            },
            "unreadable": self.unreadable,
        }


def count_file(path: Path) -> Count:
    """Count one file.

    Raises:
        MidiError: it cannot be read, or has no notes.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MidiError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        score: Any = Score.from_midi(data)
    except (RuntimeError, ValueError):
        try:
            score = Score.from_midi(mend(data))
        except (MidiError, RuntimeError, ValueError) as error:
            raise MidiError(f"{path}: {error}") from error
    ticks: list[Any] = []
    families: Counter[str] = Counter()
    first, last = float("inf"), 0.0
    for track, timed in zip(score.tracks, score.to("second").tracks, strict=True):
        columns = track.notes.numpy()
        if not len(columns["time"]):
            continue
        ticks += [columns["time"].astype(np.int64), columns["time"].astype(np.int64) + columns["duration"]]
        families["drums" if track.is_drum else _FAMILY_OF[track.program]] += len(columns["time"])
        in_s = timed.notes.numpy()
        first = min(first, float(in_s["time"].min()))
        last = max(last, float((in_s["time"].astype(np.float64) + in_s["duration"]).max()))
    if not ticks:
        raise MidiError(f"{path}: there are no notes in it")
    notes = families.total()
    return Count(1, notes, last - first, 2 * notes + len(np.unique(np.concatenate(ticks))), families)


def take_census(sources: Sequence[Source], progress: Callable[[float], None] | None = None) -> Census:
    """Count the files of a corpus.

    Args:
        sources: its files (see `model.learning.corpus.gather`).
        progress: told the fraction done.
    """
    census = Census()
    for done, source in enumerate(sources, 1):
        if progress is not None and done % 50 == 0:
            progress(done / len(sources))
        try:
            count = count_file(Path(source.path))
        except MidiError as error:
            census.unreadable.append(str(error))
            continue
        style = source.style or "no style"
        census.total.add(count)
        census.splits[source.split].add(count)
        census.styles[style].add(count)
        census.genres[source.genre or "no genre"].add(count)
        census.style_files[style][source.split] += 1
        census.family_files.update(count.families.keys())
    return census
