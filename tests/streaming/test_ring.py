"""The ring: what one process writes the other reads, whole or as silence."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from streaming.errors import RingError
from streaming.ring import MARKS_KEPT, Ring
from streaming.timeline import BLOCK_SAMPLES


def counted(start: int, frames: int = BLOCK_SAMPLES) -> np.ndarray:
    """Samples that say their own index (left) and its negative (right); never 0."""
    index = np.arange(start + 1, start + frames + 1, dtype=np.float32)
    return np.stack([index, -index], axis=1)


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[Ring]:
    with Ring.create(tmp_path / "programme.ring", seconds=0.1) as made:
        yield made


def fill(ring: Ring, blocks: int) -> None:
    for _ in range(blocks):
        ring.write(counted(ring.write_index))


def test_reads_back_what_was_written(ring: Ring) -> None:
    fill(ring, 3)
    assert ring.write_index == 3 * BLOCK_SAMPLES
    np.testing.assert_array_equal(ring.read(100, 500), counted(100, 500))


def test_is_silent_before_the_start_after_the_end_and_where_it_was_overwritten(ring: Ring) -> None:
    fill(ring, 200)
    end = ring.write_index
    oldest = end - ring.capacity
    np.testing.assert_array_equal(ring.read(oldest - 10, 20), np.concatenate([np.zeros((10, 2)), counted(oldest, 10)]))
    np.testing.assert_array_equal(ring.read(end - 10, 20), np.concatenate([counted(end - 10, 10), np.zeros((10, 2))]))
    assert not ring.read(-50, 60).any()
    assert not ring.read(end + 5, 30).any()


def test_keeps_at_least_the_seconds_it_was_made_for(ring: Ring) -> None:
    fill(ring, 200)
    start = ring.write_index - 4800
    np.testing.assert_array_equal(ring.read(start, 4800), counted(start, 4800))


def test_takes_blocks_of_any_length(ring: Ring) -> None:
    rng = np.random.default_rng(5)
    while ring.write_index < 20_000:
        ring.write(counted(ring.write_index, int(rng.integers(1, 1000))))
    start = ring.write_index - ring.capacity
    np.testing.assert_array_equal(ring.read(start, ring.capacity), counted(start, ring.capacity))


def test_tells_how_much_room_there_is_until_the_reader_is_lapped(ring: Ring) -> None:
    assert ring.room == ring.capacity
    fill(ring, 2)
    assert ring.room == ring.capacity - 2 * BLOCK_SAMPLES
    ring.read_index = BLOCK_SAMPLES
    assert ring.room == ring.capacity - BLOCK_SAMPLES
    fill(ring, 200)
    assert ring.room == 0


def test_a_writer_that_comes_back_late_skips_over_silence(ring: Ring) -> None:
    fill(ring, 1)
    ring.skip_to(1000)
    fill(ring, 1)
    np.testing.assert_array_equal(ring.read(200, 56), counted(200, 56))
    assert not ring.read(256, 744).any()
    np.testing.assert_array_equal(ring.read(1000, 256), counted(1000, 256))
    ring.skip_to(10**7)
    assert ring.write_index == 10**7
    assert not ring.read(10**7 - ring.capacity, ring.capacity).any()
    ring.skip_to(5)
    assert ring.write_index == 10**7


def test_keeps_the_last_sixteen_marks_in_order(ring: Ring) -> None:
    assert ring.marks() == []
    for number in range(100):
        ring.mark(number, number * 10)
        assert ring.marks() == [(n, n * 10) for n in range(max(0, number + 1 - MARKS_KEPT), number + 1)]


def test_a_second_opening_sees_indices_marks_and_samples(ring: Ring) -> None:
    fill(ring, 5)
    ring.mark(7, 300)
    ring.read_index = 123
    with Ring.open(ring.path) as other:
        assert (other.write_index, other.read_index, other.marks()) == (5 * BLOCK_SAMPLES, 123, [(7, 300)])
        np.testing.assert_array_equal(other.read(0, 1280), counted(0, 1280))
    # Closing one end leaves the other whole.
    np.testing.assert_array_equal(ring.read(0, 1280), counted(0, 1280))


def test_join_makes_the_ring_once_and_then_opens_it(tmp_path: Path) -> None:
    path = tmp_path / "programme.ring"
    with Ring.join(path, seconds=0.1) as first:
        fill(first, 2)
        with Ring.join(path, seconds=5.0) as second:
            assert second.write_index == 2 * BLOCK_SAMPLES
            assert second.capacity == first.capacity
    assert [p.name for p in tmp_path.iterdir()] == ["programme.ring"]


def test_refuses_what_is_not_a_ring_with_its_path(tmp_path: Path) -> None:
    missing, wrong, short, torn = (tmp_path / n for n in ("missing", "wrong", "short", "torn"))
    wrong.write_bytes(b"x" * 8192)
    short.write_bytes(b"x")
    Ring.create(torn).close()
    with torn.open("r+b") as file:
        file.truncate(20_000)
    for path in (missing, wrong, short, torn):
        with pytest.raises(RingError, match=path.name):
            Ring.open(path)
    with pytest.raises(RingError, match="already"):
        Ring.create(torn)
    with pytest.raises(RingError, match="nowhere"):
        Ring.create(tmp_path / "nowhere" / "r")


WRITER = """
import sys
from pathlib import Path
import numpy as np
from streaming.ring import Ring
ring = Ring.open(Path(sys.argv[1]))
while ring.write_index < 3_000_000:
    index = np.arange(ring.write_index + 1, ring.write_index + 257, dtype=np.float32)
    ring.write(np.stack([index, -index], axis=1))
    if ring.write_index % 25600 == 0:
        ring.mark(ring.write_index // 25600, ring.write_index)
"""


def test_between_two_processes_a_sample_is_the_right_one_or_silence(tmp_path: Path) -> None:
    path = tmp_path / "programme.ring"
    with Ring.create(path, seconds=0.05) as ring:
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        seen = 0
        try:
            while writer.poll() is None:
                # At the old end, where the writer runs over the samples as they are copied.
                start = max(0, ring.write_index - ring.capacity)
                got = ring.read(start, 2000)
                expected = counted(start, 2000)
                sounding = got.any(axis=1)
                np.testing.assert_array_equal(got[sounding], expected[sounding])
                seen += int(sounding.sum())
                marks = ring.marks()
                assert marks == [(n, n * 25600) for n, _ in marks]
                numbers = [n for n, _ in marks]
                assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
        finally:
            writer.kill()
            writer.wait()
        assert writer.returncode == 0
        assert seen > 10_000
        assert ring.marks()[-1] == (117, 117 * 25600)
