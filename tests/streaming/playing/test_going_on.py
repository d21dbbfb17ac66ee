"""A piece that goes on where it was cut, and the bed that comes in under what is faded."""

from __future__ import annotations

import numpy as np
import pytest

from model.notes import Note
from streaming.mixing.mixer import LATENCY_SAMPLES
from streaming.performing.splice import begun_within
from streaming.playing.playout import BED, BED_IN_S, RELEASE_S, Begun, Over, Playout
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, to_samples
from tests.streaming.playing.test_playout import begun, level_db, over, run, tune


def two_pieces(bed: bool = False) -> Playout:
    playout = Playout(bed=bed)
    playout.load(1, tune(20.0), 20.0)
    playout.load(2, tune(20.0, pitch=72), 20.0)
    playout.go(1)
    run(playout, 2.0)
    return playout


def test_a_piece_that_begins_within_itself_is_as_far_as_it_says_and_ends_when_it_would() -> None:
    playout = two_pieces()
    playout.go(2)
    run(playout, 1.0)
    playout.go(1, 0.5, from_s=12.0)
    now = playout.sample
    sound, news = run(playout, 1.0)
    assert playout.number == 1
    assert playout.position_s == pytest.approx(13.0, abs=0.02)
    # Announced as having begun when it would have: picture and sound agree on where it is.
    assert begun(news, 1) == now - to_samples(12.0) + LATENCY_SAMPLES
    # The note that sounds across is heard, and comes in softly.
    assert level_db(sound[-SAMPLE_RATE // 4 :]) > -40.0
    assert np.abs(np.diff(sound, axis=0)).max() < 0.2
    _, news = run(playout, 7.0 + RELEASE_S + 0.1)
    assert over(news, 1) == now + to_samples(8.0 + RELEASE_S) + LATENCY_SAMPLES


def test_a_piece_that_begins_once_more_while_it_still_fades_is_not_told_as_ended() -> None:
    playout = two_pieces()
    playout.go(2, 1.0)
    _, news = run(playout, 0.3)
    playout.go(1, 0.2, from_s=2.0)
    _, more = run(playout, 3.0)
    told = [n for n in (*news, *more) if isinstance(n, Begun | Over)]
    assert [(type(n).__name__, n.number) for n in told] == [("Begun", 2), ("Begun", 1), ("Over", 2)]
    assert playout.number == 1


def test_what_sounds_across_is_struck_again_unless_it_is_nearly_over() -> None:
    notes = [Note(0.0, 60, "organ", 5.0, 80), Note(0.0, 62, "organ", 2.1, 80), Note(3.0, 64, "organ", 1.0, 80)]
    found = begun_within(notes, to_samples(2.0))
    assert [(n.pitch, n.onset_s, n.duration_s) for n in found] == [(60, 2.0, 3.0), (64, 3.0, 1.0)]


@pytest.mark.parametrize("fade_s", [0.03, 1.5, 4.0])
def test_the_bed_comes_in_under_what_is_faded_so_that_it_is_never_silent(fade_s: float) -> None:
    playout = two_pieces(bed=True)
    playout.follow([])
    playout.fade(fade_s)
    sound, news = run(playout, fade_s + BED_IN_S + 2.0)
    assert begun(news, BED) < over(news, 1)
    # In every tenth of a second there is something to hear.
    size = SAMPLE_RATE // 10
    levels = [level_db(sound[at : at + size]) for at in range(0, len(sound) - size, size)]
    assert min(levels) > -60.0
    # By the end of the fade the piece is gone.
    assert over(news, 1) <= playout.sample + LATENCY_SAMPLES
    assert playout.number == 0


def test_a_cut_takes_no_longer_than_fifty_milliseconds() -> None:
    playout = two_pieces(bed=True)
    playout.follow([])
    now = playout.sample
    playout.fade(0.03)
    _, news = run(playout, 1.0)
    assert over(news, 1) - now <= to_samples(0.05) + LATENCY_SAMPLES + BLOCK_SAMPLES


def test_where_something_follows_a_fade_no_bed_comes_between() -> None:
    playout = two_pieces(bed=True)
    playout.follow([2], 0.5)
    playout.fade(1.0)
    _, news = run(playout, 3.0)
    assert [n.number for n in news if isinstance(n, Begun)] == [2]
