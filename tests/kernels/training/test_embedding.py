"""The sum of embeddings against float64, gradients too, by Triton's kernels and by torch.

Shapes: M tokens, C width, V vocabulary, R rows of a small table.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from kernels.dispatch import INTERPRETED
from kernels.training import embedding_gradients, embedding_kernels
from kernels.training.embedding import embedding_sum

torch.set_num_threads(1)
PERIODS = ([2, 4, 1024, 3, 16384], [0.125, 1 / 3, 4.0])
# (tokens, width, vocabulary): one of each, tiles that end early, more tokens than a tile holds.
SHAPES = [(1, 1, 1), (17, 40, 7), (70, 72, 300)]
TABLES = (3, 70, 2)
# What has a gradient.
LEARNED = ("table_VC", "time_CF", "sounding")


@pytest.fixture(autouse=True)
def _poisoned() -> Any:
    """Memory that nobody wrote to is not a number."""
    torch.use_deterministic_algorithms(True)
    assert torch.empty(3).isnan().all()
    yield
    torch.use_deterministic_algorithms(False)


def made(shape: tuple[int, int, int], dtype: torch.dtype = torch.float32, sounding: bool = True) -> dict[str, Any]:
    M, C, V = shape
    torch.manual_seed(sum(shape))

    def rows(count: int) -> Tensor:
        return torch.randn(count, C).to(dtype).requires_grad_()

    ticks = torch.randint(0, 400, (M,)).cumsum(0) + 2**24
    return {
        "tokens": torch.randint(V, (M,)),
        "table_VC": rows(V),
        "indices": [torch.randint(count, (M,)) for count in TABLES],
        "tables": [rows(count) for count in TABLES],
        "ticks": ticks,
        "beats": (ticks % 2**20).float() / 47,
        "periods": PERIODS,
        "time_CF": torch.randn(C, 2 * 8).to(dtype).requires_grad_(),
        "sounding": rows(M) if sounding else None,
    }


def by_torch(**given: Any) -> Tensor:
    return embedding_sum(**given)


def by_operator(
    tokens: Tensor,
    table_VC: Tensor,
    indices: list[Tensor],
    tables: list[Tensor],
    ticks: Tensor,
    beats: Tensor,
    periods: tuple[list[int], list[float]],
    time_CF: Tensor,
    sounding: Tensor | None,
) -> Tensor:
    """As on a GPU."""
    starts = [0, TABLES[0], TABLES[0] + TABLES[1]]
    rows = torch.stack([index + start for index, start in zip(indices, starts, strict=True)])
    out: Tensor = torch.ops.conductor.embedding_sum(
        tokens, table_VC, rows, torch.cat(tables), ticks, beats, *periods, time_CF, sounding
    )
    return out


def exactly(**given: Any) -> Tensor:
    """Token by token."""
    out = []
    for m, token in enumerate(given["tokens"].tolist()):
        beat = float(given["beats"][m].double())
        # As near as float32 knows where a beat stands in its turn.
        turns = [int(given["ticks"][m]) % period / period for period in PERIODS[0]]
        turns += [float(torch.frac(given["beats"][m] / torch.tensor(period))) for period in PERIODS[1]]
        assert all(
            min(abs(turn - beat / p % 1), 1 - abs(turn - beat / p % 1)) < 1e-2
            for turn, p in zip(turns[5:], PERIODS[1], strict=True)
        )
        angles = 2 * math.pi * torch.tensor(turns, dtype=torch.float64)
        total = given["table_VC"][token] + given["time_CF"] @ torch.cat([angles.sin(), angles.cos()])
        for index, table in zip(given["indices"], given["tables"], strict=True):
            total = total + table[int(index[m])]
        out.append(total if given["sounding"] is None else total + given["sounding"][m])
    return torch.stack(out)


def learned(given: dict[str, Any]) -> list[Tensor]:
    return [*(given[name] for name in LEARNED if given[name] is not None), *given["tables"]]


def gradients(of: Any, given: dict[str, Any]) -> list[Tensor]:
    """Return the sum, and the gradient of each table of something that looks at all of it."""
    out = of(**given)
    torch.manual_seed(1)
    loss = (out.double() * torch.randn(out.shape, dtype=torch.float64)).sum()
    return [out.detach(), *torch.autograd.grad(loss, learned(given))]


def doubled(given: dict[str, Any]) -> dict[str, Any]:
    def double(x: Tensor | None) -> Tensor | None:
        return x if x is None else x.detach().double().requires_grad_()

    return given | {name: double(given[name]) for name in LEARNED} | {"tables": [double(x) for x in given["tables"]]}


def close(found: list[Tensor], wanted: list[Tensor], tolerance: float) -> None:
    for ours, right in zip(found, wanted, strict=True):
        assert ours.isfinite().all()
        size = float(right.abs().max())
        torch.testing.assert_close(ours.double(), right.double(), atol=tolerance * (size + 1), rtol=tolerance)


@pytest.mark.parametrize("sounding", [True, False], ids=["and what sounds", "and no more"])
@pytest.mark.parametrize("of", [by_torch, by_operator])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_is_the_sum_and_so_are_its_gradients(shape: tuple[int, int, int], of: Any, sounding: bool) -> None:
    assert INTERPRETED
    given = made(shape, sounding=sounding)
    close(gradients(of, given), gradients(exactly, doubled(given)), 2e-6)


@pytest.mark.parametrize("of", [by_torch, by_operator])
def test_float16_is_as_near_as_its_digits(of: Any) -> None:
    given = made((33, 40, 9), torch.float16)
    found = gradients(of, given)
    assert {x.dtype for x in found} == {torch.float16}
    close(found, gradients(exactly, doubled(given)), 4e-3)


@pytest.mark.parametrize("of", [by_torch, by_operator])
def test_tables_may_differ_in_dtype(of: Any) -> None:
    given = made((20, 24, 9))
    given["time_CF"] = given["time_CF"].detach().half().requires_grad_()
    given["sounding"] = given["sounding"].detach().half().requires_grad_()
    if of is by_torch:
        given["time_CF"] = given["time_CF"].detach().float().requires_grad_()
    found = gradients(of, given)
    assert found[0].dtype == torch.float32
    assert [x.dtype for x in found[1:]] == [x.dtype for x in learned(given)]
    close(found, gradients(exactly, doubled(given)), 2e-3)


def test_gradients_come_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    given = made((70, 40, 9))
    whole = gradients(by_operator, given)
    monkeypatch.setattr(embedding_gradients, "PROGRAMS", 1)
    close(gradients(by_operator, given), whole, 1e-6)


def test_the_same_numbers_every_time() -> None:
    given = made((70, 40, 9))
    for once, again in zip(gradients(by_operator, given), gradients(by_operator, given), strict=True):
        assert torch.equal(once, again)


def test_words_and_rows_nobody_said_learn_nothing() -> None:
    given = made((17, 40, 300))
    for of in (by_torch, by_operator):
        _, of_table, _, _, *of_tables = gradients(of, given)
        for index, found in zip([given["tokens"], *given["indices"]], [of_table, *of_tables], strict=True):
            said = torch.zeros(len(found), dtype=torch.bool)
            said[index] = True
            assert (found[~said] == 0).all()
            assert (found[said].abs().amax(1) > 0).all()


def test_no_tokens_are_no_sum() -> None:
    for of in (by_torch, by_operator):
        out, *found = gradients(of, made((0, 16, 9)))
        assert out.shape == (0, 16)
        assert all((x == 0).all() for x in found)


def test_rows_of_tokens_keep_their_shape() -> None:
    flat = made((12, 16, 9))
    names = ("tokens", "ticks", "beats")
    given = flat | {name: flat[name].view(3, 4) for name in names} | {"sounding": flat["sounding"].view(3, 4, 16)}
    given["indices"] = [index.view(3, 4) for index in flat["indices"]]
    assert torch.equal(embedding_sum(**given), embedding_sum(**flat).view(3, 4, 16))


def test_the_kernels_sine_is_a_sine() -> None:
    # One token a turn, through the factors of one period of 4096 ticks.
    ticks = torch.arange(4096)
    none, zero = torch.zeros(4096, dtype=torch.int64), torch.zeros(1, 2)
    time_CF = torch.tensor([[1.0, 0, 0, 0], [0, 0, 1.0, 0]])
    found = torch.ops.conductor.embedding_sum(
        none, zero, none[None], zero, ticks, ticks.float(), [4096], [1.0], time_CF, None
    )
    angles = 2 * math.pi * ticks.double() / 4096
    exact = torch.stack([angles.sin(), angles.cos()], dim=1)
    torch.testing.assert_close(found.double(), exact, atol=3e-7, rtol=0)


@pytest.mark.parametrize("sounding", [True, False], ids=["and what sounds", "and no more"])
def test_the_references_are_the_kernels(sounding: bool) -> None:
    made_up = made((33, 40, 9), sounding=sounding)
    given: dict[str, Any] = {n: x.detach() if isinstance(x, Tensor) else x for n, x in made_up.items()}
    rows, small = torch.stack(given["indices"]), torch.randn(70, 40)
    clocks = given["ticks"], given["beats"], *PERIODS
    args = (given["tokens"], given["table_VC"], rows, small, *clocks, given["time_CF"], given["sounding"])
    found, wanted = torch.ops.conductor.embedding_sum(*args), embedding_kernels._reference(*args)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    above = torch.randn(33, 40)
    back = (above, given["tokens"], rows, *clocks, 9, 70)
    plain = embedding_gradients._backward_reference(*back)
    for ours, right in zip(torch.ops.conductor.embedding_sum_backward(*back), plain, strict=True):
        torch.testing.assert_close(ours, right, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("of", [by_torch, by_operator])
def test_it_compiles_whole(of: Any) -> None:
    given = made((20, 24, 9))
    compiled = torch.compile(of, fullgraph=True, backend="aot_eager")
    close(gradients(compiled, given), gradients(of, given), 1e-6)


@pytest.mark.parametrize("sounding", [True, False], ids=["and what sounds", "and no more"])
def test_the_operators_are_as_torch_wants_them(sounding: bool) -> None:
    given = made((20, 24, 9), sounding=sounding)
    rows, small = torch.stack(given["indices"]), torch.randn(70, 24, requires_grad=True)
    clocks = given["ticks"], given["beats"], *PERIODS
    torch.library.opcheck(
        torch.ops.conductor.embedding_sum,
        (given["tokens"], given["table_VC"], rows, small, *clocks, given["time_CF"], given["sounding"]),
    )
    torch.library.opcheck(
        torch.ops.conductor.embedding_sum_backward, (torch.randn(20, 24), given["tokens"], rows, *clocks, 9, 70)
    )


INDEX, TABLE = torch.zeros(4, dtype=torch.int64), torch.zeros(3, 8)
REFUSED: list[tuple[str, Any]] = [
    ("tokens", torch.zeros(4, dtype=torch.int32)),
    ("table_VC", torch.zeros(8)),
    ("table_VC", torch.zeros(9, 8, dtype=torch.int64)),
    ("table_VC", torch.zeros(9, 8, device="meta")),
    ("indices", [INDEX, INDEX]),
    (r"indices\[1\]", [INDEX, INDEX[:3], INDEX]),
    (r"indices\[2\]", [INDEX, INDEX, INDEX.float()]),
    (r"indices\[0\]", [INDEX.to("meta"), INDEX, INDEX]),
    ("tables", []),
    (r"tables\[1\]", [TABLE, torch.zeros(70, 7), TABLE]),
    (r"tables\[0\]", [TABLE.long(), TABLE, TABLE]),
    (r"tables\[0\]", [TABLE.to("meta"), TABLE, TABLE]),
    ("ticks", INDEX.float()),
    ("ticks", INDEX.to("meta")),
    ("beats", INDEX),
    ("beats", torch.zeros(5)),
    ("periods", ([], [1.0])),
    ("periods", ([2], [0.0])),
    ("time_CF", torch.zeros(8, 15)),
    ("time_CF", torch.zeros(8, 16, dtype=torch.int64)),
    ("sounding", torch.zeros(4, 7)),
    ("sounding", torch.zeros(4, 8, device="meta")),
]


@pytest.mark.parametrize(("name", "bad"), REFUSED, ids=[f"{name} {n}" for n, (name, _) in enumerate(REFUSED)])
def test_what_it_cannot_take_it_refuses_by_name(name: str, bad: Any) -> None:
    good = made((4, 8, 9))
    assert embedding_sum(**good).isfinite().all()
    with pytest.raises(ValueError, match=name):
        embedding_sum(**good | {name.split("\\")[0]: bad})


def test_no_row_beyond_a_table_is_read() -> None:
    given = made((4, 8, 9))
    with pytest.raises(IndexError):
        embedding_sum(**given | {"tokens": torch.tensor([0, 1, 2, 9])})
    found = by_operator(**given | {"tokens": torch.tensor([0, 1, -1, 9])})
    assert found.isfinite().all()
