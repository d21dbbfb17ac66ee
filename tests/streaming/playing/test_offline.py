"""Offline is online: the same piece gives the same bits, whatever was played before it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model.notes import Note, Piece
from streaming.playing.bed import bed
from streaming.playing.playout import RELEASE_S, Begun, Playout
from streaming.playing.render import Sound, render
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, to_samples, whole_blocks

NAMES = ("piano", "violin", "trumpet", "bass", "drums", "choir", "guitar")


def piece(seed: int, seconds: float = 3.0, style: str | None = None) -> Piece:
    """Many instruments, loud enough for the limiter, at times that lie anywhere in a block."""
    rng = np.random.default_rng(seed)
    notes = [
        Note(
            float(rng.uniform(0, seconds - 0.5)),
            int(rng.integers(40, 70)),
            NAMES[i % len(NAMES)],
            float(rng.uniform(0.05, 0.9)),
            int(rng.integers(30, 127)),
        )
        for i in range(70)
    ]
    return Piece(tuple(sorted(notes)), style=style)


FIRST, SECOND = piece(1, style="rock"), piece(2)


def on_air(playout: Playout, blocks: int) -> NDArray[np.float32]:
    return np.concatenate([playout.step() for _ in range(blocks)])


def offline(music: Piece, tail_s: float = 1.5) -> NDArray[np.float32]:
    return np.concatenate(list(render(music, Sound(tail_s=tail_s))))


def test_a_piece_after_another_one_and_a_pause_is_the_same_bit_for_bit() -> None:
    expected = offline(SECOND)
    playout = Playout(bed=False)
    playout.load(1, FIRST.notes, FIRST.duration_s, room="small", style="rock")
    playout.load(2, SECOND.notes, SECOND.duration_s)
    playout.go(1)
    on_air(playout, 1500)
    # Everything has rung out: voices, rooms, limiter, meter.
    assert not on_air(playout, 100).any()
    playout.go(2)
    on_air(playout, 1)
    live = on_air(playout, len(expected) // BLOCK_SAMPLES)
    assert np.abs(live).max() > 0.5
    assert live.tobytes() == expected.tobytes()


def test_after_the_bed_a_piece_differs_by_what_of_the_bed_still_sounds() -> None:
    expected = offline(SECOND)
    playout = Playout(bed=True)
    playout.load(2, SECOND.notes, SECOND.duration_s)
    on_air(playout, 1200)
    playout.go(2)
    on_air(playout, 1)
    live = on_air(playout, len(expected) // BLOCK_SAMPLES)
    assert live.tobytes() != expected.tobytes()
    # The bed is soft and leaves within a second; it takes no part in the limiter's work.
    difference = np.abs(live - expected).max(axis=1)
    assert difference[: SAMPLE_RATE // 2].max() < 0.25 * np.abs(expected).max()
    assert difference[-SAMPLE_RATE:].max() < 0.02 * np.abs(expected).max()


def test_what_the_player_asks_in_between_changes_no_bit() -> None:
    expected = offline(FIRST)
    playout = Playout(bed=False)
    playout.load(1, FIRST.notes, FIRST.duration_s, room="small", style="rock")
    playout.go(1)
    playout.step()
    blocks = []
    for index in range(len(expected) // BLOCK_SAMPLES):
        blocks.append(playout.step())
        if index % 7 == 0:
            playout.take_news()
            playout.master.take_peak_dbtp()
            assert playout.master.meter.momentary_lufs <= 0.0
        if index == 40:
            playout.load(9, SECOND.notes, SECOND.duration_s)
            playout.follow([9])
    assert np.concatenate(blocks[:500]).tobytes() == expected[: 500 * BLOCK_SAMPLES].tobytes()


@pytest.mark.parametrize("gap_s", [0.5, 0.0])
def test_a_queued_piece_begins_at_its_sample_and_sounds_from_there(gap_s: float) -> None:
    playout = Playout(bed=False)
    click = [Note(0.0, 60, "piano", 0.1, 100)]
    for number in (1, 2):
        playout.load(number, click, 0.2)
    playout.follow([2], gap_s)
    playout.go(1)
    sound, news = [], []
    for _ in range(700):
        sound.append(playout.step())
        news += playout.take_news()
    starts = {n.number: n.sample for n in news if isinstance(n, Begun)}
    assert starts[2] - starts[1] == to_samples(0.2 + RELEASE_S) + to_samples(gap_s)
    total = np.abs(np.concatenate(sound)).max(axis=1)
    assert not total[: starts[1] + 1].any()
    assert total[starts[1] + 1] > 0
    # Before the second one only the tail of the first: the stroke itself is where it was announced.
    before, after = total[starts[2] - 200 : starts[2]].max(), total[starts[2] : starts[2] + 400].max()
    assert after > 20 * before


def test_a_crossfade_is_the_sum_of_what_fades_out_and_what_begins() -> None:
    tone = [Note(0.0, 62, "organ", 8.0, 60)]
    other = [Note(0.5, 74, "flute", 4.0, 60)]

    def programme(*numbers: int) -> NDArray[np.float32]:
        playout = Playout(bed=False, lufs=-26.0)
        playout.load(1, tone, 8.0)
        playout.load(2, other if 2 in numbers else [], 4.5)
        playout.load(3, other, 4.5)
        playout.go(1 if 1 in numbers else 2)
        first = on_air(playout, 300)
        playout.go(2 if 1 in numbers else 3, fade_s=0.7)
        return np.concatenate([first, on_air(playout, 300)])

    # Soft enough for the limiter to rest: then everything is linear.
    both, fading, beginning = programme(1, 2), programme(1), programme(3)
    np.testing.assert_allclose(both, fading + beginning, atol=2e-5)
    end = 300 * BLOCK_SAMPLES
    assert np.abs(fading[end : end + SAMPLE_RATE // 4]).max() > 0.01
    assert np.abs(beginning[end + SAMPLE_RATE :]).max() > 0.01


def test_the_bed_is_in_memory_and_sounds_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    playout = Playout(bed=True)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file is opened on air")

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr("builtins.open", refuse)
    assert np.abs(on_air(playout, 600)).max() > 1e-3
    # Longer than the loop: it begins again, and is never silent.
    around = on_air(playout, whole_blocks(to_samples(bed().duration_s)))
    seconds = np.abs(around[: len(around) // SAMPLE_RATE * SAMPLE_RATE].reshape(-1, SAMPLE_RATE, 2))
    assert seconds.max(axis=(1, 2)).min() > 1e-3
