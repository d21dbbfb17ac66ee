"""Playout: what begins, ends and fades, and at which sample."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from model.notes import Note
from streaming.mixing.loudness import to_db
from streaming.mixing.mixer import LATENCY_SAMPLES
from streaming.playing.deck import Troubled
from streaming.playing.playout import BED, BED_OUT_S, RELEASE_S, Begun, News, Over, Playout
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, to_samples


def tune(seconds: float, instrument: str = "organ", pitch: int = 60, start_s: float = 0.0) -> list[Note]:
    return [Note(start_s, pitch, instrument, seconds - start_s, 80)]


def run(playout: Playout, seconds: float) -> tuple[NDArray[np.float32], list[News]]:
    made, news = [], []
    for _ in range(to_samples(seconds) // BLOCK_SAMPLES):
        made.append(playout.step())
        news += playout.take_news()
    return np.concatenate(made), news


def level_db(sound: NDArray[np.float32]) -> float:
    return to_db(float(np.sqrt(np.mean(np.square(sound)))))


def begun(news: list[News], number: int) -> int:
    return next(n.sample for n in news if isinstance(n, Begun) and n.number == number)


def over(news: list[News], number: int) -> int:
    return next(n.sample for n in news if isinstance(n, Over) and n.number == number)


def test_a_piece_sounds_from_the_sample_it_is_announced_for() -> None:
    playout = Playout(bed=False)
    playout.load(1, tune(1.0, start_s=0.01), 1.0)
    run(playout, 0.1)
    playout.go(1)
    start = playout.sample + LATENCY_SAMPLES
    offset = playout.sample
    sound, news = run(playout, 0.5)
    assert begun(news, 1) == start
    first = int(np.flatnonzero(np.abs(sound).sum(axis=1) > 1e-9)[0]) + offset
    assert first == start + to_samples(0.01) + 1


@pytest.mark.parametrize("gap_s", [1.0, 0.123, 0.0, -0.4])
def test_the_queue_follows_by_itself_after_the_gap_to_the_sample(gap_s: float) -> None:
    playout = Playout(bed=False)
    for number in (1, 2, 3):
        playout.load(number, tune(0.5, pitch=55 + number), 0.5)
    playout.follow([2, 3], gap_s)
    playout.go(1)
    _, news = run(playout, 3 * (0.5 + RELEASE_S) + 3.0)
    step = to_samples(0.5 + RELEASE_S) + to_samples(gap_s)
    first = begun(news, 1)
    assert [begun(news, n) for n in (2, 3)] == [first + step, first + 2 * step]
    assert over(news, 1) == first + to_samples(0.5 + RELEASE_S)
    assert len(news) == 6


def test_a_queue_starts_at_once_when_nothing_plays() -> None:
    playout = Playout(bed=False)
    playout.load(4, tune(0.5), 0.5)
    run(playout, 0.05)
    playout.follow([4])
    now = playout.sample
    _, news = run(playout, 0.05)
    assert begun(news, 4) == now + LATENCY_SAMPLES


def test_go_fades_what_plays_out_under_the_new_piece_and_keeps_the_queue() -> None:
    playout = Playout(bed=False)
    # In no room, which would ring on.
    playout.load(1, tune(20.0, "organ", 60), 20.0, room="dry")
    playout.load(2, tune(1.0, "flute", 84), 1.0, room="dry")
    playout.load(3, tune(1.0, "flute", 79), 1.0, room="dry")
    playout.follow([3], 0.0)
    playout.go(1)
    run(playout, 1.0)
    playout.go(2, fade_s=0.5)
    now = playout.sample
    _, news = run(playout, 1.0)
    assert begun(news, 2) == now + LATENCY_SAMPLES
    assert over(news, 1) - now == pytest.approx(to_samples(0.5) + LATENCY_SAMPLES, abs=2 * BLOCK_SAMPLES)
    assert playout.number == 2
    sound, news = run(playout, 1.5)
    assert begun(news, 3) == now + LATENCY_SAMPLES + to_samples(1.0 + RELEASE_S)
    # Nothing of the first piece is left: at its pitch the spectrum is empty.
    tail = sound[: SAMPLE_RATE // 2, 0] * np.hanning(SAMPLE_RATE // 2)
    power = np.abs(np.fft.rfft(tail))
    at = int(261.6 / 2)
    assert power[at - 4 : at + 5].max() < 0.01 * power.max()


def test_a_fade_is_even_ends_in_silence_and_the_next_follows() -> None:
    playout = Playout(bed=False)
    playout.load(1, tune(30.0), 30.0)
    playout.load(2, tune(1.0, pitch=72, start_s=0.9), 1.0)
    playout.follow([2], 0.5)
    playout.go(1)
    run(playout, 2.0)
    playout.fade(2.0)
    now = playout.sample
    sound, news = run(playout, 3.0)
    levels = [level_db(sound[i * 24_000 : (i + 1) * 24_000]) for i in range(4)]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] - levels[3] > 15.0
    assert over(news, 1) - now == pytest.approx(to_samples(2.0) + LATENCY_SAMPLES, abs=BLOCK_SAMPLES)
    assert begun(news, 2) == over(news, 1) + to_samples(0.5)


def test_with_nothing_to_play_a_soft_bed_sounds_for_ever_and_leaves_for_a_piece() -> None:
    playout = Playout(bed=True)
    playout.load(BED, tune(2.0, "choir"), 2.0)
    playout.load(1, tune(3.0), 3.0)
    run(playout, 2.0)
    bed, news = run(playout, 8.0)
    seconds = [level_db(bed[i * SAMPLE_RATE : (i + 1) * SAMPLE_RATE]) for i in range(8)]
    assert all(-50.0 < level < -20.0 for level in seconds)
    assert not news
    playout.go(1)
    piece, news = run(playout, 2.0)
    assert over(news, BED) - begun(news, 1) == pytest.approx(to_samples(BED_OUT_S), abs=2 * BLOCK_SAMPLES)
    assert level_db(piece) > max(seconds) + 3.0
    _, news = run(playout, 4.0)
    assert begun(news, BED) >= over(news, 1)


def test_without_a_loaded_bed_there_is_a_drone_and_never_digital_silence() -> None:
    sound, news = run(Playout(bed=True), 6.0)
    assert news == [Begun(BED, LATENCY_SAMPLES)]
    assert sound[SAMPLE_RATE:].reshape(-1, 2 * SAMPLE_RATE // 2).any(axis=1).all()
    assert -60.0 < level_db(sound[2 * SAMPLE_RATE :]) < -20.0


def test_is_idle_only_when_the_last_sound_has_gone() -> None:
    playout = Playout(bed=False)
    assert playout.idle
    playout.load(1, tune(0.3), 0.3)
    assert playout.idle
    playout.go(1)
    assert not playout.idle
    run(playout, 0.3 + RELEASE_S)
    assert not playout.idle
    run(playout, 4.0)
    assert playout.idle


def test_many_quick_gos_leave_one_piece_playing_and_every_other_ended() -> None:
    playout = Playout(bed=False)
    news: list[News] = []
    for number in range(1, 9):
        playout.load(number, tune(9.0, pitch=50 + number), 9.0)
        playout.go(number, fade_s=1.0)
        news += run(playout, 0.1)[1]
    news += run(playout, 2.0)[1]
    assert playout.number == 8
    assert sorted(n.number for n in news if isinstance(n, Over)) == list(range(1, 8))
    assert playout.orchestra.voices == 1


def test_a_dropped_piece_leaves_the_queue_and_unknown_ones_are_refused() -> None:
    playout = Playout(bed=False)
    for number in (1, 2):
        playout.load(number, tune(0.2), 0.2)
    playout.go(1)
    playout.follow([2])
    playout.drop([2])
    _, news = run(playout, 4.0)
    assert [n.number for n in news if not isinstance(n, Troubled)] == [1, 1]
    for order in (playout.go, lambda n: playout.follow([n])):
        with pytest.raises(KeyError):
            order(2)


def test_the_same_orders_give_the_same_bits() -> None:
    def programme() -> bytes:
        playout = Playout(bed=True)
        playout.load(1, [Note(0.1 * i, 60 + i % 12, ("piano", "violin")[i % 2], 0.4, 90) for i in range(20)], 2.4)
        first, _ = run(playout, 0.5)
        playout.go(1)
        second, _ = run(playout, 2.0)
        return first.tobytes() + second.tobytes()

    assert programme() == programme()
