"""Prompts: what cannot be composed is refused in a line that says what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from model.composing.prompt import Prompt, key_of
from model.errors import PromptError
from model.instruments import BY_NAME


def test_nothing_said_is_a_prompt() -> None:
    prompt = Prompt.of({})
    assert prompt == Prompt()
    assert prompt.ensemble == tuple(BY_NAME)


def test_plain_values_make_a_prompt_and_come_back() -> None:
    values = {
        "style": {"chopin": 0.6, "jazz": 0.4}, "instruments": ["piano", "strings"], "duration_s": 30.0,
        "candidates": 2, "seed": 9, "temperature": 0.9, "top_p": 0.95, "tempo_bpm": 90.0, "key": "D_minor",
        "density": 5.0, "energy": {"0s": 48.0, "20s": 100.0}, "silence_s": 4.0, "form": "A B A",
        "opening": "theme.mid", "opening_notes": 6, "title": "Dawn",
    }  # fmt: skip
    plain = Prompt.of(values).as_dict()
    assert {name: plain[name] for name in values} == values
    assert all(value is None for name, value in plain.items() if name not in values)
    assert Prompt.of(json.loads(json.dumps(plain))) == Prompt.of(values)


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
        ({"silence_s": 0.1}, "a silence of 0.1 s; the longest can be 0.5 to 30 s"),
        ({"key": "C minor", "instruments": ["drums"]}, "key C_minor: drums have none; leave it out or"),
        ({"key": "H moll"}, "key 'H moll' is unknown; write a tonic (C, C#,"),
        ({"form": "sonata"}, "form 'sonata' is unknown; write auto, free, binary,"),
        ({"form": "rondo", "duration_s": 30.0}, "form 'rondo' has 5 sections, for which 30 s is too short; ask for 40"),
        ({"density": "dense"}, "density 'dense': write low, mid, high or a number from 0.5 to 30"),
        ({"energy": {"soon": 80}}, "'soon' is no time; write 90s, 2m or 1m30s"),
        ({"style": {"chopin": 0}}, "the share of style 'chopin' is 0; write a number above 0"),
        ({"opening": "a.mid", "opening_notes": 0}, "an opening of 0 notes; it needs 1 at least"),
        ({"opening_notes": 4}, "how much of an opening is said, but no opening"),
        ({"opening": "a.mid", "opening_notes": 4, "opening_s": 4.0}, "notes and seconds of an opening at once"),
        ({"opening": "a.mid", "opening_s": 30.0, "duration_s": 30.0}, "an opening of 30 s in a piece of 30 s"),
        ({"opening": "a.mid", "opening_tokens": "start"}, "an opening and opening tokens at once; a piece has one"),
        ({"opening": "a.mid", "given": __file__}, "an opening and given notes at once"),
        ({"continue_from": __file__}, "going on from a piece needs both the piece and at which second"),
        ({"at_s": 4.0}, "going on from a piece needs both"),
        ({"continue_from": __file__, "at_s": 29.5, "duration_s": 30.0}, "to go on at 29.5 s in a piece of 30 s"),
        ({"continue_from": "nowhere.mid", "at_s": 4.0}, "nowhere.mid: no such file; give the path of a MIDI file"),
        ({"given": "nowhere.mid"}, "nowhere.mid: no such file"),
        ({"duration_s": "four minutes"}, "duration_s 'four minutes': input should be a valid number"),
        ({"candidates": 2.5}, "candidates 2.5: input should be a valid integer"),
        ({"instruments": "piano"}, "instruments 'piano': input should be a valid tuple"),
        ({"style": 7}, "style 7: write a name, {chopin: 0.6, jazz: 0.4} or {from: a, to: b, over: 60s}"),
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


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("d minor", "D_minor"), ("D_minor", "D_minor"), ("Dm", "D_minor"), ("dm", "D_minor"), ("C", "C_major"),
        ("F# major", "F#_major"), ("f♯ maj", "F#_major"), ("Eb major", "D#_major"), ("E♭", "D#_major"),
        ("bbm", "A#_minor"), ("Cb major", "B_major"), ("B MINOR", "B_minor"), ("A min", "A_minor"),
    ],
)  # fmt: skip
def test_a_key_is_read_as_people_write_it(text: str, key: str) -> None:
    assert key_of(text) == key
    assert key_of(key) == key


@pytest.mark.parametrize("text", ["", "H major", "C dorian", "C major seven", "minor", "m", "Cbm minor", 7])
def test_what_is_no_key_is_refused(text: object) -> None:
    with pytest.raises(PromptError, match="is unknown; write a tonic"):
        key_of(text)
