"""The proof without a GPU, from kernel to machine code: every fault that it looks for is found, and ours have none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kernels.dispatch import HAS_TRITON
from kernels.proof.targets import PROVED
from kernels.registry import builds

ROOT = Path(__file__).resolve().parents[3]
SPECIMENS = "tests.kernels.proof.specimens"
OPERATIONS = ("attention", "decode", "norm", "embedding", "cross", "sampl")
needs_triton = pytest.mark.skipif(not HAS_TRITON, reason="Triton is not installed")
Done = subprocess.CompletedProcess[str]


def child(*words: str, path: Path | None = None, cache: Path | None = None) -> Done:
    """Run the proof in a process that does not interpret kernels.

    With `--processes 1` nothing else is started, which takes a few seconds less.

    Args:
        words: of its command line.
        path: of modules of the test's own.
        cache: where compiled kernels are kept; Triton's own place by default.
    """
    env = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    env["PYTHONPATH"] = os.pathsep.join(str(p) for p in (path, ROOT) if p)
    if cache is not None:
        env["TRITON_CACHE_DIR"] = str(cache)
    command = [sys.executable, "-m", "kernels.proof", *words]
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)


def rows_of(done: Done) -> dict[tuple[str, str], dict[str, Any]]:
    assert done.stdout, done.stderr
    return {(row["kernel"], row["target"]): row for row in json.loads(done.stdout)["kernels"]}


@pytest.fixture(scope="module", name="cache")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Empty before: everything is compiled here."""
    return tmp_path_factory.mktemp("triton")


@pytest.fixture(scope="module", name="sound")
def _sound(cache: Path) -> Done:
    return child("--module", SPECIMENS, "--only", "sound", "--json", "--processes", "1", cache=cache)


@pytest.fixture(scope="module", name="faulty")
def _faulty(cache: Path) -> Done:
    words = ("--module", SPECIMENS, "--target", "sm_80", "--target", "gfx942", "--json", "--processes", "2")
    return child(*words, cache=cache)


@needs_triton
class TestSpecimens:
    def test_a_sound_kernel_is_proved_on_every_target(self, sound: Done) -> None:
        assert sound.returncode == 0
        rows = rows_of(sound)
        assert set(rows) == {("sound", name) for name in PROVED}
        for (_, name), row in rows.items():
            assert row["problems"] == []
            assert row["spilled_bytes"] == 0
            assert 16 < row["registers"] <= (512 if name == "gfx942" else 255)
            # Two blocks of 64 x 64 numbers of 2 bytes, one stage at the least.
            assert 2 * 64 * 64 * 2 <= row["shared_bytes"] <= row["shared_limit_bytes"]

    def test_each_target_multiplies_with_its_own_instructions(self, sound: Done) -> None:
        used = {target: set(row["matrix"]) for (_, target), row in rows_of(sound).items()}
        assert used == {"sm_80": {"mma"}, "sm_90": {"wgmma"}, "sm_100": {"tcgen05"}, "gfx942": {"mfma"}}

    def test_data_comes_in_while_it_multiplies_or_in_wide_loads(self, sound: Done) -> None:
        rows = rows_of(sound)
        assert all(rows["sound", name]["async_copies"] for name in PROVED if name.startswith("sm_"))
        assert rows["sound", "gfx942"]["wide_loads"]

    def test_a_second_run_reads_what_the_first_one_found(self, sound: Done, cache: Path) -> None:
        before = {path: path.stat().st_mtime_ns for path in cache.rglob("*") if path.is_file()}
        assert any(path.name == "ptxas.log" for path in before)
        again = child("--module", SPECIMENS, "--only", "sound", "--json", "--processes", "1", cache=cache)
        assert again.stdout == sound.stdout
        assert {path: path.stat().st_mtime_ns for path in cache.rglob("*") if path.is_file()} == before

    def test_what_was_compiled_by_others_is_compiled_again_to_listen(self, tmp_path: Path) -> None:
        words = ("--module", SPECIMENS, "--only", "sound", "--target", "sm_80", "--json", "--processes", "1")
        first = child(*words, cache=tmp_path)
        logs = list(tmp_path.rglob("ptxas.log"))
        assert len(logs) == 1
        logs[0].unlink()
        assert child(*words, cache=tmp_path).stdout == first.stdout
        assert logs[0].exists()

    def test_spills_are_found(self, faulty: Done) -> None:
        assert faulty.returncode == 1
        for target in ("sm_80", "gfx942"):
            row = rows_of(faulty)["spilling", target]
            assert row["spilled_bytes"] > 100
            assert [p for p in row["problems"] if p.startswith(f"spills {row['spilled_bytes']} bytes")]

    def test_too_much_shared_memory_is_found(self, faulty: Done) -> None:
        row = rows_of(faulty)["greedy", "sm_80"]
        assert row["shared_bytes"] > row["shared_limit_bytes"] == 166_912
        (problem,) = row["problems"]
        assert problem.startswith(f"takes {row['shared_bytes']:,} bytes of shared memory and there are 166,912: ")

    def test_missing_matrix_instructions_are_found(self, faulty: Done) -> None:
        rows = rows_of(faulty)
        assert rows["no matrix", "sm_80"]["problems"] == ["uses no matrix instructions (mma)"]
        assert rows["no matrix", "gfx942"]["problems"] == ["uses no matrix instructions (mfma)"]

    def test_what_does_not_compile_is_a_problem_of_that_kernel_alone(self, tmp_path: Path, cache: Path) -> None:
        (tmp_path / "odd.py").write_text(
            "import os\n"
            "from dataclasses import replace\n"
            "from tests.kernels.proof.specimens import SOUND\n"
            "class Deadly:\n"
            "    @property\n"
            "    def arg_names(self): os._exit(1)\n"
            "BUILDS = (replace(SOUND, name='untyped', types={}), replace(SOUND, name='deadly', kernel=Deadly()),\n"
            "          replace(SOUND, name='scalar', types={**SOUND.types, 'a': 'i32'}), SOUND)\n"
        )
        words = ("--module", "odd", "--target", "sm_80", "--json", "--processes", "2")
        done = child(*words, path=tmp_path, cache=cache)
        assert done.returncode == 1
        said = {row["kernel"]: row["problems"] for row in json.loads(done.stdout)["kernels"]}
        assert said["untyped"] == ["does not compile: ValueError: the build 'untyped' says nothing of a, b, c, K"]
        assert said["deadly"] == ["does not compile: the compiler ended its process"]
        assert said["scalar"][0].startswith("does not compile: CompilationError")
        assert said["sound"] == []


@needs_triton
class TestOurKernels:
    def test_every_operation_lists_its_kernels(self) -> None:
        names = list(builds())
        for operation in OPERATIONS:
            assert [name for name in names if name.startswith(operation)], operation

    @pytest.mark.parametrize("target", PROVED)
    def test_some_of_them_are_proved(self, target: str) -> None:
        # Others on each target, from all the modules: what is compiled here takes seconds, not minutes.
        names = list(builds())
        some = names[PROVED.index(target) :: max(len(names) // 3, len(PROVED))]
        assert some
        done = child(
            "--target", target, "--json", "--processes", "1", *(word for name in some for word in ("--only", name))
        )
        assert {name for name, _ in rows_of(done)} >= set(some)
        assert {pair: row["problems"] for pair, row in rows_of(done).items() if row["problems"]} == {}
        assert done.returncode == 0

    @pytest.mark.slow
    @pytest.mark.timeout(1800)
    def test_all_of_them_are_proved_on_every_target(self) -> None:
        done = child("--json")
        assert set(rows_of(done)) == {(name, target) for name in builds() for target in PROVED}
        assert {pair: row["problems"] for pair, row in rows_of(done).items() if row["problems"]} == {}
        assert done.returncode == 0


class TestRefusals:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("--target", "sm_70"), "--target sm_70: there are sm_80, sm_90, sm_100, gfx942, sm_89, sm_120"),
            (("--module", SPECIMENS, "--only", "nothing"), "there are sound; spilling; greedy; no matrix"),
            (("--module", "no.such.module"), "--module: No module named 'no'"),
            (("--module", "kernels.dispatch"), "no kernels to build in kernels.dispatch"),
            (("--processes", "0"), "--processes 0: it needs 1 at least"),
        ],
    )
    def test_what_cannot_be_asked_for_is_one_line_and_2(self, words: tuple[str, ...], said: str) -> None:
        done = child(*words)
        assert done.returncode == 2
        assert said in done.stderr
        assert done.stderr.startswith("conductor: ")
        assert done.stderr.count("\n") == 1
        assert done.stdout == ""

    def test_without_triton_there_is_a_clear_line(self, tmp_path: Path) -> None:
        (tmp_path / "triton.py").write_text("raise ImportError('not here')\n")
        done = child("--module", SPECIMENS, path=tmp_path)
        assert done.returncode == 2
        assert "Triton is not installed" in done.stderr
        assert "pip install 'conductor-live[gpu]'" in done.stderr
        assert done.stderr.count("\n") == 1
