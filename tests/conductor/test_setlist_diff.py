"""What is different in a setlist, as people read it and as a running show takes it up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor import cues as c
from conductor.cues import Phase
from conductor.setlist import Cue, Setlist, load_setlist
from conductor.setlist.diff import diff
from conductor.setlist.editing import KEYS, differing, field_of
from conductor.setlist.parts import CuePart
from tests.conductor.cues.stage import Stage, ready


def of(*cues: Cue, **values: object) -> Setlist:
    return replace(Setlist("Test", cues), **values)  # type: ignore[arg-type]


A, B, C, D = (Cue(i, str(n), i.upper(), seed=n) for n, i in enumerate("abcd", start=1))


def test_each_difference_is_a_line() -> None:
    old, new = of(A, B, C), of(C, A, replace(B, name="Other", duration_s=60.0), D, ahead=3)
    found = diff(old, new)
    assert found.lines == (
        "+ 4 D",
        "~ 2 Other: name B -> Other, duration 240 -> 60",
        "> c has another place",
        "~ ahead: 2 -> 3",
    )
    assert not found.empty
    assert diff(old, old).empty
    assert diff(old, of(A, C)).lines == ("- 2 B",)


def test_what_the_show_cannot_take_up_while_it_runs_is_said() -> None:
    found = diff(of(A), of(A, loudness=(-16.0, -1.0)))
    assert (found.lines, found.empty) == (("! loudness: at the next start",), True)


@given(st.permutations("abcdef"))
def test_no_more_is_called_moved_than_need_be(order: list[str]) -> None:
    cues = {i: Cue(i, i, i) for i in "abcdef"}
    found = diff(of(*cues.values()), of(*(cues[i] for i in order)))
    staying = [i for i in order if i not in found.moved]
    assert staying == sorted(staying)
    rising = max(
        (
            sum(1 for _ in chain)
            for mask in range(64)
            if (chain := [i for n, i in enumerate(order) if mask >> n & 1]) == sorted(chain)
        ),
    )
    assert len(staying) == rising


def test_every_key_of_a_cue_can_be_edited_but_for_its_vote_which_has_a_verb() -> None:
    assert set(KEYS) == set(CuePart.model_fields) - {"id", "poll"}
    named = {name.partition(".")[0] for names in KEYS.values() for name in names}
    assert named | {"id", "drawn", "ident"} == set(Cue.__dataclass_fields__)


def test_fields_that_differ_are_named_controls_one_by_one() -> None:
    other = replace(A, notes="x", controls=replace(A.controls, key="D_minor"))
    assert set(differing(A, other)) == {"notes", "controls.key"}
    assert field_of(other, "controls.key") == "D_minor"


# --- taken up ------------------------------------------------------------------------


def running() -> tuple[Stage, Setlist]:
    s = ready("auto", "hold", "hold", "hold", ahead=3)
    cues = tuple(slot.cue for slot in s.state.slots)
    assert s.phases() == ["live", "armed", "ready", "ready"]
    return s, replace(Setlist("Test", cues), ahead=3)


def test_unchanged_cues_keep_their_music_and_changed_ones_are_composed_anew() -> None:
    s, old = running()
    one, two, three, four = old.cues
    new = replace(old, cues=(one, replace(three, notes="softly"), two, replace(four, duration_s=30.0), A))
    pieces = {slot.cue.id: slot.piece for slot in s.state.slots}
    s.send(c.Reload(diff(old, new)))
    assert s.coming() == ["c3", "c2", "c4", "a"]
    assert [s.slot(i).piece for i in ("c1", "c2", "c3", "c4")] == [pieces["c1"], pieces["c2"], pieces["c3"], None]
    assert s.slot("c3").cue.notes == "softly"
    s.send(c.Undo())
    assert s.coming() == ["c2", "c3", "c4"]
    assert s.slot("c4").piece == pieces["c4"]
    s.send(c.Redo())
    assert s.coming() == ["c3", "c2", "c4", "a"]


def test_what_is_live_is_frozen_and_what_has_been_stays() -> None:
    s, old = running()
    new = replace(old, cues=(replace(old.cues[0], duration_s=5.0), *old.cues[2:]))
    s.send(c.Reload(diff(old, new)))
    assert s.slot("c1").phase is Phase.LIVE
    assert s.slot("c1").cue.duration_s == 240.0
    assert s.coming() == ["c3", "c4"]


def test_edits_of_the_operator_stay_where_the_file_says_nothing_else() -> None:
    s, old = running()
    s.send(c.Edit("c2", (("name", "Mine"),)))
    s.send(c.Insert(Cue("", "", "Extra"), at=2))
    s.send(c.Move("c4", 1))
    new = replace(old, cues=(*old.cues[:3], replace(old.cues[3], notes="x"), A))
    s.send(c.Reload(diff(old, new)))
    assert s.coming() == ["c4", "a", "c2", "extra", "c3"]
    assert s.slot("c2").cue.name == "Mine"


def test_a_new_cue_must_not_have_the_id_of_one_that_was_put_in() -> None:
    s, old = running()
    s.send(c.Insert(Cue("extra", "", "Extra")))
    new = replace(old, cues=(*old.cues, Cue("extra", "9", "Else")))
    with pytest.raises(c.RefusalError, match='the id "extra" is taken'):
        s.send(c.Reload(diff(old, new)))


def test_a_template_says_what_the_defaults_say(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("version: 1\ndefaults: {style: jazz, duration: 30s, follow: hold}\ncues: [{style: bach}]\n")
    cue = load_setlist(path).template
    assert (cue.id, cue.name, cue.style, cue.duration_s, cue.follow.kind) == ("", "", "jazz", 30.0, "hold")
