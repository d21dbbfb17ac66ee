"""What a show came to: what was played and how well, what went wrong and for how long, who did what."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from conductor.errors import LibraryError
from conductor.library import AsRun
from conductor.observing.archive import END, Archive, Music
from conductor.observing.loudness import SILENCE_LUFS
from conductor.observing.tally import kind_of
from conductor.operating.vocabulary import VERBS

# What an operator, or somebody in their place, did.
_DEEDS = frozenset({*VERBS, "login", "logout", "setlist", "poll"})
_FAULTS = frozenset({"fault", "restart", "silence", "alarm", "off air", "failed"})
# The measures of a moment are written a little after it.
_SLACK = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Aired:
    """A piece that was on air.

    Attributes:
        at: when it began, in UTC.
        lufs: its loudness; None: it was not measured, such as one that is on air still.
        score: how it was judged when it was chosen; None: it was not.
        composing_s: how long that took; None: it was not composed for this.
        note: why it stands in, if it does.
    """

    at: str
    cue: str
    title: str
    style: str
    seconds: float | None
    score: float | None
    composing_s: float | None
    lufs: float | None
    peak_dbtp: float | None
    note: str


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened: when, in UTC, what, and how it was told."""

    at: str
    what: str
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a show came to.

    Attributes:
        began, ended: in UTC; running: whether it had not ended when this was made.
        lufs: loudness of the whole, gated mean of its minutes; None: not measured.
        gaps: how long the show was not heard, and why.
        inaudible_s: of that, in which nothing was heard; bridged_s: in which the feed's own sound was.
        ahead_least_s, ahead_median_s: music that was ready; None: not measured.
        refusals: how many pieces were refused, by the kind of fault.
    """

    title: str
    folder: str
    began: str
    ended: str
    seconds: float
    running: bool
    aired: list[Aired] = field(default_factory=list)
    composed: int = 0
    composing_median_s: float | None = None
    refusals: dict[str, int] = field(default_factory=dict)
    lufs: float | None = None
    peak_dbtp: float | None = None
    ahead_least_s: float | None = None
    ahead_median_s: float | None = None
    gaps: list[Line] = field(default_factory=list)
    inaudible_s: float = 0.0
    bridged_s: float = 0.0
    restarts: dict[str, int] = field(default_factory=dict)
    faults: list[Line] = field(default_factory=list)
    deeds: list[Line] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)

    @property
    def stand_ins(self) -> list[Aired]:
        """What was played in place of something else."""
        return [each for each in self.aired if each.note]


def report_of(folder: Path, *, whole: bool = False) -> Report:
    """Return the report of the latest show in a folder.

    Args:
        folder: of the show.
        whole: of all shows in it, as one.

    Raises:
        LibraryError: nothing was kept there.
    """
    archive = Archive(folder)
    runs = archive.runs()
    if not runs:
        raise LibraryError(f"{folder}: no show has begun there yet")
    lines = archive.as_run(runs[0][0] if whole else runs[-1][0], runs[-1][1])
    began, ended = (datetime.fromisoformat(line.wall) for line in (lines[0], lines[-1]))
    running = lines[-1].event != END
    measured = archive.measures(began - _SLACK, datetime.now(UTC) if running else ended + _SLACK)
    every = archive.composed()
    # The database keeps whole seconds.
    mine = [each for each in every if began - timedelta(seconds=1) <= each.composed_at <= ended + _SLACK]
    chosen = [each for each in mine if each.take_of is None]
    minutes = [each for each in measured if each["kind"] == "minute"]
    gaps = [each for each in measured if each["kind"] == "gap"]
    ahead = [each["ahead_s"] for each in minutes]
    peaks = [each["peak_dbtp"] for each in minutes]
    return Report(
        title=next((each["title"] for each in reversed(measured) if each["kind"] == "begin"), folder.resolve().name),
        folder=str(folder),
        began=began.isoformat(timespec="seconds"),
        ended=ended.isoformat(timespec="seconds"),
        seconds=round((ended - began).total_seconds(), 1),
        running=running,
        aired=_aired(lines, {each.id: each for each in every}, measured),
        composed=len(chosen),
        composing_median_s=round(statistics.median(each.composing_s for each in chosen), 1) if chosen else None,
        refusals=_refusals(mine),
        lufs=_mean_lufs(minutes),
        peak_dbtp=max(peaks) if peaks else None,
        ahead_least_s=min(ahead) if ahead else None,
        ahead_median_s=statistics.median(ahead) if ahead else None,
        gaps=[Line(each["time"], f"{each['seconds']:.0f} s", "; ".join(each["reasons"])) for each in gaps],
        inaudible_s=round(sum(each["silent_s"] for each in minutes), 1),
        bridged_s=round(sum(each["seconds"] for each in gaps if each.get("bridged")), 1),
        restarts=dict(Counter(line.detail.partition(":")[0] for line in lines if line.event == "restart")),
        faults=[_line(line) for line in lines if line.event in _FAULTS],
        deeds=[_line(line) for line in lines if line.event in _DEEDS and line.detail],
    )


def _line(line: AsRun) -> Line:
    text = ": ".join(filter(None, (line.title, line.detail)))
    return Line(line.wall, line.event, text)


def _aired(lines: list[AsRun], pieces: dict[int, Music], measured: list[dict[str, Any]]) -> list[Aired]:
    # A piece may be on air more than once; each time was measured when it was over.
    heard: dict[tuple[str, int | None], list[dict[str, Any]]] = {}
    for each in measured:
        if each["kind"] == "piece":
            heard.setdefault((each["cue"], each["piece"]), []).append(each)
    ready = {line.cue_id: line.detail for line in lines if line.event in ("ready", "armed") and line.detail}
    found = []
    for line in lines:
        if line.event != "live":
            continue
        piece = pieces.get(line.piece_id or 0)
        own = piece is not None and piece.title == line.title
        times = heard.get((line.cue_id, line.piece_id)) or [{}]
        measure = times.pop(0)
        found.append(
            Aired(
                at=line.wall,
                cue=line.cue_id,
                title=line.title,
                style=piece.style if piece else "",
                seconds=measure.get("seconds"),
                score=_score(piece) if piece else None,
                composing_s=round(piece.composing_s, 1) if piece and own else None,
                lufs=measure.get("lufs"),
                peak_dbtp=measure.get("peak_dbtp"),
                note=next((text for text in (line.detail, ready.get(line.cue_id, "")) if "stands in" in text), ""),
            )
        )
    return found


def _score(piece: Music) -> float | None:
    candidates, chosen = piece.provenance.get("candidates"), piece.provenance.get("chosen")
    try:
        return round(float(candidates[chosen]["score"]), 2)  # type: ignore[index]
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _refusals(pieces: list[Music]) -> dict[str, int]:
    reasons = [each.refused for each in pieces if each.refused]
    for each in pieces:
        if each.take_of is None:
            reasons += [str(reason) for reason in each.provenance.get("refusals") or ()]
    return dict(Counter(kind_of(reason) for reason in reasons).most_common())


def _mean_lufs(minutes: list[dict[str, Any]]) -> float | None:
    """Return the loudness of many minutes: the mean of their powers, without those 10 LU below it."""
    loud = [(each["lufs"], each["seconds"]) for each in minutes if each["lufs"] > SILENCE_LUFS]
    if not loud:
        return None
    gate = _power_mean(loud) - 10.0
    return round(_power_mean([each for each in loud if each[0] > gate]), 1)


def _power_mean(levels: list[tuple[float, float]]) -> float:
    """Return the mean of levels in dB, each with its weight."""
    whole = sum(weight for _, weight in levels)
    return 10 * math.log10(sum(weight * 10 ** (level / 10) for level, weight in levels) / whole)
