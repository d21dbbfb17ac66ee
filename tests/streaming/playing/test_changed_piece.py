"""A piece that is changed while it plays, and one that takes another's place without a seam: to the sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.notes import Note
from streaming.mixing.mixer import LATENCY_SAMPLES
from streaming.performing.splice import joined
from streaming.playing.playout import RELEASE_S, Begun, Changed, News, Over, Playout
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, to_samples

Sound = NDArray[np.float32]


def row(instrument: str, pitch: int, start_s: float, end_s: float, step_s: float = 0.25) -> list[Note]:
    times = np.arange(start_s, end_s - 1e-6, step_s)
    return [Note(float(round(t, 3)), pitch, instrument, step_s - 0.05, 80) for t in times]


def run(playout: Playout, seconds: float) -> tuple[Sound, list[News]]:
    made, news = [], []
    for _ in range(to_samples(seconds) // BLOCK_SAMPLES):
        made.append(playout.step())
        news += playout.take_news()
    return np.concatenate(made), news


def playing(notes: list[Note], duration_s: float) -> Playout:
    playout = Playout(bed=False)
    playout.load(1, notes, duration_s)
    playout.go(1)
    return playout


def power_at(sound: Sound, pitch: int) -> float:
    """Return how strong a pitch's fundamental is, beside the whole."""
    hz = 440.0 * 2.0 ** ((pitch - 69) / 12)
    spectrum = np.abs(np.fft.rfft(sound[:, 0] * np.hanning(len(sound)))) ** 2
    at = round(hz * len(sound) / SAMPLE_RATE)
    return float(spectrum[at - 2 : at + 3].sum() / spectrum.sum())


def of(news: list[News], kind: type[Begun] | type[Over], number: int) -> int:
    return next(n.sample for n in news if isinstance(n, kind) and n.number == number)


def test_what_was_played_stays_bit_for_bit_and_the_rest_is_new_from_the_sample_on() -> None:
    old = row("flute", 72, 0.0, 4.0)
    plain, _ = run(playing(old, 4.0), 3.0)
    playout = playing(old, 4.0)
    first, _ = run(playout, 0.5)
    playout.revise(1, 1.501, row("organ", 50, 1.5, 4.0), 4.0)
    second, news = run(playout, 2.5)
    changed = np.concatenate([first, second])
    assert news == [Changed(1, to_samples(1.501) / SAMPLE_RATE, to_samples(1.501) + LATENCY_SAMPLES, late=False)]
    # The note at 1.5 begins before the time and is not one that sounds there: the first new one is at 1.75.
    cut = to_samples(1.75) + LATENCY_SAMPLES
    assert (plain[: to_samples(1.501)] == changed[: to_samples(1.501)]).all()
    assert (plain[cut + 1 : cut + 5000] != changed[cut + 1 : cut + 5000]).any()
    assert power_at(changed[2 * SAMPLE_RATE :], 50) > 0.05
    assert power_at(changed[2 * SAMPLE_RATE :], 72) < 0.01 * power_at(changed[:SAMPLE_RATE], 72)


def test_what_sounds_across_the_time_is_let_go_there_unless_it_is_among_the_new_notes() -> None:
    long = [Note(0.0, 60, "organ", 9.0, 80), Note(0.0, 67, "organ", 9.0, 80)]
    playout = playing(long, 9.0)
    run(playout, 1.0)
    assert playout.orchestra.voices == 2
    playout.revise(1, 1.5, [long[1], *row("flute", 84, 6.0, 7.0)], 8.0)
    before, _ = run(playout, 0.45)
    assert power_at(before, 60) > 0.01
    run(playout, 0.5)
    assert playout.orchestra.voices == 1
    after, _ = run(playout, 1.0)
    assert power_at(after, 60) < 0.001 < 0.01 < power_at(after, 67)


def test_drums_struck_before_the_time_ring_out() -> None:
    def heard(revised: bool) -> Sound:
        playout = playing([Note(0.0, 49, "drums", 0.1, 100), *row("flute", 84, 2.0, 3.0)], 3.0)
        run(playout, 0.02)
        if revised:
            playout.revise(1, 0.05, row("flute", 84, 2.0, 3.0), 3.0)
        return run(playout, 0.5)[0]

    assert (heard(revised=True) == heard(revised=False)).all()


def test_a_time_that_is_past_becomes_the_next_block_and_the_news_say_so() -> None:
    playout = playing(row("flute", 72, 0.0, 6.0), 6.0)
    run(playout, 2.0)
    now = playout.sample
    playout.revise(1, 1.0, row("organ", 50, 1.0, 6.0), 6.0)
    sound, news = run(playout, 1.5)
    assert news == [Changed(1, now / SAMPLE_RATE, now + LATENCY_SAMPLES, late=True)]
    # Nothing that is past is struck late, and the new notes come in their time.
    assert power_at(sound[SAMPLE_RATE // 2 :], 50) > 0.05


def test_sections_that_come_one_after_the_other_sound_as_if_they_had_come_at_once() -> None:
    old = row("flute", 72, 0.0, 8.0)
    new = [*row("organ", 50, 2.0, 4.0), Note(3.8, 57, "organ", 0.6, 80), *row("organ", 52, 4.0, 7.0)]
    at_once, by_section = playing(old, 8.0), playing(old, 8.0)
    run(at_once, 1.0)
    run(by_section, 1.0)
    at_once.revise(1, 2.0, new, 7.0)
    by_section.revise(1, 2.0, [n for n in new if n.onset_s < 4.0], 4.4)
    first, _ = run(by_section, 1.5)
    by_section.revise(1, 4.0, new, 7.0)
    rest, _ = run(by_section, 5.0)
    together, _ = run(at_once, 6.5)
    # The level follows the notes that are known; what is played is the same.
    assert (np.concatenate([first, rest]).any(axis=1) == together[: len(first) + len(rest)].any(axis=1)).all()
    assert np.corrcoef(np.concatenate([first, rest])[:, 0], together[: len(first) + len(rest), 0])[0, 1] > 0.99


@pytest.mark.parametrize("duration_s", [2.0, 3.5, 9.0])
@pytest.mark.parametrize("gap_s", [0.5, -0.4])
def test_the_end_and_what_follows_move_with_the_new_duration(duration_s: float, gap_s: float) -> None:
    playout = playing(row("flute", 72, 0.0, 5.0), 5.0)
    playout.load(2, row("organ", 60, 0.0, 0.5), 0.5)
    playout.follow([2], gap_s)
    _, news = run(playout, 1.0)
    start = of(news, Begun, 1)
    playout.revise(1, 1.5, row("organ", 50, 1.5, duration_s), duration_s)
    _, news = run(playout, duration_s + 1.5)
    end = start + to_samples(duration_s + RELEASE_S)
    assert of(news, Over, 1) == end
    assert of(news, Begun, 2) == end + to_samples(gap_s)


def test_a_piece_shorter_than_what_was_played_ends_now() -> None:
    playout = playing(row("flute", 72, 0.0, 9.0), 9.0)
    run(playout, 4.0)
    now = playout.sample
    playout.revise(1, 2.0, [], 2.0)
    _, news = run(playout, 3.0)
    assert of(news, Over, 1) == now + LATENCY_SAMPLES + to_samples(RELEASE_S)


def test_a_piece_that_does_not_play_yet_is_changed_too() -> None:
    playout = Playout(bed=False)
    playout.load(1, row("flute", 72, 0.0, 3.0), 3.0)
    playout.revise(1, 0.5, row("organ", 50, 0.5, 2.0), 2.0)
    assert playout.take_news() == [Changed(1, 0.5, -1, late=False)]
    playout.go(1)
    sound, news = run(playout, 4.0)
    assert of(news, Over, 1) - of(news, Begun, 1) == to_samples(2.0 + RELEASE_S)
    assert power_at(sound[SAMPLE_RATE : 2 * SAMPLE_RATE], 50) > 0.05
    with pytest.raises(KeyError):
        playout.revise(9, 0.0, [], 1.0)


def test_a_piece_that_fades_keeps_fading_when_it_is_changed() -> None:
    playout = playing(row("flute", 72, 0.0, 30.0), 30.0)
    run(playout, 2.0)
    playout.fade(1.0)
    now = playout.sample
    playout.revise(1, 2.2, row("organ", 50, 2.2, 30.0), 30.0)
    _, news = run(playout, 2.0)
    assert of(news, Over, 1) - now == pytest.approx(to_samples(1.0) + LATENCY_SAMPLES, abs=2 * BLOCK_SAMPLES)


def test_a_piece_takes_the_place_of_the_one_before_where_that_is_cut_to_the_sample() -> None:
    playout = playing(row("organ", 50, 0.0, 8.0), 8.0)
    playout.load(2, row("flute", 79, 0.0, 3.0), 3.0)
    playout.load(3, row("flute", 84, 0.0, 1.0), 1.0)
    playout.follow([2, 3], 0.7, [2.003, 1.0])
    sound, news = run(playout, 6.5)
    cut = to_samples(2.003)
    assert of(news, Begun, 2) - of(news, Begun, 1) == cut
    assert of(news, Over, 1) == of(news, Begun, 2)
    assert of(news, Begun, 3) - of(news, Begun, 2) == to_samples(1.0)
    assert len([n for n in news if isinstance(n, Begun)]) == 3
    # No gap, and nothing of the piece before is struck any more.
    assert sound[to_samples(0.1) : to_samples(4.0)].reshape(-1, 100 * 2).any(axis=1).all()
    assert power_at(sound[to_samples(2.6) : to_samples(3.2)], 50) < 0.001


def test_a_cut_that_is_past_or_whose_piece_is_missing_is_a_gap_and_a_held_one_is_none() -> None:
    playout = playing(row("organ", 50, 0.0, 3.0), 3.0)
    playout.load(2, row("flute", 79, 0.0, 1.0), 1.0)
    playout.load(4, row("flute", 79, 0.0, 1.0), 1.0)
    run(playout, 1.0)
    with pytest.raises(KeyError):
        playout.follow([2, 3, 4], 0.5, [0.5, 0.4, 0.4])
    _, news = run(playout, 9.0)
    assert of(news, Begun, 2) - of(news, Over, 1) == to_samples(0.5)
    assert of(news, Begun, 4) - of(news, Over, 2) == to_samples(0.5)
    held = playing(row("organ", 50, 0.0, 3.0), 3.0)
    held.load(2, row("flute", 79, 0.0, 1.0), 1.0)
    held.follow([2], 0.5, [2.0])
    run(held, 1.0)
    held.follow([])
    _, news = run(held, 4.0)
    assert not any(isinstance(n, Begun) for n in news)
    assert of(news, Over, 1) == to_samples(3.0 + RELEASE_S) + LATENCY_SAMPLES


NOTES = st.lists(
    st.builds(
        Note,
        st.integers(0, 400).map(lambda tick: tick / 100),
        st.integers(40, 45),
        st.sampled_from(["piano", "flute"]),
        st.integers(0, 200).map(lambda tick: tick / 100),
        st.just(80),
    ),
    max_size=30,
)


@given(NOTES, NOTES, st.integers(0, 250_000))
def test_two_versions_are_joined_without_a_note_lost_or_sounding_over_the_seam(
    before: list[Note], after: list[Note], at: int
) -> None:
    both = joined(before, after, at)
    early = [n for n in both if to_samples(n.onset_s) < at]
    assert [(n.onset_s, n.pitch, n.instrument) for n in early] == [
        (n.onset_s, n.pitch, n.instrument) for n in before if to_samples(n.onset_s) < at
    ]
    assert list(both[len(early) :]) == [n for n in after if to_samples(n.onset_s) >= at]
    for note in early:
        assert to_samples(note.offset_s) <= at or note in after
