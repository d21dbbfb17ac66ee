"""Files turn to rubbish while a show runs, and before one starts: a line names them, and the show plays on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.air.show import SETLIST
from tests.faults.house import House

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

RUBBISH = bytes(range(256)) * 16
NO_GAP = 1


def test_a_setlist_that_is_spoilt_is_told_with_its_place_and_the_old_one_plays_on(house: House) -> None:
    path = house.data.parent / "setlist.yaml"
    good = path.read_text()

    def harm() -> None:
        path.write_text(good.replace("duration: 14s", "duration: [14s", 1))

    row, _ = house.suffer(
        "corrupt setlist", harm, hears="the old setlist plays on", says=r"setlist\.yaml:\d+:\d+: ",
        healed=lambda mark: house.says(r"plays on as it was[\s\S]*live  ", mark),
    )  # fmt: skip
    path.write_text(good)
    assert row.gap is not None
    assert row.gap <= NO_GAP


def test_a_conductor_that_comes_back_to_a_spoilt_setlist_goes_on_by_the_old_one(house: House) -> None:
    path = house.data.parent / "setlist.yaml"
    good = path.read_text()

    def harm() -> None:
        house.signal("conductor", signal.SIGKILL)
        house.show.conductor.stop()
        path.write_text(good.replace("duration: 14s", "duration: [14s", 1))
        house.show.start()

    row, _ = house.suffer(
        "corrupt setlist, conductor SIGKILL", harm, hears="the old setlist plays on", says=r"setlist\.yaml:\d+:\d+: ",
        healed=lambda mark: house.says(r"plays on as it was[\s\S]*live  ", mark),
    )  # fmt: skip
    path.write_text(good)
    assert row.gap is not None
    assert row.gap <= NO_GAP


def test_pieces_of_the_library_that_are_spoilt_stand_in_for_nobody(house: House) -> None:
    def harm() -> None:
        for midi in sorted((house.data / "pieces").glob("*.mid"))[:-1]:
            midi.write_bytes(RUBBISH)
        house.mood("raises", 3)

    row, _ = house.suffer(
        "corrupt MIDI files in the library", harm, hears="what is armed plays on", says=r"could not be composed",
        healed=lambda mark: house.says(r"(stands in|nothing to stand in)[\s\S]*live  ", mark), patience_s=90.0,
    )  # fmt: skip
    assert row.gap is not None
    assert row.gap <= NO_GAP


def test_a_database_that_is_spoilt_does_not_keep_the_next_conductor_from_going_on(house: House) -> None:
    def harm() -> None:
        house.signal("conductor", signal.SIGKILL)
        house.show.conductor.stop()
        for path in house.data.glob("show.db*"):
            path.write_bytes(RUBBISH)
        house.show.start()

    row, _ = house.suffer(
        "corrupt state (show.db), conductor SIGKILL", harm, hears="what is queued, then the bed, then pieces",
        says=r"show\.db", healed=lambda mark: house.says(r"show\.db[\s\S]*live  ", mark), patience_s=120.0,
    )  # fmt: skip
    assert row.gap is not None
    assert row.gap <= NO_GAP


def test_a_checkpoint_that_is_spoilt_is_refused_in_a_line(folder: Path) -> None:
    (folder / "show.yaml").write_text(SETLIST)
    broken = folder / "broken.safetensors"
    broken.write_bytes(RUBBISH)
    line = [sys.executable, "-m", "conductor.cli", "run", str(folder / "show.yaml"), "--data", str(folder / "show")]
    line += ["--checkpoint", str(broken), "--obs", "", "--nut", "0", "--port", "0", "--size", "320x180"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    (said,) = done.stderr.splitlines()
    assert str(broken) in said
