"""Between two pieces: how long nothing is heard, and what covers a longer pause."""

from __future__ import annotations

import numpy as np
import pytest

from model.notes import Note
from streaming.playing.playout import RELEASE_S, Playout
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, to_samples

LENGTH_S = 3.0
# Under -60 dBFS nothing is heard.
HEARD = 10 ** (-60 / 20)
TUNE = [Note(i * 0.5, 60 + 2 * i, "piano", 0.5, 80) for i in range(6)]


def longest_silence_s(gap_s: float, room: str) -> float:
    """Play a tune twice with a pause between and return the longest time in which nothing is heard."""
    playout = Playout()
    for number in (1, 2):
        playout.load(number, TUNE, LENGTH_S, room=room)
    playout.follow([2], gap_s)
    playout.go(1)
    both_s = 2 * LENGTH_S + RELEASE_S + gap_s
    sound = np.concatenate([playout.step() for _ in range(to_samples(both_s) // BLOCK_SAMPLES)])
    assert playout.number == 2
    heard = np.flatnonzero(np.abs(sound).max(axis=1) > HEARD)
    assert heard[0] < 0.1 * SAMPLE_RATE
    assert len(sound) - heard[-1] < 0.1 * SAMPLE_RATE
    return float(np.diff(heard).max()) / SAMPLE_RATE


@pytest.mark.parametrize("room", ["hall", "small"])
def test_a_short_pause_is_the_rooms_and_no_longer_than_was_asked_for(room: str) -> None:
    assert longest_silence_s(0.0, room) < RELEASE_S
    assert longest_silence_s(1.0, room) < RELEASE_S + 1.0


@pytest.mark.parametrize("gap_s", [2.6, 6.0])
def test_in_a_longer_pause_the_bed_is_heard_until_the_next_piece_begins(gap_s: float) -> None:
    assert longest_silence_s(gap_s, "small") < RELEASE_S
