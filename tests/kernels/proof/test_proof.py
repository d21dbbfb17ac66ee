"""The proof without a GPU, in its parts: what is read back, how it is judged, bounded and told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kernels.dispatch import HAS_TRITON
from kernels.proof.build import Build, Work
from kernels.proof.compile import NOT_COMPILED, Resources, compiled, read_amdgcn, read_ptxas, signature
from kernels.proof.prove import Proof, judged, prove
from kernels.proof.report import as_dict, table
from kernels.proof.roofline import bound
from kernels.proof.targets import TARGETS
from kernels.registry import builds, modules
from tests.kernels.proof.specimens import BUILDS, SOUND

SPECIMENS = "tests.kernels.proof.specimens"
needs_triton = pytest.mark.skipif(not HAS_TRITON, reason="Triton is not installed")


class TestReadingBack:
    LOG = """\
ptxas info    : Compiling entry function 'product' for 'sm_90a'
ptxas info    : Function properties for product
    16 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 62 registers, used 1 barriers
ptxas info    : Function properties for slow_path
    40 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
"""

    def test_ptxas_tells_of_the_kernel_and_of_the_functions_it_calls(self) -> None:
        ptx = (
            "wgmma.mma_async.sync.aligned\n ld.global.v4.b32 {}\n ld.global.L1::evict_last.v4.b32\n ld.global.v2.b32\n"
        )
        found = read_ptxas(self.LOG, ptx + "cp.async.cg.shared.global\ncp.async.commit_group\n", 1024, TARGETS["sm_90"])
        assert found == Resources(62, 12, 56, 1024, {"wgmma": 1}, copies=1, wide=2)

    def test_a_silent_ptxas_is_no_proof(self) -> None:
        with pytest.raises(ValueError, match="did not say"):
            read_ptxas("", "", 0, TARGETS["sm_80"])

    def test_the_assembly_for_amd_tells_in_its_metadata(self) -> None:
        text = (
            "  v_mfma_f32_32x32x8_bf16 a[0:15]\n global_load_dwordx4 v[0:3]\n global_load_dword v1\n"
            "    .group_segment_fixed_size: 512\n    .private_segment_fixed_size: 24\n"
            "    .vgpr_count:     104\n    .vgpr_spill_count: 5\n"
        )
        assert read_amdgcn(text, 0, TARGETS["gfx942"]) == Resources(104, 20, 24, 512, {"mfma": 1}, copies=0, wide=1)

    def test_an_assembly_without_metadata_is_no_proof(self) -> None:
        with pytest.raises(ValueError, match="vgpr_count"):
            read_amdgcn("v_mfma", 0, TARGETS["gfx942"])

    def test_interpreted_kernels_are_not_compiled(self) -> None:
        if not HAS_TRITON:
            pytest.skip("Triton is not installed")
        with pytest.raises(RuntimeError, match="TRITON_INTERPRET"):
            compiled(SOUND, TARGETS["sm_80"])
        (proof,) = prove([("sound", "sm_80")], [SPECIMENS])
        assert proof.problems == (f"does not compile: RuntimeError: {NOT_COMPILED}",)
        assert proof.resources is None


@needs_triton
class TestBuilds:
    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            (replace(SOUND, types={"a": "*bf16", "b": "*bf16", "c": "*bf16"}), "says nothing of K"),
            (replace(SOUND, constants={"BLOCK": 32}), "says twice BLOCK"),
            (replace(SOUND, constants={"WIDTH": 32}), "names what is no argument, WIDTH"),
            (replace(SOUND, divisible=("M",)), "names what is no argument, M"),
        ],
    )
    def test_a_build_that_does_not_fit_its_kernel_is_refused(self, wrong: Build, said: str) -> None:
        with pytest.raises(ValueError, match=f"the build 'sound' {said}"):
            signature(wrong, TARGETS["sm_80"])

    def test_types_and_constants_come_in_the_order_of_the_arguments(self) -> None:
        types, constants = signature(SOUND, TARGETS["sm_80"])
        assert list(types) == ["a", "b", "c", "K", "BLOCK", "STEP"]
        assert types["STEP"] == "constexpr"
        assert constants == {"BLOCK": 64, "STEP": 64}

    def test_all_modules_are_looked_into(self) -> None:
        assert {"kernels.attention.tuning", "kernels.decoding.sampling"} <= set(modules())
        assert list(builds([SPECIMENS])) == [build.name for build in BUILDS]

    def test_two_builds_of_one_name_are_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "twin_specimens.py").write_text(
            "from dataclasses import replace\n"
            "from tests.kernels.proof.specimens import SOUND\n"
            "BUILDS = (replace(SOUND, size='other'),)\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        assert list(builds(["twin_specimens"])) == ["sound"]
        assert list(builds([SPECIMENS, SPECIMENS])) == [build.name for build in BUILDS]
        with pytest.raises(ValueError, match="two builds are called 'sound'"):
            builds([SPECIMENS, "twin_specimens"])


class TestRoofline:
    def test_few_operations_a_byte_are_bound_by_the_memory(self) -> None:
        # 2.039 GB at 2,039 GB/s.
        found = bound(Work(2_039_000_000, 1_000_000_000), TARGETS["sm_80"])
        assert found.binds == "memory"
        assert found.seconds == pytest.approx(1e-3)
        assert found.share(2e-3) == pytest.approx(0.5)

    def test_many_are_bound_by_the_matrix_units(self) -> None:
        found = bound(Work(1_000, 989_400_000_000), TARGETS["sm_90"])
        assert found.binds == "matrix"
        assert found.seconds == pytest.approx(1e-3)
        assert found.intensity == pytest.approx(989_400_000)

    @pytest.mark.parametrize("name", TARGETS)
    def test_the_sides_meet_at_the_ridge(self, name: str) -> None:
        target = TARGETS[name]
        below, above = (bound(Work(10**9, int(target.ridge * 10**9 * by)), target) for by in (0.99, 1.01))
        assert (below.binds, above.binds) == ("memory", "matrix")
        assert below.seconds == pytest.approx(above.seconds, rel=0.02)

    @pytest.mark.parametrize("work", [Work(0, 1), Work(-1, 0), Work(1, -1)])
    def test_no_work_is_refused(self, work: Work) -> None:
        with pytest.raises(ValueError, match="work must move bytes"):
            bound(work, TARGETS["sm_80"])

    @pytest.mark.parametrize("build", builds().values(), ids=lambda build: build.name)
    def test_our_kernels_say_what_work_they_do(self, build: Build) -> None:
        found = bound(build.work, TARGETS["sm_90"])
        # Above a second or below a nanosecond somebody counted wrong.
        assert 1e-9 < found.seconds < 1
        assert build.matrix <= (build.work.flops > 0)


@needs_triton
class TestReport:
    def proofs(self) -> list[Proof]:
        target = TARGETS["sm_80"]
        fine, bad = Resources(94, 0, 0, 16384, {"mma": 32}, 16, 0), Resources(255, 40, 48, 200_000)
        best = bound(SOUND.work, target)
        return [
            Proof(SOUND, target, taken, best, judged(SOUND, target, taken) if taken else ("does not compile: why",))
            for taken in (fine, bad, None)
        ]

    def test_a_problem_is_marked_in_the_line_below(self) -> None:
        lines = table(self.proofs()).splitlines()
        assert [line.split()[1:5] for line in lines if line.startswith("  sm_80")] == [
            ["A100", "64x64", "w4", "s2"]
        ] * 3
        assert "16.0 of 163 kB" in next(line for line in lines if line.startswith("  sm_80"))
        marked = [line.split()[1] for line in lines if line.startswith("  !! ")]
        assert marked == ["spills", "takes", "uses", "does"]
        assert lines[-1] == "1 of 3 proved, 2 with problems (!!)"

    def test_as_data_it_says_the_same(self) -> None:
        said = as_dict(self.proofs())
        assert json.loads(json.dumps(said)) == said
        assert said["proved"] is False
        assert as_dict(self.proofs()[:1])["proved"] is True
        first, _, last = said["kernels"]
        assert first["bound_us"] == pytest.approx(1e6 * SOUND.work.bytes / 2.039e12, rel=1e-2)
        assert first["bound_by"] == "memory"
        assert "registers" not in last
