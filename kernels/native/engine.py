"""A transformer's decoder in C++: weights in, logits of a few rows out.

Shapes: R rows (a row is one token of one sequence), L tables, F features, C
width, V vocabulary.

It knows shapes and numbers, not what they mean. A row's embedding is the sum of
a row of each table and of its features times theirs; the rest is a decoder with
query-key normalisation, rotary positions, SwiGLU and windows, as
`model.network.transformer` has it. Weights are bytes with a scale for each
output, inputs bytes with a scale for each row, keys and values bfloat16, the
stream float32; or, to compare with, everything is float32.

Sequences may share their beginning, the prefix, which is then kept and read once. A
row gives the same numbers whatever rows are beside it and, where the prefix is a
whole number of blocks, whether its beginning is shared or not.
One session runs on one thread and lets Python run meanwhile.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from kernels.native.library import library as native_library

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Precision = Literal["float32", "int8"]

# Rows a call takes.
MOST_ROWS = 64
# Everything that is multiplied has a whole number of lines and tiles.
MULTIPLE = 64
PREFIX = -1
# Tokens that are kept together.
BLOCK = 16
MEANS = ("plain vectors", "VNNI", "AMX tiles")


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of a decoder.

    Attributes:
        width, heads, kv_heads, head_size, hidden, vocabulary: as in any transformer.
        windows: for each layer how many tokens it looks back, itself included; 0 for all.
        tables: of which a row is added to each embedding.
        features: numbers that are multiplied into each embedding.
    """

    width: int
    heads: int
    kv_heads: int
    head_size: int
    hidden: int
    vocabulary: int
    windows: tuple[int, ...]
    tables: int
    features: int

    def check(self) -> None:
        """Raise ValueError naming the field that the decoder cannot take."""
        for name in ("width", "hidden"):
            if getattr(self, name) % MULTIPLE or getattr(self, name) <= 0:
                raise ValueError(f"{name}: {getattr(self, name)} is no multiple of {MULTIPLE}")
        if self.head_size % 32 or self.head_size <= 0:
            raise ValueError(f"head_size: {self.head_size} is no multiple of 32")
        if self.kv_heads <= 0 or self.heads % self.kv_heads:
            raise ValueError(f"kv_heads: {self.heads} heads cannot share {self.kv_heads}")
        if self.heads * self.head_size % MULTIPLE:
            raise ValueError(f"heads: {self.heads} x {self.head_size} is no multiple of {MULTIPLE}")
        if min(self.windows, default=-1) < 0:
            raise ValueError(f"windows: {self.windows}; one of 0 or more for each layer is needed")


class LayerWeights(NamedTuple):
    """Weights of a layer, float32; matrices [outputs, inputs]. `qkv` and `gate_up` are stacked."""

    again: Floats
    attention_norm: Floats
    qkv: Floats
    out: Floats
    feed_forward_norm: Floats
    gate_up: Floats
    down: Floats


class Tables(NamedTuple):
    """Weights before and after the layers, float32.

    Attributes:
        stacked: rows of all embedding tables, shape [rows, C].
        features: shape [F, C].
        norm: shape [C].
        output: what the normed stream is multiplied with, shape [V, C].
    """

    stacked: Floats
    features: Floats
    norm: Floats
    output: Floats


def _at(array: NDArray[np.generic], name: str, shape: tuple[int, ...], dtype: type) -> int:
    if array.shape != shape:
        raise ValueError(f"{name}: shape {list(array.shape)} instead of {list(shape)}")
    if array.dtype != dtype:
        raise ValueError(f"{name}: {array.dtype} instead of {np.dtype(dtype)}")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name}: not contiguous")
    return array.ctypes.data


class Decoder:
    """Weights, packed for the processor.

    Args:
        shape: of the decoder.
        layers: weights by layer.
        tables: the others.
        precision: of the multiplications.
        library: the compiled code; None for this machine's own.

    Raises:
        ValueError: shape or weights that it cannot take, by name.
        RuntimeError: there is no compiled code on this machine.
    """

    def __init__(
        self,
        shape: Shape,
        layers: Sequence[LayerWeights],
        tables: Tables,
        precision: Precision = "int8",
        library: ctypes.CDLL | None = None,
    ) -> None:
        shape.check()
        found = library or native_library()
        if found is None:
            raise RuntimeError("there is no compiled decoder on this machine")
        self.shape, self.precision, self._library = shape, precision, found
        numbers = [len(shape.windows), shape.width, shape.heads, shape.kv_heads, shape.head_size, shape.hidden]
        numbers += [shape.vocabulary, shape.tables, shape.features]
        fields, windows = np.array(numbers, np.int32), np.array(shape.windows, np.int32)
        if len(layers) != len(shape.windows):
            raise ValueError(f"layers: {len(layers)} instead of {len(shape.windows)}")
        self._handle = found.decoder_new(fields.ctypes.data, windows.ctypes.data, int(precision == "int8"))
        weakref.finalize(self, found.decoder_free, self._handle)
        c, size = shape.width, shape.heads * shape.head_size
        qkv = size + 2 * shape.kv_heads * shape.head_size
        shapes = LayerWeights((c,), (c,), (qkv, c), (c, size), (c,), (2 * shape.hidden, c), (c, shape.hidden))  # type: ignore[arg-type]
        for n, layer in enumerate(layers):
            at = [
                _at(weight, f"layers[{n}].{name}", wanted, np.float32)  # type: ignore[arg-type]
                for name, weight, wanted in zip(LayerWeights._fields, layer, shapes, strict=True)
            ]
            found.decoder_layer(self._handle, n, *at)
        rows = len(tables.stacked)
        found.decoder_tables(
            self._handle,
            _at(tables.stacked, "stacked", (rows, c), np.float32),
            rows,
            _at(tables.features, "features", (shape.features, c), np.float32),
            _at(tables.norm, "norm", (c,), np.float32),
            _at(tables.output, "output", (shape.vocabulary, c), np.float32),
        )
        self._rows = rows

    @property
    def means(self) -> str:
        """What multiplies: one of `MEANS`."""
        return MEANS[self._library.decoder_means(self._handle)]

    def session(self, sequences: int, capacity: int, prefix_capacity: int = 0) -> Session:
        """Return room for sequences of `capacity` tokens each after a prefix of up to `prefix_capacity`.

        Raises:
            MemoryError: there is no room.
        """
        return Session(self, sequences, capacity, prefix_capacity)


class Session:
    """Keys and values of some sequences as they grow.

    Attributes:
        prefix: tokens that all sequences begin with.
    """

    def __init__(self, decoder: Decoder, sequences: int, capacity: int, prefix_capacity: int = 0) -> None:
        if sequences < 1 or capacity < 1 or prefix_capacity < 0:
            raise ValueError(f"sequences: {sequences} of {capacity} tokens after {prefix_capacity} is no room")
        self._decoder, self._library = decoder, decoder._library
        self.sequences, self.capacity, self.prefix_capacity = sequences, capacity, prefix_capacity
        self._handle = self._library.session_new(decoder._handle, sequences, capacity, prefix_capacity)
        if not self._handle:
            raise MemoryError(f"no memory for {sequences} sequences of {prefix_capacity + capacity} tokens")
        weakref.finalize(self, self._library.session_free, self._handle)
        self.prefix = 0

    def share(self, tokens: int) -> None:
        """Begin all sequences anew after the first `tokens` of the prefix."""
        if not 0 <= tokens <= self.prefix_capacity:
            raise ValueError(f"tokens: {tokens}; there is room for {self.prefix_capacity}")
        self._library.session_share(self._handle, tokens)
        self.prefix = tokens

    def run(
        self, sequences: Ints, positions: Ints, indices: Ints, features: Floats, spoken: int, *, hidden: bool = False
    ) -> tuple[Floats, Floats | None]:
        """Read rows, those of a sequence in order.

        Args:
            sequences: which sequence each row belongs to, `PREFIX` for the prefix, shape [R].
            positions: where in its sequence each stands, the prefix counted, shape [R].
            indices: a row of the stacked tables for each table, shape [R, L].
            features: shape [R, F].
            spoken: how many of the last rows shall say what follows.
            hidden: whether the normed stream is wanted as well.

        Returns:
            Logits, shape [spoken, V], and the stream, shape [R, C], or None.

        Raises:
            ValueError: an argument of another shape or dtype, or out of range, by name.
        """
        shape, count = self._decoder.shape, len(sequences)
        at = [
            _at(sequences, "sequences", (count,), np.int32),
            _at(positions, "positions", (count,), np.int32),
            _at(indices, "indices", (count, shape.tables), np.int32),
            _at(features, "features", (count, shape.features), np.float32),
        ]
        if not 0 <= spoken <= min(count, MOST_ROWS):
            raise ValueError(f"spoken: {spoken} of {count} rows")
        logits = np.empty((spoken, shape.vocabulary), np.float32)
        stream = np.empty((count, shape.width), np.float32) if hidden else None
        strides = (4, 4, 4 * shape.tables, 4 * shape.features)
        # The rows that speak are all in the last call.
        first = 0
        while first < count:
            here = min(MOST_ROWS, count - first)
            if first + here < count and count - spoken < first + here:
                here = count - spoken - first
            wrong = self._library.session_run(
                self._handle,
                here,
                *(start + first * stride for start, stride in zip(at, strides, strict=True)),
                spoken if first + here == count else 0,
                logits.ctypes.data,
                None if stream is None else stream.ctypes.data + first * 4 * shape.width,
            )
            if wrong:
                self._refuse(wrong, sequences, positions, indices)
            first += here
        return logits, stream

    def _refuse(self, wrong: int, sequences: Ints, positions: Ints, indices: Ints) -> NoReturn:
        room = f"{self.prefix} + {self.capacity} tokens have room"
        name, array, limits = (
            ("sequences", sequences, f"there are {self.sequences}"),
            ("positions", positions, room),
            ("indices", indices, f"the tables have {self._decoder._rows} rows"),
        )[wrong - 1]
        raise ValueError(f"{name}: {array.min()} to {array.max()}; {limits}")
