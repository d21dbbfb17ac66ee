"""Our own network compiled by torch.compile: a step of fixed shapes, its cache written in place.

Shapes: N candidates, T tokens, S keys seen, K key-value heads, G heads of a
group, D head size, C width, V vocabulary.

Layers with a window keep the last `window` keys in a ring, so that nothing
grows and nothing is masked that a step does not have to see.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.network.cache import Cache
from model.network.transformer import Block, Places, Transformer, rotary_tables
from tests.bench.decoders.case import SHAPES, Case
from tests.bench.decoders.eager import DTYPES, Greedy, error, model

VARIANTS = ("bfloat16", "float32")


class Step(nn.Module):
    """A step of all candidates; position is a tensor, so that every step is the same code."""

    def __init__(self, network: Transformer, candidates: int, capacity: int, dtype: torch.dtype) -> None:
        super().__init__()
        config = self.config = network.config
        self.network = network
        with torch.no_grad():
            self.table_VC = network.table()
        self.rooms = [min(config.layer_window(n) or capacity, capacity) for n in range(config.layers)]
        shape = (candidates, config.kv_heads)
        self.keys = [torch.zeros(*shape, room, config.head_size, dtype=dtype) for room in self.rooms]
        self.values = [torch.zeros(*shape, room, config.head_size, dtype=dtype) for room in self.rooms]

    def take(self, cache: Cache) -> None:
        """Fill the rings from a cache of one row."""
        for layer, room in enumerate(self.rooms):
            places = torch.arange(max(0, cache.length - room), cache.length)
            for ours, theirs in ((self.keys, cache.keys), (self.values, cache.values)):
                ours[layer][:, :, places % room] = theirs[layer][:, :, places]

    def forward(self, tokens_N: Tensor, places: Places, position_1: Tensor) -> Tensor:
        """Return the logits after one token more of each candidate, shape [N, V]."""
        config, rows = self.config, len(tokens_N)
        embedded = x_NC = self.network.embed(tokens_N[:, None], places, self.table_VC)
        cos, sin = rotary_tables(position_1, config.head_size)
        for layer, block in enumerate(self.network.blocks):
            assert isinstance(block, Block)
            x_NC = x_NC + block.again * embedded
            q, k, v = block.attention.heads_of(block.attention_norm(x_NC), cos, sin)
            room = self.rooms[layer]
            self.keys[layer].index_copy_(2, position_1 % room, k)
            self.values[layer].index_copy_(2, position_1 % room, v)
            # A ring that has gone round is seen whole.
            seen_1S = (torch.arange(room) <= position_1)[None]
            q = q.view(rows, config.kv_heads, -1, config.head_size)
            y = F.scaled_dot_product_attention(q, self.keys[layer], self.values[layer], attn_mask=seen_1S)
            x_NC = x_NC + block.attention.out(y.reshape(rows, 1, -1))
            x_NC = x_NC + block.feed_forward(block.feed_forward_norm(x_NC))
        return F.linear(self.network.norm(x_NC[:, -1]), self.table_VC).float()


class Compiled:
    """Candidates decoded by a compiled step; the prompt is read in eager code."""

    def __init__(self, network: Transformer, candidates: int, capacity: int, variant: str) -> None:
        dtype = DTYPES[variant]
        own = Transformer(network.config).to(dtype).eval().requires_grad_(False)
        own.load_state_dict(network.state_dict())
        self.own, self.capacity, self.dtype = own, capacity, dtype
        self.module = Step(own, candidates, capacity, dtype)
        self.compiled = torch.compile(self.module, fullgraph=True, dynamic=False)
        self.cache = Cache(network.config, 1, capacity, dtype)
        self.length = 0

    def prefill(self, tokens_T: Tensor, places: Places) -> Tensor:
        """Read the prompt once and copy what came of it; return the logits after it."""
        self.cache = Cache(self.own.config, 1, self.capacity, self.dtype)
        with torch.no_grad():
            logits_1V = self.own.step(tokens_T[None], places, self.cache, self.module.table_VC)
        self.rewind()
        return logits_1V[0]

    def rewind(self) -> None:
        """Forget all that came after the prompt: rings have lost what they wrote over."""
        self.module.take(self.cache)
        self.length = self.cache.length

    def step(self, tokens_N: Tensor, places: Places) -> Tensor:
        """Return the logits after one token more of each candidate."""
        with torch.no_grad():
            logits_NV: Tensor = self.compiled(tokens_N, places, torch.tensor([self.length]))
        self.length += 1
        return logits_NV


def make(case: Case, variant: str) -> Greedy:
    """Return the decoder of a case in one of its variants."""
    # What was compiled for other shapes is not wanted again.
    torch._dynamo.reset()
    return Greedy(case, Compiled(model(case.config), case.batch, case.capacity, variant))


def check(shape: str, variant: str) -> float:
    """Return how far the logits are from those of the whole network."""
    torch._dynamo.reset()
    return error(SHAPES[shape], lambda network, rows, capacity: Compiled(network, rows, capacity, variant))
