"""Disks fill up and turn read only under everybody who writes: the music goes on, and is kept again afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.disk import Disk, can_mount, disk
from tests.faults.house import House

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not can_mount(), reason="only root may mount a small disk"),
]

NO_GAP = 1


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Disk, Disk]]:
    """A show whose folder and whose recording are on small disks of their own."""
    folder = tmp_path_factory.mktemp("d")
    with (
        disk(folder / "data") as data,
        disk(folder / "rec", 400.0) as rec,
        House(folder, "--record", str(rec.folder / "show.mp4"), data=data.folder / "show") as house,
    ):
        yield house, data, rec


def test_the_disk_of_pieces_database_and_log_is_full(disks: tuple[House, Disk, Disk]) -> None:
    house, data, _ = disks
    row, _ = house.suffer(
        "disk full: pieces, database, log", data.fill, hears="pieces of the library, or the bed",
        says=r"(?i)no space|disk is full|disk full", healed=lambda _: True,
    )  # fmt: skip
    assert row.gap is not None
    assert row.gap <= NO_GAP
    row, _ = house.suffer(
        "the disk has room again", data.empty, hears="pieces as before", says=r"ready  ",
        healed=lambda mark: house.says(r"live  ", mark), patience_s=90.0,
    )  # fmt: skip
    assert row.gap is not None
    assert row.gap <= NO_GAP
    assert house.as_run()[-1][0] in ("live", "ready", "armed", "aired", "composing", "planned"), "it is written again"


def test_the_disk_is_read_only(disks: tuple[House, Disk, Disk]) -> None:
    house, data, _ = disks
    row, _ = house.suffer(
        "disk read-only: pieces, database, log", lambda: data.freeze(on=True),
        hears="pieces of the library, or the bed",
        says=r"(?i)read-only|readonly", healed=lambda _: True, patience_s=90.0,
    )  # fmt: skip
    data.freeze(on=False)
    assert row.gap is not None
    assert row.gap <= NO_GAP


def test_the_disk_of_the_recording_is_full(disks: tuple[House, Disk, Disk]) -> None:
    house, _, rec = disks
    row, _ = house.suffer(
        "disk full: recording", rec.fill, hears="all plays on; the recording ends",
        says=r"(?i)record.*(no space|full)|(no space|full).*record", healed=lambda _: True,
    )  # fmt: skip
    rec.empty()
    assert row.gap is not None
    assert row.gap <= NO_GAP
    assert _size(rec.folder) > 0, "what was recorded stays"


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
