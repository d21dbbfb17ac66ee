"""The bench of the GPU, as far as it goes without one: its cases are right, wrongness stops it, its table is read."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from kernels.attention.patterns import CAUSAL, Pattern
from kernels.dispatch import INTERPRETED
from kernels.proof.build import Work
from kernels.proof.targets import TARGETS
from tests.bench import bench_gpu
from tests.bench.gpu import attention
from tests.bench.gpu.case import Case, faults, results, run

torch.set_num_threads(1)
CPU, EXACTLY = torch.device("cpu"), torch.float32
SMALL = [case for suite in bench_gpu.SUITES for case in suite.small()]
MEDIUM = [case for suite in bench_gpu.SUITES for case in suite.medium()]
FULL = [case for suite in bench_gpu.SUITES for case in suite.full()]
by_name = functools.partial(pytest.mark.parametrize, "case", ids=lambda case: case.name)


@by_name(SMALL)
def test_the_public_function_and_the_kernel_in_the_interpreter_are_right(case: Case) -> None:
    assert faults(case, case.ours, CPU, EXACTLY) == []
    if not INTERPRETED:
        pytest.skip("Triton is not installed")
    assert faults(case, case.kernel, CPU, EXACTLY) == []


@by_name(MEDIUM)
def test_what_is_checked_on_a_gpu_alone_is_right_on_the_cpu(case: Case) -> None:
    # Too much for the interpreter; the case itself is tried here.
    assert faults(case, case.ours, CPU, EXACTLY) == []
    assert faults(case, case.ours, CPU, torch.bfloat16) == []


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@by_name([case for case in SMALL if not case.same])
def test_peers_compute_the_same(case: Case) -> None:
    # FlexAttention has no backward on the CPU; what is compiled is the eager one.
    forward = replace(case, gradients=())
    peers = {name: peer for name, peer in case.peers.items() if name != "compiled"}
    assert peers
    for name, peer in peers.items():
        assert faults(forward, peer, CPU, EXACTLY) == [], name


@by_name([case for case in FULL if case.gradients][:2])
def test_a_wrong_result_or_gradient_is_found(case: Case) -> None:
    small = next(small for small in SMALL if small.name.split(",")[0] == case.name.split(",")[0])

    def half_the_gradient(*inputs: Tensor) -> Any:
        out = small.exact(*inputs)
        return (
            tuple(0.5 * x + 0.5 * x.detach() for x in out) if isinstance(out, tuple) else 0.5 * out + 0.5 * out.detach()
        )

    def shifted(*inputs: Tensor) -> Any:
        out = small.exact(*inputs)
        return tuple(x.roll(1, 0) for x in out) if isinstance(out, tuple) else out + 0.01

    def without_an_end(*inputs: Tensor) -> Any:
        out = small.exact(*inputs)
        return tuple(x[:1] for x in out) if isinstance(out, tuple) else out[..., :1]

    def poisoned(*inputs: Tensor) -> Any:
        out = small.exact(*inputs)
        return tuple(x / 0 for x in out) if isinstance(out, tuple) else out / 0

    assert faults(small, small.exact, CPU, EXACTLY) == []
    assert all("gradient" in line for line in faults(small, half_the_gradient, CPU, EXACTLY))
    assert "result 0: error" in faults(small, shifted, CPU, EXACTLY)[0]
    assert "result 0: shape" in faults(replace(small, gradients=()), without_an_end, CPU, EXACTLY)[0]
    assert "are not finite" in faults(small, poisoned, CPU, EXACTLY)[0]


def test_an_operation_that_raises_is_red_and_the_others_are_still_told() -> None:
    def broken(*_: Tensor) -> Tensor:
        raise RuntimeError("out of registers\nand more")

    case = SMALL[0]
    lines = bench_gpu.red([replace(case, kernel=broken), replace(case, name="fine", kernel=case.ours)], CPU, [EXACTLY])
    assert lines == [f"{case.name}, torch.float32: RuntimeError: out of registers (operator)"]


def test_small_and_full_cases_are_of_the_same_operations() -> None:
    kinds = [{case.name.split(",")[0] for case in cases} for cases in (SMALL, FULL)]
    assert kinds[0] == kinds[1]
    assert len({case.name for case in FULL}) == len(FULL)
    assert all(case.work.bytes > 0 and case.peers for case in FULL)


def test_attention_counts_the_work_of_what_is_seen() -> None:
    T, D, H = 64, 32, 2
    case = next(case for case in attention.small() if "strided" in case.name)
    q, k, _ = case.inputs(CPU, EXACTLY)
    assert case.work.flops == 14 * q.shape[3] * int(attention.mask(Pattern("strided", 8), 2, 51, CPU).sum())
    assert q.shape[1] == 2 * k.shape[1]
    full = attention.work(1, H, H, T, D, CAUSAL)
    # 4 tensors forward; 5 read and 3 written backward; the log-sum-exp twice.
    assert full == Work(2 * 12 * H * T * D + 8 * H * T, 14 * D * H * T * (T + 1) // 2)


def test_the_same_inputs_come_every_time() -> None:
    for case in SMALL:
        assert all(torch.equal(a, b) for a, b in zip(*(case.inputs(CPU, EXACTLY) for _ in "ab"), strict=True))
        assert len(run(case, case.exact, case.inputs(CPU, EXACTLY))) > len(case.gradients)


class TestWithoutAGpu:
    @pytest.fixture(autouse=True)
    def _no_gpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    def test_a_line_says_so_and_that_is_no_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert bench_gpu.main([]) == 0
        assert capsys.readouterr().out == "bench_gpu: no GPU here (neither CUDA nor ROCm): nothing is measured\n"


class TestWithAGpuThatIsTold:
    """The way through the command, with the GPU's part told."""

    ROW = {  # noqa: RUF012, read only
        "case": "a case",
        "us": 100.0,
        "memory_mb": 1.5,
        "bound_us": 71.0,
        "bound_by": "memory",
        "share_of_roofline": 0.71,
        "peers": {"SDPA": {"us": 150.0, "times": 1.5}, "eager": {"failed": "OutOfMemoryError: no"}},
        "agrees": True,
    }

    @pytest.fixture(autouse=True)
    def _told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(bench_gpu, "has_kernels", lambda _: True)
        monkeypatch.setattr(bench_gpu, "path", lambda: "a GPU")
        monkeypatch.setattr(bench_gpu, "here", lambda _: TARGETS["sm_90"])

    def run(self, monkeypatch: pytest.MonkeyPatch, wrong: Sequence[str], agrees: bool = True) -> int:
        rows: list[str] = []

        def measured(case: Case, *_: object) -> dict[str, Any]:
            rows.append(case.name)
            return {**self.ROW, "case": case.name, "agrees": agrees}

        monkeypatch.setattr(bench_gpu, "red", lambda *_: list(wrong))
        monkeypatch.setattr(bench_gpu, "measured", measured)
        code = bench_gpu.main(["--only", "attention, strided"])
        assert bool(rows) != bool(wrong), "nothing is timed where something is wrong"
        return code

    @by_name(SMALL)
    def test_a_case_is_measured_beside_its_peers(self, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
        ran: list[object] = []

        def seconds(function: Callable[[], object]) -> float:
            ran.append(function())
            return 2e-3 * len(ran)

        def failing(*_: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("too much\nand more")

        monkeypatch.setattr(bench_gpu, "seconds", seconds)
        for name in ("reset_peak_memory_stats", "synchronize", "empty_cache"):
            monkeypatch.setattr(torch.cuda, name, lambda: None)
        for name in ("memory_allocated", "max_memory_allocated"):
            monkeypatch.setattr(torch.cuda, name, lambda: 0)
        told = replace(case, peers={"same": case.exact, "too large": failing})
        row = bench_gpu.measured(told, TARGETS["sm_90"], CPU)
        assert row["us"] == 2000.0
        assert row["peers"]["same"]["times"] == 2.0
        assert row["peers"]["too large"] == {"failed": "OutOfMemoryError: too much"}
        assert row.get("agrees", True)
        assert row["share_of_roofline"] == pytest.approx(row["bound_us"] / 2000, abs=1e-3)
        if not case.same:
            other = replace(case, peers={"other": lambda *x: tuple(-y for y in results(case.exact(*x)))})
            assert bench_gpu.measured(other, TARGETS["sm_90"], CPU)["agrees"] is False

    def test_nothing_is_timed_where_an_operation_is_wrong(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.run(monkeypatch, ["attention, gradient 1: error 1.0"]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert "no speed is reported\nattention, gradient 1: error 1.0\n" in err

    def test_a_table_and_a_line_of_json(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.run(monkeypatch, []) == 0
        *_, goals, last = capsys.readouterr().out.splitlines()
        assert goals == bench_gpu.GOALS
        said = json.loads(last)
        assert said["bench"] == "gpu"
        assert [case["share_of_roofline"] for case in said["cases"]] == [0.71]

    def test_what_differs_at_full_size_is_an_error(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.run(monkeypatch, [], agrees=False) == 1
        assert capsys.readouterr().out.count("!! differs from the first peer") == 1

    def test_a_peer_that_fails_or_is_missing_has_a_cell(self) -> None:
        head, first, second = bench_gpu.table([self.ROW, {**self.ROW, "peers": {}}]).splitlines()
        assert head.split()[-2:] == ["SDPA", "eager"]
        assert first.split()[-5:] == ["%", "memory", "1.50", "x", "failed"]
        assert second.split()[-3:] == ["memory", "-", "-"]
