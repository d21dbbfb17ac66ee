"""The picture of a piece that is changed while it plays: the keys stay, the rest is drawn anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.notes import Note, TempoMark
from streaming.picture.pianoroll import PianoRoll, Scene
from streaming.programme.program import Program
from streaming.ring import Ring
from streaming.timeline import SAMPLE_RATE
from tests.streaming.picture.test_pianoroll import centre_of_bar, near

OLD = Scene(
    1, "Rain", "", tuple(Note(float(n), 48 + n, "piano", 0.8, 100) for n in range(20)), (TempoMark(0, 120),), 20.0
)
NEW = replace(OLD, notes=(*OLD.notes[:10], *(replace(n, instrument="organ", pitch=72) for n in OLD.notes[10:])))


def test_a_changed_piece_keeps_its_keys_and_shows_its_new_notes_at_once() -> None:
    roll = PianoRoll(640, 360)
    before = roll.draw_rgb(OLD, 9.5)
    roll.prepare(NEW, 9.5)
    after = roll.draw_rgb(NEW, 9.5)
    assert roll.keyboard(NEW) is roll.keyboard(OLD)
    note = NEW.notes[10]
    x, y = centre_of_bar(roll, NEW, note, 9.5)
    assert near(after[y, x], roll.look.theme.instrument("organ"))
    assert not near(before[y, x], roll.look.theme.instrument("organ"))
    # What sounds now is drawn as it was.
    keys = slice(roll.layout.playhead, roll.layout.playhead + roll.layout.keyboard)
    assert (before[keys] == after[keys]).all()


@pytest.mark.parametrize("added", [Note(12.0, 100, "flute", 1.0, 90), Note(12.0, 36, "drums", 0.1, 90)])
def test_notes_that_have_no_key_yet_get_one(added: Note) -> None:
    roll = PianoRoll(640, 360)
    roll.draw(OLD, 1.0)
    wider = replace(OLD, notes=(*OLD.notes, added))
    x, y = centre_of_bar(roll, wider, added, 11.0)
    assert roll.keyboard(wider) is not roll.keyboard(OLD)
    assert near(roll.draw_rgb(wider, 11.0)[y, x], roll.look.theme.instrument(added.instrument))


def test_another_piece_has_keys_of_its_own() -> None:
    roll = PianoRoll(640, 360)
    roll.draw(OLD, 1.0)
    assert roll.keyboard(replace(NEW, number=2)) is not roll.keyboard(OLD)


def test_what_is_prepared_in_the_midst_of_a_piece_is_not_drawn_again_for_its_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    roll = PianoRoll(640, 360)
    roll.prepare(NEW, 9.5)
    monkeypatch.setattr("streaming.picture.rolltiles.RollTiles._draw", lambda *_: pytest.fail("a tile was drawn"))
    assert roll.draw(NEW, 9.5).any()


def test_the_programme_knows_where_the_piece_is_that_sounds(tmp_path: Path) -> None:
    with Ring.create(tmp_path / "ring") as ring:
        program = Program(ring, PianoRoll(160, 90), [], fps=30, fast=True)
        assert program.position_s(1) is None
        ring.mark(1, 0)
        ring.mark(2, 3 * SAMPLE_RATE)
        ring.write(np.zeros((4 * SAMPLE_RATE, 2), np.float32))
        program.index = 60
        assert (program.position_s(1), program.position_s(2)) == (2.0, None)
        program.index = 105
        assert (program.position_s(1), program.position_s(2)) == (None, 0.5)
