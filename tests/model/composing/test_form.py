"""Form: which sections a piece has, where they lie, and which of them come back."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.composing.form import PLANS, SHORTEST_S, letters_of, plan_for, sections
from model.errors import PromptError

FORMS = [*PLANS, "auto", "A A' B A", "AABA", "ABCDEFGH"]


@given(st.sampled_from(FORMS), st.floats(64.0, 1800.0))
def test_sections_fill_the_piece_one_after_another(form: str, length_s: float) -> None:
    found = sections(form, length_s)
    assert [s.letter for s in found] == list(letters_of(form, length_s))
    assert found[0].start_s == 0.0
    assert found[-1].end_s == pytest.approx(length_s)
    assert all(a.end_s == b.start_s for a, b in pairwise(found))
    assert min(s.end_s - s.start_s for s in found) >= SHORTEST_S - 1e-9


def test_a_letter_that_was_there_before_comes_back_from_its_first_place() -> None:
    a, varied, b, again = sections("A A' B A", 80.0)
    assert (a.recalls, a.varied, b.recalls) == (None, False, None)
    assert (varied.recalls, varied.varied) == ((0.0, 20.0), True)
    assert (again.recalls, again.varied) == ((0.0, 20.0), False)


def test_other_letters_come_back_too() -> None:
    found = sections("arch", 100.0)
    assert [(s.letter, s.recalls) for s in found[3:]] == [("B'", (20.0, 40.0)), ("A", (0.0, 20.0))]


def test_what_is_there_already_is_not_composed_but_can_come_back() -> None:
    found = sections("A B A", 90.0, start_s=35.0)
    assert [(s.letter, s.start_s) for s in found] == [("B", 30.0), ("A", 60.0)]
    assert found[-1].recalls == (0.0, 30.0)


@pytest.mark.parametrize(
    ("text", "letters"), [("AABA", "A A B A"), ("A-B-A", "A B A"), ("A A’ B", "A A' B"), ("SONG", "A A' B A")]
)
def test_letters_are_read_as_people_write_them(text: str, letters: str) -> None:
    assert letters_of(text, 100.0) == tuple(letters.split())


def test_a_longer_piece_has_more_sections_by_itself() -> None:
    counts = [len(letters_of("auto", s)) for s in (5, 30, 60, 240, 600)]
    assert counts == sorted(counts)
    assert counts[0] == 1
    assert all(plan_for(s) in PLANS for s in range(5, 1801, 5))


@given(st.floats(5.0, 1800.0))
def test_auto_always_fits(length_s: float) -> None:
    assert sections("auto", length_s)


@pytest.mark.parametrize(
    ("form", "length_s", "line"),
    [
        (
            "sonata",
            100,
            "form 'sonata' is unknown; write auto, free, binary, ternary, song, rondo, arch,",
        ),
        ("", 100, "form '' is unknown"),
        ("a a b a", 100, "form 'a a b a' is unknown"),
        ("B A", 100, "form 'B A' is unknown"),
        ("A''", 100, "form \"A''\" is unknown"),
        ("'A", 100, 'form "\'A" is unknown'),
        ("A1", 100, "form 'A1' is unknown"),
        ("rondo", 39.9, "form 'rondo' has 5 sections, for which 39.9 s is too short; ask for 40 s or form: free"),
    ],
)
def test_what_is_no_form_is_refused_in_a_line(form: str, length_s: float, line: str) -> None:
    with pytest.raises(PromptError) as caught:
        letters_of(form, length_s)
    assert str(caught.value).startswith(line)
