"""The operator's page tells what every verb does in every state."""

from __future__ import annotations

import pytest

from conductor.cues import Phase, Verb
from conductor.operating.vocabulary import VERBS
from tests.conductor.cues import table


@pytest.mark.parametrize("name", table.STATES)
def test_each_column_is_the_state_that_its_head_says(name: str) -> None:
    s = table.STATES[name]()
    slot = s.slot(table.ID)
    if name == "starting":
        assert s.state.fired == slot.number
    else:
        assert slot.phase is Phase(name)


def test_there_is_a_column_for_every_state() -> None:
    assert {*table.STATES} == {*map(str, Phase), "starting"}


def test_every_verb_has_a_row_and_a_part_of_the_page() -> None:
    page = table.PAGE.read_text(encoding="utf-8")
    rows = {name.split()[0] for name in (*table.OF_A_CUE, *table.OF_THE_SHOW)}
    # Polls are no part of these rules.
    assert rows | {"preview", "reload", "poll", "close-poll"} == set(VERBS)
    assert not [name for name in VERBS if f"`{name}" not in page]
    spoken = {type(verb) for verb in (*table.OF_A_CUE.values(), *table.OF_THE_SHOW.values())}
    assert len(spoken) == len(Verb.__args__) - 1, "all but reload, which needs a file"


def test_the_page_holds_the_tables_as_they_are() -> None:
    page = table.PAGE.read_text(encoding="utf-8")
    written = page.split(table.BEGIN)[1].split(table.END)[0]
    assert written == table.text(), "write it anew: python -m tests.conductor.cues.table"
