"""A card announces a piece and another closes it; they come, are read, and go."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from model.notes import Note, TempoMark
from streaming.picture.cards import (
    CLOSING_S,
    COMES_S,
    GOES_S,
    STAYS_S,
    age,
    closing_opacity,
    opening_opacity,
    provenance,
)
from streaming.picture.pianoroll import PianoRoll
from streaming.picture.scene import BED, Coming, Origin, Scene
from streaming.picture.themefile import read_theme, theme_names

PIECE = Scene(
    3, "Rain", "in the style of chopin", (Note(58.0, 60, "piano", 1.0, 90),), (TempoMark(0, 120),), 60.0,
    origin=Origin(1000.0),
)  # fmt: skip


def roll(width: int = 640, height: int = 360, theme: str = "dark") -> PianoRoll:
    return PianoRoll(width, height, theme=read_theme(theme), wall=lambda: 1041.0)


def card(found: PianoRoll, scene: Scene, position_s: float, coming: Coming = Coming()) -> NDArray[np.float64]:  # noqa: B008
    """How much each row of the roll, far from the keys, differs from the same moment without cards."""
    theme = replace(found.look.theme, measures=replace(found.look.theme.measures, cards=False))
    bare = PianoRoll(found.width, found.height, theme=theme)
    rows = slice(found.layout.header, found.layout.zone)
    shown, plain = (each.draw_rgb(scene, position_s, coming=coming) for each in (found, bare))
    return np.asarray(np.abs(shown[rows].astype(float) - plain[rows]).mean(axis=(1, 2)))


def test_a_card_comes_stays_and_goes_softly() -> None:
    times = np.arange(0, 8, 1 / 60)
    seen = [opening_opacity(float(t), 60.0) for t in times]
    assert seen[0] == 0
    assert opening_opacity(COMES_S, 60.0) == opening_opacity(STAYS_S, 60.0) == 1
    assert opening_opacity(STAYS_S + GOES_S, 60.0) == 0
    assert np.abs(np.diff(seen)).max() < 0.06


def test_a_short_piece_is_not_covered_by_its_card() -> None:
    assert opening_opacity(4.0, 8.0) < 0.2
    assert opening_opacity(4.0, 60.0) == 1
    assert all(closing_opacity(t, 8.0, 1.0) == 0 for t in (5.0, 7.9, 9.0))


@pytest.mark.parametrize("gap_s", [None, 1.0, -2.0])
def test_the_closing_card_is_there_before_the_next_piece_and_stays(gap_s: float | None) -> None:
    end_s = 60.0 + min(0.0, gap_s or 0.0)
    assert closing_opacity(end_s - CLOSING_S, 60.0, gap_s) == 0
    assert closing_opacity(end_s - CLOSING_S + COMES_S, 60.0, gap_s) == 1
    assert closing_opacity(end_s + 30.0, 60.0, gap_s) == 1


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-3, "0 s ago"), (41.7, "41 s ago"), (89, "89 s ago"), (90, "1 minute ago"), (130, "2 minutes ago"),
        (3600, "1 hour ago"), (7300, "2 hours ago"), (86_400, "1 day ago"), (400_000, "4 days ago"),
    ],
)  # fmt: skip
def test_the_age_of_a_piece_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert age(seconds) == said


def test_a_card_tells_how_new_a_piece_is_and_nothing_that_nobody_knows() -> None:
    assert provenance(PIECE, 1041.0) == "composed 41 s ago, never heard before"
    assert provenance(replace(PIECE, origin=Origin(1000.0, heard=True)), 1041.0) == "composed 41 s ago, heard before"
    assert provenance(replace(PIECE, origin=Origin()), 1041.0) == ""


@pytest.mark.parametrize("theme", theme_names())
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (640, 360), (360, 640), (160, 90)])
def test_cards_are_seen_at_every_size_and_keep_off_the_keys(theme: str, width: int, height: int) -> None:
    found = roll(width, height, theme)
    for position_s in (2.0, 59.5):
        rows = np.flatnonzero(card(found, PIECE, position_s, Coming("Snow", 1.0)) > 1)
        assert len(rows) > 0.15 * (found.layout.zone - found.layout.header)
    assert card(found, PIECE, 20.0).max() == 0


def test_the_bed_has_no_card_until_the_show_is_over() -> None:
    bed = replace(PIECE, number=BED)
    found = roll()
    assert card(found, bed, 2.0).max() == 0
    for frame in range(30):
        found.draw(bed, 20.0 + frame / 30, coming=Coming(farewell="First Light"))
    assert card(found, bed, 21.0, Coming(farewell="First Light")).max() > 5


def test_no_title_is_too_long_for_its_card() -> None:
    found = roll()
    long = replace(PIECE, title="雨の歌 " * 60, caption="of " * 200)
    rows = card(found, long, 2.0)
    assert rows.max() > 1
    picture = found.draw_rgb(long, 2.0)
    assert picture.shape == (360, 640, 3)
