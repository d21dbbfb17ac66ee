"""The transformer that composes: GPT-like, with MuseNet's added embeddings.

Shapes: B rows, T tokens, C width, H query heads, K key-value heads, D head
size, V vocabulary, F time features, S features of what
sounds.

What a token says is added to where it stands (`model.language.context`): time, note in
the chord, part of the piece, countdown to its end, given or composed, and what
sounds. Time is
not a table but sines of the clock and of the beat, so that it has no end and a
rhythm looks alike in every bar. The rows of the token table are sums over what
a note token consists of, instrument, volume and pitch, so that a note that was
rarely heard on one instrument is known from the others; input and output share
the table. Each block hears the embedding again, as much of it as it likes.

Sources: Radford et al. (2019), GPT-2; OpenAI (2019), MuseNet; Su et al. (2021),
rotary positions; Shazeer (2019, 2020), shared key-value heads and SwiGLU;
Henry et al. (2020), query-key normalisation; Zhang et al. (2018), mixup; Chen
et al. (2016), recomputing activations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from kernels.attention.operation import attention
from kernels.training.cross_entropy import linear_cross_entropy
from kernels.training.embedding import embedding_sum
from kernels.training.embedding import time_features as periodic
from kernels.training.norm import norm_residual
from model.instruments import INSTRUMENTS
from model.language.context import CHORD, COUNTDOWN_S, PARTS
from model.language.sounding import SOUNDING
from model.language.vocabulary import VOCABULARY
from model.network.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable

    from model.network.cache import Cache

# Periods of the time features: 20 ms to 164 s in ticks, and a 32nd to 16 quarter notes in beats.
TICK_PERIODS = tuple(2**n for n in range(1, 15))
BEAT_PERIODS = (0.125, 0.25, 1 / 3, 0.5, 1.0, 2.0, 3.0, 4.0, 8.0, 16.0)
PERIODS = list(TICK_PERIODS), list(BEAT_PERIODS)
TIME_FEATURES = 2 * (len(TICK_PERIODS) + len(BEAT_PERIODS))
ROPE_BASE = 10_000.0


class Places(NamedTuple):
    """Where tokens stand: `model.language.context.Context` as tensors [B, T], `sounding` [B, T, S]."""

    ticks: Tensor
    beats: Tensor
    chord: Tensor
    part: Tensor
    countdown: Tensor
    given: Tensor
    sounding: Tensor


def time_features(ticks_BT: Tensor, beats_BT: Tensor) -> Tensor:
    """Return sines and cosines of the clock and of the beat, shape [B, T, F]."""
    return periodic(ticks_BT, beats_BT, *PERIODS)


class TokenTable(nn.Module):
    """Rows of the vocabulary, shape [V, C]: a row of its own plus what it consists of."""

    def __init__(self, width: int) -> None:
        super().__init__()
        velocities = sorted({int(v) for v in VOCABULARY.velocity_of})
        self.own = nn.Parameter(torch.randn(len(VOCABULARY), width) * 0.01)
        self.instrument = nn.Parameter(torch.randn(len(INSTRUMENTS) + 1, width) * 0.01)
        self.velocity = nn.Parameter(torch.randn(len(velocities), width) * 0.01)
        self.pitch = nn.Parameter(torch.randn(129, width) * 0.01)
        self.pitch_class = nn.Parameter(torch.randn(13, width) * 0.01)
        pitch = torch.from_numpy(VOCABULARY.pitch_of)
        parts = {
            "instrument_of": torch.from_numpy(VOCABULARY.instrument_of) % (len(INSTRUMENTS) + 1),
            "velocity_of": torch.tensor([velocities.index(int(v)) for v in VOCABULARY.velocity_of]),
            "pitch_of": pitch % 129,
            # A drum's key is no pitch: it has no pitch class.
            "class_of": torch.where(
                (pitch < 0) | (torch.from_numpy(VOCABULARY.instrument_of) == len(INSTRUMENTS) - 1), 12, pitch % 12
            ),
        }
        for name, index in parts.items():
            self.register_buffer(name, index, persistent=False)

    instrument_of: Tensor
    velocity_of: Tensor
    pitch_of: Tensor
    class_of: Tensor

    def forward(self) -> Tensor:
        """Return the whole table, shape [V, C]."""
        return (
            self.own
            + self.instrument[self.instrument_of]
            + self.velocity[self.velocity_of]
            + self.pitch[self.pitch_of]
            + self.pitch_class[self.class_of]
        )


class PlaceEmbedding(nn.Module):
    """A token and where it stands: time, note in chord, part, countdown, given, what sounds."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.time = nn.Linear(TIME_FEATURES, width, bias=False)
        self.chord = nn.Embedding(CHORD, width)
        self.part = nn.Embedding(PARTS, width)
        self.countdown = nn.Embedding(COUNTDOWN_S, width)
        self.given = nn.Embedding(2, width)
        self.sounding = nn.Linear(SOUNDING, width, bias=False)
        for table in (self.chord, self.part, self.countdown, self.given):
            nn.init.normal_(table.weight, std=0.01)
        nn.init.normal_(self.time.weight, std=0.01)
        nn.init.normal_(self.sounding.weight, std=0.01)

    def forward(self, tokens_BT: Tensor, places: Places, table_VC: Tensor) -> Tensor:
        """Return the sum of the embeddings, shape [B, T, C]."""
        ticks, beats, chord, part, countdown, given, sounding = places
        tables = self.chord, self.part, self.countdown, self.given
        return embedding_sum(
            tokens_BT,
            table_VC,
            (chord, part, countdown, given),
            [table.weight for table in tables],
            ticks,
            beats,
            PERIODS,
            self.time.weight,
            self.sounding(sounding.to(self.sounding.weight.dtype)),
        )


def rotary_tables(positions_T: Tensor, head_size: int) -> tuple[Tensor, Tensor]:
    """Return cosines and sines for positions, each of shape [T, D/2]."""
    steps = torch.arange(0, head_size, 2, device=positions_T.device, dtype=torch.float32)
    angles = positions_T.float()[:, None] * ROPE_BASE ** (-steps / head_size)
    return angles.cos(), angles.sin()


def rotate(x_BHTD: Tensor, cos_TD: Tensor, sin_TD: Tensor) -> Tensor:
    """Return heads turned to their positions."""
    first, second = x_BHTD.chunk(2, dim=-1)
    cos, sin = cos_TD.to(x_BHTD.dtype), sin_TD.to(x_BHTD.dtype)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)


class Attention(nn.Module):
    """Causal attention with shared key-value heads, over the whole context or a sparse pattern."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.pattern = config.layer_pattern(layer)
        self.heads, self.kv_heads, self.head_size = config.heads, config.kv_heads, config.head_size
        self.query = nn.Linear(config.width, config.heads * config.head_size, bias=False)
        self.key = nn.Linear(config.width, config.kv_heads * config.head_size, bias=False)
        self.value = nn.Linear(config.width, config.kv_heads * config.head_size, bias=False)
        self.out = nn.Linear(config.heads * config.head_size, config.width, bias=False)

    def heads_of(self, x_BTC: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries [B, H, T, D], keys and values [B, K, T, D]."""
        B, T, _ = x_BTC.shape
        q = self.query(x_BTC).view(B, T, self.heads, self.head_size).transpose(1, 2)
        k = self.key(x_BTC).view(B, T, self.kv_heads, self.head_size).transpose(1, 2)
        v = self.value(x_BTC).view(B, T, self.kv_heads, self.head_size).transpose(1, 2)
        q = rotate(F.rms_norm(q, (self.head_size,)), cos, sin)
        k = rotate(F.rms_norm(k, (self.head_size,)), cos, sin)
        return q, k, v

    def forward(self, x_BTC: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Return attended values, shape [B, T, C]."""
        B, T, _ = x_BTC.shape
        q, k, v = self.heads_of(x_BTC, cos, sin)
        y = attention(q, k, v, self.pattern)
        out: Tensor = self.out(y.transpose(1, 2).reshape(B, T, -1))
        return out

    def step(self, x_BTC: Tensor, cos: Tensor, sin: Tensor, cache: Cache, layer: int) -> Tensor:
        """Return attended values of new tokens, keys and values kept in the cache."""
        B, T, _ = x_BTC.shape
        q, k, v = self.heads_of(x_BTC, cos, sin)
        k, v, mask = cache.append(layer, k, v)
        # The query heads of one key-value head lie side by side: a group is T * group queries.
        group = self.heads // self.kv_heads
        q = q.view(B, self.kv_heads, group, T, self.head_size)
        if mask is not None and mask.dim() > 2:
            shared = mask.shape[-3] == 1
            rows = mask.shape[:-3]
            mask = mask.view(*rows, *((1, 1) if shared else (self.kv_heads, group)), T, -1)
        if T == 1:
            mask = mask if mask is None else mask.squeeze(-2)
            y = F.scaled_dot_product_attention(q.squeeze(3), k, v, attn_mask=mask)
            y = y.unsqueeze(3)
        else:
            y = F.scaled_dot_product_attention(q, k[:, :, None], v[:, :, None], attn_mask=mask)
        out: Tensor = self.out(y.reshape(B, self.heads, T, self.head_size).transpose(1, 2).reshape(B, T, -1))
        return out


class FeedForward(nn.Module):
    """SwiGLU: out(silu(gate(x)) * up(x))."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.gate = nn.Linear(config.width, config.hidden, bias=False)
        self.up = nn.Linear(config.width, config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, x_BTC: Tensor) -> Tensor:
        """Return the layer's output, shape [B, T, C]."""
        out: Tensor = self.down(F.silu(self.gate(x_BTC)) * self.up(x_BTC))
        return out


class Block(nn.Module):
    """Attention, then feed-forward, each on the normed stream and added to it."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.again = nn.Parameter(torch.zeros(config.width))
        self.attention_norm = nn.RMSNorm(config.width)
        self.attention = Attention(config, layer)
        self.feed_forward_norm = nn.RMSNorm(config.width)
        self.feed_forward = FeedForward(config)

    def forward(self, x_BTC: Tensor, embedded_BTC: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Return the stream after this block."""
        first, second = self.attention_norm, self.feed_forward_norm
        normed_BTC, x_BTC = norm_residual(x_BTC, embedded_BTC, first.weight, first.eps, self.again)
        attended_BTC = self.attention(normed_BTC, cos, sin)
        normed_BTC, x_BTC = norm_residual(x_BTC, attended_BTC, second.weight, second.eps)
        out: Tensor = x_BTC + self.feed_forward(normed_BTC)
        return out

    def step(self, x_BTC: Tensor, embedded_BTC: Tensor, cos: Tensor, sin: Tensor, cache: Cache, layer: int) -> Tensor:
        """Return the stream of new tokens after this block."""
        x_BTC = x_BTC + self.again * embedded_BTC
        x_BTC = x_BTC + self.attention.step(self.attention_norm(x_BTC), cos, sin, cache, layer)
        out: Tensor = x_BTC + self.feed_forward(self.feed_forward_norm(x_BTC))
        return out


class Transformer(nn.Module):
    """The decoder: tokens and places in, logits of the next token out."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        # Training keeps the input of each block only and computes the rest again.
        self.recompute = False
        self.table = TokenTable(config.width)
        self.places = PlaceEmbedding(config.width)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.layers))
        self.norm = nn.RMSNorm(config.width)
        for name, weight in self.named_parameters():
            if name.endswith(("out.weight", "down.weight")):
                nn.init.zeros_(weight)
            elif weight.dim() == 2 and name.startswith("blocks"):
                nn.init.normal_(weight, std=config.width**-0.5)

    def embed(self, tokens_BT: Tensor, places: Places, table_VC: Tensor) -> Tensor:
        """Return what the blocks read, shape [B, T, C]."""
        out: Tensor = self.places(tokens_BT, places, table_VC)
        return out

    def hidden(self, embedded_BTC: Tensor) -> Tensor:
        """Return the normed stream after all blocks, shape [B, T, C]."""
        positions = torch.arange(embedded_BTC.shape[1], device=embedded_BTC.device)
        cos, sin = rotary_tables(positions, self.config.head_size)
        x_BTC = embedded_BTC
        for block in self.blocks:
            if self.recompute and torch.is_grad_enabled():
                x_BTC = checkpoint(block, x_BTC, embedded_BTC, cos, sin, use_reentrant=False)
            else:
                x_BTC = block(x_BTC, embedded_BTC, cos, sin)
        out: Tensor = self.norm(x_BTC)
        return out

    def step(
        self,
        tokens_BT: Tensor,
        places: Places,
        cache: Cache,
        table_VC: Tensor,
        logits_of: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Read new tokens after those in the cache; return the logits after the last.

        Args:
            tokens_BT: new ids, shape [B, T].
            places: the context of each new token.
            cache: what came before; the new tokens are added to it.
            table_VC: the token table, made once by the caller.
            logits_of: multiplies the normed stream by the table; None for plainly.

        Returns:
            Logits, shape [B, V], float32.
        """
        new = tokens_BT.shape[1]
        embedded_BTC = x_BTC = self.embed(tokens_BT, places, table_VC)
        positions = torch.arange(cache.length, cache.length + new, device=tokens_BT.device)
        cos, sin = rotary_tables(positions, self.config.head_size)
        for layer, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            x_BTC = block.step(x_BTC, embedded_BTC, cos, sin, cache, layer)
        cache.advance(new)
        last_BC = self.norm(x_BTC[:, -1])
        return (F.linear(last_BC, table_VC) if logits_of is None else logits_of(last_BC)).float()

    def forward(self, tokens_BT: Tensor, places: Places) -> Tensor:
        """Return logits of each next token.

        Args:
            tokens_BT: ids, shape [B, T].
            places: the context of each token, shapes [B, T].

        Returns:
            Logits, shape [B, T, V].
        """
        table_VC = self.table()
        x_BTC = self.hidden(self.embed(tokens_BT, places, table_VC))
        return F.linear(x_BTC, table_VC.to(x_BTC.dtype))

    def nats(self, tokens_BT: Tensor, places: Places, targets_BT: Tensor) -> Tensor:
        """Return the cross-entropy of each target, shape [B, T].

        Args:
            tokens_BT: ids, shape [B, T].
            places: the context of each token.
            targets_BT: the token that follows each, shape [B, T].
        """
        logits_BTV = self(tokens_BT, places)
        return F.cross_entropy(logits_BTV.flatten(0, 1).float(), targets_BT.flatten(), reduction="none").view_as(
            targets_BT
        )

    def loss(self, tokens_BT: Tensor, places: Places, targets_BT: Tensor, weights_BT: Tensor) -> Tensor:
        """Return the mean cross-entropy in nats over the targets of weight 1.

        Args:
            tokens_BT: ids, shape [B, T].
            places: the context of each token.
            targets_BT: the token that follows each, shape [B, T].
            weights_BT: 1 where the target counts, else 0.
        """
        table_VC = self.table()
        x_BTC = self.hidden(self.embed(tokens_BT, places, table_VC))
        return linear_cross_entropy(x_BTC.flatten(0, 1), table_VC, targets_BT.flatten(), weights_BT.flatten())

    def mixed_loss(
        self, tokens_BT: Tensor, places: Places, targets_BT: Tensor, weights_BT: Tensor, share: Tensor
    ) -> Tensor:
        """Return the loss of rows mixed in pairs, first with last: mixup in embedding space.

        Args:
            tokens_BT: ids, shape [B, T].
            places: the context of each token.
            targets_BT: the token that follows each, shape [B, T].
            weights_BT: 1 where the target counts, else 0.
            share: how much of each row is its own, a scalar of 0..1; the rest is its partner's.
        """
        table_VC = self.table()
        own_BTC = self.embed(tokens_BT, places, table_VC)
        x_BTC = self.hidden(share * own_BTC + (1 - share) * own_BTC.flip(0))
        return linear_cross_entropy(
            x_BTC.flatten(0, 1),
            table_VC,
            targets_BT.flatten(),
            weights_BT.flatten(),
            targets_BT.flip(0).flatten(),
            weights_BT.flip(0).flatten(),
            share,
        )
