"""`conductor doctor` says what is there, what is missing, and what to do; nothing it looks at can break it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest

from conductor.cli import main
from conductor.commands import doctor
from conductor.doctor import program, surroundings
from conductor.doctor.finding import Check, Finding, ProbeError, examine, probe
from streaming.errors import SynthError
from streaming.soundfonts import fluid
from tests.streaming.soundfonts.making import write_soundfont

Printed = pytest.CaptureFixture[str]
NOWHERE = "ws://127.0.0.1:9"


def states(check: Check) -> dict[str, str]:
    return {finding.name: finding.state for finding in check()}


def only(check: Check) -> Finding:
    (finding,) = check()
    return finding


def test_on_a_machine_that_was_set_up_nothing_needed_is_missing(printed: Printed) -> None:
    assert main(["doctor", "--json", "--obs", NOWHERE]) == 0
    told = json.loads(printed.readouterr().out)
    assert told["ready"] is True
    found = {finding["name"]: finding for finding in told["findings"]}
    for name in ("python", "torch", "checkpoint", "pyo", "codecs", "disk"):
        assert found[name]["state"] == "good", found[name]
    assert found["OBS"]["state"] == "note"
    assert all(finding["text"] for finding in told["findings"])
    # Whatever can be put right says how.
    assert all(f["advice"] for f in told["findings"] if f["state"] == "missing")


@pytest.fixture
def printed(capsys: Printed) -> Printed:
    return capsys


def test_something_missing_is_told_with_what_to_do_and_by_the_exit_status(
    printed: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        Finding("pyo", "missing", "does not start", "make setup"),
        Finding("OBS", "note", "no OBS", "start OBS"),
        Finding("disk", "good", "9 GB"),
    ]
    monkeypatch.setattr(doctor, "checks", lambda _: [("all", lambda: found)])
    assert main(["doctor"]) == 1
    lines = printed.readouterr().out.splitlines()
    assert lines[0].split() == ["MISSING", "pyo", "does", "not", "start"]
    assert lines[1].split(maxsplit=1) == ["->", "make setup"]
    assert lines[4].split() == ["ok", "disk", "9", "GB"]
    assert lines[-1] == "not ready: pyo missing"
    assert main(["doctor", "--json"]) == 1
    assert json.loads(printed.readouterr().out)["ready"] is False


def test_a_check_that_breaks_is_a_note_and_the_others_go_on() -> None:
    def breaks() -> list[Finding]:
        raise OSError("no\nway")

    found = examine([("clock", breaks), ("disk", lambda: [Finding("disk", "good", "much")])])
    assert [(f.name, f.state) for f in found] == [("clock", "note"), ("disk", "good")]
    assert found[0].text == "could not be looked at: OSError: no way"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import os; os.kill(os.getpid(), 4)", "killed by signal 4"),
        ("import nothing_of_the_kind", "No module named 'nothing_of_the_kind'"),
        ("raise SystemExit(3)", "exit status 3"),
        ("print('not JSON')", "exit status 0"),
    ],
)
def test_what_dies_of_being_tried_takes_nobody_along(code: str, says: str) -> None:
    with pytest.raises(ProbeError, match=says):
        probe(code)


def test_a_library_that_does_not_start_is_missing_and_one_that_others_stand_in_for_a_note(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(_: str) -> dict[str, object]:
        raise ProbeError("killed by signal 4")

    monkeypatch.setattr(program, "probe", fails)
    for check in (program.torch, program.pyo):
        finding = only(check)
        assert (finding.state, bool(finding.advice)) == ("missing", True)
        assert finding.text == "does not start: killed by signal 4"
    assert only(program.decoder).state == "note"
    assert states(program.models) == {"checkpoint": "missing", "critic": "note", "index": "note"}


def test_another_python_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "version_info", (3, 10, 4))
        finding = only(program.python)
    assert (finding.state, finding.text) == ("missing", "3.10.4; it needs 3.11 or 3.12")
    assert finding.advice == "make setup PYTHON=python3.11"


def test_codecs_that_cannot_be_written_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(program.codecs).state == "good"
    monkeypatch.setitem(program._CODECS, "no_such_codec", "smoke signals")
    assert only(program.codecs).state == "missing"
    assert "no_such_codec (smoke signals)" in only(program.codecs).text


def test_soundfonts_are_found_and_read_and_packages_named_where_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "_FONT_FOLDERS", (str(tmp_path), str(tmp_path / "none")))
    nothing = [f for f in surroundings.soundfonts() if f.name == "SoundFont"]
    assert [f.state for f in nothing] == ["note"]
    for package in ("fluidr3mono-gm-soundfont", "musescore-general-soundfont-small"):
        assert f"apt-get install {package}" in nothing[0].advice
    write_soundfont(tmp_path / "FluidR3Mono_GM.sf3")
    (tmp_path / "again.sf3").symlink_to(tmp_path / "FluidR3Mono_GM.sf3")
    (tmp_path / "broken.sf2").write_bytes(b"RIFF")
    found = [f for f in surroundings.soundfonts() if f.name == "SoundFont"]
    assert sorted(f.state for f in found) == ["good", "note"]
    assert any("13 of our instruments" in f.text for f in found)
    assert any("broken.sf2: this is no SoundFont" in f.text for f in found)


def test_without_fluidsynth_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise SynthError("SoundFonts are played with FluidSynth, which is not installed; apt-get install it")

    monkeypatch.setattr(fluid, "library", missing)
    finding = next(f for f in surroundings.soundfonts() if f.name == "FluidSynth")
    assert (finding.state, finding.advice) == ("note", "apt-get install libfluidsynth3")
    assert finding.text == "SoundFonts are played with FluidSynth, which is not installed"


def test_a_full_disk_is_missing_and_a_small_one_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = namedtuple("stat", ["f_bavail", "f_frsize"])
    for free_mb, state in ((100, "missing"), (1000, "note"), (90_000, "good")):
        monkeypatch.setattr(os, "statvfs", lambda _, free_mb=free_mb: stat(free_mb * 1000, 1000))
        assert only(lambda: surroundings.disk(tmp_path)).state == state


def test_a_clock_that_was_never_set_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "_synchronised", lambda: True)
    assert only(surroundings.clock).state == "good"
    monkeypatch.setattr(time, "time", lambda: 3600.0)
    assert only(surroundings.clock).state == "note"


def test_obs_that_is_not_there_is_a_note() -> None:
    finding = only(lambda: surroundings.obs(NOWHERE, ""))
    assert finding.state == "note"
    assert "start OBS" in finding.advice
