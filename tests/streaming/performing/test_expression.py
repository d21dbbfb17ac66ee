"""What players do to written notes: a little, the same each time, and never to what has been played."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.instruments import BY_NAME
from model.language.vocabulary import GENRES, STYLES
from model.notes import Note, TempoMark
from streaming.performing.expression import perform, revised
from streaming.performing.manners import LATEST_MS, MANNERS, manner_of
from streaming.performing.notation import Score, is_written, on_grid
from streaming.timeline import to_samples

SIXTEENTH = 0.125


def band(seed: int = 1, bars: int = 16, instruments: tuple[str, ...] = ("piano", "violin", "bass")) -> list[Note]:
    """Return a written piece at 120 beats a minute: chords, lines and drums on sixteenths."""
    rng = random.Random(seed)
    notes = []
    for step in range(16 * bars):
        at = step * SIXTEENTH
        for name in instruments:
            if rng.random() < 0.35:
                pitches = rng.sample(range(55, 67), 3 if name == "piano" else 1)
                notes += [Note(at, pitch, name, SIXTEENTH * rng.randint(1, 6), 80) for pitch in pitches]
        if step % 4 == 0:
            notes.append(Note(at, 36 if step % 8 == 0 else 38, "drums", 0.1, 100))
        if step % 2 == 0:
            notes.append(Note(at, 42, "drums", 0.1, 70))
    return sorted(notes)


def humans(seed: int = 1) -> list[Note]:
    """Return the piece as somebody played it."""
    rng = random.Random(seed)
    return sorted(replace(note, onset_s=max(0.0, note.onset_s + rng.uniform(-0.06, 0.06))) for note in band())


def late_ms(notes: tuple[Note, ...], played: tuple[Note, ...]) -> list[float]:
    return [1000 * (b.onset_s - a.onset_s) for a, b in zip(notes, played, strict=True)]


def mean(values: list[float]) -> float:
    assert values
    return sum(values) / len(values)


@pytest.mark.parametrize("style", [None, "unheard of", *STYLES])
def test_every_note_is_played_at_most_25_ms_late_and_never_early(style: str | None) -> None:
    done = perform(band(), Score(style))
    late = late_ms(done.written, done.played)
    assert min(late) >= 0.0
    assert 1.0 < max(late) <= LATEST_MS + 1e-6
    assert all(
        (a.pitch, a.instrument) == (b.pitch, b.instrument) for a, b in zip(done.written, done.played, strict=True)
    )


def test_every_style_and_genre_has_its_manner_and_a_blend_that_of_its_first() -> None:
    assert {*STYLES, *GENRES} <= set(MANNERS)
    assert manner_of("jazz:0.6,chopin:0.4") == MANNERS["jazz"]
    assert manner_of(None) == manner_of("polka") == MANNERS["any"]


NOTES = st.lists(
    st.builds(
        Note,
        onset_s=st.integers(0, 800).map(lambda n: n * 0.01),
        pitch=st.integers(36, 84),
        instrument=st.sampled_from(["piano", "violin", "drums", "harp", "organ"]),
        duration_s=st.integers(0, 300).map(lambda n: n * 0.01),
        velocity=st.integers(1, 127),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(NOTES, st.sampled_from(sorted(MANNERS)), st.sampled_from([40.0, 120.0, 250.0]))
def test_nobody_overtakes_himself_and_the_piece_keeps_its_length(notes: list[Note], style: str, bpm: float) -> None:
    done = perform(notes, Score(style, (TempoMark(0.0, bpm),)))
    assert len(done.played) == len(notes)
    ordered = defaultdict(list)
    for written, played in zip(done.written, done.played, strict=True):
        ordered[written.instrument].append((written.onset_s, played.onset_s))
        assert 1 <= played.velocity <= 127
        assert played.duration_s >= 0.0
    for pairs in ordered.values():
        for at, late in pairs:
            assert all(late <= later for after, later in pairs if after > at)
    if notes:
        assert max(n.offset_s for n in done.played) <= max(n.offset_s for n in notes) + 0.035


def test_a_string_struck_again_was_let_go_before() -> None:
    notes = [Note(0.25 * i, 60, "piano", 0.25, 80) for i in range(64)]
    done = perform(notes, Score("chopin"))
    for one, following in pairwise(done.played):
        assert one.offset_s <= following.onset_s + 1e-9


def test_the_players_are_with_the_clock_at_both_ends() -> None:
    notes = [Note(0.25 * i, 60 + i % 7, "violin", 0.25, 80) for i in range(240)]
    done = perform(notes, Score("quartet"))
    late = late_ms(done.written, done.played)
    # Of what lasts there is nothing there; strokes differ all the time.
    ends, middle = [*late[:1], *late[-1:]], late[80:160]
    assert max(ends) <= MANNERS["quartet"].jitter_ms
    assert mean(middle) > 1.5 * mean(ends)
    third = len(late) // 3
    assert abs(mean(late[:third]) - mean(late[-third:])) < 3.0


def test_the_same_piece_and_seed_give_the_same_notes_and_others_other_ones() -> None:
    first = perform(band(), Score("jazz"), seed=3)
    assert perform(list(reversed(band())), Score("jazz"), seed=3) == first
    assert perform(band(), Score("jazz"), seed=4).played != first.played
    moved = [replace(n, pitch=n.pitch + 1) if n.instrument == "piano" else n for n in band()]
    assert perform(moved, Score("jazz"), seed=3).seed != first.seed


def test_without_a_score_everything_is_exactly_as_written() -> None:
    done = perform(band(), None)
    assert done.played == done.written == tuple(band())


def test_what_people_have_played_is_left_alone() -> None:
    assert on_grid(band(), Score()) == 1.0
    assert abs(on_grid(humans(), Score())) < 0.15
    assert not is_written(humans(), Score())
    done = perform(humans(), Score("chopin"))
    assert done.played == done.written


def test_a_score_rounded_to_the_composers_clock_is_a_score() -> None:
    """At 97 beats a minute no sixteenth falls on a hundredth of a second."""
    tempo = Score("rock", (TempoMark(0.0, 97.0),))
    notes = [replace(n, onset_s=round(n.onset_s * 120 / 97, 2)) for n in band()]
    assert is_written(notes, tempo)
    assert not is_written(notes, Score("rock", (TempoMark(0.0, 120.0),)))


def test_in_rock_the_band_is_tight_and_the_snare_late() -> None:
    done = perform(band(), Score("rock"))
    pairs = list(zip(done.written, late_ms(done.written, done.played), strict=True))
    kick, snare = ([late for n, late in pairs if n.instrument == "drums" and n.pitch == p] for p in (36, 38))
    assert mean(snare) - mean(kick) > 3.0
    assert max(kick) < 4.0
    assert max(late for _, late in pairs) < 18.0


def test_jazz_swings_on_the_second_eighth_alone() -> None:
    done = perform(band(), Score("jazz"))
    hats = [
        (round(n.onset_s / 0.25) % 2, late)
        for n, late in zip(done.written, late_ms(done.written, done.played), strict=True)
        if n.instrument == "drums" and n.pitch == 42
    ]
    off, on = ([late for second, late in hats if second == which] for which in (1, 0))
    assert mean(off) - mean(on) > 10.0


def test_a_romantic_chord_is_spread_and_its_melody_leads() -> None:
    notes = [Note(2.0 * i, p, "piano", 1.8, 80) for i in range(16) for p in (48, 55, 60, 64, 72)]
    done = perform(notes, Score("chopin"))
    late = late_ms(done.written, done.played)
    by_voice = [mean(late[voice::5]) for voice in range(5)]
    assert by_voice[:4] == sorted(by_voice[:4])
    assert by_voice[3] - by_voice[0] > 3.0
    assert by_voice[4] < by_voice[0]


def test_the_melody_is_louder_than_what_accompanies_it() -> None:
    notes = [Note(0.5 * i, p, "piano", 0.5, 80) for i in range(64) for p in (48, 55, 72 + i % 5)]
    done = perform(notes, Score("chopin"))
    melody, others = ([n.velocity for n in done.played if (n.pitch >= 72) == top] for top in (True, False))
    assert mean([float(v) for v in melody]) - mean([float(v) for v in others]) > 5.0


def test_the_first_of_a_bar_is_stressed() -> None:
    notes = [Note(0.5 * i, 60, "harp", 0.5, 80) for i in range(96)]
    done = perform(notes, Score("folk", beats_per_bar=3.0))
    firsts, others = ([float(n.velocity) for n in done.played[k::3]] for k in (0, 1))
    assert mean(firsts) > mean(others) + 3.0


def test_volumes_told_in_four_steps_become_a_line() -> None:
    notes = [Note(0.25 * i, 67, "violin", 0.25, 80 if (i // 2) % 2 else 112) for i in range(64)]
    done = perform(notes, Score("any"))
    steps = [abs(b.velocity - a.velocity) for a, b in pairwise(done.played)]
    # As written, each second step is one of 32.
    assert mean([float(step) for step in steps[1::2]]) < 22
    assert mean([n.velocity for n in done.played]) == pytest.approx(96, abs=6)


@pytest.mark.parametrize("style", ["chopin", "rock", "quartet", "jazz"])
@pytest.mark.parametrize("at_s", [4.0, 9.995, 10.06, 0.0])
def test_a_change_leaves_what_was_played_as_it_was(style: str, at_s: float) -> None:
    before = perform(band(), Score(style))
    at = to_samples(at_s)
    other = [n for n in band(seed=2) if n.onset_s >= at_s]
    after = revised(before, other, at)
    kept = [(w, p) for w, p in zip(before.written, before.played, strict=True) if to_samples(w.onset_s) < at]
    now = dict(zip(after.written, after.played, strict=True))
    starts = {(w.onset_s, w.pitch, w.instrument): p for w, p in now.items()}
    for written, played in kept:
        again = starts[written.onset_s, written.pitch, written.instrument]
        assert (again.onset_s, again.velocity) == (played.onset_s, played.velocity)
        assert again.offset_s <= max(played.offset_s, at_s)
    new = [p for w, p in zip(after.written, after.played, strict=True) if to_samples(w.onset_s) >= at]
    assert len(new) == len(other)
    assert all(to_samples(p.onset_s) >= at for p in new)
    # What is new is played, too, and nobody overtakes himself at the seam.
    assert any(p not in set(other) for p in new)
    for name in BY_NAME:
        old = [p.onset_s for w, p in kept if w.instrument == name]
        young = [p.onset_s for p in new if p.instrument == name]
        assert not old or not young or max(old) <= min(young)


def test_a_note_that_goes_on_over_a_change_is_as_long_as_it_is_written_now() -> None:
    before = perform([Note(0.5 * i, 60 + i, "organ", 4.0 if i == 7 else 0.5, 80) for i in range(16)], Score("organ"))
    held = before.written[7]
    longer = revised(before, [replace(held, duration_s=6.0)], to_samples(4.0))
    cut = revised(before, [], to_samples(4.0))
    assert [p.offset_s for p in longer.played if p.pitch == 67] == pytest.approx([held.onset_s + 6.0])
    assert [p.offset_s for p in cut.played if p.pitch == 67] == pytest.approx([4.0])
    assert len(cut.played) == 8


def test_a_change_without_a_score_is_exact() -> None:
    before = perform(band(), None)
    other = [n for n in band(seed=2) if n.onset_s >= 8.0]
    after = revised(before, other, to_samples(8.0))
    assert after.played == after.written
