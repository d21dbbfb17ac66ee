"""Decode attention against one candidate and head at a time in float64, by kernel and by torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

import kernels.decoding.decode_attention as module
from kernels.decoding.decode_attention import decode_attention
from kernels.dispatch import INTERPRETED

torch.set_num_threads(1)

pytestmark = pytest.mark.skipif(not INTERPRETED, reason="needs Triton's interpreter")

Attend = Callable[..., Tensor]
PATHS = pytest.mark.parametrize(
    "attend", [torch.ops.conductor.decode_attention, decode_attention], ids=["triton", "torch"]
)


class Inputs(NamedTuple):
    """As `decode_attention` takes them."""

    q: Tensor
    prefix_k: Tensor
    prefix_v: Tensor
    own_k: Tensor
    own_v: Tensor
    lengths: Tensor
    window: int = 0


@pytest.fixture(autouse=True)
def _memory_is_poisoned() -> Iterator[None]:
    """What torch.empty returns is NaN."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def inputs(
    N: int, H: int, K: int, D: int, P: int, lengths: list[int], room: int, window: int = 0, dtype: str = "float32"
) -> Inputs:
    """Random ones; the room that is not used is NaN."""
    torch.manual_seed(0)
    shapes = [(N, H, D), (K, P, D), (K, P, D), (N, K, room, D), (N, K, room, D)]
    made = [torch.randn(shape).to(getattr(torch, dtype)) for shape in shapes]
    for n, length in enumerate(lengths):
        for cache in made[3:]:
            cache[n, :, length:] = math.nan
    q, prefix_k, prefix_v, own_k, own_v = made
    return Inputs(q, prefix_k, prefix_v, own_k, own_v, torch.tensor(lengths), window)


def expected(x: Inputs) -> Tensor:
    """Softmax of q k / sqrt(D) over what a candidate has seen, one head at a time."""
    out = torch.zeros(x.q.shape, dtype=torch.float64)
    group = x.q.shape[1] // x.prefix_k.shape[0]
    for n, length in enumerate(x.lengths.tolist()):
        for h in range(x.q.shape[1]):
            k = torch.cat([x.prefix_k[h // group], x.own_k[n, h // group, :length]]).double()
            v = torch.cat([x.prefix_v[h // group], x.own_v[n, h // group, :length]]).double()
            if x.window:
                k, v = k[-x.window :], v[-x.window :]
            if len(k):
                out[n, h] = torch.softmax(k @ x.q[n, h].double() / math.sqrt(x.q.shape[2]), 0) @ v
    return out


CASES = {
    "one of each": inputs(1, 1, 1, 16, 1, [1], 1),
    "groups, odd lengths, several blocks": inputs(3, 6, 2, 24, 70, [5, 0, 33], 37),
    "more rows than a tile has": inputs(5, 8, 2, 16, 40, [1, 2, 3, 4, 5], 5),
    "no prompt": inputs(2, 2, 1, 32, 0, [9, 40], 40),
    "no tokens of their own": inputs(2, 2, 2, 16, 33, [0, 0], 3),
    "no room for any": inputs(2, 1, 1, 16, 33, [0, 0], 0),
    "one of them sees nothing": inputs(3, 2, 1, 16, 0, [0, 7, 0], 8),
    "nothing anywhere": inputs(2, 2, 1, 16, 0, [0, 0], 0),
    "window within their own": inputs(2, 2, 1, 16, 50, [30, 20], 32, window=12),
    "window into the prompt": inputs(3, 4, 2, 16, 50, [30, 2, 0], 32, window=35),
    "window beyond all": inputs(2, 2, 1, 16, 20, [3, 9], 9, window=500),
    "window of one": inputs(2, 2, 1, 16, 20, [3, 0], 4, window=1),
    "large heads": inputs(2, 2, 1, 128, 20, [3, 9], 9),
    "half precision": inputs(2, 2, 1, 64, 40, [3, 9], 9, dtype="float16"),
}


@PATHS
@pytest.mark.parametrize("case", CASES)
def test_it_is_the_reference(case: str, attend: Attend) -> None:
    x = CASES[case]
    found = attend(*x)
    assert found.shape == x.q.shape
    assert found.dtype == x.q.dtype
    tolerance = 2e-3 if x.q.dtype == torch.float16 else 2e-6
    torch.testing.assert_close(found.double(), expected(x), atol=tolerance, rtol=tolerance)


@PATHS
def test_a_candidate_that_sees_nothing_gets_zeros(attend: Attend) -> None:
    found = attend(*CASES["one of them sees nothing"])
    assert found[0].count_nonzero() == 0
    assert found[2].count_nonzero() == 0
    assert found[1].count_nonzero() == found[1].numel()


@PATHS
def test_great_scores_do_not_overflow(attend: Attend) -> None:
    x = CASES["groups, odd lengths, several blocks"]
    # Scores of 1e5, of which float32 knows the hundredths; their exponentials would be far beyond it.
    x = x._replace(q=x.q * 1e4)
    torch.testing.assert_close(attend(*x).double(), expected(x), atol=1e-2, rtol=1e-2)


@PATHS
def test_strides_are_free_but_for_the_last(attend: Attend) -> None:
    x = CASES["groups, odd lengths, several blocks"]
    # As a cache keeps them: places before heads, one tensor for keys and values, int32 lengths.
    prefix = torch.stack([x.prefix_k, x.prefix_v]).permute(2, 0, 1, 3).contiguous()
    own = torch.stack([x.own_k, x.own_v]).permute(1, 3, 0, 2, 4).contiguous()
    view = x._replace(
        q=x.q.transpose(0, 1).contiguous().transpose(0, 1),
        prefix_k=prefix[:, 0].transpose(0, 1),
        prefix_v=prefix[:, 1].transpose(0, 1),
        own_k=own[:, :, 0].transpose(1, 2),
        own_v=own[:, :, 1].transpose(1, 2),
        lengths=x.lengths.int(),
    )
    assert not any(tensor.is_contiguous() for tensor in view[:5])
    torch.testing.assert_close(attend(*view), attend(*x), atol=1e-6, rtol=1e-6)


def test_however_a_sequence_is_split_the_parts_merge_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x = CASES["groups, odd lengths, several blocks"]
    found = []
    for programs, most in ((1, 1), (1000, 2), (1000, 64)):
        monkeypatch.setattr(module, "PROGRAMS", programs)
        monkeypatch.setattr(module, "MOST_SPLITS", most)
        found.append(torch.ops.conductor.decode_attention(*x))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], atol=1e-6, rtol=1e-6)
    assert not torch.equal(found[0], found[2]), "the sequence was not split at all"


def test_it_passes_opcheck() -> None:
    torch.library.opcheck(torch.ops.conductor.decode_attention.default, tuple(CASES["window into the prompt"]))


@PATHS
def test_it_works_under_compile(attend: Attend) -> None:
    x = CASES["window into the prompt"]
    compiled = torch.compile(lambda *args: attend(*args) * 2, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*x), attend(*x) * 2)


GOOD = CASES["groups, odd lengths, several blocks"]


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("q_NHD", GOOD._replace(q=GOOD.q[0])),
        ("q_NHD", GOOD._replace(q=GOOD.q.double())),
        ("q_NHD", GOOD._replace(q=GOOD.q.transpose(1, 2).contiguous().transpose(1, 2))),
        ("prefix_k_KPD", GOOD._replace(prefix_k=GOOD.prefix_k[0])),
        ("prefix_k_KPD", GOOD._replace(prefix_k=GOOD.prefix_k.repeat(2, 1, 1))),
        ("prefix_k_KPD", GOOD._replace(prefix_k=GOOD.prefix_k.half())),
        ("prefix_v_KPD", GOOD._replace(prefix_v=GOOD.prefix_v[:, 1:])),
        ("own_k_NKSD", GOOD._replace(own_k=GOOD.own_k[0])),
        ("own_k_NKSD", GOOD._replace(own_k=GOOD.own_k.to("meta"))),
        ("own_v_NKSD", GOOD._replace(own_v=GOOD.own_v[:, :, 1:])),
        ("own_v_NKSD", GOOD._replace(own_v=GOOD.own_v.transpose(2, 3).contiguous().transpose(2, 3))),
        ("lengths_N", GOOD._replace(lengths=GOOD.lengths[:-1])),
        ("lengths_N", GOOD._replace(lengths=GOOD.lengths.float())),
        ("lengths_N", GOOD._replace(lengths=GOOD.lengths.to("meta"))),
        ("window", GOOD._replace(window=-1)),
    ],
)
def test_what_it_cannot_take_is_refused_by_name(name: str, bad: Inputs) -> None:
    with pytest.raises(ValueError, match=name):
        decode_attention(*bad)
