"""Values over time: density and energy as people write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.composing.course import DENSITY, ENERGY, Course, density_of, energy_of, seconds_of
from model.errors import PromptError


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(0, 0), (90, 90), (1.5, 1.5), ("90", 90), ("90s", 90), ("2m", 120), ("1m30s", 90), ("1h", 3600), (" 2 min ", 120)],
)
def test_a_time_is_read_as_people_write_it(value: Any, seconds: float) -> None:
    assert seconds_of(value) == seconds


@pytest.mark.parametrize("value", ["", "soon", "-4s", -4, None, True, "m", "4 parsecs", "1:30", float("nan")])
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(PromptError, match=r"is no time; write 90s, 2m or 1m30s$"):
        seconds_of(value)


def test_words_stand_for_numbers() -> None:
    for words, read in ((DENSITY, density_of), (ENERGY, energy_of)):
        assert list(words) == ["low", "mid", "high"]
        assert list(words.values()) == sorted(words.values())
        for word, number in words.items():
            assert read(word) == read(number) == read(str(number)) == Course(((0.0, number),))


def test_nothing_said_is_no_course() -> None:
    assert density_of(None) is None
    assert energy_of(None) is None


def test_between_its_points_it_goes_evenly_and_outside_it_stays() -> None:
    course = density_of({"60s": 12, "20s": 4})
    assert course is not None
    assert course.points == ((20.0, 4.0), (60.0, 12.0))
    assert [course.at(s) for s in (0, 20, 40, 60, 600)] == [4.0, 4.0, 8.0, 12.0, 12.0]


def test_a_course_can_be_written_in_a_line() -> None:
    assert energy_of("0s:low, 1m:high") == energy_of({"0s": "low", "1m": "high"})


@given(st.dictionaries(st.integers(0, 1800), st.integers(1, 30), min_size=1, max_size=6))
def test_a_course_comes_back_from_plain_values(points: dict[int, int]) -> None:
    course = density_of(points)
    assert course is not None
    assert density_of(course) == course
    again = density_of(course.plain)
    assert again is not None
    assert all(again.at(s) == course.at(s) for s in range(0, 1900, 100))


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("dense", "density 'dense': write low, mid, high or a number from 0.5 to 30"),
        (0, "density 0: write low"),
        (31, "density 31: write low"),
        (True, "density True: write low"),
        (float("nan"), "density nan: write low"),
        ([1], "density [1]: write low"),
        ({}, "density has no points; write such as {0s: low, 60s: high}"),
        ({"0s": "low", "9s": None}, "density None: write low"),
        ("0s:low,9s", "density '': write low"),
        ("soon:low", "'soon' is no time"),
    ],
)
def test_what_is_no_density_is_refused_in_a_line(value: Any, line: str) -> None:
    with pytest.raises(PromptError) as caught:
        density_of(value)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_energy_has_bounds_of_its_own() -> None:
    assert energy_of(127) is not None
    with pytest.raises(PromptError, match=r"^energy 128: write low, mid, high or a number from 1 to 127$"):
        energy_of(128)
