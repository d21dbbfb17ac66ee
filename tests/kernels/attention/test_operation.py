"""Training attention against a plain reference in float64, gradients too, by Triton's kernels and by torch.

Shapes: B rows, H query heads, K key-value heads, T tokens, D head size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from kernels.attention.operation import (
    _reference,
    _reference_backward,
    attention,
    launch_parts,
    launch_parts_backward,
)
from kernels.attention.patterns import CAUSAL, Part, Pattern
from kernels.attention.tuning import BUILDS, KERNELS
from kernels.dispatch import INTERPRETED
from kernels.proof.targets import TARGETS

torch.set_num_threads(1)
Shape = tuple[int, int, int, int, int]
# (B, H, K, T, D): a single token; heads of their own; a pair of groups; one group, a size that is no power of two.
ONE, OWN, GROUPS, SHARED = (1, 1, 1, 1, 8), (2, 2, 2, 17, 16), (1, 4, 2, 50, 32), (1, 3, 1, 41, 24)
WINDOW, STRIDED, FIXED = Pattern("window", 9), Pattern("strided", 4), Pattern("fixed", 8, 2)
PATTERNS = (CAUSAL, WINDOW, STRIDED, FIXED)
CASES = [
    *[(CAUSAL, ONE), (CAUSAL, OWN), (CAUSAL, GROUPS), (CAUSAL, SHARED)],
    *[(WINDOW, GROUPS), (WINDOW, SHARED), (Pattern("window", 1), OWN), (Pattern("window", 99), OWN)],
    *[(STRIDED, GROUPS), (STRIDED, SHARED), (Pattern("strided", 1), ONE), (Pattern("strided", 2), SHARED)],
    *[(FIXED, GROUPS), (FIXED, SHARED), (Pattern("fixed", 2, 2), OWN), (Pattern("fixed", 16, 1), SHARED)],
    # Heads of a group of which two read the same summary.
    (Pattern("fixed", 8, 4), SHARED),
]
ids = [f"{pattern.kind}-{pattern.stride}-{'x'.join(map(str, shape))}" for pattern, shape in CASES]


@pytest.fixture(autouse=True)
def _poisoned() -> Iterator[None]:
    """Memory that nobody wrote to is not a number."""
    torch.use_deterministic_algorithms(True)
    assert torch.empty(3).isnan().all()
    yield
    torch.use_deterministic_algorithms(False)


def sees(pattern: Pattern, query: int, key: int, head: int) -> bool:
    """Return what the paper says of a query and a key."""
    stride, summary = pattern.stride, pattern.summary
    if pattern.kind == "fixed":
        last = stride - summary * (head % (stride // summary))
        own, summed = query // stride == key // stride, last - summary <= key % stride < last
        return key <= query and (own or summed)
    near = pattern.kind == "causal" or query - key < stride
    return key <= query and (near or (pattern.kind == "strided" and (query - key) % stride == 0))


def exact(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern) -> Tensor:
    """Softmax of q k / sqrt(D) over what each query sees, one query at a time."""
    _, H, T, D = q.shape
    group = H // k.shape[1]
    heads = []
    for head in range(H):
        keys, values, rows = k[:, head // group], v[:, head // group], []
        for t in range(T):
            seen = [j for j in range(T) if sees(pattern, t, j, head)]
            scores = (keys[:, seen] * q[:, head, t, None]).sum(-1) / math.sqrt(D)
            rows.append((scores.softmax(-1)[..., None] * values[:, seen]).sum(1))
        heads.append(torch.stack(rows, 1))
    return torch.stack(heads, 1)


def inputs(shape: Shape, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    B, H, K, T, D = shape
    torch.manual_seed(sum(shape))
    return [torch.randn(B, heads, T, D).to(dtype).requires_grad_() for heads in (H, K, K)]


def by_operator(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern) -> Tensor:
    out: Tensor = torch.ops.conductor.attention(q, k, v, pattern.kind, pattern.stride, pattern.summary)[0]
    return out


class ByReference(torch.autograd.Function):
    """The torch reference of the operator and of its backward."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, *pattern: Any) -> Tensor:
        out, lse = _reference(q, k, v, *pattern)
        ctx.save_for_backward(q, k, v, out, lse)
        ctx.pattern = pattern
        return out

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> Any:
        return (*_reference_backward(dout, *ctx.saved_tensors, *ctx.pattern), None, None, None)


def by_reference(q: Tensor, k: Tensor, v: Tensor, pattern: Pattern) -> Tensor:
    out: Tensor = ByReference.apply(q, k, v, pattern.kind, pattern.stride, pattern.summary)  # type: ignore[no-untyped-call]
    return out


Path = Callable[[Tensor, Tensor, Tensor, Pattern], Tensor]
PATHS: dict[str, Path] = {"triton": by_operator, "cpu": attention, "reference": by_reference}
every_path = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)


def gradients(y: Tensor, of: list[Tensor], dtype: torch.dtype) -> tuple[Tensor, ...]:
    torch.manual_seed(1)
    upstream = torch.randn(y.shape)
    return torch.autograd.grad(y, of, upstream.to(dtype))


def close(path: Path, pattern: Pattern, given: list[Tensor], tolerance: float) -> None:
    precise = [x.detach().double().requires_grad_() for x in given]
    y, expected = path(given[0], given[1], given[2], pattern), exact(precise[0], precise[1], precise[2], pattern)
    assert y.dtype == given[0].dtype
    torch.testing.assert_close(y.double(), expected, atol=tolerance, rtol=tolerance)
    found = gradients(y, given, y.dtype)
    wanted = gradients(expected, precise, torch.float64)
    for gradient, right in zip(found, wanted, strict=True):
        torch.testing.assert_close(gradient.double(), right, atol=3 * tolerance, rtol=3 * tolerance)


def test_the_operator_runs_the_kernels_here() -> None:
    assert INTERPRETED


@every_path
@pytest.mark.parametrize(("pattern", "shape"), CASES, ids=ids)
def test_it_is_the_reference_and_so_are_its_gradients(pattern: Pattern, shape: Shape, path: Path) -> None:
    close(path, pattern, inputs(shape), 1e-5)


@every_path
@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 3e-2), (torch.float16, 4e-3)], ids=str)
def test_in_half_the_bits_it_is_near_the_reference(
    pattern: Pattern, dtype: torch.dtype, tolerance: float, path: Path
) -> None:
    close(path, pattern, inputs(OWN, dtype), tolerance)


@every_path
@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
def test_what_a_query_does_not_see_changes_nothing(pattern: Pattern, path: Path) -> None:
    q, k, v = (x.detach() for x in inputs((1, 2, 1, 40, 16)))
    before = path(q, k, v, pattern)
    unseen = [key for key in range(40) if not any(sees(pattern, 30, key, head) for head in (0, 1))]
    assert len(unseen) >= 9
    k[:, :, unseen], v[:, :, unseen] = 1e4, -1e4
    after = path(q, k, v, pattern)
    torch.testing.assert_close(after[:, :, 30], before[:, :, 30], atol=0, rtol=0)
    assert (after[:, :, 31:] - before[:, :, 31:]).abs().max() > 1


@every_path
@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
def test_great_scores_do_not_overflow(pattern: Pattern, path: Path) -> None:
    q, k, v = inputs(OWN)
    y = path(100 * q, 100 * k, v, pattern)
    assert bool(torch.isfinite(y).all())
    assert all(bool(torch.isfinite(g).all()) for g in gradients(y, [q, k, v], torch.float32))


@every_path
@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
def test_tensors_may_lie_in_memory_as_they_like(pattern: Pattern, path: Path) -> None:
    plain = inputs((2, 2, 1, 17, 16))
    y = path(plain[0], plain[1], plain[2], pattern)
    expected = (y, *gradients(y, plain, torch.float32))
    # Tokens before heads, as linear layers leave them; and vectors that lie across.
    for turned in ((1, 2), (2, 3)):
        views = [x.detach().transpose(*turned).contiguous().transpose(*turned).requires_grad_() for x in plain]
        assert not any(x.is_contiguous() for x in views[:1])
        y = path(views[0], views[1], views[2], pattern)
        for found, right in zip((y, *gradients(y, views, torch.float32)), expected, strict=True):
            torch.testing.assert_close(found, right, atol=1e-5, rtol=1e-5)


FAR = Part(lanes=8, ahead=0)
SUMMARIES = Part(span=8, run=2, ahead=0)


@pytest.mark.parametrize("part", [FAR, SUMMARIES], ids=["far", "summaries"])
def test_a_query_that_sees_nothing_is_zero_and_so_are_its_gradients(part: Part) -> None:
    q, k, v = (x.detach() for x in inputs((1, 4, 2, 37, 16)))
    out, lse = launch_parts(q, k, v, (part,))
    # Nobody in the first eight sees anything, and nobody sees the last.
    assert (out[:, :, :8] == 0).all()
    assert (lse[:, :, :8] == -torch.inf).all()
    assert (out[:, :, 8:] != 0).any(dim=-1).all()
    dq, dk, dv = launch_parts_backward(torch.randn_like(out), q, k, v, out, lse, (Part(band=1), part))
    del dk, dv
    assert bool(torch.isfinite(dq).all())
    dq, _, _ = launch_parts_backward(torch.randn_like(out), q, k, v, out, lse, (part,))
    assert (dq[:, :, :8] == 0).all()
    assert bool(torch.isfinite(dq).all())


@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
def test_the_operator_is_a_good_citizen(pattern: Pattern) -> None:
    q, k, v = inputs((1, 2, 1, 17, 16))
    of = (pattern.kind, pattern.stride, pattern.summary)
    torch.library.opcheck(torch.ops.conductor.attention, (q, k, v, *of))
    with torch.no_grad():
        out, lse = torch.ops.conductor.attention(q, k, v, *of)
        arguments = tuple(x.detach() for x in (torch.randn_like(out), q, k, v, out, lse))
        torch.library.opcheck(torch.ops.conductor.attention_backward, (*arguments, *of))


# Dynamo makes an instance of torch.autograd.Function itself.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("path", [by_operator, attention], ids=["triton", "cpu"])
@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
def test_it_compiles_in_one_graph(pattern: Pattern, path: Path) -> None:
    given = inputs((1, 2, 1, 19, 16))

    def loss(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return path(2 * q, k, v, pattern).square().sum()

    # What has a backward of its own must be seen through to it.
    backend = "aot_eager" if pattern.kind == "strided" else "eager"
    compiled = torch.compile(loss, fullgraph=True, backend=backend)
    for found, right in zip(
        torch.autograd.grad(compiled(*given), given), torch.autograd.grad(loss(*given), given), strict=True
    ):
        torch.testing.assert_close(found, right)


@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
def test_under_autocast_it_computes_in_half_the_bits(pattern: Pattern) -> None:
    q, k, v = inputs((1, 2, 1, 19, 16))
    with torch.autocast("cpu", torch.bfloat16):
        y = attention(q, k.bfloat16(), v, pattern)
    torch.testing.assert_close(y, attention(q.bfloat16(), k.bfloat16(), v.bfloat16(), pattern), atol=0, rtol=0)
    assert torch.autograd.grad(y.sum(), q)[0].dtype == torch.float32


@pytest.mark.parametrize("pattern", [CAUSAL, Pattern("window", 64), Pattern("strided", 64)], ids=str)
def test_what_is_kept_for_the_backward_grows_with_the_tokens_and_not_with_their_square(pattern: Pattern) -> None:
    def kept(path: Path, tokens: int) -> int:
        sizes: dict[int, int] = {}

        def keep(x: Tensor) -> Tensor:
            sizes[x.untyped_storage()._cdata] = x.untyped_storage().nbytes()
            return x

        given = inputs((1, 1, 1, tokens, 16))
        with saved_tensors_hooks(keep, lambda x: x):
            y = path(given[0], given[1], given[2], pattern)
        assert y.requires_grad
        return sum(sizes.values())

    assert 0 < kept(attention, 4096) < 4.5 * kept(attention, 1024)
    # Queries, keys, values, output and the log-sum-exp.
    assert kept(by_reference, 256) == 4 * 256 * (4 * 16 + 1)


def wrong(**changes: Any) -> list[Any]:
    given = dict(zip(("q_BHTD", "k_BKTD", "v_BKTD"), (x.detach() for x in inputs((1, 4, 2, 6, 16))), strict=True))
    return list((given | changes).values())


REFUSED = {
    "three dimensions": (wrong(q_BHTD=torch.zeros(4, 6, 16)), "q_BHTD"),
    "no tokens": (wrong(q_BHTD=torch.zeros(1, 4, 0, 16)), "q_BHTD"),
    "integers": (wrong(q_BHTD=torch.zeros(1, 4, 6, 16, dtype=torch.long)), "q_BHTD"),
    "a head too large": ([torch.zeros(1, 1, 2, 136)] * 3, "q_BHTD"),
    "another dtype": (wrong(k_BKTD=torch.zeros(1, 2, 6, 16, dtype=torch.bfloat16)), "k_BKTD"),
    "another device": (wrong(k_BKTD=torch.zeros(1, 2, 6, 16, device="meta")), "k_BKTD"),
    "heads that do not divide": (wrong(k_BKTD=torch.zeros(1, 3, 6, 16)), "k_BKTD"),
    "more keys than queries": (wrong(k_BKTD=torch.zeros(1, 2, 7, 16)), "k_BKTD"),
    "rows of another batch": (wrong(k_BKTD=torch.zeros(2, 2, 6, 16)), "k_BKTD"),
    "values unlike the keys": (wrong(v_BKTD=torch.zeros(1, 4, 6, 16)), "v_BKTD"),
    "values of another dtype": (wrong(v_BKTD=torch.zeros(1, 2, 6, 16, dtype=torch.float16)), "v_BKTD"),
}


@every_path
@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_by_name(name: str, path: Path) -> None:
    (q, k, v), named = REFUSED[name]
    with pytest.raises(ValueError, match=f"^{named}:"):
        path(q, k, v, STRIDED)


def test_kernels_refuse_what_they_would_round() -> None:
    q, k, v = (x.double() for x in wrong())
    with pytest.raises(ValueError, match=r"^q_BHTD: torch\.float64"):
        by_operator(q, k, v, CAUSAL)
    assert attention(q, k, v, CAUSAL).dtype == torch.float64


def test_every_kernel_is_built_for_every_kind_of_pattern_and_every_target() -> None:
    for kernel in KERNELS:
        kinds = {build.name.split(", ")[1] for build in BUILDS if build.name.endswith(kernel)}
        assert {"causal", "window", "strided", "fixed"} <= kinds
    sizes = {build.constants["D"] for build in BUILDS}
    assert sizes == {32, 64, 128}
    for build in BUILDS:
        assert build.matrix
        assert build.work.flops > 0
        assert all(build.tuned(target).blocks.keys() == {"BLOCK_M", "BLOCK_N"} for target in TARGETS)
