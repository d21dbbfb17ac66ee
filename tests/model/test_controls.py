"""Controllers of MIDI files become curves, whatever a file holds."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.controls import BEND, KNOWN, PLAIN, SILENT_DB, Controls, Curve, controls_of
from model.midi import read_midi
from tests.model.midi_bytes import off, on, program, smf, track


def turn(number: int, value: int, channel: int = 0) -> bytes:
    return bytes((0xB0 | channel, number, value))


def bend(value: int, channel: int = 0) -> bytes:
    return bytes((0xE0 | channel, value & 0x7F, value >> 7))


def read(path: Path, *tracks: bytes) -> tuple[list[Controls], list[tuple[int, int]]]:
    """Return the controls of a file, and its notes as (pitch, part)."""
    path.write_bytes(smf(*tracks))
    piece = read_midi(path, controls=True).piece
    return list(piece.controls), [(note.pitch, note.part) for note in piece.notes]


def note(pitch: int = 60, channel: int = 0) -> tuple[tuple[int, bytes], tuple[int, bytes]]:
    return (0, on(pitch, channel=channel)), (480, off(pitch, channel=channel))


def test_a_file_that_turns_nothing_has_no_controls(tmp_path: Path) -> None:
    assert read(tmp_path / "a.mid", track(*note())) == ([], [(60, 0)])
    # What is usual is nothing, too.
    usual = track((0, turn(7, 100)), (0, turn(11, 127)), (0, turn(10, 64)), (0, bend(8192)), *note())
    assert read(tmp_path / "a.mid", usual) == ([], [(60, 0)])


def test_volume_and_expression_multiply_as_the_guidelines_say(tmp_path: Path) -> None:
    (found,), notes = read(
        tmp_path / "a.mid",
        track((0, turn(7, 50)), *note(), (0, turn(11, 64)), (0, on(62)), (240, turn(7, 0)), (240, off(62))),
    )
    assert notes == [(60, 1), (62, 1)]
    assert found.gain_db.at(0.1) == pytest.approx(-12.04, abs=0.01)
    assert found.gain_db.at(0.5) == pytest.approx(-12.04 - 11.91, abs=0.01)
    assert found.gain_db.at(0.8) <= SILENT_DB


def test_place_goes_from_left_to_right(tmp_path: Path) -> None:
    (found,), _ = read(
        tmp_path / "a.mid", track((0, turn(10, 0)), (48, turn(10, 1)), (48, turn(10, 64)), (48, turn(10, 127)), *note())
    )
    assert [found.place.at(s) for s in (0.0, 0.06, 0.11, 0.16)] == [-1.0, -1.0, 0.0, 1.0]


def test_a_bend_goes_as_far_as_its_range_says(tmp_path: Path) -> None:
    up = (0, bend(16383))
    twelve = ((0, turn(101, 0)), (0, turn(100, 0)), (0, turn(6, 12)), (0, turn(38, 50)))
    (usual,), _ = read(tmp_path / "a.mid", track(up, *note()))
    (wide,), _ = read(tmp_path / "a.mid", track(*twelve, up, *note()))
    # Of another parameter's data nothing is heard.
    (other,), _ = read(tmp_path / "a.mid", track((0, turn(99, 1)), (0, turn(98, 8)), (0, turn(6, 12)), up, *note()))
    assert usual.bend_cents.at(0.1) == pytest.approx(200, abs=0.1)
    assert wide.bend_cents.at(0.1) == pytest.approx(1250, abs=0.5)
    assert other == usual


def test_modulation_is_vibrato_and_a_reset_ends_what_is_turned_but_not_volume(tmp_path: Path) -> None:
    (found,), _ = read(
        tmp_path / "a.mid",
        track((0, turn(7, 50)), (0, turn(1, 127)), (0, bend(0)), (0, turn(11, 20)), (240, turn(121, 0)), *note()),
    )
    assert (found.vibrato.at(0.1), found.vibrato.at(0.3)) == (1.0, 0.0)
    assert (found.bend_cents.at(0.1), found.bend_cents.at(0.3)) == (-200.0, 0.0)
    assert found.gain_db.at(0.3) == pytest.approx(-12.04, abs=0.01)


def test_each_channel_and_track_has_its_own(tmp_path: Path) -> None:
    found, notes = read(
        tmp_path / "a.mid",
        track((0, turn(7, 50)), (0, turn(7, 120, channel=1)), *note(60), *note(62, channel=1)),
        # The same channel once more, as notation programs write it.
        track((0, turn(7, 30)), *note(64)),
        track((0, program(40)), *note(67, channel=2)),
    )
    parts = dict(notes)
    assert parts[67] == 0
    assert [round(found[parts[pitch] - 1].gain_db.at(0.0), 1) for pitch in (60, 62, 64)] == [-12.0, 3.2, -20.9]


def test_a_channel_set_in_another_track_is_set(tmp_path: Path) -> None:
    found, notes = read(
        tmp_path / "a.mid", track((0, turn(7, 50)), (0, turn(10, 0))), track((0, turn(10, 127)), *note())
    )
    assert notes == [(60, 1)]
    assert found[0].gain_db.at(0.0) == pytest.approx(-12.04, abs=0.01)
    assert found[0].place.at(0.0) == 1.0


def test_parts_that_are_turned_alike_are_one(tmp_path: Path) -> None:
    same = tuple(track((0, turn(7, 90, channel=c)), *note(60 + c, channel=c)) for c in range(8))
    found, notes = read(tmp_path / "a.mid", *same)
    assert len(found) == 1
    assert {part for _, part in notes} == {1}


def test_notes_are_the_same_with_and_without_controls(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    rng = random.Random(4)
    tracks = []
    for _ in range(4):
        events: list[tuple[int, bytes]] = []
        for _ in range(60):
            channel, pitch = rng.randrange(16), rng.randrange(40, 80)
            events += [(rng.randrange(200), turn(rng.randrange(128), rng.randrange(128), channel))]
            events += [(0, program(rng.randrange(128), channel)), (0, on(pitch, channel=channel))]
            events += [(rng.randrange(1, 300), off(pitch, channel=channel))]
        tracks.append(track(*events))
    path.write_bytes(smf(*tracks))
    plain, turned = read_midi(path).piece, read_midi(path, controls=True).piece
    assert len(turned.controls) > 4
    assert sorted(replace(n, part=0) for n in turned.notes) == list(plain.notes)
    assert all(n.part <= len(turned.controls) for n in turned.notes)


@given(
    st.lists(
        st.tuples(st.integers(0, 5000), st.sampled_from(sorted(KNOWN)), st.integers(0, 127)).map(
            lambda t: t if t[1] != BEND else (t[0], BEND, t[2] * 129)
        ),
        max_size=200,
    )
)
def test_whatever_is_turned_the_curves_stay_in_their_ranges(turns: list[tuple[int, int, int]]) -> None:
    found = controls_of(turns, [tick / 1000 for tick, _, _ in turns])
    for curve, low, high in (
        (found.gain_db, 2 * SILENT_DB, 4.2),
        (found.place, -1.0, 1.0),
        (found.bend_cents, -2400.0, 2400.0),
        (found.vibrato, 0.0, 1.0),
    ):
        assert all(low <= value <= high for value in curve.values)
        assert list(curve.times_s) == sorted(set(curve.times_s))
        assert len(curve.times_s) == len(curve.values)


def test_a_hundred_thousand_turns_are_read(tmp_path: Path) -> None:
    storm = [(n % 2, turn((1, 7, 10, 11)[n % 4], n * 37 % 128)) for n in range(100_000)]
    (found,), _ = read(tmp_path / "a.mid", track(*storm, *note()))
    assert len(found.gain_db.values) > 10_000


def test_curves_are_steps() -> None:
    curve = Curve((0.0, 1.0), (2.0, 3.0))
    assert [curve.at(s) for s in (-1.0, 0.0, 0.99, 1.0, 9.0)] == [2.0, 2.0, 2.0, 3.0, 3.0]
    assert curve.moves
    assert not PLAIN.gain_db.moves


def test_controls_know_when_they_move_next() -> None:
    controls = Controls(gain_db=Curve((0.0, 1.0, 5.0), (0.0, 1.0, 2.0)), place=Curve((0.0, 3.0), (0.0, 1.0)))
    assert [controls.next_s(s) for s in (-1.0, 0.0, 1.0, 3.0)] == [0.0, 1.0, 3.0, 5.0]
    assert controls.next_s(5.0) == float("inf")
