"""Prompts: what cannot be composed is refused in a line that says what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model.composing.prompt import Prompt
from model.errors import PromptError
from model.instruments import BY_NAME


def test_nothing_said_is_a_prompt() -> None:
    prompt = Prompt.of({})
    assert prompt == Prompt()
    assert prompt.ensemble == tuple(BY_NAME)


def test_plain_values_make_a_prompt_and_come_back() -> None:
    values = {
        "style": "chopin", "instruments": ["piano", "strings"], "duration_s": 30.0, "candidates": 2, "seed": 9,
        "temperature": 0.9, "top_p": 0.95, "tempo_bpm": 90.0, "opening": __file__, "opening_notes": 6, "title": "Dawn",
    }  # fmt: skip
    assert Prompt.of(values).as_dict() == values
    assert Prompt.of(Prompt.of(values).as_dict()) == Prompt.of(values)


def test_a_whole_number_is_a_length_too() -> None:
    assert Prompt.of({"duration_s": 30}).duration_s == 30.0


def test_groups_are_spelled_out_each_instrument_once() -> None:
    assert Prompt(instruments=("strings", "violin", "drums")).ensemble == ("violin", "cello", "drums")


def test_prompts_need_no_torch() -> None:
    program = "import sys; import model.composing.prompt; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"mood": "merry"}, "a prompt has no field 'mood'"),
        ({"style": "chopan"}, "style 'chopan' is not known to the checkpoint; did you mean chopin?"),
        ({"style": "zzzz"}, "style 'zzzz' is not known to the checkpoint; it knows bach, baroque,"),
        ({"instruments": ["pianno"]}, "instrument 'pianno' is not in the ensemble; did you mean piano?"),
        ({"instruments": ["zzzz"]}, "instrument 'zzzz' is not in the ensemble; there are piano, violin,"),
        ({"instruments": list(BY_NAME)[:11]}, "11 instruments asked for; a piece has 10 at most"),
        ({"duration_s": 4.9}, "a length of 4.9 s; it can be 5 s to 30 min"),
        ({"duration_s": 1801.0}, "a length of 1801 s; it can be"),
        ({"duration_s": float("nan")}, "a length of nan s; it can be"),
        ({"candidates": 0}, "0 candidates; there can be 1 to 32"),
        ({"candidates": 33}, "33 candidates; there can be"),
        ({"seed": -1}, "a seed of -1; it can be 0 and up"),
        ({"temperature": 0.0}, "a temperature of 0; it can be 0.1 to 2"),
        ({"temperature": 2.5}, "a temperature of 2.5; it can be"),
        ({"top_p": 0.0}, "top-p of 0; it can be 0.1 to 1"),
        ({"top_p": 1.1}, "top-p of 1.1; it can be"),
        ({"tempo_bpm": 10.0}, "a tempo of 10 bpm; it can be 20 to 250"),
        ({"opening": "nowhere.mid"}, "nowhere.mid: no such opening; give the path of a MIDI file"),
        ({"opening": str(Path(__file__).parent)}, f"{Path(__file__).parent}: no such opening"),
        ({"opening": __file__, "opening_notes": 0}, "an opening of 0 notes; it needs 1 at least"),
        ({"duration_s": "four minutes"}, "duration_s 'four minutes': input should be a valid number"),
        ({"candidates": 2.5}, "candidates 2.5: input should be a valid integer"),
        ({"instruments": "piano"}, "instruments 'piano': input should be a valid tuple"),
        ({"style": 7}, "style 7: input should be a valid string"),
    ],
)
def test_what_cannot_be_composed_is_refused_in_a_line(values: dict[str, Any], line: str) -> None:
    with pytest.raises(PromptError) as caught:
        Prompt.of(values)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_a_style_the_checkpoint_has_not_learned_is_refused() -> None:
    Prompt(style="jazz").check()
    with pytest.raises(PromptError, match="it knows bach, folk"):
        Prompt(style="jazz").check(("bach", "folk"))
