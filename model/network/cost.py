"""What a model costs: parameters, memory and floating-point operations, told before it is built.

Parameters are counted on the model itself, built without memory. What training
keeps is counted on it too: its forward pass is gone through with tensors that
have shapes and no content. Operations are those of matrix products, a
multiplication and an addition counted as two; of attention, a token meets the
keys that its pattern lets it see.

Sources: Kaplan et al. (2020), appendix of FLOP counts; Chen et al. (2016), recomputing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks

from kernels.attention.patterns import Pattern
from model.composing.rows import KEPT
from model.language.sounding import SOUNDING
from model.language.vocabulary import VOCABULARY
from model.learning.plan import learned_by_muon
from model.network.config import Config
from model.network.transformer import TIME_FEATURES, Block, Places, Transformer, rotary_tables

# Of the training music of the shipped checkpoint: 17.3 million tokens in 182 hours.
TOKENS_PER_SECOND = 26.5
# Tokens of a header, more or less.
HEADER = 8
PARTS = ("token table", "places", "attention", "feed-forward", "norms")

FORMULAS = {
    "parameters": "counted on the model",
    "optimiser": "4 bytes a parameter for Muon (matrices of the blocks), 8 for AdamW (all else)",
    "activations": "what the forward pass keeps for the backward pass, counted on the model in bfloat16 autocast",
    "recomputed": "outside the blocks + the input of every block + one block",
    "cache": "layers x 2 x key-value heads x head size x context x 2 bytes",
    "forward": "2 x (block matrices + places + vocabulary x width) + layers x 4 x width x mean keys seen",
    "keys seen": "token n sees n keys; of a window min(n, window); strided min(n, window) + (n - 1) // window; "
    "fixed (n - 1) % window + 1 + (n - 1) // window x summary",
    "training": "3 x forward, or with recomputing 4 x the blocks and 3 x the rest",
    "composing": f"every token once, behind those before it; of a full context the last {KEPT:.0%} are read again",
}


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes.

    Attributes:
        weights_float32, weights_bfloat16: the parameters.
        gradients: of training, float32.
        optimiser: what the optimisers remember.
        copies: of weights, while training: in bfloat16 beside those in float32, and the token table's gradient,
            which the loss makes on its way forward.
        activations: kept from a forward for the backward pass.
        activations_recomputed: the same when blocks are computed again.
        cache: keys and values of one candidate at full context, bfloat16.
    """

    weights_float32: int
    weights_bfloat16: int
    gradients: int
    optimiser: int
    copies: int
    activations: int
    activations_recomputed: int
    cache: int

    def training(self, *, recompute: bool) -> int:
        """Return the bytes of a training step in all."""
        kept = self.activations_recomputed if recompute else self.activations
        return self.weights_float32 + self.gradients + self.optimiser + self.copies + kept


@dataclass(frozen=True, slots=True)
class Work:
    """Floating-point operations.

    Attributes:
        forward: of a token in a window, forward.
        training: of a token in a window, forward and backward.
        training_recomputed: the same when blocks are computed again.
        composing: of one candidate of a piece.
    """

    forward: float
    training: float
    training_recomputed: float
    composing: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What a shape costs.

    Attributes:
        config: the shape.
        rows, tokens: of the training batch.
        piece_s: length of the composed piece.
        piece_tokens: its tokens.
        parameters: by part.
        memory, work: bytes and operations.
    """

    config: Config
    rows: int
    tokens: int
    piece_s: float
    piece_tokens: int
    parameters: dict[str, int]
    memory: Memory
    work: Work

    @property
    def total(self) -> int:
        """All parameters."""
        return sum(self.parameters.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, sums included."""
        memory = asdict(self.memory) | {
            "training": self.memory.training(recompute=False),
            "training_recomputed": self.memory.training(recompute=True),
        }
        parameters = {"total": self.total, **self.parameters}
        plain = {"config": self.config.as_dict(), "parameters": parameters, "memory": memory, "formulas": FORMULAS}
        return asdict(self) | plain


def cost(config: Config, *, rows: int = 8, tokens: int | None = None, piece_s: float = 240.0) -> Cost:
    """Return what a shape costs.

    Args:
        config: the shape.
        rows: windows in a training batch, 1 or more.
        tokens: tokens in a window; the context by default.
        piece_s: length of the piece to compose.
    """
    tokens = tokens or config.context
    with torch.device("meta"):
        model = Transformer(config)
    named = {name: (weight.numel(), learned_by_muon(name, weight)) for name, weight in model.named_parameters()}
    total = sum(count for count, _ in named.values())
    copies, activations, recomputed = _kept(config, rows, tokens)
    memory = Memory(
        weights_float32=4 * total,
        weights_bfloat16=2 * total,
        gradients=4 * total,
        optimiser=sum((4 if muon else 8) * count for count, muon in named.values()),
        copies=copies,
        activations=activations,
        activations_recomputed=recomputed,
        cache=config.layers * 2 * config.kv_heads * config.head_size * config.context * 2,
    )
    parts = dict.fromkeys(PARTS, 0)
    for name, (count, _) in named.items():
        parts[_part(name)] += count
    piece_tokens = round(piece_s * TOKENS_PER_SECOND)
    blocks = 2 * _matrices(config) + _attended(config, tokens) / tokens
    ends = _places(config) + _logits(config)
    work = Work(
        forward=blocks + ends,
        training=3 * (blocks + ends),
        training_recomputed=4 * blocks + 3 * ends,
        composing=composing(config, piece_tokens),
    )
    return Cost(config, rows, tokens, piece_s, piece_tokens, parts, memory, work)


def _part(name: str) -> str:
    for sign, part in (("table", "token table"), ("places", "places"), (".attention.", "attention")):
        if name.startswith(sign) or sign in name:
            return part
    return "feed-forward" if ".feed_forward." in name else "norms"


def _matrices(config: Config) -> int:
    """Return the entries of all matrices of the blocks."""
    inner = config.heads * config.head_size
    shared = config.kv_heads * config.head_size
    return config.layers * config.width * (2 * inner + 2 * shared + 3 * config.hidden)


def _places(config: Config) -> int:
    """Return the operations that say where a token stands."""
    return 2 * config.width * (TIME_FEATURES + SOUNDING)


def _logits(config: Config) -> int:
    """Return the operations of a token's logits."""
    return 2 * config.width * len(VOCABULARY)


def _attended(config: Config, last: int, first: int = 0) -> int:
    """Return the operations of attention of tokens `first` to `last`: a product with keys, one with values."""
    patterns = Counter(config.layer_pattern(layer) for layer in range(config.layers))
    seen = sum(count * pattern.seen(first, last) for pattern, count in patterns.items())
    return 4 * config.heads * config.head_size * seen


def composing(config: Config, tokens: int) -> float:
    """Return the operations of composing one candidate of so many tokens, as the sampler goes about it."""
    each = 2 * _matrices(config) + _places(config)
    # The header, then token by token until the context is full.
    filled = min(HEADER + tokens, config.context)
    done = filled * each + (filled - HEADER) * _logits(config) + _attended(config, filled)
    left = HEADER + tokens - filled
    kept = int(config.context * KEPT)
    while left > 0:
        more = min(left, config.context - kept)
        done += (kept + more) * each + (1 + more) * _logits(config) + _attended(config, kept + more)
        left -= more
    return float(done)


def _kept(config: Config, rows: int, tokens: int) -> tuple[int, int, int]:
    """Return bytes kept for the backward pass: weights in bfloat16, activations, and those with recomputing."""
    blocks: dict[Pattern, tuple[int, int]] = {}
    with FakeTensorMode(allow_non_fake_inputs=True), torch.autocast("cpu", torch.bfloat16):
        bare = Transformer(replace(config, layers=0))
        copies, outside = _grows(lambda n: _through_ends(bare, n, tokens), list(bare.parameters()), rows)
        for layer in range(config.layers):
            pattern = config.layer_pattern(layer)
            if pattern not in blocks:
                block = Block(config, layer)
                blocks[pattern] = _grows(
                    lambda n, block=block: _through_block(block, config, n, tokens),  # type: ignore[misc]
                    list(block.parameters()),
                    rows,
                )
    layers = [blocks[config.layer_pattern(layer)] for layer in range(config.layers)]
    # Every block keeps the embedding, which is one; it is the input of the first.
    stream = 4 * rows * tokens * config.width
    own = [activations - stream for _, activations in layers]
    every = outside + stream + sum(own)
    again = outside + stream * config.layers + max(own, default=0)
    return copies + sum(weights for weights, _ in layers), every, min(every, again)


def _grows(forward: Callable[[int], Tensor], weights: list[Tensor], rows: int) -> tuple[int, int]:
    """Return the bytes a forward pass keeps whatever its rows are, and those it keeps of its rows."""
    one, two = (_bytes_kept(forward, weights, n) for n in (rows, 2 * rows))
    return 2 * one - two, two - one


def _bytes_kept(forward: Callable[[int], Tensor], weights: list[Tensor], rows: int) -> int:
    own = {weight.untyped_storage()._cdata for weight in weights}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        # Views of one storage are one; held here, so that no other takes its place.
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        out = forward(rows)
    assert out.requires_grad
    return sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in own)


def _through_block(block: Block, config: Config, rows: int, tokens: int) -> Tensor:
    stream = torch.empty(rows, tokens, config.width, requires_grad=True)
    embedded = torch.empty(rows, tokens, config.width, requires_grad=True)
    out: Tensor = block(stream, embedded, *rotary_tables(torch.arange(tokens), config.head_size))
    return out


def _through_ends(model: Transformer, rows: int, tokens: int) -> Tensor:
    whole = torch.zeros(rows, tokens, dtype=torch.long)
    places = Places(whole, whole.float(), whole, whole, whole, whole, torch.zeros(rows, tokens, SOUNDING))
    return model.loss(whole, places, whole, torch.ones(rows, tokens))
