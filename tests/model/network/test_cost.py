"""What a model is said to cost is what it costs."""

from __future__ import annotations

import gc
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from model.composing.rows import KEPT
from model.language.sounding import SOUNDING
from model.language.vocabulary import VOCABULARY
from model.learning.corpus import Corpus
from model.learning.trainer import Plan, Trainer
from model.network.cache import Cache
from model.network.config import PRESETS, Config
from model.network.cost import HEADER, composing, cost
from model.network.transformer import TIME_FEATURES, Places, Transformer

WINDOWED = Config(layers=5, width=96, heads=6, kv_heads=2, context=96, window=32, full_every=3, hidden=160)
FULL = replace(WINDOWED, window=0, kv_heads=6)
SPARSE = replace(WINDOWED, window=16, sparse="alternate")


def batch(rows: int, tokens: int) -> tuple[Tensor, Places, Tensor, Tensor]:
    whole = torch.randint(200, (rows, tokens))
    zero = torch.zeros_like(whole)
    places = Places(zero, zero.float(), zero, zero, zero, zero, torch.rand(rows, tokens, SOUNDING))
    return whole, places, whole, torch.ones(rows, tokens)


@pytest.mark.parametrize("config", [*PRESETS.values(), WINDOWED], ids=[*PRESETS, "windowed"])
def test_parameters_are_those_of_the_model(config: Config) -> None:
    found = cost(config)
    with torch.device("meta"):
        model = Transformer(config)
    assert found.total == sum(p.numel() for p in model.parameters())
    of = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    assert found.parameters["token table"] == of["table"]
    assert found.parameters["places"] == of["places"]
    inner, shared = config.width, config.kv_heads * config.head_size
    assert found.parameters["attention"] == config.layers * config.width * 2 * (inner + shared)
    assert found.parameters["feed-forward"] == config.layers * 3 * config.width * config.hidden
    # Two norms and what is heard again of the embedding in each block, and the last norm.
    assert found.parameters["norms"] == (3 * config.layers + 1) * config.width
    assert found.memory.weights_float32 == 2 * found.memory.weights_bfloat16 == 4 * found.total


def test_the_presets_grow_up_to_the_shape_of_musenet() -> None:
    sizes = [cost(config).total for config in PRESETS.values()]
    assert list(PRESETS) == ["tiny", "small", "base", "large", "musenet"]
    assert sizes == sorted(sizes)
    musenet = PRESETS["musenet"]
    assert (musenet.layers, musenet.heads, musenet.context, musenet.window) == (72, 24, 4096, 0)


def test_the_optimisers_remember_so_much(corpus: Corpus, tmp_path: Path) -> None:
    learner = Trainer(corpus, PRESETS["tiny"], Plan(rows=1, tokens=64), tmp_path, compiled=False)
    learner.train_step()
    states = [state for o in learner.optimisers for state in o.state.values()]
    # AdamW counts its steps in a scalar of each weight.
    remembered = sum(v.numel() * v.element_size() for state in states for v in state.values() if v.dim() > 0)
    assert cost(PRESETS["tiny"]).memory.optimiser == remembered > 0


def test_a_cache_is_so_large() -> None:
    config = PRESETS["tiny"]
    cache = Cache(config, 1, config.context, torch.bfloat16)
    held = sum(t.numel() * t.element_size() for t in cache.keys + cache.values)
    assert cost(config).memory.cache == held


class Living(TorchDispatchMode):
    """Counts the bytes that are made within it and are still held."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.made: list[tuple[Any, int]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else [out]:
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                self.made.append((StorageWeakRef(storage), storage.nbytes()))  # type: ignore[no-untyped-call]
        return out

    def held(self) -> int:
        """Return the bytes that still are."""
        alive: dict[int, int] = {weak.cdata: count for weak, count in self.made if not weak.expired()}
        return sum(alive.values())


def held_after_forward(config: Config, rows: int, tokens: int, *, recompute: bool) -> int:
    torch.manual_seed(0)
    model = Transformer(config)
    model.recompute = recompute
    gc.collect()
    with Living() as living, torch.autocast("cpu", torch.bfloat16):
        loss = model.loss(*batch(rows, tokens))
        held: int = living.held()
    assert loss.requires_grad
    return held


@pytest.mark.parametrize("tokens", [96, 80], ids=["whole blocks", "padded blocks"])
@pytest.mark.parametrize("config", [WINDOWED, FULL, SPARSE], ids=["windowed", "full", "sparse"])
def test_training_keeps_so_much(config: Config, tokens: int) -> None:
    said = cost(config, rows=4, tokens=tokens).memory
    held = held_after_forward(config, 4, tokens, recompute=False)
    assert held == pytest.approx(said.activations + said.copies, rel=0.01)
    # With recomputing the forward pass ends before any block is computed again.
    held = held_after_forward(config, 4, tokens, recompute=True)
    ends = held_after_forward(replace(config, layers=0), 4, tokens, recompute=False)
    inputs = config.layers * 4 * tokens * config.width * 4
    # Autocast holds the blocks' weights in bfloat16 as long as the pass lasts.
    weights = 2 * sum(p.numel() for p in Transformer(config).blocks.parameters() if p.dim() == 2)
    assert held == pytest.approx(ends + inputs + weights, rel=0.01)
    one_block = said.activations_recomputed + said.copies - held
    outside = cost(replace(config, layers=0), rows=4, tokens=tokens).memory.activations
    assert 0 < one_block < (said.activations - outside) / (config.layers - 1)
    assert said.activations_recomputed < 0.7 * said.activations


def test_recomputing_pays_with_depth() -> None:
    memory = cost(PRESETS["musenet"], rows=1).memory
    assert memory.activations_recomputed < memory.activations / 10
    assert memory.training(recompute=False) - memory.training(recompute=True) == (
        memory.activations - memory.activations_recomputed
    )


@pytest.mark.parametrize("config", [WINDOWED, FULL, SPARSE], ids=["windowed", "full", "sparse"])
def test_a_token_costs_so_many_operations(config: Config) -> None:
    rows, tokens = 2, 96
    model, music = Transformer(config), batch(rows, tokens)
    # With gradients the loss makes some of them on its way forward.
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.loss(*music)
    products = counter.get_flop_counts()["Global"][torch.ops.aten.mm]
    # Attention, key by key.
    keys = sum(
        bool(config.layer_pattern(layer).allowed(query, key))
        for layer in range(config.layers)
        for query in range(tokens)
        for key in range(tokens)
    )
    attention = 4 * config.width * keys / tokens
    work = cost(config, rows=rows, tokens=tokens).work
    assert work.forward == pytest.approx(products / (rows * tokens) + attention)
    assert work.training == 3 * work.forward
    ends = 2 * config.width * (TIME_FEATURES + SOUNDING + len(VOCABULARY))
    assert work.training_recomputed == pytest.approx(work.training + work.forward - ends)


def test_composing_costs_what_the_sampler_does() -> None:
    config = PRESETS["tiny"]
    matrices = sum(p.numel() for p in Transformer(config).blocks.parameters() if p.dim() == 2)
    place = 2 * matrices + 2 * config.width * (TIME_FEATURES + SOUNDING)
    logits = 2 * config.width * len(VOCABULARY)

    def attention(first: int, last: int) -> int:
        windows = [config.layer_window(layer) for layer in range(config.layers)]
        return sum(4 * config.width * min(n, window or n) for window in windows for n in range(first, last + 1))

    full = config.context - HEADER
    once = config.context * place + full * logits + attention(1, config.context)
    assert composing(config, full) == once
    # One more, and what is kept of the context is read again.
    kept = int(config.context * KEPT)
    assert composing(config, full + 1) == once + (kept + 1) * place + 2 * logits + attention(1, kept + 1)
    assert cost(config, piece_s=60).work.composing < cost(config, piece_s=61).work.composing


def test_it_says_all_it_knows_as_plain_values() -> None:
    said = json.loads(json.dumps(cost(WINDOWED, rows=2).as_dict()))
    assert said["parameters"]["total"] == sum(v for k, v in said["parameters"].items() if k != "total")
    assert said["memory"]["training"] > said["memory"]["training_recomputed"] > 0
    assert said["formulas"]["forward"]
