"""Reading on, token by token: candidates in, logits of what may follow out.

Shapes: N candidates, T tokens, V vocabulary.

Two ways, one face. `NativeReading` is the compiled decoder (`kernels.native`),
fast on a CPU; `TorchReading` is the transformer's own `step`, the reference, and
what composes where there is no compiler.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kernels.native.engine import BLOCK, PREFIX, Decoder, LayerWeights, Precision, Session, Shape, Tables
from kernels.native.library import library
from model.language.context import CHORD, COUNTDOWN_S, PARTS, Context
from model.language.sounding import SOUNDING
from model.language.vocabulary import VOCABULARY
from model.network.cache import Cache
from model.network.packed import PackedLinear, can_pack, packed
from model.network.transformer import BEAT_PERIODS, TICK_PERIODS, TIME_FEATURES, Block, Places, Transformer

log = logging.getLogger(__name__)

Logits = NDArray[np.float32]


class Reading(Protocol):
    """Candidates being read."""

    @property
    def length(self) -> int:
        """Tokens read, of the candidate that has most."""

    def read(self, tokens: NDArray[np.int64], context: Context, padding: NDArray[np.int64] | None = None) -> Logits:
        """Read tokens of every candidate and return logits of what follows the last.

        Args:
            tokens: shape [N, T].
            context: of each.
            padding: how many tokens at the beginning of each row stand there for
                nothing, shape [N]; at the first reading alone.

        Returns:
            Shape [N, V].
        """

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some of the candidates, in this order."""


# Begins to read so many candidates, with room for so many tokens each; a reading is one thread's.
Reader = Callable[[int, int], Reading]


def reader(model: Transformer) -> Reader:
    """Return how to read on with a model: by the compiled decoder where there can be one, else by torch."""
    decoder = native_decoder(model, precision_of(model))
    if decoder is None:
        return torch_reader(model)
    return partial(NativeReading, decoder)


@torch.no_grad()
def torch_reader(model: Transformer) -> Reader:
    """Return how to read on with a model by torch, with packed weights where they help."""
    table_VC = model.table().to(next(model.parameters()).dtype)
    logits_of = None
    if can_pack(model):
        model, logits_of = packed(model), PackedLinear(table_VC)
    return partial(TorchReading, model, table_VC, logits_of)


def precision_of(model: Transformer) -> Precision:
    """Return how a model is computed: one in float32 exactly, one in bfloat16 as fast as can be."""
    return "float32" if next(model.parameters()).dtype == torch.float32 else "int8"


class TorchReading:
    """Reading by torch.

    Args:
        model: as it is, or with packed weights.
        table_VC: its token table.
        logits_of: multiplies with the table; None for plainly.
        rows: candidates.
        capacity: tokens there is room for.
    """

    def __init__(
        self,
        model: Transformer,
        table_VC: Tensor,
        logits_of: Callable[[Tensor], Tensor] | None,
        rows: int,
        capacity: int,
    ) -> None:
        self.model, self.table_VC, self.logits_of = model, table_VC, logits_of
        self.cache = Cache(model.config, rows, capacity, table_VC.dtype)

    @property
    def length(self) -> int:
        """Tokens read."""
        return self.cache.length

    @torch.inference_mode()
    def read(self, tokens: NDArray[np.int64], context: Context, padding: NDArray[np.int64] | None = None) -> Logits:
        """See `Reading.read`."""
        if padding is not None and padding.any():
            self.cache.pad(torch.from_numpy(padding))
        places = Places._make(torch.from_numpy(np.ascontiguousarray(field)) for field in context)
        logits: Logits = self.model.step(
            torch.from_numpy(tokens), places, self.cache, self.table_VC, self.logits_of
        ).numpy()
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        """See `Reading.keep`."""
        self.cache.keep_rows(torch.tensor(rows, dtype=torch.long))


class NativeReading:
    """Reading by the compiled decoder; what all candidates begin with is read and kept once."""

    def __init__(self, decoder: Decoder, rows: int, capacity: int) -> None:
        self.decoder, self.capacity = decoder, capacity
        self._lengths = np.zeros(rows, np.int32)
        self._sequences = np.arange(rows, dtype=np.int32)
        # Made at the first reading, which tells how much is shared.
        self._session: Session | None = None

    @property
    def length(self) -> int:
        """Tokens read."""
        return int(self._lengths.max())

    def read(self, tokens: NDArray[np.int64], context: Context, padding: NDArray[np.int64] | None = None) -> Logits:
        """See `Reading.read`."""
        indices, features = _indices(tokens, context), _features(context)
        rows, new = tokens.shape
        skipped = np.zeros(rows, np.int32) if padding is None else padding.astype(np.int32)
        shared = 0
        if self._session is None:
            shared = 0 if skipped.any() else _alike(indices, features)
            self._session = self.decoder.session(rows, self.capacity - shared, shared)
            self._session.share(shared)
        sequences = np.repeat(self._sequences[:, None], new, axis=1)
        positions = (self._lengths - skipped)[:, None] + np.arange(new, dtype=np.int32)
        sequences[:, :shared] = PREFIX
        there = positions >= self._lengths[:, None]
        logits, _ = self._session.run(
            _in_order(sequences, shared, there),
            _in_order(positions, shared, there),
            _in_order(indices, shared, there),
            _in_order(features, shared, there),
            rows,
        )
        self._lengths += new - skipped
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        """See `Reading.keep`."""
        self._sequences = self._sequences[list(rows)]
        self._lengths = self._lengths[list(rows)]


def _in_order(of_all: NDArray[Any], shared: int, there: NDArray[np.bool_]) -> NDArray[Any]:
    """Return tokens [N, T] as rows: what all begin with, what each has of its own, and last what each ends with.

    The last tokens say what may follow. Padding is not `there`.
    """
    if of_all.shape[1] == 1:
        return of_all[:, 0]
    own = of_all[:, shared:-1][there[:, shared:-1]]
    return np.concatenate([of_all[0, :shared], own, of_all[:, -1]])


_PERIODS = (np.array(TICK_PERIODS, np.float64), np.array(BEAT_PERIODS, np.float64))
# Where each table begins among the stacked rows: tokens, chord, part, countdown, given.
_STARTS = np.cumsum([0, len(VOCABULARY), CHORD, PARTS, COUNTDOWN_S]).tolist()


def _indices(tokens: NDArray[np.int64], context: Context) -> NDArray[np.int32]:
    """Return rows of the stacked tables, shape [N, T, 5]."""
    _, _, chord, part, countdown, given, _ = context
    indices = np.empty((*tokens.shape, len(_STARTS)), np.int32)
    for n, (table, start) in enumerate(zip((tokens, chord, part, countdown, given), _STARTS, strict=True)):
        indices[..., n] = table + start
    return indices


def _features(context: Context) -> NDArray[np.float32]:
    """Return time as sines and what sounds, shape [N, T, F]; as `model.network.transformer.time_features`."""
    ticks, beats = (
        np.asarray(x, np.float64)[..., None] / p for x, p in zip((context.ticks, context.beats), _PERIODS, strict=True)
    )
    turns = np.concatenate([ticks, beats], axis=-1)
    angles = 2 * np.pi * (turns - np.floor(turns))
    return np.concatenate([np.sin(angles), np.cos(angles), context.sounding], axis=-1, dtype=np.float32)


def _alike(indices: NDArray[np.int32], features: NDArray[np.float32]) -> int:
    """Return how many tokens all candidates begin with, the last of them left out; none for one candidate.

    Whole blocks of the decoder alone: then a candidate gives the same numbers whoever is beside it.
    """
    if len(indices) == 1:
        return 0
    same = (indices == indices[:1]).all(axis=(0, 2)) & (features == features[:1]).all(axis=(0, 2))
    return int(np.argmin(np.append(same[:-1], False))) // BLOCK * BLOCK


def native_decoder(
    model: Transformer,
    precision: Precision = "int8",
    *,
    blocks: Sequence[nn.Module] | None = None,
    norm: Tensor | None = None,
) -> Decoder | None:
    """Return a model's weights in the compiled decoder, or None where it cannot be had: no compiler, an odd shape.

    Args:
        model: whose weights.
        precision: of the multiplications.
        blocks: in place of the model's own.
        norm: weight of the last norm in place of the model's own; such a decoder hears and says nothing.
    """
    config = model.config
    table = _floats(model.table())
    output = table if norm is None else table[:0]
    shape = Shape(
        config.width,
        config.heads,
        config.kv_heads,
        config.head_size,
        config.hidden,
        len(output),
        tuple(config.layer_window(layer) for layer in range(config.layers)),
        len(_STARTS),
        TIME_FEATURES + SOUNDING,
    )
    try:
        shape.check()
        if any(config.layer_pattern(layer).kind not in ("causal", "window") for layer in range(config.layers)):
            raise ValueError(f"sparse: {config.sparse}, of which the compiled decoder knows nothing")
    except ValueError as error:
        log.info("torch decodes: %s", error)
        return None
    if library() is None:
        return None
    places = model.places
    stacked = [table, *(_floats(t.weight) for t in (places.chord, places.part, places.countdown, places.given))]
    features = np.concatenate([_floats(places.time.weight).T, _floats(places.sounding.weight).T])
    last = _floats(model.norm.weight if norm is None else norm)
    rest = Tables(np.concatenate(stacked), np.ascontiguousarray(features), last, output)
    layers = [_layer(block) for block in blocks or model.blocks if isinstance(block, Block)]
    return Decoder(shape, layers, rest, precision)


def stream(session: Session, tokens: NDArray[np.int64], context: Context) -> Logits:
    """Return the normed stream after each token of one row of music, shape [T, C].

    Args:
        session: of one sequence, with room for it.
        tokens: shape [T].
        context: of each.
    """
    row = Context._make(field[None] for field in context)
    count = len(tokens)
    indices, features = _indices(tokens[None], row)[0], _features(row)[0]
    _, heard = session.run(
        np.zeros(count, np.int32), np.arange(count, dtype=np.int32), indices, features, 0, hidden=True
    )
    assert heard is not None
    return heard


def _layer(block: Block) -> LayerWeights:
    attention, feed_forward = block.attention, block.feed_forward
    return LayerWeights(
        _floats(block.again),
        _floats(block.attention_norm.weight),
        _floats(attention.query.weight, attention.key.weight, attention.value.weight),
        _floats(attention.out.weight),
        _floats(block.feed_forward_norm.weight),
        _floats(feed_forward.gate.weight, feed_forward.up.weight),
        _floats(feed_forward.down.weight),
    )


def _floats(*weights: Tensor) -> Logits:
    """Return weights one above the other as float32."""
    return np.concatenate([weight.detach().float().cpu().numpy() for weight in weights])
