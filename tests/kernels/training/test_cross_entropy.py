"""Linear and cross-entropy in one against logits in full in float64, gradients too, by Triton's kernels and by torch.

Shapes: M tokens, C width, V vocabulary.
"""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from kernels.dispatch import INTERPRETED
from kernels.training import cross_entropy, cross_entropy_kernels
from kernels.training.cross_entropy import linear_cross_entropy

torch.set_num_threads(1)
# (tokens, width, vocabulary): one of each, tiles that are full, tiles that end early, more chunks than one.
SHAPES = [(1, 1, 1), (5, 64, 128), (130, 70, 300), (3, 33, 517)]


@pytest.fixture(autouse=True)
def _poisoned() -> Any:
    """Memory that nobody wrote to is not a number."""
    torch.use_deterministic_algorithms(True)
    assert torch.empty(3).isnan().all()
    yield
    torch.use_deterministic_algorithms(False)


def made(shape: tuple[int, int, int], dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    M, C, V = shape
    torch.manual_seed(M + C + V)
    return {
        "x_MC": torch.randn(M, C).to(dtype).requires_grad_(),
        "table_VC": (torch.randn(V, C) * 2 * C**-0.5).to(dtype).requires_grad_(),
        "targets_M": torch.randint(V, (M,)),
        "weights_M": (torch.rand(M) < 0.7).float() * torch.rand(M),
    }


def mixed(given: dict[str, Tensor], share: float = 0.7) -> dict[str, Tensor]:
    return given | {
        "second_targets_M": given["targets_M"].flip(0),
        "second_weights_M": given["weights_M"].flip(0),
        "share": torch.tensor(share),
    }


def by_torch(**given: Tensor) -> Tensor:
    return linear_cross_entropy(**given)


def by_operator(
    x_MC: Tensor,
    table_VC: Tensor,
    targets_M: Tensor,
    weights_M: Tensor,
    second_targets_M: Tensor | None = None,
    second_weights_M: Tensor | None = None,
    share: Tensor | None = None,
) -> Tensor:
    """As on a GPU."""
    nats_M, second_nats_M, _ = torch.ops.conductor.linear_nats(x_MC, table_VC, targets_M, second_targets_M)
    loss: Tensor = (nats_M * weights_M).sum() / weights_M.sum().clamp(min=1)
    if second_weights_M is not None and share is not None:
        other = (second_nats_M * second_weights_M).sum() / second_weights_M.sum().clamp(min=1)
        loss = share * loss + (1 - share) * other
    return loss


def exactly(
    x_MC: Tensor,
    table_VC: Tensor,
    targets_M: Tensor,
    weights_M: Tensor,
    second_targets_M: Tensor | None = None,
    second_weights_M: Tensor | None = None,
    share: Tensor | None = None,
) -> Tensor:
    """One token at a time: minus the log of the softmax's entry."""

    def mean(targets: Tensor, weights: Tensor) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for x, target, weight in zip(x_MC, targets, weights.double(), strict=True):
            scores = table_VC @ x
            scores = scores - scores.max()
            total = total - weight * (scores[target] - scores.exp().sum().log())
        return total / max(1.0, float(weights.double().sum()))

    loss = mean(targets_M, weights_M)
    if second_targets_M is not None and second_weights_M is not None and share is not None:
        loss = share.double() * loss + (1 - share.double()) * mean(second_targets_M, second_weights_M)
    return loss


def gradients(of: Any, given: dict[str, Tensor], upstream: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    """Return the loss and its gradients by the inputs and the table."""
    loss = of(**given)
    by_x, by_table = torch.autograd.grad(loss * upstream, (given["x_MC"], given["table_VC"]))
    return loss.detach(), by_x, by_table


def doubled(given: dict[str, Tensor]) -> dict[str, Tensor]:
    exact = {n: given[n].detach().double().requires_grad_() for n in ("x_MC", "table_VC")}
    return given | exact


def close(found: Any, wanted: Any, tolerance: float) -> None:
    for ours, right in zip(found, wanted, strict=True):
        assert ours.isfinite().all()
        size = float(right.double().abs().max())
        torch.testing.assert_close(ours.double(), right.double(), atol=tolerance * (size + 1e-2), rtol=tolerance)


def test_the_kernels_run_here() -> None:
    assert INTERPRETED


@pytest.mark.parametrize("two", [False, True], ids=["one target", "two targets"])
@pytest.mark.parametrize("of", [by_torch, by_operator])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_cross_entropy_and_so_are_its_gradients(shape: tuple[int, int, int], of: Any, two: bool) -> None:
    given = mixed(made(shape)) if two else made(shape)
    close(gradients(of, given, upstream=3.0), gradients(exactly, doubled(given), upstream=3.0), 2e-5)


@pytest.mark.parametrize("of", [by_torch, by_operator])
def test_float16_holds_the_gradients_of_many_rows(of: Any) -> None:
    given = mixed(made((67, 40, 90), torch.float16))
    # As a loss scaler would.
    found = gradients(of, given, upstream=1024.0)
    assert found[1].dtype == found[2].dtype == torch.float16
    close(found, gradients(exactly, doubled(given), upstream=1024.0), 4e-3)


def test_bfloat16_is_as_near_as_its_digits() -> None:
    given = made((67, 40, 90), torch.bfloat16)
    close(gradients(by_torch, given), gradients(exactly, doubled(given)), 3e-2)


@pytest.mark.parametrize("of", [by_torch, by_operator])
def test_more_rows_than_a_chunk_holds(of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    given = mixed(made((75, 24, 40)))
    whole = gradients(of, given)
    monkeypatch.setattr(cross_entropy, "ROWS", 7)
    monkeypatch.setattr(cross_entropy_kernels, "NUMBERS", 16 * 40)
    # Fewer programs than rows of tiles: the vocabulary is not split.
    monkeypatch.setattr(cross_entropy_kernels, "PROGRAMS", 1)
    close(gradients(of, given), whole, 1e-6)
    close(gradients(of, given), gradients(exactly, doubled(given)), 2e-5)


@pytest.mark.parametrize("of", [by_torch, by_operator])
def test_tokens_that_do_not_count_give_nothing(of: Any) -> None:
    given = made((40, 16, 50))
    counted = given["weights_M"] > 0
    assert 0 < counted.sum() < 40
    _, by_x, _ = gradients(of, given)
    assert (by_x[~counted] == 0).all()
    assert (by_x[counted].abs().amax(1) > 0).all()
    for found in gradients(of, mixed(given | {"weights_M": torch.zeros(40)})):
        assert (found == 0).all()


@pytest.mark.parametrize("of", [by_torch, by_operator])
def test_large_logits_overflow_nothing(of: Any) -> None:
    given = made((20, 16, 50))
    given["x_MC"] = (given["x_MC"].detach() * 300).requires_grad_()
    assert float((given["x_MC"] @ given["table_VC"].T).detach().max()) > 200
    close(gradients(of, given), gradients(exactly, doubled(given)), 1e-4)


def test_the_second_weights_are_the_first_unless_given() -> None:
    given = mixed(made((20, 16, 50)))
    del given["second_weights_M"]
    spelled = given | {"second_weights_M": given["weights_M"]}
    assert torch.equal(linear_cross_entropy(**given), linear_cross_entropy(**spelled))


def test_no_tokens_lose_nothing() -> None:
    for of in (by_torch, by_operator):
        for found in gradients(of, made((0, 16, 50))):
            assert (found == 0).all()


def test_all_logits_are_never_kept() -> None:
    given = made((2048, 16, 500))
    kept = []
    with saved_tensors_hooks(lambda x: kept.append(x.numel()) or x, lambda x: x):  # type: ignore[func-returns-value]
        linear_cross_entropy(**given)
    assert 0 < sum(kept) < 2048 * 500 / 10


def test_under_autocast_products_are_in_its_dtype() -> None:
    given = made((40, 64, 50))
    with torch.autocast("cpu", torch.bfloat16):
        found = gradients(by_torch, given)
    narrow = given | {n: given[n].detach().bfloat16().requires_grad_() for n in ("x_MC", "table_VC")}
    wanted = gradients(by_torch, narrow)
    assert torch.equal(found[0], wanted[0])
    assert found[1].dtype == found[2].dtype == torch.float32
    close(found[1:], wanted[1:], 8e-3)


# Torch's compiler calls what torch itself has deprecated.
COMPILER_WARNS = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@COMPILER_WARNS
@pytest.mark.parametrize("of", [by_torch, by_operator])
def test_it_compiles_whole(of: Any) -> None:
    given = mixed(made((40, 16, 50)))
    compiled = torch.compile(of, fullgraph=True, backend="aot_eager")
    close(gradients(compiled, given), gradients(of, given), 1e-6)


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles for the processor with g++")
@COMPILER_WARNS
def test_compiled_for_the_processor_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_entropy, "ROWS", 32)
    given = mixed(made((40, 16, 50)))
    close(gradients(torch.compile(by_torch, fullgraph=True), given), gradients(exactly, doubled(given)), 2e-5)


@pytest.mark.parametrize("two", [False, True], ids=["one target", "two targets"])
def test_the_operators_are_as_torch_wants_them(two: bool) -> None:
    given = made((20, 16, 50))
    x, table, targets = given["x_MC"], given["table_VC"], given["targets_M"]
    second = targets.flip(0) if two else None
    torch.library.opcheck(torch.ops.conductor.linear_nats, (x, table, targets, second))
    x, table = x.detach(), table.detach()
    norm = torch.ops.conductor.linear_nats(x, table, targets, second)[2]
    weights = torch.rand(20)
    torch.library.opcheck(
        torch.ops.conductor.linear_nats_backward,
        (x, table, targets, second, norm, weights, weights if two else weights[:0]),
    )


@pytest.mark.parametrize("two", [False, True], ids=["one target", "two targets"])
def test_the_references_are_the_kernels(two: bool) -> None:
    given = made((50, 16, 70))
    x, table, targets = given["x_MC"].detach(), given["table_VC"].detach(), given["targets_M"]
    second = targets.flip(0) if two else None
    plain = cross_entropy_kernels._nats_reference(x, table, targets, second)
    found = torch.ops.conductor.linear_nats(x, table, targets, second)
    assert [len(nats) for nats in found] == [len(nats) for nats in plain] == [50, 50 if two else 0, 50]
    for ours, right in zip(found, plain, strict=True):
        torch.testing.assert_close(ours, right, atol=1e-5, rtol=1e-5)
    weights = torch.rand(50), torch.rand(50 if two else 0)
    given_back = (x, table, targets, second, plain[2], *weights)
    close(
        torch.ops.conductor.linear_nats_backward(*given_back),
        cross_entropy_kernels._backward_reference(*given_back),
        1e-5,
    )


REFUSED: dict[str, Any] = {
    "x_MC": [torch.zeros(4), torch.zeros(4, 8, dtype=torch.int64), torch.zeros(4, 8, dtype=torch.float64)],
    "table_VC": [torch.zeros(9, 7), torch.zeros(8), torch.zeros(9, 8, device="meta")],
    "targets_M": [torch.zeros(5, dtype=torch.int64), torch.zeros(4), torch.zeros(4, dtype=torch.int32)],
    "weights_M": [torch.zeros(3), torch.zeros(4, dtype=torch.int64), torch.zeros(4, device="meta")],
    "second_targets_M": [torch.zeros(5, dtype=torch.int64), torch.zeros(4, dtype=torch.int64, device="meta"), None],
    "second_weights_M": [torch.zeros(5), torch.zeros(4, dtype=torch.int64), torch.zeros(4, device="meta")],
    "share": [torch.zeros(2), torch.tensor(1), None],
}


@pytest.mark.parametrize(("name", "bad"), [(name, bad) for name, all_bad in REFUSED.items() for bad in all_bad])
def test_what_it_cannot_take_it_refuses_by_name(name: str, bad: Tensor | None) -> None:
    good = mixed(made((4, 8, 9)))
    assert linear_cross_entropy(**good).isfinite()
    with pytest.raises(ValueError, match=name):
        linear_cross_entropy(**good | {name: bad})  # type: ignore[arg-type]


def test_second_weights_need_second_targets() -> None:
    with pytest.raises(ValueError, match="second_weights_M"):
        linear_cross_entropy(**made((4, 8, 9)), second_weights_M=torch.ones(4))
