"""The compiled decoder against float64, in every way it can multiply."""

from __future__ import annotations

import ctypes
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels.native.engine import BLOCK, MEANS, PREFIX, Decoder, Precision, Session
from kernels.native.library import NATIVE, build, opened
from tests.kernels.native.making import ROWS, SHAPE, expected, weights

LAYERS, TABLES = weights(SHAPE)
LENGTH = 75
RNG = np.random.default_rng(1)
INDICES = RNG.integers(0, ROWS, (3, LENGTH, SHAPE.tables)).astype(np.int32)
# Mostly nothing, as what sounds is.
FEATURES = (RNG.standard_normal((3, LENGTH, SHAPE.features)) * (RNG.random((3, LENGTH, SHAPE.features)) < 0.4)).astype(
    np.float32
)
# The standard deviation of a logit is about 1; int8 has 7 bits and a sign.
TOLERANCE: dict[Precision, float] = {"float32": 2e-4, "int8": 0.2}

# Processors of other kinds: without AMX and AVX-512, with AVX2 alone, and with nothing but what all of them have.
TARGETS = [NATIVE]
if platform.machine() == "x86_64":
    TARGETS += ["-march=x86-64-v3", "-march=x86-64"]
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    if "avx512_bf16" in flags and "avx512_vnni" in flags:
        TARGETS.append("-march=x86-64-v4 -mavx512vnni -mavx512bf16")


@pytest.fixture(name="library", params=TARGETS, scope="module")
def _library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return opened(build(request.param, tmp_path_factory.mktemp("built")))


@pytest.fixture(name="decoder", params=["float32", "int8"])
def _decoder(request: pytest.FixtureRequest, library: ctypes.CDLL) -> Decoder:
    return Decoder(SHAPE, LAYERS, TABLES, request.param, library)


def run(session: Session, rows: list[tuple[int, int, int]], spoken: int, **more: Any) -> tuple[Any, Any]:
    """Read rows (sequence in the session, sequence of the data, position)."""
    return session.run(
        np.array([s for s, _, _ in rows], np.int32),
        np.array([p for _, _, p in rows], np.int32),
        np.ascontiguousarray([INDICES[d, p] for _, d, p in rows]),
        np.ascontiguousarray([FEATURES[d, p] for _, d, p in rows]),
        spoken,
        **more,
    )


def right(sequence: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return expected(SHAPE, LAYERS, TABLES, INDICES[sequence], FEATURES[sequence])


def test_it_computes_what_it_should_in_one_go_and_step_by_step(decoder: Decoder) -> None:
    logits, stream = right(0)
    tolerance = TOLERANCE[decoder.precision]
    session = decoder.session(1, LENGTH)
    read, hidden = run(session, [(0, 0, p) for p in range(60)], 40, hidden=True)
    np.testing.assert_allclose(read, logits[20:60], atol=tolerance)
    np.testing.assert_allclose(hidden, stream[:60], atol=2 * tolerance)
    for p in range(60, LENGTH):
        (row,), _ = run(session, [(0, 0, p)], 1)
        np.testing.assert_allclose(row, logits[p], atol=tolerance)
    # More than a call takes, with rows that speak across the edge.
    again, hidden = run(decoder.session(1, LENGTH), [(0, 0, p) for p in range(LENGTH)], 20, hidden=True)
    np.testing.assert_allclose(again, logits[-20:], atol=tolerance)
    np.testing.assert_allclose(hidden, stream, atol=2 * tolerance)


def test_sequences_side_by_side_do_not_hear_each_other(decoder: Decoder) -> None:
    session = decoder.session(3, LENGTH)
    for sequence in range(3):
        run(session, [(sequence, sequence, p) for p in range(20 + sequence)], 0)
    for step in range(10):
        # Of unequal length, in any order, and some drop out.
        here = [(s, s, 20 + s + step) for s in (2, 0, 1) if (s, step) != (0, 9)]
        logits, _ = run(session, here, len(here))
        for (_, sequence, p), row in zip(here, logits, strict=True):
            np.testing.assert_allclose(row, right(sequence)[0][p], atol=TOLERANCE[decoder.precision])


def test_a_row_gives_the_same_whatever_is_beside_it(decoder: Decoder) -> None:
    alone, together = decoder.session(1, LENGTH), decoder.session(3, LENGTH)
    run(alone, [(0, 1, p) for p in range(30)], 0)
    for sequence in range(3):
        run(together, [(sequence, sequence, p) for p in range(30)], 0)
    one, _ = run(alone, [(0, 1, 30)], 1)
    three, _ = run(together, [(s, s, 30) for s in range(3)], 3)
    np.testing.assert_array_equal(one[0], three[1])


@pytest.mark.parametrize("shared", [1, 16, 37])
def test_sequences_share_their_beginning(decoder: Decoder, shared: int) -> None:
    session = decoder.session(2, LENGTH, 40)
    session.share(shared)
    rows = [(PREFIX, 0, p) for p in range(shared)] + [(s, 0, p) for s in range(2) for p in range(shared, 50)]
    logits, _ = run(session, [*rows, (0, 0, 50), (1, 0, 50)], 2)
    for row in logits:
        np.testing.assert_allclose(row, right(0)[0][50], atol=TOLERANCE[decoder.precision])


def test_whether_whole_blocks_are_shared_changes_no_bit(decoder: Decoder) -> None:
    shared = decoder.session(2, LENGTH, 2 * BLOCK)
    shared.share(2 * BLOCK)
    run(shared, [(PREFIX, 0, p) for p in range(2 * BLOCK)], 0)
    alone = decoder.session(1, LENGTH)
    run(alone, [(0, 0, p) for p in range(2 * BLOCK)], 0)
    # Read together here, one by one there.
    run(shared, [(s, 0, p) for s in range(2) for p in range(2 * BLOCK, 60)], 0)
    for p in range(2 * BLOCK, 60):
        run(alone, [(0, 0, p)], 1)
    (first, second), _ = run(shared, [(0, 0, 60), (1, 0, 60)], 2)
    (expected,), _ = run(alone, [(0, 0, 60)], 1)
    np.testing.assert_array_equal(first, expected)
    np.testing.assert_array_equal(second, expected)


def test_bytes_are_near_floats(library: ctypes.CDLL) -> None:
    rows = [(0, 0, p) for p in range(40)]
    exact, _ = run(Decoder(SHAPE, LAYERS, TABLES, "float32", library).session(1, LENGTH), rows, 40)
    near, _ = run(Decoder(SHAPE, LAYERS, TABLES, "int8", library).session(1, LENGTH), rows, 40)
    assert 0 < np.abs(near - exact).mean() < 0.03


def test_it_says_what_multiplies(decoder: Decoder) -> None:
    assert decoder.means in MEANS


def test_wrong_shapes_are_refused_by_name() -> None:
    for name, value in (("width", 48), ("hidden", 100), ("head_size", 24), ("kv_heads", 4)):
        with pytest.raises(ValueError, match=f"^{name}: "):
            Decoder(replace(SHAPE, **{name: value}), LAYERS, TABLES)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^windows: "):
        Decoder(replace(SHAPE, windows=(0, -1, 3)), LAYERS, TABLES)
    with pytest.raises(ValueError, match=r"^layers: 2 instead of 3"):
        Decoder(SHAPE, LAYERS[:2], TABLES)
    with pytest.raises(ValueError, match=r"^layers\[0\]\.out: shape \[64, 64\] instead of \[64, 192\]"):
        Decoder(SHAPE, [LAYERS[0]._replace(out=LAYERS[0].out[:, :64].copy()), *LAYERS[1:]], TABLES)
    with pytest.raises(ValueError, match=r"^norm: float64 instead of float32"):
        Decoder(SHAPE, LAYERS, TABLES._replace(norm=TABLES.norm.astype(float)))
    with pytest.raises(ValueError, match=r"^output: not contiguous"):
        Decoder(SHAPE, LAYERS, TABLES._replace(output=np.asfortranarray(TABLES.output)))


def test_rows_that_have_no_place_are_refused_by_name() -> None:
    decoder = Decoder(SHAPE, LAYERS, TABLES)
    session = decoder.session(2, 10, 4)
    session.share(4)
    for rows, name in (
        ([(2, 0, 4)], "sequences"),
        ([(0, 0, 14)], "positions"),
        ([(0, 0, 3)], "positions"),
        ([(PREFIX, 0, 4)], "positions"),
    ):
        with pytest.raises(ValueError, match=f"^{name}: "):
            run(session, rows, 1)
    one = np.zeros(1, np.int32)
    with pytest.raises(ValueError, match=r"^indices: 0 to 30"):
        session.run(one, one + 4, np.array([[0, 30]], np.int32), FEATURES[0, :1], 1)
    with pytest.raises(ValueError, match=r"^features: "):
        session.run(one, one + 4, INDICES[0, :1], FEATURES[0, :1, :3].copy(), 1)
    with pytest.raises(ValueError, match=r"^spoken: 2"):
        run(session, [(0, 0, 4)], 2)
    with pytest.raises(ValueError, match=r"^tokens: 5"):
        session.share(5)
    with pytest.raises(ValueError, match=r"^sequences: 0 "):
        decoder.session(0, 10)
