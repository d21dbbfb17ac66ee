"""What a show came to is told from what it kept, also when it broke off."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from conductor.cli import main
from conductor.library import Library
from conductor.observing.diary import Diary
from conductor.observing.report import Report, report_of
from conductor.observing.telling import markdown, page, short

BEGAN = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)
TITLE = "Night <of> | Bach"


def kept(folder: Path, *, ended: bool = True) -> None:
    """Keep a show of two pieces, of which one stood in, in which the player died."""
    library, diary = Library(folder), Diary(folder)

    def at(minutes: float) -> datetime:
        return BEGAN + timedelta(minutes=minutes)

    def piece(title: str, minute: float, **more: object) -> int:
        candidates = [{"score": -1.0}, {"score": 1.234}]
        provenance = {"candidates": candidates, "chosen": 1, "refusals": ["loop: repeats 2.0 s of music 9 times"]}
        return library.keep(
            cue_id="a", title=title, style="bach", midi=folder / "a.mid", duration_s=60.0, notes=9, at=at(minute),
            composing_s=40.0, provenance=provenance, **more,  # type: ignore[arg-type]
        )  # fmt: skip

    # An evening before, which is not told of.
    library.log("live", at=at(-1500), sample=0, cue_id="z", title="Yesterday", piece_id=piece("Yesterday", -1500))
    library.log("end", at=at(-1499), sample=0)
    diary.write("minute", at(-1499), lufs=-3.0, peak_dbtp=0.0, seconds=60.0, silent_s=60.0, ahead_s=0.0)

    diary.write("begin", at(0), title=TITLE)
    library.log("bed", at=at(0), sample=0)
    dawn = piece("Dawn", 1)
    piece("Dawn", 1, take_of=dawn, refused="silence: 4 s")
    library.log("live", at=at(1), sample=0, cue_id="a", title="Dawn", piece_id=dawn)
    diary.write("piece", at(2), cue="a", piece=dawn, lufs=-14.1, peak_dbtp=-1.2, seconds=60.0)
    library.log("hold", at=at(2), sample=0, detail="ann via http: hold")
    library.log("restart", at=at(3), sample=0, detail="player: killed by SIGKILL")
    diary.write("gap", at(3.1), seconds=6.0, reasons=["player: no sound is made since 6 s"])
    library.log("armed", at=at(3), sample=0, cue_id="b", title="Dusk", detail="Dawn stands in (no memory)")
    library.log("live", at=at(4), sample=0, cue_id="b", title="Dusk", piece_id=dawn)
    for minute, ahead_s in enumerate((30.0, 200.0, 400.0), start=1):
        silent_s = 6.0 if minute == 3 else 0.0
        diary.write("minute", at(minute), lufs=-14.0, peak_dbtp=-1.5 + minute / 10, seconds=60.0, silent_s=silent_s,
                    ahead_s=ahead_s)  # fmt: skip
    diary.write("minute", at(4), lufs=-40.0, peak_dbtp=-30.0, seconds=60.0, silent_s=0.0, ahead_s=400.0)
    if ended:
        library.log("end", at=at(5), sample=0)
    library.close()


def test_the_latest_show_is_told_and_nothing_of_others(tmp_path: Path) -> None:
    kept(tmp_path)
    report = report_of(tmp_path)
    assert (report.title, report.seconds, report.running) == (TITLE, 300.0, False)
    dawn, dusk = report.aired
    assert (dawn.title, dawn.style, dawn.score, dawn.lufs, dawn.composing_s) == ("Dawn", "bach", 1.23, -14.1, 40.0)
    assert (dusk.title, dusk.lufs, dusk.composing_s, dusk.note) == ("Dusk", None, None, "Dawn stands in (no memory)")
    assert report.stand_ins == [dusk]
    assert (report.composed, report.refusals) == (1, {"silence": 1, "loop": 1})
    # A minute of almost nothing does not count for the loudness.
    assert (report.lufs, report.peak_dbtp) == (-14.0, -1.2)
    assert (report.ahead_least_s, report.ahead_median_s) == (30.0, 300.0)
    assert (report.inaudible_s, [gap.what for gap in report.gaps]) == (6.0, ["6 s"])
    assert report.restarts == {"player": 1}
    assert [line.what for line in report.faults] == ["restart"]
    assert [line.text for line in report.deeds] == ["ann via http: hold"]
    assert len(report_of(tmp_path, whole=True).aired) == 3


def test_a_show_that_broke_off_or_runs_is_told_as_far_as_it_went(tmp_path: Path) -> None:
    kept(tmp_path, ended=False)
    report = report_of(tmp_path)
    assert report.running
    assert len(report.aired) == 2


class Cells(HTMLParser):
    """Reads the cells of a page, and sees that what is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_every_form_tells_the_same_and_titles_break_none(tmp_path: Path) -> None:
    kept(tmp_path)
    report = report_of(tmp_path)
    cells = Cells()
    cells.feed(page(report))
    assert cells.open == []
    for text in (TITLE, "Dawn", "-14.1 LUFS", "player: killed by SIGKILL", "ann via http: hold"):
        assert text in cells.texts
    lines = markdown(report).splitlines()
    assert lines[0] == "# Night &lt;of> \\| Bach"
    columns = {line.replace("\\|", "").count("|") for line in lines if "Dawn" in line and "1.23" in line}
    assert columns == {10}
    assert "6 s of silence in all" in short(report)
    assert len(short(report).splitlines()) <= 12


@pytest.mark.parametrize(
    ("option", "reads"),
    [
        ("--json", lambda text: json.loads(text)["title"] == TITLE),
        ("--html", lambda text: text.startswith("<!DOCTYPE html>")),
        ("--text", lambda text: text.startswith(TITLE)),
    ],
)
def test_it_is_printed_or_written_as_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, reads: Callable[[str], bool]
) -> None:
    kept(tmp_path)
    assert main(["report", str(tmp_path), option]) == 0
    printed = capsys.readouterr().out
    assert reads(printed)
    out = tmp_path / "out"
    assert main(["report", str(tmp_path), option, "--out", str(out)]) == 0
    assert out.read_text() == printed


def test_where_no_show_was_the_command_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 2
    assert "no show was kept there" in capsys.readouterr().err
    Library(tmp_path).close()
    assert main(["report", str(tmp_path)]) == 2
    assert "no show has begun there yet" in capsys.readouterr().err


def test_a_report_of_nothing_measured_has_no_figures() -> None:
    report = Report("Empty", "x", BEGAN.isoformat(), BEGAN.isoformat(), 0.0, running=False)
    assert "LUFS" not in short(report)
    assert "never" in short(report)
