"""A plain GPT-2 as one would write it in an afternoon, in nanoGPT's style, run eagerly.

What our training is timed against: learned positions, layer norms with bias,
one matrix for queries, keys and values, a feed-forward layer four times as wide
with GELU, AdamW for everything. Shapes: B rows, T tokens, C width, H heads,
D head size, V vocabulary.

Source: the architecture of Radford et al. (2019), in the style of Karpathy's nanoGPT.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    """Attention, then feed-forward, each on the normed stream and added to it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x_BTC: Tensor) -> Tensor:
        """Return the stream after this block."""
        B, T, C = x_BTC.shape
        q, k, v = (
            part.view(B, T, self.heads, C // self.heads).transpose(1, 2)
            for part in self.qkv(self.attention_norm(x_BTC)).split(C, dim=2)
        )
        y_BHTD = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x_BTC = x_BTC + self.out(y_BHTD.transpose(1, 2).reshape(B, T, C))
        out: Tensor = x_BTC + self.down(F.gelu(self.up(self.feed_forward_norm(x_BTC)), approximate="tanh"))
        return out


class NanoGPT(nn.Module):
    """The decoder; input and output share the token table."""

    def __init__(self, *, layers: int, width: int, heads: int, tokens: int, vocabulary: int) -> None:
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(tokens, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                # Layers that add to the stream begin smaller, the more of them the smaller.
                into_stream = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(weight, std=0.02 / (2 * layers) ** 0.5 if into_stream else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(weight)

    def loss(self, tokens_BT: Tensor, targets_BT: Tensor, weights_BT: Tensor) -> Tensor:
        """Return the mean cross-entropy in nats over the targets of weight 1."""
        x_BTC = self.token(tokens_BT) + self.position(torch.arange(tokens_BT.shape[1]))
        for block in self.blocks:
            x_BTC = block(x_BTC)
        logits_BTV = F.linear(self.norm(x_BTC), self.token.weight)
        nats = F.cross_entropy(logits_BTV.flatten(0, 1).float(), targets_BT.flatten(), reduction="none")
        return (nats * weights_BT.flatten()).sum() / weights_BT.sum().clamp(min=1.0)


class NanoTrainer:
    """Trains a plain GPT-2 on given batches."""

    def __init__(self, model: NanoGPT, *, bf16: bool) -> None:
        self.model = model
        self.autocast = torch.autocast("cpu", torch.bfloat16, enabled=bf16)
        self.optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)

    def train_step(self, tokens_BT: Tensor, targets_BT: Tensor, weights_BT: Tensor) -> float:
        """Take one step; return its loss in nats per token."""
        with self.autocast:
            loss = self.model.loss(tokens_BT, targets_BT, weights_BT)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return float(loss.detach())
