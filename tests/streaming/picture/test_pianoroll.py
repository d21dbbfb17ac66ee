from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from model.instruments import INSTRUMENTS
from model.notes import Note, TempoMark
from streaming.errors import StreamingError
from streaming.picture.keyboard import is_black
from streaming.picture.pianoroll import DYING_S, LEAST_LIT_S, PianoRoll, Scene, brightness
from streaming.picture.scene import BED, Coming
from streaming.picture.theme import Rgb
from streaming.picture.themefile import read_theme

SIZES = [(1280, 720), (640, 360), (854, 480), (360, 640)]
THEME = read_theme()


def scene(*notes: Note, duration_s: float = 20.0, title: str = "Rain") -> Scene:
    # As the bed, which is announced on no card: nothing lies over the notes.
    return Scene(BED, title, "in a new style", tuple(sorted(notes)), (TempoMark(0, 120),), duration_s)


def near(pixel: NDArray[np.uint8], colour: Rgb, within: int = 60) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() <= within)


def centre_of_bar(roll: PianoRoll, shown: Scene, note: Note, position_s: float) -> tuple[int, int]:
    """Where the middle of a note should be, from the geometry alone: x, y."""
    lane = roll.keyboard(shown).lane(note)
    ahead_s = note.onset_s + note.duration_s / 2 - position_s
    return round(lane.x + lane.width / 2), round(roll.layout.playhead - ahead_s * roll.layout.pixels_per_s)


@pytest.mark.parametrize(("width", "height"), [(1279, 720), (1280, 721), (0, 0), (20, 20)])
def test_odd_and_tiny_pictures_are_refused(width: int, height: int) -> None:
    with pytest.raises(StreamingError, match="even"):
        PianoRoll(width, height)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_frame_has_the_shape_of_i420_and_is_the_callers_own(width: int, height: int) -> None:
    roll = PianoRoll(width, height)
    first = roll.draw(scene(Note(0, 60, "piano", 1, 90)), 0.0)
    assert first.shape == (height * 3 // 2, width)
    assert first.dtype == np.uint8
    kept = first.copy()
    roll.draw(None, 3.0, coming=Coming("soon"))
    assert (first == kept).all()


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("name", [i.name for i in INSTRUMENTS])
def test_a_note_to_come_is_seen_in_its_instruments_colour_at_its_place(name: str, width: int, height: int) -> None:
    roll = PianoRoll(width, height)
    note = Note(2.0, 40 if name == "drums" else 60, name, 0.08 if name == "drums" else 0.6, 127)
    shown = scene(note)
    x, y = centre_of_bar(roll, shown, note, 0.5)
    picture = roll.draw_rgb(shown, 0.5)
    assert near(picture[y, x], THEME.instrument(name)), (picture[y, x], THEME.instrument(name))
    without = roll.draw_rgb(scene(replace(note, onset_s=15.0)), 0.5)
    assert not near(without[y, x], THEME.instrument(name))


def test_a_piece_is_drawn_before_it_begins() -> None:
    roll = PianoRoll(640, 360)
    note = Note(0.0, 60, "violin", 1.0, 127)
    x, y = centre_of_bar(roll, scene(note), note, -1.0)
    assert near(roll.draw_rgb(scene(note), -1.0)[y, x], THEME.instrument("violin"))


@pytest.mark.parametrize("pitch", [60, 61, 21, 108])
@pytest.mark.parametrize("onset_s", [1.0, 1.0 / 3, 2.7183])
def test_a_key_is_lit_exactly_from_the_onset_of_its_note(pitch: int, onset_s: float) -> None:
    roll = PianoRoll(640, 360)
    note = Note(onset_s, pitch, "piano", 0.5, 100)
    shown = scene(note)
    left, right = roll.keyboard(shown).key_edges(pitch)
    low_on_key = round(roll.layout.playhead + roll.layout.keyboard * (0.5 if is_black(pitch) else 0.8))
    key = (low_on_key, round((left + right) / 2))

    def lit(position_s: float) -> bool:
        dark = roll.draw_rgb(scene(replace(note, onset_s=19.0)), 0.0)[key].astype(int)
        return bool(np.abs(roll.draw_rgb(shown, position_s)[key].astype(int) - dark).max() > 40)

    assert not lit(onset_s - 1e-4)
    assert lit(onset_s)
    assert lit(onset_s + 0.49)
    assert not lit(onset_s + 0.5 + DYING_S + 0.01)


def test_light_is_brightest_at_the_onset_and_dies_after_the_end() -> None:
    note = Note(1.0, 60, "piano", 0.8, 100)
    assert brightness(note, 0.999) == 0
    assert brightness(note, 1.0) == 1
    held = [brightness(note, 1.0 + i / 20) for i in range(17)]
    assert held == sorted(held, reverse=True)
    assert held[-1] > 0.5
    assert 0 < brightness(note, 1.8 + DYING_S / 2) < held[-1]
    assert brightness(note, 1.8 + DYING_S + 1e-6) == 0


def test_a_note_without_length_lights_its_key_long_enough_to_be_seen() -> None:
    drum = Note(1.0, 36, "drums", 0.0, 100)
    assert brightness(drum, 1.0 + LEAST_LIT_S) > 0.5


@pytest.mark.parametrize("fps", [24, 25, 30, 50, 60])
@pytest.mark.parametrize("start_sample", [0, 1, 799, 12345])
def test_the_roll_moves_the_same_whole_even_number_of_pixels_every_frame(fps: int, start_sample: int) -> None:
    roll = PianoRoll(1280, 720, fps=fps)
    scrolls = [roll.scroll_px((frame * 48_000 // fps - start_sample) / 48_000) for frame in range(fps * 60)]
    steps = set(np.diff(scrolls).tolist())
    assert roll.layout.step % 2 == 0
    if 48_000 % fps == 0:
        assert steps == {roll.layout.step}
    assert scrolls[-1] - scrolls[0] == pytest.approx((len(scrolls) - 1) * roll.layout.step, abs=2)


def test_a_frame_is_the_one_before_moved_down() -> None:
    roll = PianoRoll(640, 360)
    shown = scene(*(Note(i * 0.37, 50 + i % 20, "harp", 0.3, 100) for i in range(40)))
    # Between the fade at the top and the glow above the keys.
    top, bottom, step = roll.layout.header + 40, roll.layout.playhead - 60, roll.layout.step
    for frame in range(30, 90):
        before, after = roll.draw(shown, frame / 30), roll.draw(shown, (frame + 1) / 30)
        assert (before[top : bottom - step] == after[top + step : bottom]).all()
        assert len(np.unique(after[top:bottom])) > 10


def test_what_was_drawn_before_leaves_no_trace() -> None:
    first = scene(Note(1.0, 60, "piano", 2, 90))
    second = replace(scene(Note(0.5, 72, "flute", 1, 90), title="Snow"), number=2)
    used = PianoRoll(640, 360)
    for what, position_s, level_db in (
        (first, 1.5, -6.0),
        (None, 2.0, None),
        (second, 0.7, -40.0),
        (first, 1.1, -3.0),
        (None, 9, -20),
    ):
        used.draw(what, position_s, coming=Coming("later"), level_db=level_db)
    for what in (second, None, first):
        fresh = PianoRoll(640, 360).draw(what, 1.0, coming=Coming("soon"), level_db=-20)
        assert (used.draw(what, 1.0, coming=Coming("soon"), level_db=-20) == fresh).all()


def test_title_time_next_level_and_progress_are_seen() -> None:
    roll = PianoRoll(640, 360)
    notes = (Note(1.0, 60, "piano", 1, 90),)
    plain = roll.draw(scene(*notes), 5.0, coming=Coming(""), level_db=-40).astype(int)
    changes = {
        "title": roll.draw(scene(*notes, title="Snow"), 5.0, level_db=-40),
        "time": roll.draw(scene(*notes), 6.0, level_db=-40),
        "next": roll.draw(scene(*notes), 5.0, coming=Coming("next: Snow"), level_db=-40),
        "level": roll.draw(scene(*notes), 5.0, level_db=-6),
    }
    header, footer = slice(0, roll.layout.header), slice(360 - roll.layout.footer, 360)
    for what, changed in changes.items():
        rows = footer if what == "level" else header
        assert np.abs(changed[rows] - plain[rows]).max() > 30, what
    line = roll.draw_rgb(scene(*notes), 10.0)[roll.layout.header - 1]
    reached = np.flatnonzero([near(pixel, THEME.colours.accent, 2) for pixel in line])
    assert reached.tolist() == list(range(320))


def test_the_slate_moves_softly_and_says_what_it_is_given() -> None:
    roll = PianoRoll(640, 360)
    frames = [roll.draw(None, t, coming=Coming("The concert begins soon")).astype(int) for t in (0.0, 1 / 30, 4.0)]
    assert 0 < np.abs(frames[1] - frames[0]).mean() < 0.5
    assert np.abs(frames[2] - frames[0]).max() > 24
    # Above the keys, too: a still picture would be taken for a fault.
    assert np.abs(frames[2] - frames[0])[: roll.layout.zone].max() > 12
    assert (roll.draw(None, 0.0, coming=Coming("Back at nine")) != frames[0]).any()
    assert (roll.draw(None, 0.0) != frames[0]).any()


def test_instruments_in_unison_are_both_seen() -> None:
    roll = PianoRoll(1280, 720)
    violin, flute = Note(1.0, 72, "violin", 1.0, 127), Note(1.0, 72, "flute", 1.0, 127)
    shown = scene(violin, flute)
    x, y = centre_of_bar(roll, shown, violin, 0.0)
    row = roll.draw_rgb(shown, 0.0)[y, x - 14 : x + 15]
    for name in ("violin", "flute"):
        assert any(near(pixel, THEME.instrument(name), 12) for pixel in row), name


def test_a_piece_of_nothing_and_strange_texts_are_drawn() -> None:
    roll = PianoRoll(640, 360)
    for shown in (
        scene(duration_s=0.0),
        Scene(1, "雨の歌 🎵 " * 30, "\x00\n\ud7ff", (), (), 0.0, 0.0),
        scene(Note(0, 0, "piano", 0, 1), Note(0, 127, "kazoo", 3, 127)),
    ):
        assert roll.draw(shown, 1.0, coming=Coming("→ " * 200), level_db=float("-inf")).shape == (540, 640)


def test_a_prepared_scene_is_not_laid_out_again() -> None:
    roll = PianoRoll(640, 360)
    shown = scene(Note(0, 60, "piano", 1, 90))
    roll.prepare(shown)
    prepared = roll.keyboard(shown)
    roll.draw(shown, 0.0)
    assert roll.keyboard(shown) is prepared
