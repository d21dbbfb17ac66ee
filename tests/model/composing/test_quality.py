"""The first judgement: planted faults are found, plain good music has none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.composing.quality import Judgement, judge, measure
from model.notes import Note, Piece
from tests.model.making import tune

LENGTH_S = 40.0


def judged(piece: Piece, *, wanted: tuple[str, ...] = (), surprise: float = 3.0) -> Judgement:
    return judge(piece, length_s=LENGTH_S, wanted=wanted, nats_per_token=surprise, typical_nats=3.0)


def good() -> Piece:
    return tune(LENGTH_S)


def keep(piece: Piece, first_s: float, last_s: float) -> tuple[Note, ...]:
    return tuple(n for n in piece.notes if first_s <= n.onset_s < last_s)


def phrase(period_s: float, repeats: int) -> Piece:
    """A phrase of a period that comes again and again."""
    once = [n for n in tune(period_s, seed=3).notes if n.onset_s < period_s - 0.01]
    notes = [replace(n, onset_s=n.onset_s + k * period_s) for k in range(repeats) for n in once]
    return Piece(tuple(sorted(notes)))


def test_good_music_has_no_faults_and_the_best_score() -> None:
    judgement = judged(good(), wanted=("piano", "strings"))
    assert judgement.faults == ()
    assert -0.3 < judgement.score <= 0.0


@pytest.mark.parametrize("seed", range(5))
def test_no_fault_is_found_in_other_good_music(seed: int) -> None:
    assert judged(tune(LENGTH_S, seed, ("guitar", "flute"))).faults == ()


HOLE = Piece(keep(good(), 0.0, 10.0) + keep(good(), 30.0, LENGTH_S))
STUCK = Piece(tuple(replace(n, pitch=60 + n.pitch % 2) for n in good().notes))
HANGING = Piece(tuple(sorted((*good().notes, Note(0.0, 36, "piano", 39.0, 80)))))
SPARSE = Piece(tuple(Note(n * 4.0, 60 + n, "piano", 3.9, 80) for n in range(10)))


@pytest.mark.parametrize(
    ("piece", "fault"),
    [
        pytest.param(HOLE, "silent for", id="a hole of silence"),
        pytest.param(phrase(2.0, 20), "repeats itself", id="a loop of 2 s"),
        pytest.param(phrase(2.4, 16), "repeats itself", id="a loop of a bar at 100 beats a minute"),
        pytest.param(phrase(1.3333, 30), "repeats itself", id="a loop of no whole ticks"),
        pytest.param(phrase(5.0, 8), "repeats itself", id="a loop of 5 s"),
        pytest.param(STUCK, "stuck on few pitches", id="stuck on two notes"),
        pytest.param(HANGING, "a note hangs for 39 s", id="a hanging note"),
        pytest.param(SPARSE, "only 0.2", id="hardly any notes"),
        pytest.param(Piece(keep(good(), 0.0, 20.0)), "20.0 s long, 40.0 s asked for", id="too short"),
        pytest.param(tune(60.0), "s long, 40.0 s asked for", id="too long"),
        pytest.param(Piece(()), "silent for 100%", id="no notes"),
    ],
)
def test_a_planted_fault_is_found_and_costs_more_than_any_taste(piece: Piece, fault: str) -> None:
    judgement = judged(piece)
    assert [fault in found for found in judgement.faults].count(True) == 1, judgement.faults
    assert judgement.score <= -1.0 < judged(good()).score


def test_an_instrument_that_was_asked_for_and_hardly_plays_is_missed() -> None:
    assert judged(good(), wanted=("piano", "trumpet")).faults == ("no trumpet",)
    cameo = Piece(tuple(sorted((*good().notes, Note(1.0, 60, "trumpet", 0.5, 80)))))
    assert judged(cameo, wanted=("trumpet",)).faults == ("no trumpet",)


def test_a_group_plays_when_one_of_it_does() -> None:
    assert judged(good(), wanted=("strings",)).faults == ()
    assert judged(good(), wanted=("winds",)).faults == ("no winds",)


def test_a_beat_repeated_by_drums_alone_is_not_stuck_on_few_pitches() -> None:
    beat = Piece(tuple(Note(n * 0.5, (36, 38)[n % 2], "drums", 0.1, 80) for n in range(80)))
    assert not [fault for fault in judged(beat).faults if "stuck" in fault]


def test_neither_dull_nor_wild_is_best() -> None:
    scores = [judged(good(), surprise=nats).score for nats in (0.5, 2.5, 3.0, 3.5, 6.0)]
    assert max(scores) == scores[2]
    assert scores[0] < scores[1]
    assert scores[4] < scores[3]


def test_measures_say_what_can_be_counted() -> None:
    piece = Piece((Note(0.0, 60, "piano", 2.0, 80), Note(1.0, 67, "violin", 1.0, 80), Note(3.0, 36, "drums", 0.1, 80)))
    measures = measure(piece)
    assert measures.seconds == pytest.approx(3.1)
    assert measures.notes_per_second == pytest.approx(3 / 3.1)
    # Silent from 2 s to 3 s.
    assert measures.silence == pytest.approx(1.0 / 3.1, abs=0.02)
    # One note for a second and a drum's tenth, two for a second.
    assert measures.polyphony == pytest.approx((1.1 + 2.0) / 2.1, abs=0.05)
    assert measures.entropy_bits == pytest.approx(1.0)
    assert measures.longest_note_s == 2.0
    assert measures.presence == pytest.approx({"piano": 1 / 3, "violin": 1 / 3, "drums": 1 / 3})


def test_a_scale_sounds_all_its_pitches_alike() -> None:
    chromatic = Piece(tuple(Note(n * 0.5, 60 + n, "piano", 0.4, 80) for n in range(12)))
    assert measure(chromatic).entropy_bits == pytest.approx(3.585, abs=1e-3)


def test_a_judgement_is_plain_values_for_the_log() -> None:
    import json

    told = json.loads(json.dumps(judged(good()).as_dict()))
    assert told["measures"]["presence"].keys() == {"piano", "violin"}
