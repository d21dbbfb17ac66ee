"""The station says who it is on a card half way through a piece, and at no other time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from streaming.picture.cards import IDENT_S, ident_opacity
from tests.streaming.picture.test_cards import PIECE, card, roll


def test_the_card_comes_and_goes_softly_in_the_middle() -> None:
    times = np.arange(0, 60, 1 / 60)
    seen = np.array([ident_opacity(float(t), 60.0) for t in times])
    there = times[seen > 0]
    assert 27.0 <= there.min() < 27.1
    assert 32.9 < there.max() < 33.0
    assert ident_opacity(30.0, 60.0) == 1
    assert np.abs(np.diff(seen)).max() < 0.06
    assert there.max() - there.min() < IDENT_S


def test_a_short_piece_has_no_room_for_it() -> None:
    assert not any(ident_opacity(t / 10, 20.0) for t in range(200))


def test_it_is_seen_where_the_station_has_something_to_say() -> None:
    found, ours = roll(), replace(PIECE, ident="You are listening to Endless Radio")
    assert card(found, ours, 30.0).max() > 1
    assert card(found, PIECE, 30.0).max() == 0
    assert card(found, ours, 20.0).max() == 0
