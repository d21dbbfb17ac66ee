"""No piece comes again within a time, be it composed once more or brought back from the library."""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor import cues as c
from conductor import wire
from conductor.library import Library
from conductor.logs import Terminal
from conductor.radio.plan import Radio
from conductor.radio.repeats import NEAR, NoteRow, alike, sketch_of
from conductor.setlist import Cue, Endless
from conductor.show.chronicle import Chronicle
from conductor.show.commission import Commissions
from conductor.show.repeats import Repeats
from conductor.show.take import note_rows
from model.midi import write_midi
from model.notes import Note, Piece

HOUR_S = 3600.0
ENDLESS = Endless((("bach", 1.0),), radio=Radio(repeat_after_s=6 * HOUR_S))


class Clock:
    """A clock that stands until it is put."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 20, tzinfo=UTC)

    def monotonic_s(self) -> float:
        return self.now.timestamp()

    def wall(self) -> datetime:
        return self.now


def melody(seed: int, notes: int = 300, *, up: int = 0, slower: float = 1.0) -> list[NoteRow]:
    rng = random.Random(seed)
    return [(n * 0.25 * slower, 40 + up + rng.randrange(36), "piano", 0.2, 80, 0) for n in range(notes)]


class Desk:
    """Commissions with a library, and what the rules are told."""

    def __init__(self, folder: Path, endless: Endless | None = ENDLESS) -> None:
        self.clock, self.told, self.orders = Clock(), list[c.Event](), list[wire.Message]()
        self.library = Library(folder)
        chronicle = Chronicle(self.library, self.clock, Terminal(io.StringIO()), lambda: 0)
        repeats = Repeats(self.library, self.clock, lambda: endless)
        self.commissions = Commissions(
            self.library, chronicle, self.clock, self.orders.append, self.told.append, repeats
        )

    def composed(self, cue: Cue, notes: list[NoteRow], order: int = 1) -> c.Event:
        """Let a cue be composed, and kept where it may be; return what the rules are told."""
        self.commissions.order(cue, order, 1)
        request = self.orders[-1]
        assert isinstance(request, wire.Compose)
        path = Path(f"{request.out}.mid")
        write_midi(Piece(tuple(sorted(Note(*row) for row in notes))), path)
        self.commissions.hear(
            wire.Composed(request.request_id, str(path), notes, [(0.0, 120.0)], notes[-1][0], 1.0, {})
        )
        if isinstance(self.told[-1], c.Took):
            self.commissions.keep(cue.id)
        return self.told[-1]

    def aired(self, piece: int) -> None:
        self.library.log("live", at=self.clock.now, sample=0, piece_id=piece)


@pytest.fixture(name="desk")
def _desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.library.close()


def drawn(number: int) -> Cue:
    return Cue(f"endless-{number}", f"E{number}", f"Bach No. {number}", style="bach", drawn=True)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 5), st.floats(0.9, 1.2))
def test_a_piece_is_known_in_another_key_and_tempo_and_no_other_piece_is(seed: int, up: int, slower: float) -> None:
    sketch = sketch_of(melody(seed))
    assert alike(sketch, sketch_of(melody(seed, up=up, slower=slower))) == 1.0
    assert alike(sketch, sketch_of(melody(seed)[:200])) > NEAR
    assert alike(sketch, sketch_of(melody(seed + 1))) < NEAR / 3


def test_a_piece_without_figures_is_like_no_other() -> None:
    assert alike(sketch_of([]), sketch_of([])) == 0.0
    assert alike(sketch_of(melody(1, 5)), sketch_of(melody(1, 5))) == 0.0


def test_what_was_heard_within_the_time_is_composed_with_another_seed(desk: Desk) -> None:
    assert isinstance(desk.composed(drawn(1), melody(1)), c.Took)
    desk.clock.now += timedelta(hours=2)
    told = desk.composed(drawn(2), melody(1, up=2))
    assert isinstance(told, c.Missed)
    assert told.retryable
    assert told.reason == "it is Bach No. 1 again, of 2:00:00 ago"
    assert isinstance(desk.composed(drawn(2), melody(2), 2), c.Took)


def test_after_the_time_it_may_come_again(desk: Desk) -> None:
    desk.composed(drawn(1), melody(1))
    desk.clock.now += timedelta(hours=7)
    assert isinstance(desk.composed(drawn(2), melody(1)), c.Took)


def test_what_a_person_planned_is_heard_as_planned(desk: Desk) -> None:
    desk.composed(drawn(1), melody(1))
    assert isinstance(desk.composed(replace(drawn(2), drawn=False), melody(1)), c.Took)


@pytest.mark.parametrize("endless", [None, replace(ENDLESS, radio=Radio(repeat_after_s=0.0))], ids=["none", "off"])
def test_nothing_is_compared_where_nobody_asked_for_it(tmp_path: Path, endless: Endless | None) -> None:
    desk = Desk(tmp_path, endless)
    desk.composed(drawn(1), melody(1))
    assert isinstance(desk.composed(drawn(2), melody(1)), c.Took)
    desk.library.close()


def test_the_next_conductor_remembers(desk: Desk, tmp_path: Path) -> None:
    desk.composed(drawn(1), melody(1))
    after = Desk(tmp_path)
    assert isinstance(after.composed(drawn(2), melody(1)), c.Missed)
    after.library.close()


def test_what_is_remembered_is_bounded_by_the_time(desk: Desk) -> None:
    for number in range(1, 40):
        desk.composed(drawn(number), melody(number, 60))
        desk.clock.now += timedelta(minutes=30)
    assert 12 < len(desk.library.recall("lately")) < 16


def test_what_was_not_on_air_lately_stands_in_first_and_then_the_least_recent(desk: Desk) -> None:
    ids = []
    for number in range(1, 4):
        desk.composed(drawn(number), melody(number))
        ids.append(desk.commissions.takes[f"endless-{number}"].piece_id)
    first, second, third = (piece or 0 for piece in ids)
    desk.aired(second)
    desk.clock.now += timedelta(hours=7)
    desk.aired(third)
    desk.clock.now += timedelta(hours=1)
    desk.aired(first)
    # The second was on air eight hours ago; the first, which was on air as often, just now.
    stood_in = [_stand_in(desk, number) for number in (10, 11, 12)]
    assert stood_in == [second, third, first]


def _stand_in(desk: Desk, number: int) -> int | None:
    asyncio.run(desk.commissions.borrow(drawn(number), 1, "no inspiration", []))
    piece = desk.commissions.takes[f"endless-{number}"].piece_id
    desk.clock.now += timedelta(minutes=4)
    desk.aired(piece or 0)
    return piece


def test_the_notes_of_a_take_are_what_is_compared() -> None:
    piece = Piece(tuple(Note(*row) for row in melody(5)))
    assert alike(sketch_of(note_rows(piece)), sketch_of(melody(5))) == 1.0
