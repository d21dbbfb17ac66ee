"""The card of a poll: drawn over the roll while there is one, anew only when it says something else."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from model.notes import TempoMark
from streaming.picture.i420 import Planes
from streaming.picture.layout import Layout
from streaming.picture.lettering import Lettering
from streaming.picture.overlay import Look
from streaming.picture.pianoroll import PianoRoll
from streaming.picture.poll import LINGERS_S, Ballot, PollCard
from streaming.picture.scene import Scene
from streaming.picture.sprite import Sheet, Sprite
from streaming.picture.themefile import read_theme

BALLOT = Ballot("The next style?", ("chopin", "jazz", "bach"), (3, 1, 0), 20.0, None, "type !vote")


class Stage:
    """A card on an empty sheet, at a time that a test sets."""

    def __init__(self, width: int = 640, height: int = 360) -> None:
        theme = read_theme()
        self.layout = Layout.of(width, height, 30, theme.measures)
        self.now_s = 100.0
        self.card = PollCard(Look(theme, Lettering(theme.fonts), self.layout), lambda: self.now_s)
        self._size = (height, width)

    def drawn(self, after_s: float = 1.0) -> NDArray[np.bool_]:
        """Return what the card changed of the luma, a second later."""
        self.now_s += after_s
        sheet = Sheet(Planes(*self._size))
        sheet.planes.array[:] = 128
        self.card.draw(sheet)
        changed: NDArray[np.bool_] = np.not_equal(sheet.planes.y, 128)
        return changed


def test_nothing_is_drawn_where_nothing_is_asked() -> None:
    stage = Stage()
    assert not stage.drawn().any()
    stage.card.tell(BALLOT)
    assert stage.drawn().any()
    stage.card.tell(None)
    assert not stage.drawn().any()


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (426, 240), (320, 180)])
def test_it_lies_on_the_roll_and_nowhere_else(size: tuple[int, int]) -> None:
    stage = Stage(*size)
    stage.card.tell(BALLOT)
    changed = stage.drawn()
    assert changed.any()
    assert not changed[: stage.layout.header].any()
    assert not changed[stage.layout.playhead :].any()


def test_it_is_made_anew_only_for_another_second_or_another_count(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    made: list[Ballot] = []
    real = stage.card._card

    def counted(ballot: Ballot, left_s: int) -> Sprite:
        made.append(ballot)
        return real(ballot, left_s)

    monkeypatch.setattr(stage.card, "_card", counted)
    stage.card.tell(BALLOT)
    for _ in range(30):
        stage.drawn(1 / 30)
    assert len(made) <= 2
    stage.card.tell(Ballot("The next style?", BALLOT.choices, (3, 2, 0), 19.0))
    stage.drawn(0.0)
    assert made[-1].counts == (3, 2, 0)


def test_it_goes_by_itself_where_nobody_takes_it_away() -> None:
    stage = Stage()
    stage.card.tell(BALLOT)
    assert stage.drawn(BALLOT.left_s + LINGERS_S - 0.1).any()
    assert not stage.drawn(0.2).any()


def test_the_picture_has_it_over_the_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    roll = PianoRoll(640, 360)
    now_s = [0.0]
    monkeypatch.setattr(roll._poll, "_now_s", lambda: now_s[0])
    scene = Scene(1, "Piece", "chopin", (), (TempoMark(0.0, 120.0),), 60.0)
    without = roll.draw(scene, 10.0)
    roll.ask(BALLOT)
    now_s[0] = 1.0
    assert (roll.draw(scene, 10.0) != without).any()
    roll.ask(None)
    assert (roll.draw(scene, 10.0) == without).all()
