"""Reading on: the compiled decoder says what the transformer says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from kernels.native.engine import Precision
from model.language.context import Context, beats_at, place
from model.language.tokenizer import encode_body
from model.language.vocabulary import VOCABULARY
from model.network.checkpoint import load
from model.network.config import PRESETS, Config
from model.network.decoding import NativeReading, TorchReading, native_decoder, reader, torch_reader
from model.network.transformer import Places, Transformer
from tests.model.making import SHORT_SIGHTED, lively, tune


def rows(count: int, seconds: float = 20.0) -> tuple[np.ndarray[Any, np.dtype[np.int64]], Context]:
    """Return tunes as tokens [N, T] with their context."""
    pieces = [tune(seconds, seed) for seed in range(count)]
    tokens = [np.array(encode_body(piece)) for piece in pieces]
    length = min(len(t) for t in tokens)
    found = []
    for row, piece in zip(tokens, pieces, strict=True):
        ticks = np.cumsum(VOCABULARY.wait_ticks[row])
        found.append(place(row, ticks, beats_at(ticks, piece.tempi), int(ticks[-1])))
    context = Context._make(np.stack([field[:length] for field in fields]) for fields in zip(*found, strict=True))
    return np.stack([t[:length] for t in tokens]), context


def part(context: Context, first: int, last: int) -> Context:
    return Context._make(np.ascontiguousarray(field[:, first:last]) for field in context)


def full(model: Transformer, tokens: Any, context: Context) -> Any:
    places = Places._make(torch.from_numpy(np.ascontiguousarray(field)) for field in context)
    with torch.no_grad():
        return model(torch.from_numpy(tokens), places).float().numpy()


@pytest.fixture(name="model", scope="module")
def _model() -> Transformer:
    return lively(SHORT_SIGHTED)


@pytest.mark.parametrize("native", [True, False])
def test_step_by_step_it_says_what_the_transformer_says(model: Transformer, native: bool) -> None:
    tokens, context = rows(3)
    tokens, context = tokens[:, :90], part(context, 0, 90)
    # All begin alike.
    tokens[:, :7] = tokens[0, :7]
    for field in context:
        field[:, :7] = field[0, :7]
    expected = full(model, tokens, context)
    decoder = native_decoder(model, "float32")
    assert decoder is not None
    reading = NativeReading(decoder, 3, 100) if native else torch_reader(model)(3, 100)
    np.testing.assert_allclose(reading.read(tokens[:, :50], part(context, 0, 50)), expected[:, 49], atol=2e-3)
    kept = [0, 1, 2]
    for t in range(50, 90):
        if t == 70:
            kept = [2, 0]
            reading.keep(kept)
        now = part(context, t, t + 1)
        logits = reading.read(tokens[kept, t : t + 1], Context._make(field[kept] for field in now))
        np.testing.assert_allclose(logits, expected[kept, t], atol=2e-3)
    assert reading.length == 90


@pytest.mark.parametrize(("native", "sparse"), [(True, "window"), (False, "window"), (False, "strided")])
def test_rows_of_different_lengths_are_read_side_by_side(model: Transformer, native: bool, sparse: str) -> None:
    if sparse != "window":
        model = lively(replace(SHORT_SIGHTED, sparse=sparse))
    tokens, context = rows(3)
    skipped = np.array([0, 33, 12])
    own = [
        (tokens[n : n + 1, k:90], part(Context._make(f[n : n + 1] for f in context), k, 90))
        for n, k in enumerate(skipped)
    ]
    expected = [full(model, *row)[0] for row in own]
    decoder = native_decoder(model, "float32")
    reading = NativeReading(decoder, 3, 100) if native and decoder is not None else torch_reader(model)(3, 100)
    np.testing.assert_allclose(
        reading.read(tokens[:, :50], part(context, 0, 50), skipped),
        [row[49 - k] for row, k in zip(expected, skipped, strict=True)],
        atol=2e-3,
    )
    kept = [0, 1, 2]
    for t in range(50, 90):
        if t == 70:
            kept = [2, 0]
            reading.keep(kept)
        now = part(context, t, t + 1)
        logits = reading.read(tokens[kept, t : t + 1], Context._make(field[kept] for field in now))
        np.testing.assert_allclose(logits, [expected[n][t - skipped[n]] for n in kept], atol=2e-3)


def nats(logits: Any, targets: Any) -> float:
    logits = torch.from_numpy(np.asarray(logits))
    return float(torch.nn.functional.cross_entropy(logits, torch.from_numpy(targets)))


def test_bytes_cost_the_shipped_model_next_to_nothing() -> None:
    model, _ = load()
    tokens, context = rows(2, 30.0)
    found: dict[str, list[float]] = {}
    precision: Precision
    for precision in ("float32", "int8"):
        decoder = native_decoder(model, precision)
        assert decoder is not None
        for row in range(2):
            reading = NativeReading(decoder, 1, tokens.shape[1])
            said = [
                reading.read(
                    tokens[row : row + 1, t : t + 1], Context._make(f[row : row + 1, t : t + 1] for f in context)
                )[0]
                for t in range(tokens.shape[1] - 1)
            ]
            found.setdefault(precision, []).append(nats(said, tokens[row, 1:]))
    exact, near = np.mean(found["float32"]), np.mean(found["int8"])
    assert exact == pytest.approx(
        np.mean([nats(full(model, tokens, context)[r, :-1], tokens[r, 1:]) for r in range(2)]), rel=1e-4
    )
    assert near == pytest.approx(exact, rel=0.005)
    assert near != exact


def test_a_model_in_bfloat16_is_read_as_bytes_one_in_float32_exactly(model: Transformer) -> None:
    tokens, context = rows(1)
    expected = full(model, tokens, context)[:, -1]
    exact = reader(model)(1, 400).read(tokens, context)
    near = reader(lively(SHORT_SIGHTED).to(torch.bfloat16))(1, 400).read(tokens, context)
    np.testing.assert_allclose(exact, expected, atol=2e-3)
    assert 2e-3 < np.abs(near - expected).max() < 1.0


def test_without_a_compiler_or_with_an_odd_shape_torch_reads(
    model: Transformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = Config(layers=1, width=40, heads=2, kv_heads=1, context=64, window=0, full_every=1, hidden=64)
    for config in (odd, replace(SHORT_SIGHTED, sparse="strided"), replace(SHORT_SIGHTED, sparse="fixed")):
        assert native_decoder(Transformer(config)) is None
        assert isinstance(reader(Transformer(config))(1, 10), TorchReading)
    monkeypatch.setattr("model.network.decoding.library", lambda: None)
    assert isinstance(reader(model)(1, 10), TorchReading)
    tokens, context = rows(1)
    said = reader(model)(1, 400).read(tokens, context)
    np.testing.assert_allclose(said, full(model, tokens, context)[:, -1], atol=2e-3)


@pytest.mark.skipif(not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="this processor has no bfloat16")
def test_with_packed_weights_torch_says_the_same(model: Transformer) -> None:
    half = lively(SHORT_SIGHTED).to(torch.bfloat16)
    tokens, context = rows(2)
    fast = torch_reader(half)(2, 400)
    assert isinstance(fast, TorchReading)
    assert fast.logits_of is not None
    plain = TorchReading(half, half.table().detach(), None, 2, 400)
    said = fast.read(tokens, context)
    np.testing.assert_allclose(said, plain.read(tokens, context), atol=0.15)
    np.testing.assert_allclose(said, full(model, tokens, context)[:, -1], atol=0.5)


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_presets_that_compose_on_a_cpu_have_shapes_it_takes(preset: str) -> None:
    assert native_decoder(Transformer(PRESETS[preset])) is not None
