"""Decoding is timed only where it is right, against everybody who is there, and by what it had to read."""

from __future__ import annotations

import importlib
import io
import json
import sys
import types
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from model.network.config import PRESETS
from model.network.transformer import Places, Transformer
from tests.bench import decode_speed
from tests.bench.decoders import contest, llama, llama_cpp
from tests.bench.decoders.bandwidth import Step, measure, step_of
from tests.bench.decoders.case import SHAPES, VOCABULARY_SIZE, Case
from tests.bench.decoders.contest import PEERS, TOLERANCES, Contest, Entry, Peer, rows_of, shares
from tests.bench.decoders.eager import Decoding, Eager, error
from tests.bench.decoders.worker import PeerError, Worker, serve

TINY = Case("tiny", batch=2, context=20, tokens=5)
ALONE = ["--quick", "--only", "eager", "--threads", "1", "--batch", "2", "--context", "20", "--tokens", "3"]


@pytest.fixture(autouse=True)
def _threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


class Late(Eager):
    """Hears each token where the one before it stood."""

    def step(self, tokens_N: Tensor, places: Places) -> Tensor:
        self.before, places = places, getattr(self, "before", places)
        return super().step(tokens_N, places)


class Forgetful(Eager):
    """Does not go back to the prompt, but one token further each time."""

    def rewind(self) -> None:
        super().rewind()
        self.cache.length += getattr(self, "times", 0)
        self.times = getattr(self, "times", 0) + 1


def off(kind: type[Eager], variant: str) -> float:
    def make(network: Transformer, candidates: int, capacity: int) -> Decoding:
        return kind(network, candidates, capacity + 2, variant)

    return error(PRESETS["tiny"], make)


@pytest.mark.parametrize("variant", ["float32", "bfloat16"])
def test_right_logits_pass_the_check(variant: str) -> None:
    assert off(Eager, variant) <= TOLERANCES[variant]


@pytest.mark.parametrize("wrong", [Late, Forgetful])
def test_wrong_logits_are_found(wrong: type[Eager]) -> None:
    assert off(wrong, "float32") > max(TOLERANCES.values())


@pytest.mark.parametrize("context", [3, 60, 100, 300])
def test_a_step_reads_each_key_that_somebody_sees_once(context: int) -> None:
    case = Case("tiny", batch=3, context=context, tokens=70)
    config = case.config
    read = 0
    pairs = 0
    for now in range(context, context + case.tokens):
        for layer in range(config.layers):
            window = config.layer_window(layer)
            seen = [at for at in range(now + 1) if window == 0 or now - at < window]
            pairs += case.batch * len(seen)
            read += len({(candidate if at >= context else None, at) for at in seen for candidate in range(case.batch)})
    step = step_of(case, weight_bytes=1, cache_bytes=2)
    vector = config.kv_heads * config.head_size
    assert step.cache_bytes == pytest.approx(read * 2 * vector * 2 / case.tokens)
    products = 2 * 2 * config.heads * config.head_size
    assert step.flops - 2 * case.batch * step.weight_bytes == pytest.approx(pairs * products / case.tokens)


def test_a_step_reads_each_matrix_once() -> None:
    config = SHAPES["small"]
    attention = config.width * 2 * (config.width + config.kv_heads * config.head_size)
    blocks = config.layers * (attention + 3 * config.width * config.hidden)
    step = step_of(Case("small", 1, 256, 4), weight_bytes=2, cache_bytes=2)
    # Beside blocks and token table there are the features of places, which are few.
    assert 1.0 < step.weight_bytes / (2 * (blocks + VOCABULARY_SIZE * config.width)) < 1.02
    assert step_of(Case("small", 8, 256, 4), 2, 2).weight_bytes == step.weight_bytes


def test_what_takes_longer_bounds_a_step() -> None:
    step = Step(weight_bytes=6e9, cache_bytes=4e9, flops=8e12)
    assert step.seconds(bytes_per_s=10e9, flops_per_s=16e12) == 1.0
    assert step.seconds(bytes_per_s=100e9, flops_per_s=16e12) == 0.5


def test_the_share_of_the_roofline_is_that_of_the_rate_at_the_steps_own_size() -> None:
    entry = Entry("ours", "int8", worker=None, rates=[50.0, 100.0])  # type: ignore[arg-type]
    machine = {"read": {"1000000000": 50e9, str(2**28): 25e9}, "bf16": 1e12, "fp32": 1e11}
    # Eight tokens in 80 ms; reading takes 20 ms of them, or 40 ms from memory.
    step = Step(weight_bytes=0.5e9, cache_bytes=0.5e9, flops=1e9)
    assert shares(step, machine, Case("tiny", 8, 10, 10), entry) == pytest.approx((0.25, 0.5))


def test_the_machine_is_measured_at_every_size() -> None:
    found: Any = measure([1000, 2**20])
    assert set(found["read"]) == {"1000", str(2**20), str(2**24), str(2**28)}
    assert min(*found["read"].values(), found["bf16"], found["fp32"]) > 1e6


def entry(peer: str, *rates: float) -> Entry:
    return Entry(peer, "some", worker=None, rates=list(rates))  # type: ignore[arg-type]


def test_ratios_are_taken_within_a_round() -> None:
    # In the second round somebody else was at work.
    entries = [entry("ours", 100, 10, 100), entry("hf", 10, 1, 10), entry("ctranslate2", 50, 4, 40)]
    entries.append(entry("llama_cpp", 20, 5, 50))
    rows = {row["what"]: row for row in rows_of(TINY, 2, entries, {e.peer: {} for e in entries})}
    assert (rows["ours"]["times_hf"], rows["ours"]["times_native"]) == (10.0, 2.0)
    assert rows["ours"]["tokens_per_s"] == 100
    assert rows["hf"]["times_hf"] == 1.0
    assert "roofline" not in rows["ours"]


def test_without_a_peer_there_is_no_ratio_to_it() -> None:
    (row,) = rows_of(TINY, 2, [entry("ours", 100.0)], {"ours": {}})
    assert not {"times_hf", "times_native"} & set(row)


def test_a_worker_decodes_in_a_process_of_its_own() -> None:
    with closing(Worker("eager", "float32", 1)) as worker:
        with pytest.raises(PeerError, match="nothing was prepared"):
            worker.go()
        worker.prepare(TINY)
        first, second = worker.go(), worker.go()
        assert len(first) == len(second) == TINY.tokens
        assert min(first + second) > 0


def test_a_process_that_ends_is_an_error_with_its_last_words() -> None:
    with closing(Worker("nobody", "", 1)) as worker:
        with pytest.raises(PeerError, match=r"ended with status 1: .*decoders\.nobody"):
            worker.prepare(TINY)
        assert not worker.alive


@pytest.fixture(name="told")
def _told(monkeypatch: pytest.MonkeyPatch) -> Any:
    class Decoder:
        def __init__(self, case: Case) -> None:
            self.case = case

        def go(self) -> list[float]:
            if self.case.context > 100:
                raise RuntimeError("too long\nand more of it")
            return [0.5] * self.case.tokens

    module: Any = types.ModuleType("tests.bench.decoders.fake")
    module.make = lambda case, _: Decoder(case)
    module.sum = lambda a, b: a + b
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def told(*requests: dict[str, Any]) -> list[dict[str, Any]]:
        answers = io.StringIO()
        serve("fake", "any", io.StringIO("".join(json.dumps(request) + "\n" for request in requests)), answers)
        return [json.loads(line) for line in answers.getvalue().splitlines()]

    return told


def test_requests_are_answered_line_by_line_and_errors_told(told: Any) -> None:
    case = {"shape": "tiny", "batch": 1, "context": 10, "tokens": 2}
    answers = told(
        {}, {"case": case}, {}, {"case": case | {"context": 101}}, {}, {"function": "sum", "args": {"a": 1, "b": 2}}
    )
    assert answers == [
        {"error": "PeerError: nothing was prepared"},
        {"result": None},
        {"result": [0.5, 0.5]},
        {"result": None},
        {"error": "RuntimeError: too long"},
        {"result": 3},
    ]


def test_a_peer_that_does_less_than_asked_is_out() -> None:
    class Lazy:
        alive = True

        def go(self) -> list[float]:
            return [0.1]

    lazy = Entry("hf", "bf16", Lazy())  # type: ignore[arg-type]
    with pytest.raises(PeerError, match="1 steps instead of 5"):
        lazy.go(TINY)


def test_the_command_tells_a_table_and_a_line_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "speed.json"
    assert decode_speed.main([*ALONE, "--rounds", "2", "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    facts = json.loads(out.read_text())
    assert facts == json.loads(printed.splitlines()[-1])
    (row,) = facts["rows"]
    assert (row["what"], row["shape"], row["batch"], row["context"]) == ("eager", "tiny", 2, 20)
    assert row["tokens_per_s"] > 0
    assert row["roofline"] > 0
    assert set(row["tried"]) == {"bfloat16", "float32"}
    assert {check["variant"] for check in facts["checks"]} == {"bfloat16", "float32"}
    assert facts["lost"] == {}
    assert "eager PyTorch" in printed


def test_a_peer_that_is_not_installed_is_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PEERS, "hf", Peer("HF generate", ("no_such_module",), "no-such"))
    assert decode_speed.main([*ALONE, "--rounds", "1", "--only", "hf"]) == 0
    assert "HF generate: not installed: pip install no-such" in capsys.readouterr().out


def test_wrong_logits_are_not_reported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(contest.TOLERANCES, "bfloat16", 1e-9)
    assert decode_speed.main([*ALONE, "--rounds", "1"]) == 1
    printed = capsys.readouterr().out
    assert "eager, bfloat16: logits of tiny are off by" in printed
    assert "nothing is reported" in printed
    assert "tokens/s" not in printed


def test_red_tests_are_not_reported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(decode_speed, "green", lambda tests: asked.append(tuple(tests)))
    assert decode_speed.main([]) == 1
    assert "tests/bench/test_decode_speed.py" in asked[0]
    assert "tests/model/network/test_transformer.py" in asked[0]
    assert "nothing is reported" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [["--only", "hf,vllm"], ["--shapes", "huge"], ["--tokens", "0"], ["--batch", "-1"]])
def test_what_is_not_known_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        decode_speed.main(["--quick", *wrong])
    assert wrong[0] in capsys.readouterr().err


def test_a_variant_that_was_not_checked_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Contest(["eager"], 1)) as all_of_them:
        monkeypatch.setattr(all_of_them.entries[0].worker, "call", _raises)
        all_of_them.check("tiny")
        assert [e.variant for e in all_of_them.entries] == ["float32"]
        assert list(all_of_them.lost) == ["eager PyTorch, bfloat16"]


def _raises(*_: Any, **__: Any) -> Any:
    raise PeerError("no")


def test_queries_laid_out_for_llama_cpp_turn_alike() -> None:
    heads, size = 3, 8
    weight = torch.randn(heads * size, 5, generator=torch.Generator().manual_seed(0))
    angles = torch.arange(size // 2) + 1.0
    x = torch.randn(5, generator=torch.Generator().manual_seed(1))
    halves = (weight @ x).view(heads, 2, size // 2)
    pairs = (llama_cpp.interleaved(weight, heads) @ x).view(heads, size // 2, 2)
    turned_halves = torch.polar(torch.ones(size // 2), angles) * torch.complex(halves[:, 0], halves[:, 1])
    turned_pairs = torch.polar(torch.ones(size // 2), angles) * torch.view_as_complex(pairs.contiguous())
    assert torch.allclose(turned_halves, turned_pairs, atol=1e-6)


PEER_VARIANTS = [
    ("hf", "fp32 dynamic"),
    ("hf", "fp32 static"),
    ("ctranslate2", "float32 shared"),
    ("ctranslate2", "float32 each head"),
    ("ctranslate2", "float32 each prompt"),
    ("llama_cpp", "bf16 plain"),
]


@pytest.mark.parametrize(("name", "variant"), PEER_VARIANTS)
@pytest.mark.filterwarnings("ignore")
def test_peers_compute_the_llama_of_our_shape(name: str, variant: str) -> None:
    for module in PEERS[name].needs:
        pytest.importorskip(module, reason="the peer is an extra")
    decoder = importlib.import_module(f"tests.bench.decoders.{name}").make(TINY, variant)
    assert len(decoder.go()) == TINY.tokens
    again = decoder.go()
    assert len(again) == TINY.tokens
    tokens = torch.as_tensor(decoder.tokens)
    assert tokens.shape == (TINY.batch, TINY.tokens + 1)
    expected = llama_greedy(TINY)
    assert tokens.tolist() == [expected] * TINY.batch


def llama_greedy(case: Case) -> list[int]:
    """Return the tokens of a Llama written plainly, in float64."""
    config, tokens = case.config, llama.prompt(case.context)
    named = {name: weight.double() for name, weight in llama.weights(config).items()}

    def norm(x: Tensor) -> Tensor:
        return x * (x.square().mean(-1, keepdim=True) + llama.EPSILON).rsqrt()

    for _ in range(case.tokens + 1):
        T, D = len(tokens), config.head_size
        turns = torch.arange(T).double()[:, None] * 10_000.0 ** (-torch.arange(0, D, 2).double() / D)
        turn = torch.polar(torch.ones_like(turns), turns)

        def heads(x: Tensor, weight: Tensor, turn: Tensor | None) -> Tensor:
            found = (x @ weight.T).view(len(x), -1, config.head_size).transpose(0, 1)
            if turn is None:
                return found
            a, b = found.chunk(2, -1)
            turned = torch.complex(a, b) * turn
            return torch.cat([turned.real, turned.imag], -1)

        x = named["model.embed_tokens.weight"][tokens]
        for layer in range(config.layers):
            own = {k.split(".")[-2]: w for k, w in named.items() if k.startswith(f"model.layers.{layer}.")}
            y = norm(x)
            q, k, v = (heads(y, own[f"{n}_proj"], turn if n != "v" else None) for n in "qkv")
            group = config.heads // config.kv_heads
            scores = q @ k.repeat_interleave(group, 0).transpose(1, 2) / D**0.5
            scores = scores.masked_fill(torch.ones(T, T).triu(1).bool(), float("-inf"))
            mixed = scores.softmax(-1) @ v.repeat_interleave(group, 0)
            x = x + mixed.transpose(0, 1).reshape(T, -1) @ own["o_proj"].T
            y = norm(x)
            x = x + (torch.nn.functional.silu(y @ own["gate_proj"].T) * (y @ own["up_proj"].T)) @ own["down_proj"].T
        tokens = [*tokens, int((norm(x[-1]) @ named["model.embed_tokens.weight"].T).argmax())]
    return tokens[case.context :]
