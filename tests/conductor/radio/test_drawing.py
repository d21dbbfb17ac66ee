"""What the radio plays: by weight in the long run, varied in the short, and the same for the same seed."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor.radio.arcs import fifths, neighbours, steps, swing
from conductor.radio.drawing import draw, elapsed_s, kept_to
from conductor.radio.night import Planned, night
from conductor.radio.plan import Arc, Daypart, Ident, Radio, Variety, overlapping
from conductor.setlist.plan import Controls, Cue, Endless
from model.composing.course import Course
from model.language.vocabulary import KEYS

BERLIN = "Europe/Berlin"
STYLES = (("chopin", 3.0), ("bach", 2.0), ("mozart", 2.0), ("jazz", 1.0))
PLAYERS = ((("piano",), 3.0), (("violin", "cello"), 1.0), ((), 1.0))
RADIO = Radio(ensembles=PLAYERS, joins=(("crossfade", 3.0), ("morph", 1.0)), zone=BERLIN)
ENDLESS = Endless(STYLES, radio=RADIO)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.fixture(name="long_night", scope="module")
def _long_night() -> list[Planned]:
    return list(itertools.islice(night(ENDLESS, 7, at("2026-03-01T20:00")), 10_000))


def test_in_ten_thousand_pieces_each_style_and_ensemble_has_its_share(long_night: list[Planned]) -> None:
    styles = Counter(piece.cue.style for piece in long_night)
    for name, weight in STYLES:
        assert abs(styles[name] / 10_000 - weight / 8) < 0.01, name
    players = Counter(piece.cue.instruments for piece in long_night)
    for names, weight in PLAYERS:
        assert abs(players[names] / 10_000 - weight / 5) < 0.01, names
    assert abs(sum(piece.cue.follow.kind == "morph" for piece in long_night) / 10_000 - 1 / 4) < 0.02


def test_no_style_comes_three_times_running_and_keys_go_from_neighbour_to_neighbour(long_night: list[Planned]) -> None:
    styles = [piece.cue.style for piece in long_night]
    assert max(len(list(run)) for _, run in itertools.groupby(styles)) == 2
    keys = [piece.cue.controls.key or "" for piece in long_night]
    assert all(after in neighbours(before) for before, after in pairwise(keys))
    assert all(key not in keys[n - 3 : n] for n, key in enumerate(keys) if n >= 3)
    assert set(keys) == set(KEYS), "the walk goes all around the circle"


def test_what_was_played_lately_is_less_likely_than_what_was_not() -> None:
    cues = [replace(Cue("x", "1", "X"), style="chopin"), replace(Cue("y", "2", "Y"), style="bach")]
    after = Counter(draw(ENDLESS, seed, 3, cues).style for seed in range(2000))
    without = Counter(draw(ENDLESS, seed, 3).style for seed in range(2000))
    assert after["chopin"] < without["chopin"]
    assert after["jazz"] > without["jazz"]


def test_all_seeds_are_different_and_neighbouring_seeds_draw_other_nights(long_night: list[Planned]) -> None:
    assert len({piece.cue.seed for piece in long_night}) > 9_990
    other = list(itertools.islice(night(ENDLESS, 8, at("2026-03-01T20:00")), 100))
    same = sum(one.cue.style == two.cue.style for one, two in zip(other, long_night, strict=False))
    assert same < 60


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(0, 30), st.floats(0, 4e9))
def test_a_night_that_is_broken_off_goes_on_as_it_would_have(seed: int, broken: int, start_s: float) -> None:
    whole = list(itertools.islice(night(ENDLESS, seed, start_s), 36))
    cues = [piece.cue for piece in whole[:broken]]
    for place, piece in enumerate(whole[broken:], start=broken):
        again = draw(ENDLESS, seed, place + 1, cues, piece.moment_s)
        assert again == piece.cue
        cues.append(again)


@pytest.mark.parametrize(
    "other",
    [
        replace(ENDLESS, radio=replace(RADIO, variety=Variety(keys="model"))),
        replace(ENDLESS, radio=replace(RADIO, arc=None)),
        replace(ENDLESS, radio=replace(RADIO, joins=(("gap", 1.0),))),
        replace(ENDLESS, radio=replace(RADIO, ident=Ident("Hello", 3))),
    ],
    ids=["keys", "arc", "joins", "cards"],
)
def test_what_is_written_of_one_thing_does_not_change_which_styles_are_drawn(other: Endless) -> None:
    drawn = [[p.cue.style for p in itertools.islice(night(e, 7, 0.0), 50)] for e in (ENDLESS, other)]
    assert drawn[0] == drawn[1]


def test_what_the_audience_prefers_changes_the_style_alone() -> None:
    own, chosen = draw(ENDLESS, 7, 3), draw(ENDLESS, 7, 3, prefer="game")
    assert (chosen.style, chosen.name) == ("game", "Game No. 3")
    assert replace(chosen, style=own.style, name=own.name) == own


def test_one_style_alone_is_drawn_for_ever() -> None:
    alone = Endless((("bach", 1.0),))
    assert {piece.cue.style for piece in itertools.islice(night(alone, 1, 0.0), 10)} == {"bach"}


class TestAnArc:
    """Energy and tempo rise over two thirds of the hour, and come down again."""

    def test_it_is_lowest_at_its_ends_and_highest_after_two_thirds(self) -> None:
        values = [swing(Arc(), second) for second in range(0, 7200, 60)]
        assert values[0] == pytest.approx(-1)
        assert values[40] == pytest.approx(1)
        assert all(one <= two for one, two in pairwise(values[:41]))
        assert all(one >= two for one, two in pairwise(values[40:60]))
        assert values[:60] == pytest.approx(values[60:])

    def test_pieces_follow_it_around_what_is_written(self) -> None:
        endless = replace(ENDLESS, controls=Controls(energy=Course(((0.0, 60.0),)), tempo_bpm=100.0))
        first, *_, top = (piece.cue.controls for piece in itertools.islice(night(endless, 7, 0.0), 11))
        assert first.energy
        assert top.energy
        assert 40 <= first.energy.at(0) <= 52
        assert 68 <= top.energy.at(0) <= 80
        assert (first.tempo_bpm or 0) < 95
        assert (top.tempo_bpm or 0) > 105

    def test_what_is_written_of_key_and_of_a_course_stays(self) -> None:
        course = Course(((0.0, 40.0), (60.0, 90.0)))
        endless = replace(ENDLESS, controls=Controls(key="D_minor", energy=course))
        for piece in itertools.islice(night(endless, 7, 0.0), 12):
            assert (piece.cue.controls.key, piece.cue.controls.energy) == ("D_minor", course)

    def test_off_it_leaves_tempo_and_energy_to_the_composer(self) -> None:
        still = replace(ENDLESS, radio=replace(RADIO, arc=None))
        controls = draw(still, 7, 1).controls
        assert (controls.energy, controls.tempo_bpm) == (None, None)


def test_signatures_lie_on_the_circle_of_fifths() -> None:
    assert [fifths(key) for key in ("C_major", "A_minor", "G_major", "F_major", "E_minor")] == [0, 0, 1, 11, 1]
    assert sorted(neighbours("C_major")) == ["A_minor", "D_minor", "E_minor", "F_major", "G_major"]
    assert steps("C_major", "F#_major") == 6


class TestPartsOfTheDay:
    """Local time says which part of the day it is, whatever is done to clocks."""

    MORNING = Daypart(6 * 60, 12 * 60, styles=(("bach", 1.0),), energy=Course(((0.0, 50.0),)))
    NIGHT = Daypart(22 * 60, 6 * 60, mode="minor")
    ENDLESS = replace(ENDLESS, radio=replace(RADIO, dayparts=(MORNING, NIGHT)))

    @pytest.mark.parametrize(
        ("moment", "part"),
        [
            ("2026-01-10T05:00", MORNING),
            ("2026-01-10T04:59", NIGHT),
            ("2026-01-10T10:59", MORNING),
            ("2026-01-10T11:00", None),
            ("2026-01-10T21:00", NIGHT),
            # The clocks of Berlin go from 02:00 to 03:00 on 29 March and from 03:00 to 02:00 on 25 October 2026.
            ("2026-03-29T03:59", NIGHT),
            ("2026-03-29T04:00", MORNING),
            ("2026-10-25T00:30", NIGHT),
            ("2026-10-25T01:30", NIGHT),
            ("2026-10-25T04:00", NIGHT),
            ("2026-10-25T05:00", MORNING),
        ],
    )
    def test_the_part_is_that_of_the_local_time(self, moment: str, part: Daypart | None) -> None:
        assert self.ENDLESS.radio.daypart(at(moment)) == part

    def test_what_a_part_says_holds_in_it_alone(self) -> None:
        pieces = list(itertools.islice(night(self.ENDLESS, 7, at("2026-03-28T20:00")), 300))
        parts = {part: [p.cue for p in pieces if self.ENDLESS.radio.daypart(p.moment_s) == part] for part in
                 (self.MORNING, self.NIGHT, None)}  # fmt: skip
        assert {cue.style for cue in parts[self.MORNING]} == {"bach"}
        assert {cue.style for cue in parts[None]} == {name for name, _ in STYLES}
        assert all((cue.controls.key or "").endswith("minor") for cue in parts[self.NIGHT])
        assert any((cue.controls.key or "").endswith("major") for cue in parts[None])

    def test_parts_that_share_a_minute_are_found(self) -> None:
        assert overlapping((self.MORNING, self.NIGHT)) is None
        assert overlapping((self.MORNING, Daypart(5 * 60, 6 * 60 + 1))) is not None


def test_a_card_comes_with_every_so_many_pieces_or_once_in_so_much_time() -> None:
    counted = replace(ENDLESS, radio=replace(RADIO, ident=Ident("Hello", 3)))
    assert [bool(draw(counted, 7, n).ident) for n in range(1, 8)] == [True, False, False, True, False, False, True]
    timed = replace(ENDLESS, radio=replace(RADIO, ident=Ident("Hello", 0, 1200.0)))
    told = [elapsed_s(timed, n) for n in range(1, 61) if draw(timed, 7, n).ident]
    assert [int(second // 1200) for second in told] == list(range(len(told)))
    assert len(told) > 10


def test_a_morph_needs_pieces_that_are_twice_as_long() -> None:
    morphs = replace(RADIO, joins=(("morph", 1.0),), morph_s=20.0)
    assert draw(Endless(STYLES, duration_s=40.0, radio=morphs), 7, 1).follow.morph_s == 20.0
    assert draw(Endless(STYLES, duration_s=39.0, radio=morphs), 7, 1).follow.kind == "auto"


def test_a_plan_of_moments_holds_while_the_show_keeps_to_it() -> None:
    assert kept_to(None, 500.0) == 500.0
    assert kept_to(1000.0, 1119.0) == 1000.0
    assert kept_to(1000.0, 1121.0) == 1121.0
