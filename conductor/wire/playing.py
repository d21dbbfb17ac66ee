"""Between the conductor and the player."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from conductor.wire.message import Message, NoteRow
from model.controls import Controls, Curve

# (style, [(time_s, bpm)], beats in a bar), the order of streaming.performing.notation.Score
ScoreRow = tuple[str | None, list[tuple[float, float]], float]
# [(time_s, value)]
CurveRow = list[tuple[float, float]]
# The order of model.controls.Controls.
ControlsRow = tuple[CurveRow, CurveRow, CurveRow, CurveRow]


def control_rows(controls: Sequence[Controls]) -> list[ControlsRow]:
    """Return controls as they go between processes."""
    return [(_row(c.gain_db), _row(c.place), _row(c.bend_cents), _row(c.vibrato)) for c in controls]


def controls_of(rows: Sequence[ControlsRow]) -> list[Controls]:
    """Return the controls that rows tell of."""
    return [Controls(*map(_curve, row)) for row in rows]


def _row(curve: Curve) -> CurveRow:
    return list(zip(curve.times_s, curve.values, strict=True))


def _curve(row: CurveRow) -> Curve:
    # Nothing said is nothing turned.
    return Curve(tuple(time_s for time_s, _ in row), tuple(value for _, value in row)) if row else Curve()


# conductor -> player.


@dataclass(frozen=True, slots=True)
class Load(Message):
    """Keep a piece in memory under a number.

    Number 0 is the bed: it loops, softly, whenever nothing else is playing.

    Attributes:
        number: chosen by the conductor, 1 and up, never used twice in a show.
        gain_db: how much louder than the programme it is to be.
        room: in which it is played: `small`, `hall`, or `dry`.
        bank: path of the SoundFont that plays it, or `synth`.
        score: by which players make music of its notes; None: exactly as written.
        controls: what is turned while the notes of each part sound.
        style: of the piece, for the patches that play it.
        variants: instrument to variant, before what the style says.
    """

    number: int
    notes: list[NoteRow]
    duration_s: float
    gain_db: float = 0.0
    room: str = "hall"
    bank: str = "synth"
    score: ScoreRow | None = None
    controls: list[ControlsRow] = field(default_factory=list)
    style: str = ""
    variants: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Banks(Message):
    """Begin to load the SoundFonts at these paths, so that they are there when a piece asks for them."""

    paths: list[str]


@dataclass(frozen=True, slots=True)
class Follow(Message):
    """Replace the queue: the pieces that start by themselves, in this order.

    Each starts when the one before has ended. An empty list: after the end comes the bed.

    Attributes:
        numbers: loaded pieces.
        gap_s: pause after the end of a piece; negative starts early (a hang).
        cuts: for each piece, second of the one before it at which that is cut and this begins in its
            place; None, past, or missing: after the gap.
    """

    numbers: list[int]
    gap_s: float = 1.0
    cuts: list[float | None] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Go(Message):
    """Start a loaded piece now, `from_s` seconds into it; what is playing fades out under it."""

    number: int
    fade_s: float = 0.5
    from_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Fade(Message):
    """Fade out what is playing; the next in the queue follows, else the bed."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Revise(Message):
    """Replace the notes of a loaded piece from a time on, whether it plays or not; answered by Replaced.

    What sounds across that time and is not among the new notes is let go there. The piece ends with
    its new duration, and what is queued after it moves along.

    Attributes:
        from_s: seconds since the piece began.
        notes: from that time on; earlier ones tell which of those that sound there are to go on.
        duration_s: of the whole piece.
        score: as of Load, of the whole piece; None: as it was.
    """

    number: int
    from_s: float
    notes: list[NoteRow]
    duration_s: float
    score: ScoreRow | None = None


@dataclass(frozen=True, slots=True)
class Drop(Message):
    """Forget loaded pieces."""

    numbers: list[int]


# player -> conductor.


@dataclass(frozen=True, slots=True)
class Started(Message):
    """A piece begins at this sample of the programme (number 0: the bed)."""

    number: int
    sample: int


@dataclass(frozen=True, slots=True)
class Ended(Message):
    """A piece has ended (or faded) at this sample of the programme."""

    number: int
    sample: int


@dataclass(frozen=True, slots=True)
class Replaced(Message):
    """The notes of a piece are replaced.

    Attributes:
        from_s: from when on; later than asked for where that was past.
        sample: of the programme at which that is; -1 while the piece does not play.
        late: whether it was past.
    """

    number: int
    from_s: float
    sample: int
    late: bool


@dataclass(frozen=True, slots=True)
class Levels(Message):
    """What is sounding now, ten times a second.

    Attributes:
        sample: samples of the programme written so far.
        number: the piece that is playing (0: the bed).
        position_s: seconds since it began.
        momentary_lufs, integrated_lufs: EBU R128; -inf is sent as -120.
        peak_dbtp: true peak since the last message.
        voices: sounding voices.
        late: blocks that were written after their moment, since the player began.
    """

    sample: int
    number: int
    position_s: float
    momentary_lufs: float
    integrated_lufs: float
    peak_dbtp: float
    voices: int
    late: int = 0
