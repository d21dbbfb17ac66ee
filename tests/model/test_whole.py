"""Files that are whole or not there."""

import os
from pathlib import Path

import pytest

from model.whole import whole, write_whole


def test_a_file_that_is_not_finished_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")

    def breaks_off() -> None:
        with whole(path) as partial:
            partial.write_bytes(b"ne")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        breaks_off()
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"old", ["file"])


@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_who_may_read_it_is_so_from_the_first_byte_on(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    write_whole(path, b"for all")
    with whole(path, mode) as partial:
        assert partial.stat().st_mode & 0o777 == mode
        partial.write_bytes(b"secret")
    assert (path.stat().st_mode & 0o777, path.read_bytes()) == (mode, b"secret")


def test_a_folder_that_is_missing_is_made_by_one_and_told_by_the_other(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "a" / "file", b"text")
    with whole(tmp_path / "a" / "file") as partial:
        partial.write_bytes(b"text")
    assert (tmp_path / "a" / "file").read_bytes() == b"text"


def test_what_is_no_file_is_written_to_as_it_is() -> None:
    write_whole(Path(os.devnull), b"text")
    assert not Path(os.devnull).is_file()
