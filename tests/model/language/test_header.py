"""The header: what is said of a piece before it begins."""

from __future__ import annotations

import numpy as np
import pytest

from model.language.header import Header, find_key, groups_of
from model.language.tokenizer import to_text
from model.language.vocabulary import KEYS

C_MAJOR = (0, 2, 4, 5, 7, 9, 11)
A_MINOR = (9, 11, 0, 2, 4, 5, 8)


def scale(degrees: tuple[int, ...], tonic_weight: float = 2.0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    weights = np.zeros(12)
    weights[list(degrees)] = 1.0
    weights[degrees[0]] = tonic_weight
    return weights


def test_of_nothing_known_only_start_is_said() -> None:
    assert to_text(Header().tokens()) == "start"


def test_everything_known_is_said_in_one_order() -> None:
    header = Header("chopin", ("strings", "piano"), "piano", True, "C#_minor", 3.0, 4.2, 70.0, 96.0, given=True)
    said = "chopin piano_strings genre:piano performed key:C#_minor bar:3 density:3 energy:3 given start tempo96"
    assert to_text(header.tokens()) == said


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (Header(performed=False), "scored start"),
        (Header(style="drums"), "style:drums start"),
        (Header(beats_per_bar=4.5), "bar:4.5 start"),
        (Header(beats_per_bar=7.0), "start"),
        (Header(notes_per_second=0.0, velocity=0.0), "density:0 energy:0 start"),
        (Header(notes_per_second=999.0, velocity=127.0), "density:7 energy:7 start"),
        (Header(tempo_bpm=1000.0), "start tempo250"),
    ],
)
def test_words_are_said_only_where_the_vocabulary_has_them(header: Header, said: str) -> None:
    assert to_text(header.tokens()) == said


def test_groups_come_in_the_order_of_the_vocabulary_each_once() -> None:
    assert groups_of(["drums", "cello", "piano", "violin"]) == ("piano", "strings", "drums")


@pytest.mark.parametrize("semitones", range(12))
def test_the_key_of_a_scale_is_found_in_every_transposition(semitones: int) -> None:
    assert find_key(np.roll(scale(C_MAJOR), semitones)) == KEYS[semitones]
    assert find_key(np.roll(scale(A_MINOR), semitones)) == KEYS[12 + (9 + semitones) % 12]


@pytest.mark.parametrize("weights", [np.zeros(12), np.ones(12)], ids=["silence", "all pitches alike"])
def test_music_without_a_clear_key_has_none(weights: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    assert find_key(weights) is None
