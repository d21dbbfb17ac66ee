import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.notes import Note
from streaming.picture.keyboard import PADS, Keyboard, is_black, pad_of
from streaming.picture.lettering import Lettering
from streaming.picture.themefile import read_theme

LETTERING = Lettering()


def keyboard(*notes: Note, width: int = 1280) -> Keyboard:
    return Keyboard(notes, width, 500, 100, read_theme(), LETTERING)


@given(st.lists(st.integers(21, 108), max_size=8), st.booleans(), st.sampled_from([320, 640, 1280, 1920]))
def test_every_key_a_piece_needs_is_on_the_keyboard_and_in_the_picture(
    pitches: list[int], drums: bool, width: int
) -> None:
    notes = [Note(0, pitch, "piano", 1, 80) for pitch in pitches]
    if drums:
        notes.append(Note(0, 36, "drums", 0, 80))
    keys = keyboard(*notes, width=width)
    assert not is_black(keys.low)
    assert not is_black(keys.high)
    assert 21 <= keys.low < keys.high <= 108
    for note in notes:
        lane = keys.lane(note)
        assert 0 <= lane.x < lane.x + lane.width <= width
        if note.instrument != "drums":
            assert keys.low <= note.pitch <= keys.high
            assert lane.x >= keys.left


def test_white_keys_fill_the_width_without_gaps() -> None:
    keys = keyboard(Note(0, 30, "piano", 1, 80), Note(0, 90, "piano", 1, 80))
    edges = [keys.key_edges(pitch) for pitch in range(keys.low, keys.high + 1) if not is_black(pitch)]
    assert edges[0][0] == 0
    assert edges[-1][1] == pytest.approx(1280)
    for (_, right), (left, _) in itertools.pairwise(edges):
        assert right == pytest.approx(left)


def test_black_keys_lie_over_the_gap_between_their_neighbours() -> None:
    keys = keyboard()
    for pitch in range(keys.low, keys.high + 1):
        if is_black(pitch):
            left, right = keys.key_edges(pitch)
            gap = keys.key_edges(pitch - 1)[1]
            assert left < gap < right


def test_a_higher_pitch_lies_further_right() -> None:
    keys = keyboard(Note(0, 21, "piano", 1, 80), Note(0, 108, "piano", 1, 80))
    middles = [sum(keys.key_edges(pitch)) / 2 for pitch in range(21, 109)]
    assert middles == sorted(middles)


def test_drums_have_pads_of_their_own_left_of_the_keys() -> None:
    keys = keyboard(Note(0, 60, "piano", 1, 80), Note(0, 36, "drums", 0, 80))
    lanes = [keys.lane(Note(0, key, "drums", 0, 80)) for key in (36, 38, 45, 42, 49, 75)]
    assert [lane.x for lane in lanes] == sorted({lane.x for lane in lanes})
    assert all(lane.x + lane.width <= keys.left for lane in lanes)
    assert not keyboard(Note(0, 60, "piano", 1, 80)).has_pads


def test_a_percussion_key_nobody_listed_goes_to_the_last_pad() -> None:
    assert pad_of(127) == len(PADS)
    assert PADS[pad_of(36)][0] == "kick"
