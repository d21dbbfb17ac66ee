"""The sum with its norm against float64, gradients too, by Triton's kernels and by torch.

Shapes: M tokens, C width.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.dispatch import INTERPRETED
from kernels.training import norm
from kernels.training.norm import norm_residual

torch.set_num_threads(1)
EPS = 1e-5
SHAPES = [(1, 1), (3, 16), (7, 33), (20, 384)]
# Of the stream, of what is added, of both.
DTYPES = [
    (torch.float32, torch.float32, torch.float32),
    (torch.float32, torch.float16, torch.float32),
    (torch.float16, torch.float32, torch.float32),
    (torch.float16, torch.float16, torch.float16),
]


@pytest.fixture(autouse=True)
def _poisoned() -> Any:
    """Memory that nobody wrote to is not a number."""
    torch.use_deterministic_algorithms(True)
    assert torch.empty(3).isnan().all()
    yield
    torch.use_deterministic_algorithms(False)


def made(shape: tuple[int, int], scaled: bool, *dtypes: torch.dtype) -> list[Tensor]:
    """Return a stream, what is added, and the norm's factors; those of what is added where `scaled`."""
    M, C = shape
    torch.manual_seed(M * C)
    of_stream, of_residual, *_ = dtypes or (torch.float32, torch.float32)
    found = [torch.randn(M, C).to(of_stream), torch.randn(M, C).to(of_residual), torch.rand(C) + 0.5]
    return [x.requires_grad_() for x in [*found, *([torch.randn(C)] if scaled else [])]]


def by_torch(x: Tensor, residual: Tensor, weight: Tensor, scale: Tensor | None = None) -> tuple[Tensor, Tensor]:
    return norm_residual(x, residual, weight, EPS, scale)


def by_operator(x: Tensor, residual: Tensor, weight: Tensor, scale: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """As on a GPU."""
    normed, total, _ = torch.ops.conductor.norm_residual(x, residual, weight, scale, EPS)
    return normed, total


def exactly(x: Tensor, residual: Tensor, weight: Tensor, scale: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Row by row."""
    total = torch.stack([a + b * (1 if scale is None else scale) for a, b in zip(x, residual, strict=True)])
    normed = torch.stack([row * weight / ((row @ row) / len(row) + EPS) ** 0.5 for row in total])
    return normed, total


def gradients(of: Any, given: list[Tensor]) -> list[Tensor]:
    """Return what comes out, and the gradient by each input of a sum over all of it."""
    out = of(*given)
    torch.manual_seed(1)
    loss = sum((y.double() * torch.randn(y.shape, dtype=torch.float64)).sum() for y in out)
    return [y.detach() for y in out] + list(torch.autograd.grad(loss, given))


def close(found: list[Tensor], wanted: list[Tensor], tolerance: float) -> None:
    for ours, right in zip(found, wanted, strict=True):
        assert ours.isfinite().all()
        size = float(right.abs().max())
        torch.testing.assert_close(ours.double(), right.double(), atol=tolerance * (size + 1e-2), rtol=tolerance)


@pytest.mark.parametrize("scaled", [False, True], ids=["added", "scaled and added"])
@pytest.mark.parametrize("dtypes", DTYPES, ids=str)
@pytest.mark.parametrize("of", [by_torch, by_operator])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_is_the_norm_and_so_are_its_gradients(
    shape: tuple[int, int], of: Any, dtypes: tuple[torch.dtype, ...], scaled: bool
) -> None:
    assert INTERPRETED
    given = made(shape, scaled and dtypes[1] == torch.float32, *dtypes)
    if of is by_torch and dtypes[2] == torch.float16:
        given[2:] = [x.detach().half().requires_grad_() for x in given[2:]]
    found = gradients(of, given)
    assert [x.dtype for x in found] == [dtypes[2]] * 2 + [x.dtype for x in given]
    exact = [x.detach().double().requires_grad_() for x in given]
    close(found, gradients(exactly, exact), 1e-2 if torch.float16 in dtypes else 2e-5)


@pytest.mark.parametrize("scaled", [False, True], ids=["added", "scaled and added"])
def test_the_reference_and_the_kernels_are_one(scaled: bool) -> None:
    x, residual, weight, *scale = (x.detach() for x in made((9, 40), scaled))
    factors = scale[0] if scale else None
    plain = norm._reference(x, residual, weight, factors, EPS)
    close(list(torch.ops.conductor.norm_residual(x, residual, weight, factors, EPS)), list(plain), 1e-6)
    above = torch.randn(2, 9, 40)
    given = (*above, plain[1], plain[2], residual if scale else None, weight, factors, torch.float32, torch.float16)
    found = torch.ops.conductor.norm_residual_backward(*given)
    wanted = norm._backward_reference(*given)
    assert [(y.shape, y.dtype) for y in found] == [(y.shape, y.dtype) for y in wanted]
    for ours, right in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, right, atol=2e-3 if right.dtype == torch.float16 else 1e-5, rtol=1e-3)


def test_many_rows_share_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    given = made((23, 20), True)
    whole = gradients(by_operator, given)
    monkeypatch.setattr(norm, "PROGRAMS", 4)
    close(gradients(by_operator, given), whole, 1e-6)


@pytest.mark.parametrize("of", [by_torch, by_operator])
def test_rows_of_zeros_stay_zeros(of: Any) -> None:
    given = made((4, 16), False)
    with torch.no_grad():
        given[0][1], given[1][1] = 0, 0
    normed, total, of_x, *_ = gradients(of, given)
    assert (normed[1] == 0).all()
    assert (total[1] == 0).all()
    assert of_x.isfinite().all()


def test_no_rows_are_no_rows() -> None:
    for of in (by_torch, by_operator):
        normed, total, of_x, of_residual, of_weight, of_scale = gradients(of, made((0, 16), True))
        assert [len(y) for y in (normed, total, of_x, of_residual)] == [0] * 4
        assert (of_weight == 0).all()
        assert (of_scale == 0).all()


def test_on_the_processor_it_is_what_the_blocks_wrote_out_bit_by_bit() -> None:
    torch.manual_seed(0)
    x, embedded, again = torch.randn(2, 5, 64), torch.randn(2, 5, 64), torch.randn(64)
    layer = torch.nn.RMSNorm(64)
    with torch.no_grad():
        layer.weight.copy_(torch.rand(64))
    for dtype in (torch.float32, torch.bfloat16):
        normed, total = norm_residual(x, embedded.to(dtype), layer.weight, layer.eps, again)
        assert torch.equal(total, x + again * embedded.to(dtype))
        assert torch.equal(normed, layer(total))
        assert torch.equal(normed, F.rms_norm(total, (64,), layer.weight))


@pytest.mark.parametrize("of", [by_torch, by_operator])
@pytest.mark.parametrize("scaled", [False, True], ids=["added", "scaled and added"])
def test_it_compiles_whole(of: Any, scaled: bool) -> None:
    given = made((6, 16), scaled)
    compiled = torch.compile(of, fullgraph=True, backend="aot_eager")
    close(gradients(compiled, given), gradients(of, given), 1e-6)


@pytest.mark.parametrize("scaled", [False, True], ids=["added", "scaled and added"])
def test_the_operators_are_as_torch_wants_them(scaled: bool) -> None:
    x, residual, weight, *scale = made((6, 16), scaled)
    factors = scale[0] if scale else None
    torch.library.opcheck(torch.ops.conductor.norm_residual, (x, residual, weight, factors, EPS))
    above, rates = torch.randn(6, 16), torch.rand(6)
    kept = residual.detach() if scaled else None
    weight, factors = weight.detach(), factors if factors is None else factors.detach()
    torch.library.opcheck(
        torch.ops.conductor.norm_residual_backward,
        (above, above, x.detach(), rates, kept, weight, factors, torch.float32, torch.float16),
    )


REFUSED: list[tuple[str, Any]] = [
    ("x", torch.zeros(())),
    ("x", torch.zeros(2, 8, dtype=torch.int64)),
    ("x", torch.zeros(2, 8, dtype=torch.float64)),
    ("x", torch.zeros(2, 0)),
    ("x", torch.zeros(1, norm.WIDEST + 1)),
    ("residual", torch.zeros(3, 8)),
    ("residual", torch.zeros(2, 8, device="meta")),
    ("weight_C", torch.zeros(7)),
    ("weight_C", torch.zeros(8, dtype=torch.int64)),
    ("scale_C", torch.zeros(2, 8)),
    ("scale_C", torch.zeros(8, device="meta")),
    ("eps", -1.0),
]


@pytest.mark.parametrize(("name", "bad"), REFUSED, ids=[f"{name} {n}" for n, (name, _) in enumerate(REFUSED)])
def test_what_it_cannot_take_it_refuses_by_name(name: str, bad: Any) -> None:
    good: dict[str, Any] = {
        "x": torch.ones(2, 8),
        "residual": torch.ones(2, 8),
        "weight_C": torch.ones(8),
        "scale_C": torch.ones(8),
        "eps": 0.1,
    }
    assert norm_residual(**good)[0].isfinite().all()
    with pytest.raises(ValueError, match=name):
        norm_residual(**good | {name: bad})
