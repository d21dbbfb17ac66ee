"""The rooms: what they answer, from which side, and that they rest."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from model.language.vocabulary import STYLES
from streaming.mixing.room import DEFAULT_ROOM, ROOM_OF_STYLE, ROOMS, SHAPES, Room, RoomShape, impulse, room_of
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE

CLICKS = (100, 7777, 30_000)
every_room = pytest.mark.parametrize("shape", ROOMS, ids=[shape.name for shape in ROOMS])


def played(room: Room, sends: NDArray[np.float32]) -> NDArray[np.float32]:
    silence = np.zeros((BLOCK_SAMPLES, 2), np.float32)
    blocks = [room.process(block) for block in sends.reshape(-1, BLOCK_SAMPLES, 2)]
    return np.concatenate([silence if block is None else block for block in blocks])


@every_room
def test_a_room_is_the_convolution_with_its_impulse(shape: RoomShape) -> None:
    rng = np.random.default_rng(2)
    sends = np.zeros((450 * BLOCK_SAMPLES, 2), np.float32)
    sends[list(CLICKS)] = rng.normal(size=(len(CLICKS), 2))
    out = played(Room(shape, seed=4), sends)
    answer = impulse(shape, seed=4)
    expected = np.zeros((2, len(sends) + answer.shape[2]))
    for at in CLICKS:
        for side in (0, 1):
            # The tail is one for both sides.
            expected[:, at : at + answer.shape[2]] += sends[at, side] * answer[side]
    # The way to the first wall and back.
    late = shape.head_blocks * BLOCK_SAMPLES
    wanted = expected[:, : len(sends) - late].T
    np.testing.assert_allclose(out[late:], wanted, atol=4e-5)
    # The highest frequencies of what comes late are left out where they are 80 dB under the whole.
    assert np.square(out[late:] - wanted).mean() < 1e-8 * np.square(wanted).mean()


@every_room
def test_a_room_dies_away_smoothly_and_is_wide(shape: RoomShape) -> None:
    answer = impulse(shape, seed=0).mean(axis=0)
    energy = np.square(answer).sum(axis=0)
    third = len(energy) // 4
    falls_db = [10 * np.log10(a / b) for a, b in pairwise(energy[i * third :][:third].sum() for i in range(4))]
    assert all(8.0 < fall < 60.0 for fall in falls_db)
    assert abs(np.corrcoef(answer[0], answer[1]).flat[1]) < 0.5
    np.testing.assert_allclose(energy.sum(), 2.0, rtol=1e-6)


@every_room
def test_the_first_walls_answer_from_the_side_of_the_instrument(shape: RoomShape) -> None:
    answer = impulse(shape, seed=0)
    early = int(0.4 * shape.walls_s * SAMPLE_RATE)
    for side in (0, 1):
        near, far = (float(np.square(answer[side, ear, :early]).sum()) for ear in (side, 1 - side))
        assert near > 1.25 * far


def test_the_hall_rings_longer_than_the_small_room() -> None:
    half_s = {}
    for name, shape in SHAPES.items():
        energy = np.cumsum(np.square(impulse(shape, seed=0)).sum(axis=(0, 1)))
        half_s[name] = float(np.searchsorted(energy, 0.9 * energy[-1])) / SAMPLE_RATE
    assert half_s["hall"] > 2.5 * half_s["small"]


@every_room
def test_a_room_that_has_died_away_rests_and_is_as_new(shape: RoomShape) -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(40 * BLOCK_SAMPLES, 2)).astype(np.float32)
    used = Room(shape, seed=1)
    played(used, noise)
    nothing = np.zeros((BLOCK_SAMPLES, 2), np.float32)
    rings = 0
    while used.process(nothing) is not None:
        rings += 1
    assert shape.length_s * SAMPLE_RATE / BLOCK_SAMPLES < rings < shape.length_s * SAMPLE_RATE / BLOCK_SAMPLES + 60
    later = rng.normal(size=(300 * BLOCK_SAMPLES, 2)).astype(np.float32)
    assert played(used, later).tobytes() == played(Room(shape, seed=1), later).tobytes()


def test_every_style_has_a_room() -> None:
    assert set(ROOM_OF_STYLE) <= set(STYLES)
    assert {room_of(style) for style in STYLES} == set(SHAPES)
    assert room_of(None) == room_of("own3") == DEFAULT_ROOM
