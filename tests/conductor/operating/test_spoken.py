"""Verbs as words: in order, by name, and what makes no sense is refused with how it is said."""

from __future__ import annotations

from typing import Any

import pytest

from conductor.errors import UsageError
from conductor.operating.spoken import arguments_of, usage, verb_of
from conductor.operating.vocabulary import VERBS


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("go", {}),
        ("go dawn", {"cue": "dawn"}),
        ("go cue=dawn", {"cue": "dawn"}),
        # The number of a cue is its name, whatever it looks like.
        ("standby 2", {"cue": "2"}),
        ("standby 007", {"cue": "007"}),
        ("fade 3", {"seconds": 3}),
        ("fade seconds=0.5", {"seconds": 0.5}),
        # What is no number is refused by the verb itself, which knows the reason.
        ("fade long", {"seconds": "long"}),
        ("take dawn 2", {"cue": "dawn", "take": 2}),
        ("take take=2 dawn", {"cue": "dawn", "take": 2}),
        ("move dawn to=1", {"cue": "dawn", "to": 1}),
        ("lock", {}),
        ("lock on", {"on": True}),
        ("lock OFF", {"on": False}),
        ("endless no", {"on": False}),
        ("edit dawn duration=90s name=Late", {"cue": "dawn", "changes": {"duration": "90s", "name": "Late"}}),
        ("edit dawn seed=5 expression=off", {"cue": "dawn", "changes": {"seed": 5, "expression": False}}),
        ("again dawn instruments=piano,flute", {"cue": "dawn", "changes": {"instruments": ["piano", "flute"]}}),
        ("insert style=bach at=1", {"cue": {"style": "bach"}, "at": 1}),
        ("insert id=coda style=bach", {"cue": {"id": "coda", "style": "bach"}}),
        ('edit dawn prompt={"opening":"x"}', {"cue": "dawn", "changes": {"prompt": {"opening": "x"}}}),
        ("change energy=high", {"energy": "high"}),
        ("change energy=80 style=jazz", {"energy": 80, "style": "jazz"}),
        ("change instruments=piano,flute", {"instruments": ["piano", "flute"]}),
        ("change tempo_bpm=90", {"tempo_bpm": 90}),
        ("change key=D_minor", {"key": "D_minor"}),
    ],
)
def test_words_say_what_a_request_would(said: str, arguments: dict[str, Any]) -> None:
    name, *words = said.split()
    verb = verb_of(name)
    assert arguments_of(verb, words) == arguments


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("goo", 'there is no verb "goo" - did you mean "go"?'),
        ("hold now", "hold: now is one too many - hold"),
        ("hold x=1", 'hold: unknown argument "x" - it takes nothing'),
        ("fade second=3", 'fade: unknown argument "second" - did you mean "seconds"?'),
        ("take dawn 2 3", "take: 3 is one too many - take CUE TAKE"),
        ("edit dawn durration=90s", 'edit: a cue has no "durration" that can be set - did you mean "duration"?'),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(said: str, reason: str) -> None:
    name, *words = said.split()
    with pytest.raises(UsageError) as error:
        arguments_of(verb_of(name), words)
    assert str(error.value) == reason


def test_numbers_that_are_sent_as_numbers_are_what_is_wanted() -> None:
    assert arguments_of(VERBS["standby"], [2.0]) == {"cue": "2"}
    assert arguments_of(VERBS["fade"], [2.5]) == {"seconds": 2.5}
    assert arguments_of(VERBS["lock"], [0]) == {"on": False}
    assert arguments_of(VERBS["lock"], [1.0]) == {"on": True}
    assert arguments_of(VERBS["take"], ["dawn", 2]) == {"cue": "dawn", "take": 2}


@pytest.mark.parametrize(
    ("verb", "typed"),
    [
        ("hold", "hold"), ("go", "go [CUE]"), ("take", "take CUE TAKE"), ("edit", "edit CUE KEY=VALUE ..."),
        ("again", "again CUE [KEY=VALUE ...]"),
    ],
)  # fmt: skip
def test_every_verb_tells_how_it_is_typed(verb: str, typed: str) -> None:
    assert usage(VERBS[verb]) == typed
    for each in VERBS.values():
        assert usage(each).startswith(each.name)
