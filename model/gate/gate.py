"""The gate: what a piece is refused for before it may be armed. Torch-free.

No piece that is refused is played: it is composed again. Real music passes,
all but a piece or two in a hundred; each kind of fault is caught where it is
planted (`tests/model/gate`, `tests.bench.gate`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from model.gate import faults
from model.gate.columns import columns
from model.gate.index import Copied, CopyIndex
from model.gate.shingles import LINES
from model.notes import Note, Piece

KINDS = (
    "silence",
    "loop",
    "stuck harmony",
    "density collapse",
    "clipping density",
    "too short",
    "hanging notes",
    "copying",
)
# The index of what the shipped weights learned from.
SHIPPED_INDEX = Path(__file__).parent.parent / "checkpoints" / "small-music.npz"
# Notes in a row that two real pieces have in common: of 533 held-out pieces all but two chorales, twins of
# training pieces, share fewer, by line (see `tests.bench.gate`).
LONGEST_RUN = dict(zip(LINES, (28, 48), strict=True))
# Of a piece copied with slips every run is short, but most of its shingles are known; of few that says nothing.
MOST_KNOWN, KNOWN_RUN = 0.5, 20


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a piece is refused.

    Attributes:
        kind: one of `KINDS`.
        reason: for people, such as `repeats 2.0 s of music 9 times from 0:31 on`.
    """

    kind: str
    reason: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate found.

    Attributes:
        refusals: why it is refused; empty where it may be armed.
        runs: the longest run by line; empty without an index.
    """

    refusals: tuple[Refusal, ...]
    runs: tuple[Copied, ...]


def index_of(checkpoint: Path) -> Path:
    """Return where the index of a checkpoint's training music lies: beside it."""
    return checkpoint.with_name(f"{checkpoint.stem}-music.npz")


class Gate:
    """Refuses what must not be played.

    Args:
        index: the training music; None: copying is not looked for.
    """

    def __init__(self, index: CopyIndex | None = None) -> None:
        self.index = index

    @classmethod
    def of(cls, checkpoint: Path) -> Gate:
        """Return the gate of a checkpoint; it looks for copying where an index lies beside the weights.

        Raises:
            CheckpointError: the index is broken or of another vocabulary.
        """
        path = index_of(checkpoint)
        return cls(CopyIndex.load(path) if path.exists() else None)

    def refusals(
        self,
        piece: Piece,
        *,
        length_s: float | None = None,
        prompt_s: float = 0.0,
        given: Collection[Note] = (),
    ) -> tuple[Refusal, ...]:
        """Return why a piece is refused, in the order of `KINDS`; empty where it may be armed.

        Args:
            piece: the music.
            length_s: the length asked for; None: whatever came.
            prompt_s: up to here, in seconds, it was given: that is nobody's copying.
            given: notes that were given anywhere else in it.
        """
        return self.examine(piece, length_s=length_s, prompt_s=prompt_s, given=given).refusals

    def examine(
        self,
        piece: Piece,
        *,
        length_s: float | None = None,
        prompt_s: float = 0.0,
        given: Collection[Note] = (),
    ) -> Verdict:
        """Return all that is found of a piece; arguments as for `refusals`."""
        notes = columns(piece)
        reasons = [
            faults.silence(notes),
            faults.loop(notes),
            faults.stuck(notes),
            faults.collapse(notes),
            faults.clipping(notes),
            faults.too_short(notes, length_s),
            faults.hanging(notes),
        ]
        runs: tuple[Copied, ...] = ()
        if self.index is not None:
            own = composed(piece, prompt_s, given)
            runs = tuple(self.index.longest_in(columns(own), line) for line in LINES)
        reasons.append(copying(runs))
        found = tuple(Refusal(kind, why) for kind, why in zip(KINDS, reasons, strict=True) if why is not None)
        return Verdict(found, runs)


def composed(piece: Piece, prompt_s: float = 0.0, given: Collection[Note] = ()) -> Piece:
    """Return a piece without what was given: notes before `prompt_s`, and those of `given`."""
    apart = frozenset(given)
    kept = tuple(n for n in piece.notes if n.onset_s >= prompt_s and n not in apart)
    return replace(piece, notes=kept)


def copying(runs: Sequence[Copied]) -> str | None:
    """Return what is copied from the training music.

    Args:
        runs: the longest run by line.
    """
    too_long = [run for run in runs if run.notes > LONGEST_RUN[run.line]]
    if too_long:
        run = max(too_long, key=lambda run: run.notes / LONGEST_RUN[run.line])
        of = f" of {run.source}" if run.source else ""
        return f"copies {run.notes} notes in a row{of} from {faults.clock(run.start_s)} on ({run.line})"
    for run in runs:
        if run.share > MOST_KNOWN and run.notes >= KNOWN_RUN:
            of = f", most of {run.source}" if run.source else ""
            return f"{run.share:.0%} of its {run.line} are figures of training pieces{of}"
    return None
