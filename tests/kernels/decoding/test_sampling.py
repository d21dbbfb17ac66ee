"""Sampling: the chances against float64, the rules against sorting, the kernel against the CPU token by token."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import kernels.decoding.sampling as module
from kernels.decoding.philox import philox, words
from kernels.decoding.sampling import RULES, pack, sample
from kernels.decoding.sampling_cpu import DEAD, FINE, ROWS, _table, reference
from kernels.dispatch import INTERPRETED, jit, tl

torch.set_num_threads(1)

NEUTRAL = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "anti_p": 0.0, "anti_chance": 1.0}
needs_interpreter = pytest.mark.skipif(not INTERPRETED, reason="needs Triton's interpreter")


@pytest.fixture(autouse=True)
def _memory_is_poisoned() -> Iterator[None]:
    """What torch.empty returns is NaN, or the greatest integer."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def everything(N: int, V: int) -> Tensor:
    return pack(np.ones((N, V), np.bool_))


def table(rows: int, rules: dict[str, Any]) -> Tensor:
    """Return rules as the operator takes them, shape [N, R]."""
    columns = [torch.as_tensor(value, dtype=torch.float32) for value in (NEUTRAL | rules).values()]
    return torch.stack([column.expand(rows) for column in columns], dim=1)


def by_kernel(logits: Tensor, allowed: Tensor, rows: Tensor, seed: int, step: int, **rules: Any) -> Any:
    """Draw with the operator, which is the kernel in Triton's interpreter."""
    arguments = (logits, allowed, rows, table(len(rows), rules), torch.tensor([seed, step]))
    return torch.ops.conductor.sample(*arguments)


def by_numpy(logits: Tensor, allowed: Tensor, rows: Tensor, seed: int, step: int, **rules: Any) -> Any:
    """Draw on the CPU as it is without a compiler."""
    return reference(logits, allowed, rows, table(len(rows), rules), torch.tensor([seed, step]))


def kept(logits: Tensor, allowed: Tensor, **rules: float) -> Tensor:
    """Return the chance of each token of one row in float64, by sorting."""
    rules = NEUTRAL | rules
    p = torch.softmax(logits.double().masked_fill(~allowed, -math.inf) / rules["temperature"], 0)
    order = p.argsort(descending=True)
    ranked = p[order]
    stays = ranked > 0
    if rules["top_k"]:
        stays &= torch.arange(len(p)) < rules["top_k"]
    share = (ranked * stays) / (ranked * stays).sum()
    # A token stays when those before it have not reached the share.
    stays &= share.cumsum(0) - share < rules["top_p"] if rules["top_p"] < 1 else stays
    stays &= ranked >= rules["min_p"] * ranked[0]
    if rules["anti_p"]:
        share = (ranked * stays) / (ranked * stays).sum()
        avoided = share.cumsum(0) - share <= rules["anti_p"]
        last = int(stays.nonzero().max())
        avoided[last] = False
        stays &= ~avoided
    out = torch.zeros_like(p)
    out[order] = ranked * stays
    return out / out.sum()


# --- random words ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        # The known answers that the authors' Random123 ships with.
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_gives_the_known_answers(counter: list[int], key: list[int], expected: list[int]) -> None:
    c0, c1, c2, c3 = np.array(counter, np.uint64)[:, None]
    k0, k1 = np.array(key, np.uint64)[:, None]
    assert [int(word[0]) for word in philox((c0, c1, c2, c3), (k0, k1))] == expected


@needs_interpreter
def test_philox_is_tritons() -> None:
    @jit
    def ask(out: Any, seed_row_step: Any) -> None:
        zero = tl.full([1], 0, tl.uint32)
        seed, row, step = tl.load(seed_row_step), tl.load(seed_row_step + 1), tl.load(seed_row_step + 2)
        key = (row << 32) | (seed & 0xFFFFFFFF)
        one, two, _, _ = tl.philox(key, zero + step.to(tl.uint32), zero + (seed >> 32).to(tl.uint32), zero, zero)
        tl.store(out + tl.arange(0, 1), one.to(tl.int64))
        tl.store(out + 1 + tl.arange(0, 1), two.to(tl.int64))

    for seed, row, step in ((0, 0, 0), (2**63 - 1, 2**32 - 1, 2**32 - 1), (12345, 7, 100), (2**40 + 3, 1, 64)):
        out = torch.zeros(2, dtype=torch.int64)
        ask[(1,)](out, torch.tensor([seed, row, step]))
        assert out.tolist() == words(seed, np.array([row]), step)[0].tolist()


# --- chances ---------------------------------------------------------------------------------------------------------


def test_the_mass_of_a_key_is_its_power_of_two_and_falls_with_it() -> None:
    mass = _table()
    exact = 2.0 ** (30 - torch.arange(1 << FINE, dtype=torch.float64) / (1 << FINE))
    assert ((mass - exact).abs() / exact).max() < 5e-7
    assert (mass.diff() < 0).all()
    assert int(mass[0]) == 2**30
    assert int(mass[-1]) >> (DEAD >> FINE) == 0


CASES: dict[str, dict[str, float]] = {
    "as it is": {},
    "cooler": {"temperature": 0.6},
    "hotter": {"temperature": 2.0},
    "top-k": {"top_k": 7},
    "the best alone": {"top_k": 1},
    "top-p": {"top_p": 0.8},
    "min-p": {"min_p": 0.1},
    "anti-nucleus": {"anti_p": 0.5},
    "anti-nucleus of all": {"anti_p": 1.0},
    "anti-nucleus of next to nothing": {"anti_p": 1e-6},
    "all together": {"temperature": 1.3, "top_k": 30, "top_p": 0.9, "min_p": 0.02, "anti_p": 0.3},
}


@pytest.mark.parametrize("case", CASES)
def test_tokens_come_as_often_as_they_should(case: str) -> None:
    torch.manual_seed(1)
    V, draws = 100, 20_000
    logits, allowed = torch.randn(V) * 2, torch.rand(V) < 0.6
    chances = kept(logits, allowed, **CASES[case])
    rows = torch.arange(ROWS)
    wide, bits = logits.expand(ROWS, V).contiguous(), pack(allowed.expand(ROWS, V).numpy())
    found = torch.cat([by_numpy(wide, bits, rows, 5, step, **CASES[case])[0] for step in range(-(-draws // ROWS))])
    # Where there is a compiler, `sample` is another implementation.
    assert sample(wide, bits, rows, 5, 0, **CASES[case])[0].tolist() == found[:ROWS].tolist()
    counts = found.bincount(minlength=V).double()
    assert counts[chances == 0].sum() == 0
    # Cells of at least five, the rest together; chi-square about its mean of one a degree of freedom.
    expected = chances * len(found)
    large = expected >= 5
    cells = (
        torch.cat([counts[large], counts[~large].sum()[None]]),
        torch.cat([expected[large], expected[~large].sum()[None]]),
    )
    chi_square = ((cells[0] - cells[1]) ** 2 / cells[1].clamp(min=1e-9)).sum()
    freedom = max(int(large.sum()) - 1, 1)
    assert chi_square < freedom + 5 * math.sqrt(2 * freedom)


def test_log_probabilities_are_those_of_what_is_allowed_whatever_the_rules() -> None:
    torch.manual_seed(2)
    logits, allowed = torch.randn(8, 5489) * 4, torch.rand(8, 5489) < 0.3
    tokens, nats = sample(logits, pack(allowed), torch.arange(8), 3, 0, temperature=0.8, top_p=0.9, min_p=0.01)
    exact = torch.log_softmax(logits.double().masked_fill(~allowed, -math.inf), 1)
    assert bool(allowed.gather(1, tokens[:, None]).all())
    torch.testing.assert_close(nats.double(), exact.gather(1, tokens[:, None])[:, 0], atol=2e-6, rtol=2e-6)


def test_the_anti_nucleus_comes_as_often_as_asked() -> None:
    rows, logits = torch.arange(2000), torch.tensor([5.0, 0.0, 0.0]).repeat(2000, 1)
    tokens, _ = sample(logits, everything(2000, 3), rows, 0, 0, anti_p=0.5, anti_chance=0.25)
    avoided = (tokens > 0).double().mean()
    likely = 1 / (1 + 2 * math.exp(-5))
    assert abs(avoided - (0.25 + 0.75 * (1 - likely))) < 5 * math.sqrt(0.25 / 2000)


# --- the same on every path ------------------------------------------------------------------------------------------


def close_logits(kind: str, N: int, V: int) -> Tensor:
    """Logits that many tokens share, exactly or nearly."""
    torch.manual_seed(3)
    if kind == "ties":
        return torch.randint(-3, 3, (N, V)).float()
    if kind == "near ties":
        return torch.randint(-3, 3, (N, V)).float() + torch.randn(N, V) * 1e-6
    return torch.randn(N, V) * {"flat": 0.1, "usual": 3.0, "steep": 30.0}[kind]


@needs_interpreter
@pytest.mark.parametrize("kind", ["ties", "near ties", "flat", "usual", "steep"])
def test_the_kernel_draws_the_same_tokens(kind: str) -> None:
    N, V = 8, 700
    logits, rows = close_logits(kind, N, V), torch.arange(N)
    torch.manual_seed(4)
    rules = {
        "temperature": torch.rand(N) + 0.5,
        "top_k": torch.randint(0, 50, (N,)).float() * (torch.rand(N) < 0.5),
        "top_p": 1 - 0.5 * torch.rand(N) * (torch.rand(N) < 0.7),
        "min_p": 0.2 * torch.rand(N) * (torch.rand(N) < 0.5),
        "anti_p": torch.rand(N) * (torch.rand(N) < 0.5),
        "anti_chance": torch.rand(N),
    }
    seen = set()
    for step, share in enumerate((1.0, 0.05)):
        allowed = pack(torch.rand(N, V) < share)
        found, found_nats = by_kernel(logits, allowed, rows, 2**40 + 1, step, **rules)
        tokens, nats = sample(logits, allowed, rows, 2**40 + 1, step, **rules)
        assert found.tolist() == tokens.tolist()
        assert by_numpy(logits, allowed, rows, 2**40 + 1, step, **rules)[0].tolist() == tokens.tolist()
        torch.testing.assert_close(found_nats, nats, atol=1e-5, rtol=1e-5)
        seen.update(tokens.tolist())
    assert len(seen) > N / 2, "hardly anything was drawn"


@needs_interpreter
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_the_kernel_reads_rows_that_lie_apart_and_a_vocabulary_like_ours(dtype: torch.dtype) -> None:
    torch.manual_seed(5)
    logits, rows = (torch.randn(2, 6000) * 3).to(dtype)[:, :5489], torch.tensor([4, 2**32 - 1])
    allowed = pack(torch.rand(2, 5489) < 0.5)
    found = by_kernel(logits, allowed, rows, 9, 70, top_p=0.98)
    for draw in (sample, by_numpy):
        torch.testing.assert_close(found, draw(logits, allowed, rows, 9, 70, top_p=0.98), atol=1e-5, rtol=1e-5)


PATHS = pytest.mark.parametrize(
    "draw",
    [
        pytest.param(by_kernel, marks=needs_interpreter, id="triton"),
        pytest.param(by_numpy, id="numpy"),
        pytest.param(sample, id="cpu"),
    ],
)


@PATHS
def test_a_row_draws_the_same_in_any_company_and_place(draw: Any) -> None:
    torch.manual_seed(6)
    logits, allowed, rows = torch.randn(6, 300), pack(torch.rand(6, 300) < 0.5), torch.arange(6) * 1000
    together = draw(logits, allowed, rows, 1, 5, top_p=0.9)[0]
    order = torch.tensor([3, 0, 5])
    assert draw(logits[order], allowed[order], rows[order], 1, 5, top_p=0.9)[0].tolist() == together[order].tolist()
    # And another one at another step, with another seed, under another name.
    wide, bits = logits[:1].repeat(12, 1), allowed[:1].repeat(12, 1)
    assert len(set(draw(wide, bits, torch.arange(12), 1, 5)[0].tolist())) > 6
    for seed, step in ((2, 5), (1, 6)):
        assert draw(logits, allowed, rows, seed, step, top_p=0.9)[0].tolist() != together.tolist()


@PATHS
@pytest.mark.parametrize("rules", [{}, {"top_k": 3, "top_p": 0.5, "min_p": 0.1, "anti_p": 0.9}], ids=["free", "ruled"])
def test_a_row_with_nothing_allowed_draws_nothing(draw: Any, rules: dict[str, float]) -> None:
    torch.manual_seed(7)
    logits, allowed = torch.randn(4, 65), np.ones((4, 65), np.bool_)
    allowed[0] = False
    logits[2] = -math.inf
    logits[3] = math.nan
    tokens, nats = draw(logits, pack(allowed), torch.arange(4), 0, 0, **rules)
    assert tokens[[0, 2, 3]].tolist() == [-1, -1, -1]
    assert nats[[0, 2, 3]].tolist() == [-math.inf] * 3
    assert tokens[1] >= 0
    assert math.isfinite(nats[1])
    alone, _ = draw(logits[1:2], pack(allowed[1:2]), torch.arange(1, 2), 0, 0, **rules)
    assert tokens[1] == alone[0]


@PATHS
def test_only_what_is_allowed_and_a_number_is_drawn(draw: Any) -> None:
    logits = torch.full((12, 64), math.nan)
    allowed = np.ones((12, 64), np.bool_)
    logits[:, 7], logits[:, 63] = -50.0, -50.0
    logits[:8, 30], allowed[:8, 30] = 100.0, False
    logits[8:, 31] = math.inf
    tokens, nats = draw(logits, pack(allowed), torch.arange(12), 0, 0)
    assert set(tokens[:8].tolist()) == {7, 63}
    assert set(tokens[8:].tolist()) == {31}
    torch.testing.assert_close(nats, torch.tensor([-math.log(2)] * 8 + [0.0] * 4))


@PATHS
def test_tokens_as_likely_have_turns(draw: Any) -> None:
    tokens, _ = draw(torch.zeros(12, 33), everything(12, 33), torch.arange(12), 0, 0, top_k=1)
    assert len(set(tokens.tolist())) > 6, "a tie at the edge stays as a whole"


def test_a_vocabulary_too_long_for_the_kernel_and_more_rows_than_a_line_holds_are_drawn_all_the_same() -> None:
    V = module.LONGEST + 1
    allowed = np.zeros((1, V), np.bool_)
    allowed[0, -1] = True
    assert by_kernel(torch.zeros(1, V), pack(allowed), torch.zeros(1, dtype=torch.int64), 0, 0)[0].tolist() == [V - 1]
    N = ROWS + 3
    logits, rows = torch.randn(N, 5), torch.arange(N)
    tokens, _ = by_numpy(logits, everything(N, 5), rows, 0, 0)
    assert tokens.tolist() == sample(logits, everything(N, 5), rows, 0, 0)[0].tolist()
    last = torch.tensor([N - 1])
    assert tokens[-1] == by_numpy(logits[last], everything(1, 5), last, 0, 0)[0]
    empty = sample(torch.zeros(0, 5), everything(0, 5), torch.zeros(0, dtype=torch.int64), 0, 0)
    assert [x.shape for x in empty] == [(0,), (0,)]


def test_a_packed_bit_is_its_token() -> None:
    bits = pack(np.array([[v in (0, 31, 32, 40) for v in range(41)]]))
    assert bits.tolist() == [[1 - 2**31, 1 + 2**8]]


# --- one face --------------------------------------------------------------------------------------------------------


def test_it_passes_opcheck() -> None:
    torch.manual_seed(8)
    rules = table(2, {"top_k": 5, "top_p": 0.9})
    arguments = (torch.randn(2, 50), everything(2, 50), torch.arange(2), rules, torch.tensor([0, 0]))
    torch.library.opcheck(torch.ops.conductor.sample.default, arguments)


def test_it_works_under_compile() -> None:
    torch.manual_seed(9)
    logits, allowed, rows = torch.randn(2, 50), everything(2, 50), torch.arange(2)

    def twice(logits: Tensor) -> Tensor:
        return sample(logits * 2, allowed, rows, 3, 4, top_p=0.9, temperature=torch.ones(2))[0] + 1

    compiled = torch.compile(twice, fullgraph=True, backend="aot_eager")
    assert compiled(logits).tolist() == twice(logits).tolist()


def good() -> dict[str, Any]:
    return {
        "logits_NV": torch.zeros(2, 40),
        "allowed_NW": everything(2, 40),
        "rows_N": torch.arange(2),
        "seed": 0,
        "step": 0,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("logits_NV", torch.zeros(40)),
        ("logits_NV", torch.zeros(2, 0)),
        ("logits_NV", torch.zeros(2, 40, dtype=torch.float64)),
        ("logits_NV", torch.zeros(40, 2).T),
        ("allowed_NW", everything(2, 65)),
        ("allowed_NW", everything(2, 40).long()),
        ("allowed_NW", everything(2, 40).T.contiguous().T),
        ("allowed_NW", everything(2, 40).to("meta")),
        ("rows_N", torch.arange(3)),
        ("rows_N", torch.arange(2).int()),
        ("seed", -1),
        ("seed", 2**63),
        ("step", -1),
        ("step", 2**32),
        ("temperature", 0.0),
        ("temperature", math.nan),
        ("top_k", -1),
        ("top_p", 1.1),
        ("min_p", -0.1),
        ("anti_p", 2.0),
        ("anti_chance", -1.0),
        *[(name, torch.ones(3)) for name in RULES],
    ],
)
def test_what_it_cannot_take_is_refused_by_name(name: str, value: Any) -> None:
    assert sample(**good())[0].shape == (2,)
    with pytest.raises(ValueError, match=name):
        sample(**(good() | {name: value}))
