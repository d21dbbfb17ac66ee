"""Building the decoder: once, for this machine, and without a word more than needed where it cannot be."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from kernels.errors import BuildError
from kernels.native import library


def test_it_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = library.build(folder=tmp_path)
    made = first.stat().st_mtime_ns
    monkeypatch.setattr("subprocess.run", None)
    assert library.build(folder=tmp_path) == first
    assert first.stat().st_mtime_ns == made
    assert list(tmp_path.iterdir()) == [first]


def test_for_another_processor_it_is_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = library.build(folder=tmp_path)
    monkeypatch.setattr(library, "_processor", lambda: "flags : another")
    assert library.build(folder=tmp_path) != first


def test_without_a_compiler_it_is_said_once_and_torch_decodes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    library.library.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            assert library.library() is None
            assert library.library() is None
    finally:
        library.library.cache_clear()
    (record,) = caplog.records
    assert "no C++ compiler (apt-get install g++); torch decodes instead" in record.getMessage()


def test_a_compiler_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "cxx"
    broken.write_text("#!/bin/sh\necho 'out of registers' >&2\nexit 1\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    with pytest.raises(BuildError, match="out of registers"):
        library.build(folder=tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_what_is_no_library_is_refused(tmp_path: Path) -> None:
    junk = tmp_path / "junk.so"
    junk.write_bytes(b"nothing")
    with pytest.raises(BuildError, match=r"junk\.so: cannot be loaded"):
        library.opened(junk)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(BuildError, match="cannot be built"):
        library.build(folder=tmp_path / "file" / "cache")
