"""Lines and layers: where they begin, how they go on, and that what stands or is over costs nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.synthesis.engine import Engine
from streaming.synthesis.envelopes import NEVER, SHORTEST_SAMPLES, Envelope
from streaming.synthesis.layers import Course, Held, Layer
from streaming.synthesis.synth import DECKS, POLYPHONY, Orchestra
from streaming.synthesis.wavetables import Table
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE

Array = NDArray[np.float64]
T = TypeVar("T")
# What pyo has been given stays: it might still look at it.
_KEPT: list[object] = []


def kept(thing: T) -> T:
    _KEPT.append(thing)
    return thing


def plays(of: Any) -> bool:
    return bool(of._getStream().isPlaying())


@pytest.fixture(scope="module")
def engine() -> Engine:
    # The process's one engine, as an orchestra makes it.
    return Orchestra()._engine


@pytest.fixture(scope="module")
def silence(engine: Engine) -> object:
    return engine._silence._base_objs[0]


@pytest.fixture(scope="module")
def hear(engine: Engine) -> Iterator[Callable[[object], NDArray[np.float32]]]:
    """Return the next block of a pyo object."""

    def block(of: object) -> NDArray[np.float32]:
        of.out(0, 0, 0)  # type: ignore[attr-defined]
        engine.process()
        return engine.stems[:, 0].copy()

    yield block
    engine.settle()


def line(envelope: Envelope, hear: Callable[[object], NDArray[np.float32]], blocks: int) -> Array:
    made = np.concatenate([hear(envelope.stream) for _ in range(blocks)]).astype(np.float64)
    envelope.stop()
    return made


@pytest.mark.parametrize("offset", [0, 1, 130, 255])
@pytest.mark.parametrize("samples", [SHORTEST_SAMPLES, 40, 255, 256, 1000, 3000])
@pytest.mark.parametrize("curve", [1.0, 1.6, 3.0])
def test_a_rise_begins_on_its_sample_and_follows_its_curve(
    hear: Callable[[object], NDArray[np.float32]], offset: int, samples: int, curve: float
) -> None:
    envelope = kept(Envelope())
    envelope.rise(5 * BLOCK_SAMPLES + offset, 5 * BLOCK_SAMPLES, samples, curve, 0.5)
    # Whoever uses it takes over at the block after that in which it arrives.
    found = line(envelope, hear, math.ceil((offset + samples) / BLOCK_SAMPLES))
    part = np.clip((np.arange(len(found)) - offset) / samples, 0.0, 1.0)
    np.testing.assert_allclose(found, 0.5 * part**curve, atol=2e-4 if samples < BLOCK_SAMPLES else 2e-6)
    assert np.flatnonzero(found)[0] == offset + 1


@pytest.mark.parametrize("offset", [0, 200, 256])
@pytest.mark.parametrize("samples", [SHORTEST_SAMPLES, 288, 9000])
def test_a_fall_stays_at_the_top_until_its_sample_and_is_silent_after_it(
    hear: Callable[[object], NDArray[np.float32]], offset: int, samples: int
) -> None:
    envelope = kept(Envelope())
    envelope.fall(offset, 0, samples, 2.0, 1.0)
    found = line(envelope, hear, math.ceil((offset + samples) / BLOCK_SAMPLES))
    part = np.clip((np.arange(len(found)) - offset) / samples, 0.0, 1.0)
    np.testing.assert_allclose(found, (1 - part) ** 2, atol=2e-4)
    assert not found[offset + samples + 1 :].any()


def test_a_fall_that_is_hurried_goes_on_from_where_it_is(
    hear: Callable[[object], NDArray[np.float32]],
) -> None:
    envelope = kept(Envelope())
    envelope.fall(0, 0, 8 * BLOCK_SAMPLES, 1.0, 1.0)
    before = np.concatenate([hear(envelope.stream) for _ in range(4)])
    now = 4 * BLOCK_SAMPLES
    assert envelope.level(now) == pytest.approx(0.5)
    envelope.hurry(now, 2 * BLOCK_SAMPLES)
    assert envelope.ends == now + BLOCK_SAMPLES
    after = line(envelope, hear, 2)
    assert abs(after[0] - before[-1]) < 3 / (2 * BLOCK_SAMPLES)
    assert np.abs(np.diff(after)).max() < 1.1 / (2 * BLOCK_SAMPLES)
    assert not after[BLOCK_SAMPLES + 1 :].any()
    # It is never slowed down.
    envelope.fall(0, 0, 300, 1.0, 1.0)
    envelope.hurry(0, 3000)
    assert envelope.ends == 300
    envelope.stop()


def tables(engine: Engine, *, loops: bool, samples: int = 4800) -> Held:
    wave = np.sin(2 * np.pi * 100 * np.arange(samples) / SAMPLE_RATE)[None]
    return kept(engine.hold_table(Table(wave, 100.0, loops=loops)))


def test_a_layer_that_has_risen_plays_without_its_envelope(engine: Engine, silence: object) -> None:
    layer = kept(Layer(silence, 1))
    layer.start(tables(engine, loops=True), 100.0, Course(0.5, 0.02), at=10, now=0, ears=1)
    assert plays(layer.envelope.stream)
    now = 0
    while layer.wakes <= 20 * BLOCK_SAMPLES:
        engine.process()
        now += BLOCK_SAMPLES
        if layer.wakes <= now:
            layer.tend(now)
    assert now == 4 * BLOCK_SAMPLES
    assert layer.on
    assert layer.wakes > NEVER // 2
    assert not plays(layer.envelope.stream)
    layer.rest()
    assert not plays(layer.oscillators[0])


def test_what_is_played_once_rests_when_its_table_is_over_also_at_another_pitch(
    engine: Engine, silence: object, hear: Callable[[object], NDArray[np.float32]]
) -> None:
    for ratio in (1.0, 1.5):
        held, layer = tables(engine, loops=False), kept(Layer(silence, 1))
        layer.start(held, 100.0, Course(1.0, 0.0), at=100, now=0, ears=1)
        layer.bend(ratio, 0, shaken=False)
        heard, now = [], 0
        while layer.on and now < 60 * BLOCK_SAMPLES:
            heard.append(hear(layer.oscillators[0]))
            now += BLOCK_SAMPLES
            if layer.wakes <= now:
                layer.tend(now)
        sound = np.concatenate(heard)
        assert not layer.on
        over = 100 + round(4800 / ratio)
        assert np.abs(sound[over - 60 : over]).max() > 0.05
        # And never a second time.
        assert np.abs(sound[over + 2 :]).max() < 1e-3
        assert now < over + 8 * BLOCK_SAMPLES


def test_a_level_falls_to_what_is_held_without_a_step(
    engine: Engine, silence: object, hear: Callable[[object], NDArray[np.float32]]
) -> None:
    flat = kept(engine.hold_table(Table(np.ones((1, 4096)), 100.0, loops=True)))
    layer = kept(Layer(silence, 1))
    layer.start(flat, 100.0, Course(1.0, 0.01, fall_s=0.03, sustain=0.4, curve=2.0), at=7, now=0, ears=1)
    heard, now = [], 0
    for _ in range(20):
        heard.append(hear(layer.oscillators[0]))
        now += BLOCK_SAMPLES
        if layer.wakes <= now:
            layer.tend(now)
    sound = np.concatenate(heard)
    assert sound.max() == pytest.approx(1.0, abs=1e-3)
    assert sound[-1] == pytest.approx(0.4**2, abs=1e-6)
    assert np.abs(np.diff(sound)).max() < 2.2 / 480
    assert not plays(layer.envelope.stream)
    layer.rest()


def test_an_orchestra_at_rest_has_nothing_that_plays_but_the_faders(engine: Engine) -> None:
    assert len(engine.voices) > POLYPHONY
    orchestra = Orchestra()
    orchestra.process()
    assert sum(s.isPlaying() for s in engine._server.getStreams()) == DECKS
