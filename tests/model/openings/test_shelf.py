"""The shipped openings: each is short, begins at once, is what its index says, and may be passed on."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.composing.prompt import key_of
from model.errors import PromptError
from model.instruments import BY_NAME
from model.language.vocabulary import KEYS, STYLES
from model.midi import read_midi
from model.openings.shelf import FOLDER, find, shipped

NAMES = sorted(shipped())
# Those that may be passed on within a program under the GPL; ATTRIBUTION.md names who made them.
LICENCES = {"public domain", "CC0 1.0", "CC BY 4.0", "Apache 2.0"}


def test_there_are_many_for_many_styles_and_every_instrument_family() -> None:
    assert len(NAMES) >= 24
    assert len({one.style for one in shipped().values()}) >= 12
    played = {name for one in shipped().values() for name in one.instruments}
    assert {BY_NAME[name].group for name in played} >= {
        "piano",
        "strings",
        "guitar",
        "organ",
        "choir",
        "winds",
        "drums",
    }


def test_every_file_is_in_the_index_and_every_name_has_its_file() -> None:
    assert {path.stem for path in FOLDER.glob("*.mid")} == set(NAMES)
    assert sum(path.stat().st_size for path in FOLDER.glob("*.mid")) < 100_000


@pytest.mark.parametrize("name", NAMES)
def test_an_opening_is_what_the_index_says(name: str) -> None:
    one = shipped()[name]
    piece = read_midi(one.path).piece
    assert 4.0 <= piece.duration_s <= 20.5
    assert piece.notes[0].onset_s == 0.0
    assert piece.instruments == one.instruments
    assert one.style in STYLES
    assert bool(one.key) != (one.instruments == ("drums",))
    assert not one.key or key_of(one.key) in KEYS
    assert one.title
    assert one.composer
    assert one.licence in LICENCES
    assert Path(one.source).parts[0] in (FOLDER / "ATTRIBUTION.md").read_text(encoding="utf-8")


def test_names_that_are_nearly_right_are_told() -> None:
    assert find("clair-de-lune").composer == "Claude Debussy"
    with pytest.raises(PromptError, match=r"^opening 'Claire de lune' is unknown; did you mean clair-de-lune"):
        find("Claire de lune")
    with pytest.raises(PromptError, match=r"^opening 'xyzzy' is unknown; `conductor openings` lists them$"):
        find("xyzzy")
