"""A folder of MIDI files as memory-mapped tokens.

`build` reads every file once and writes, into a folder of its own,

    tokens.u16  ticks.u32  beats.f32     one entry a token, pieces end to end
    pieces.json                          a row a piece, with style and split
    skipped.json                         what could not be used, and why

A folder may hold an `index.csv` with the columns path, style, genre, split and
performed (1 or 0); without one, every .mid below it is taken, a style being the
name of its parent folder where the vocabulary knows it (`own1` to `own8` are
for somebody's own), and about one in thirteen is held out.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import CorpusError, ModelError
from model.instruments import BY_NAME
from model.language.context import beats_at
from model.language.header import groups_of, habit_key
from model.language.tokenizer import encode_body, to_ticks
from model.language.vocabulary import GENRES, OWN_STYLES, STYLES, TICKS_PER_SECOND, VOCABULARY
from model.midi import read_midi
from model.notes import Note, Piece, TempoMark
from model.whole import whole

MIN_NOTES = 32
SPLITS = ("train", "valid", "test")
KNOWN_STYLES = frozenset(STYLES + OWN_STYLES)


@dataclass(frozen=True, slots=True)
class Source:
    """A file to learn from."""

    path: str
    style: str | None
    genre: str | None
    performed: bool
    split: str


@dataclass(frozen=True, slots=True)
class Row:
    """A piece among the tokens: where it lies and what is known of it."""

    path: str
    style: str | None
    genre: str | None
    performed: bool
    split: str
    groups: tuple[str, ...]
    bpm: float
    beats_per_bar: float
    offset: int
    tokens: int
    notes: int
    ticks: int


def gather(folder: Path) -> list[Source]:
    """Return the files of a corpus.

    Raises:
        CorpusError: there is no such folder, no MIDI in it, or its index is broken.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder}: no such folder; give a folder of MIDI files with --corpus")
    index = folder / "index.csv"
    if index.exists():
        found = _listed(index)
    else:
        found = [_unlisted(p, folder) for p in sorted(folder.rglob("*")) if p.suffix.lower() in (".mid", ".midi")]
    if not found:
        raise CorpusError(f"{folder}: no MIDI files (.mid) in it")
    return found


def _listed(index: Path) -> list[Source]:
    try:
        with index.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            return [_source(row, index, rows.line_num) for row in rows]
    except KeyError as error:
        raise CorpusError(f"{index}: no column {error}; it needs path, style, genre, split, performed") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{index}: cannot be read ({error})") from error


def _source(row: dict[str, str | None], index: Path, line: int) -> Source:
    path, style, genre, performed, split = (row[c] for c in ("path", "style", "genre", "performed", "split"))
    if not path or split is None or performed is None:
        raise CorpusError(f"{index}: line {line}: it has fewer columns than the first line")
    if split not in SPLITS:
        raise CorpusError(f"{index}: line {line}: split {split!r}; it can be {', '.join(SPLITS)}")
    return Source(
        str(index.parent / path),
        style if style in KNOWN_STYLES else None,
        genre if genre in GENRES else None,
        performed == "1",
        split,
    )


def _unlisted(path: Path, folder: Path) -> Source:
    style = path.parent.name.lower()
    digest = hashlib.sha1(os.fsencode(path.relative_to(folder))).digest()[0]
    split = "valid" if digest < 10 else "test" if digest < 20 else "train"
    return Source(str(path), style if style in KNOWN_STYLES else None, None, False, split)


def tidy(piece: Piece) -> Piece:
    """Return a piece as the model should learn it.

    It begins at once, unisons of one instrument are one note, and a note struck
    again ends where it is struck.
    """
    if not piece.notes:
        return piece
    start = min(n.onset_s for n in piece.notes)
    by_key: dict[tuple[str, int], list[Note]] = {}
    for note in sorted(piece.notes):
        line = by_key.setdefault((note.instrument, note.pitch), [])
        moved = replace(note, onset_s=note.onset_s - start, duration_s=max(note.duration_s, 0.02))
        if line and to_ticks(line[-1].onset_s) == to_ticks(moved.onset_s):
            last = line.pop()
            moved = replace(
                last,
                duration_s=max(last.duration_s, moved.duration_s),
                velocity=max(last.velocity, moved.velocity),
            )
        elif line and line[-1].offset_s > moved.onset_s and BY_NAME[note.instrument].sustains:
            line[-1] = replace(line[-1], duration_s=moved.onset_s - line[-1].onset_s)
        line.append(moved)
    notes = tuple(sorted(n for line in by_key.values() for n in line))
    tempi = tuple(TempoMark(max(0.0, m.time_s - start), m.bpm) for m in piece.tempi)
    kept = [m for i, m in enumerate(tempi) if i + 1 == len(tempi) or tempi[i + 1].time_s > 0]
    return replace(piece, notes=notes, tempi=tuple(kept))


Encoded = tuple[Source, NDArray[np.uint16], NDArray[np.uint32], NDArray[np.float32], Piece]


def _encode(source: Source) -> Encoded | str:
    path = Path(source.path)
    # Who opens a pipe waits for somebody to write into it.
    if path.exists() and not path.is_file():
        return f"{source.path}: not a file; take it out of the folder"
    try:
        piece = tidy(read_midi(path, pedal=source.performed).piece)
        if len(piece.notes) < MIN_NOTES:
            return f"{source.path}: {len(piece.notes)} notes, fewer than {MIN_NOTES}"
        tokens = np.array(encode_body(piece), np.int64)
    except ModelError as error:
        return str(error)
    except MemoryError:
        return f"{source.path}: it does not fit into memory; cut it into pieces"
    ticks = np.cumsum(VOCABULARY.wait_ticks[tokens])
    beats = beats_at(ticks, piece.tempi)
    return source, tokens.astype(np.uint16), ticks.astype(np.uint32), beats, replace(piece, notes=piece.notes[:0])


def build(
    folder: Path, out: Path, *, processes: int = 2, progress: Callable[[int, int], None] | None = None
) -> tuple[int, list[str]]:
    """Turn a folder of MIDI into tokens under `out`.

    Args:
        folder: the corpus.
        out: where to write; made if missing.
        processes: readers side by side.
        progress: told (files done, files in all).

    Returns:
        Number of pieces written, and a line for each file left out.

    Raises:
        CorpusError: nothing usable was found, or `out` cannot be written.
    """
    sources = gather(folder)
    rows: list[Row] = []
    skipped: list[str] = []
    offset = 0
    try:
        out.mkdir(parents=True, exist_ok=True)
        # Written last: without it nothing counts as built.
        (out / "pieces.json").unlink(missing_ok=True)
        with (
            (out / "tokens.u16").open("wb") as tokens_file,
            (out / "ticks.u32").open("wb") as ticks_file,
            (out / "beats.f32").open("wb") as beats_file,
            ProcessPoolExecutor(processes) as pool,
        ):
            for done, result in enumerate(pool.map(_encode, sources, chunksize=16), 1):
                if progress is not None:
                    progress(done, len(sources))
                if isinstance(result, str):
                    skipped.append(result)
                    continue
                source, tokens, ticks, beats, piece = result
                tokens_file.write(tokens.tobytes())
                ticks_file.write(ticks.tobytes())
                beats_file.write(beats.tobytes())
                rows.append(_row(source, tokens, ticks, piece, offset))
                offset += len(tokens)
        (out / "skipped.json").write_text(json.dumps(skipped, indent=1))
        if not (folder / "index.csv").exists():
            rows = _something_to_learn(rows)
        if not rows:
            raise CorpusError(f"{folder}: none of {len(sources)} files could be used; first: {skipped[0]}")
        with whole(out / "pieces.json") as partial:
            partial.write_text(json.dumps({"vocabulary": VOCABULARY.hash, "pieces": [asdict(r) for r in rows]}))
    except BrokenProcessPool as error:
        raise CorpusError(f"{folder}: a process that reads it was killed (out of memory?); try again") from error
    except OSError as error:
        raise CorpusError(f"{out}: cannot write ({error.strerror})") from error
    return len(rows), skipped


def _something_to_learn(rows: list[Row]) -> list[Row]:
    """Return pieces of which some are to be learned: of very few, chance may hold out all."""
    if any(row.split == "train" for row in rows):
        return rows
    return [replace(row, split="train") for row in rows]


def _row(source: Source, tokens: NDArray[np.uint16], ticks: NDArray[np.uint32], piece: Piece, offset: int) -> Row:
    used = np.unique(VOCABULARY.instrument_of[tokens])
    names = tuple(BY_NAME)
    return Row(
        path=source.path,
        style=source.style,
        genre=source.genre,
        performed=source.performed,
        split=source.split,
        groups=groups_of([names[i] for i in used if i >= 0]),
        bpm=piece.tempi[0].bpm,
        beats_per_bar=piece.beats_per_bar,
        offset=offset,
        tokens=len(tokens),
        notes=int((VOCABULARY.velocity_of[tokens] > 0).sum()),
        ticks=int(ticks[-1]),
    )


class Corpus:
    """Tokens built by `build`, memory-mapped.

    Attributes:
        rows: the pieces of all splits.
        tokens, ticks, beats: one entry a token.
    """

    def __init__(self, folder: Path) -> None:
        try:
            listing = json.loads((folder / "pieces.json").read_text())
        except (OSError, ValueError) as error:
            raise CorpusError(f"{folder}: no built corpus here ({error})") from error
        if not isinstance(listing, dict) or listing.get("vocabulary") != VOCABULARY.hash:
            raise CorpusError(f"{folder}: built with another vocabulary; remove the folder and build it again")
        try:
            self.rows = [Row(**{**row, "groups": tuple(row["groups"])}) for row in listing["pieces"]]
            self.tokens: NDArray[np.uint16] = np.memmap(folder / "tokens.u16", np.uint16, "r")
            self.ticks: NDArray[np.uint32] = np.memmap(folder / "ticks.u32", np.uint32, "r")
            self.beats: NDArray[np.float32] = np.memmap(folder / "beats.f32", np.float32, "r")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CorpusError(f"{folder}: damaged ({error}); remove the folder and build it again") from error
        tokens = sum(row.tokens for row in self.rows)
        if {len(self.tokens), len(self.ticks), len(self.beats)} != {tokens}:
            raise CorpusError(f"{folder}: damaged (files cut off); remove the folder and build it again")
        if tokens and (int(self.tokens.max()) >= len(VOCABULARY) or not np.isfinite(self.beats).all()):
            raise CorpusError(f"{folder}: damaged (no tokens of this language); remove the folder and build it again")

    def split(self, name: str) -> list[Row]:
        """Return the pieces of `train`, `valid` or `test`."""
        return [row for row in self.rows if row.split == name]

    @cached_property
    def styles(self) -> dict[str, int]:
        """Number of training pieces by style, most first."""
        counts: dict[str, int] = {}
        for row in self.split("train"):
            if row.style is not None:
                counts[row.style] = counts.get(row.style, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: -item[1]))

    @cached_property
    def habits(self) -> dict[str, dict[str, Any]]:
        """What is mostly said of a style, and of a style for an ensemble, as fields of a `Header`.

        A header is barer in a concert than in training; with these it is not.
        """
        said: defaultdict[str, Counter[tuple[str | None, bool, float]]] = defaultdict(Counter)
        for row in self.split("train"):
            if row.style is not None:
                facts = (row.genre, row.performed, row.beats_per_bar)
                said[habit_key(row.style)][facts] += row.tokens
                said[habit_key(row.style, row.groups)][facts] += row.tokens
        names = ("genre", "performed", "beats_per_bar")
        return {key: dict(zip(names, counts.most_common(1)[0][0], strict=True)) for key, counts in said.items()}

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)


def seconds(rows: Sequence[Row]) -> float:
    """Return the playing time of some pieces."""
    return sum(row.ticks for row in rows) / TICKS_PER_SECOND
