"""A show that broke off goes on by its setlist as it was in force, where the file is spoilt meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor.commands.show import setlist_of
from conductor.errors import SetlistError
from conductor.operating.rereading import Rereading
from conductor.setlist import Setlist, load_setlist
from conductor.setlist.inforce import NAME, forget, in_force, keep

GOOD = "version: 1\nshow: {title: Évening}\ncues:\n  - {id: one, style: bach, duration: 30s}\n"
SPOILT = GOOD.replace("{id", "{[id")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "evening.yaml"
    path.write_text(GOOD, encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "shows" / "evening"
    folder.mkdir(parents=True)
    return folder


def test_what_is_kept_is_what_was_in_force(path: Path, folder: Path) -> None:
    setlist = load_setlist(path)
    keep(setlist, folder)
    path.write_text(SPOILT)
    with pytest.raises(SetlistError):
        load_setlist(path)
    assert in_force(path, [folder.parent / "another", folder]) == setlist
    assert setlist_of(path, folder, fresh=False) == setlist


def test_only_a_show_of_this_file_that_broke_off_goes_on_by_it(path: Path, folder: Path) -> None:
    keep(load_setlist(path), folder)
    path.write_text(SPOILT)
    with pytest.raises(SetlistError, match=r"evening\.yaml:\d+:\d+: "):
        setlist_of(path, folder, fresh=True)
    assert in_force(path.with_name("other.yaml"), [folder]) is None
    forget(folder)
    forget(folder)
    with pytest.raises(SetlistError):
        setlist_of(path, folder, fresh=False)


@pytest.mark.parametrize("rubbish", [b"", b"\xff\x00", b"[]", b'{"path": 1}', b'{"path": "%s", "text": 3}'])
def test_what_was_kept_may_be_spoilt_too(path: Path, folder: Path, rubbish: bytes) -> None:
    (folder / NAME).write_bytes(rubbish.replace(b"%s", str(path).encode()))
    assert in_force(path, [folder]) is None


def test_a_folder_that_cannot_be_written_ends_no_show(
    path: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(load_setlist(path), folder / "gone")
    assert "the setlist in force is not kept" in caplog.text
    (folder / NAME).mkdir()
    forget(folder)
    assert "the setlist in force is not forgotten" in caplog.text


async def test_a_show_that_goes_on_by_what_was_tells_the_mistakes_and_takes_the_mended_file_up(path: Path) -> None:
    setlist = load_setlist(path)
    read: list[Setlist] = []
    broken: list[str] = []
    path.write_text(SPOILT)
    rereading = Rereading(setlist, read.append, broken.append)
    await rereading.look()
    await rereading.look()
    assert len(broken) == 1
    assert "evening.yaml:4:" in broken[0]
    path.write_text(GOOD, encoding="utf-8")
    await rereading.look()
    assert read == [setlist]


async def test_a_file_that_is_gone_is_read_when_it_is_there_again(path: Path) -> None:
    setlist = load_setlist(path)
    path.unlink()
    read: list[Setlist] = []
    rereading = Rereading(setlist, read.append, lambda _: None)
    await rereading.look()
    path.write_text(GOOD, encoding="utf-8")
    await rereading.look()
    assert read == [setlist]


async def test_a_file_that_is_as_it_was_is_not_read_again(path: Path) -> None:
    read: list[Setlist] = []
    await Rereading(load_setlist(path), read.append, lambda _: None).look()
    assert not read
