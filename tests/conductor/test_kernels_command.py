"""`conductor kernels` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conductor.cli import main
from kernels.dispatch import HAS_TRITON
from tests.conductor.refusals import Printed

ASKED = ["kernels", "--module", "tests.kernels.proof.specimens", "--processes", "1"]
needs_triton = pytest.mark.skipif(not HAS_TRITON, reason="Triton is not installed")


@needs_triton
def test_a_table_and_0_when_all_is_well(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*ASKED, "--only", "sound", "--target", "sm_90", "--target", "gfx942"]) == 0
    out = capfd.readouterr().out
    rows = {line.split()[0]: line for line in out.splitlines() if line.startswith("  ") and line.split()[0] != "device"}
    assert set(rows) == {"sm_90", "gfx942"}
    assert "wgmma" in rows["sm_90"]
    assert "mfma" in rows["gfx942"]
    assert "2 of 2 proved\n" in out
    # The process that compiles interprets nothing, though this one does.
    assert "interpreter" not in out.splitlines()[-1]


@needs_triton
def test_a_problem_is_1_as_a_table_and_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    words = [*ASKED, "--only", "no matrix", "--target", "sm_80"]
    assert main(words) == 1
    assert "\n  !! uses no matrix instructions (mma)\n" in capfd.readouterr().out
    assert main([*words, "--json"]) == 1
    said = json.loads(capfd.readouterr().out)
    assert said["proved"] is False
    assert [row["problems"] for row in said["kernels"]] == [["uses no matrix instructions (mma)"]]


def test_names_alone_compile_nothing_and_say_which_path_this_machine_takes(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*ASKED, "--list"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[:4] == ["sound", "spilling", "greedy", "no matrix"]
    assert "GPU" in lines[-1] or "Triton" in lines[-1]


def test_what_cannot_be_asked_for_is_one_line_and_2(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["kernels", "--target", "sm_70"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err == "conductor: --target sm_70: there are sm_80, sm_90, sm_100, gfx942, sm_89, sm_120\n"


def test_a_folder_with_the_same_name_is_not_mistaken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "__init__.py").write_text("raise RuntimeError('another project')\n")
    monkeypatch.chdir(tmp_path)
    assert main([*ASKED, "--list"]) == 0
    assert "another project" not in capfd.readouterr().err


def test_help_teaches_the_exit_status(capsys: Printed) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["kernels", "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    for word in ("exit status", "sm_100 (B200)", "!!", "conductor kernels --target sm_90 --only attention"):
        assert word in out
