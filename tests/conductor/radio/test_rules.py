"""The radio as the rules of the show draw it: the night that was printed, across restart, reload and undo."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conductor import cues as c
from conductor.library import Library
from conductor.radio.night import night
from conductor.radio.plan import Daypart, Radio
from conductor.setlist import Cue, Endless, Setlist
from conductor.setlist.diff import diff
from conductor.show.resume import restore, save
from tests.conductor.cues.stage import Stage

EVENING = 1_772_386_800.0
STYLES = (("chopin", 3.0), ("bach", 2.0), ("jazz", 1.0))
RADIO = Radio(joins=(("crossfade", 1.0),), dayparts=(Daypart(20 * 60, 23 * 60, mode="minor"),), zone="UTC")
ENDLESS = Endless(STYLES, duration_s=60.0, seed=11, radio=RADIO)
LIST = Setlist("Radio", (), ENDLESS, 3)


def begun(wall_s: float = EVENING, setlist: Setlist = LIST) -> Stage:
    return up(Stage(c.begin(setlist, clock_s=wall_s)))


def up(made: Stage) -> Stage:
    made.send(c.PlayerUp())
    made.send(c.ComposerUp())
    return made


def played(s: Stage, pieces: int) -> list[Cue]:
    """Let pieces of a minute be composed and played; return what was drawn, in order."""
    drawn: dict[str, Cue] = {}
    while len(drawn) < pieces:
        while s.asked:
            s.compose()
            s.obey()
        for slot in s.state.slots:
            drawn.setdefault(slot.cue.id, slot.cue)
        s.pass_time(60.0)
        s.piece_ends()
    return list(drawn.values())[:pieces]


@pytest.fixture(name="library")
def _library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path)
    yield library
    library.close()


def test_what_is_printed_is_what_is_played() -> None:
    printed = [piece.cue for piece in itertools.islice(night(ENDLESS, 11, EVENING), 80)]
    assert played(begun(), 80) == printed


def test_a_show_that_begins_a_minute_later_plays_the_same_night() -> None:
    assert played(begun(EVENING + 60.0), 60) == played(begun(), 60)


def test_a_show_that_is_taken_up_goes_on_with_the_same_night(library: Library) -> None:
    s = begun()
    first = played(s, 20)
    saved = json.loads(json.dumps(save(s.state, {}, LIST)))
    state, _ = restore(c.begin(LIST, seed=99, clock_s=EVENING), saved, library)
    assert (state.drawn, state.drawn_until_s) == (s.state.drawn, s.state.drawn_until_s)
    drawn = {slot.cue.id: slot.cue for slot in state.slots}
    again = played(up(Stage(replace(state, slots=s.state.slots), now_s=s.now_s)), 30)
    whole = [piece.cue for piece in itertools.islice(night(ENDLESS, 11, EVENING), 50)]
    assert first == whole[:20]
    assert list(drawn.values()) == [cue for cue in whole if cue.id in drawn]
    assert again == [cue for cue in whole if cue in again]
    assert len(again) == 30


def test_a_reload_that_changes_nothing_of_the_radio_does_not_change_the_night() -> None:
    s = begun()
    first = played(s, 10)
    s.send(c.Reload(diff(LIST, replace(LIST, ahead=2))))
    s.send(c.Undo())
    whole = [piece.cue for piece in itertools.islice(night(ENDLESS, 11, EVENING), 60)]
    assert first == whole[:10]
    rest = played(s, 40)
    assert rest == [cue for cue in whole if cue in rest]


def test_a_clock_that_is_put_an_hour_changes_the_part_of_the_day_and_nothing_breaks() -> None:
    s = begun()
    played(s, 5)
    at_s = s.state.drawn_until_s
    assert at_s is not None
    s.send(c.Tick(EVENING + s.now_s + 3600.0))
    played(s, 12)
    assert s.state.drawn_until_s is not None
    assert s.state.drawn_until_s - at_s > 3600.0
    drawn = [slot.drawn for slot in s.state.slots]
    assert drawn == sorted(drawn)


def test_what_nobody_heard_is_no_reason_to_avoid_it() -> None:
    s = begun()
    skipped = s.state.upcoming[0].cue
    s.send(c.Skip(skipped.id))
    heard = [slot.cue.style for slot in s.state.slots if slot.phase is not c.Phase.SKIPPED]
    assert len(heard) == 3
    assert len(set(heard)) > 1
