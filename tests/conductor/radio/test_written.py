"""What `endless:` may say of the radio, as it is read; every mistake with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor.errors import SetlistError
from conductor.radio.plan import Arc, Daypart, Ident, Radio, Variety
from conductor.setlist import load_setlist
from conductor.setlist.radioparts import span_of
from model.composing.course import Course

HEAD = "version: 1\nshow: {title: Night Radio}\nendless:\n  styles: {jazz: 1}\n"


def radio(folder: Path, text: str) -> Radio:
    (folder / "radio.yaml").write_text(HEAD + text, encoding="utf-8")
    endless = load_setlist(folder / "radio.yaml").endless
    assert endless is not None
    return endless.radio


def test_all_that_may_be_written_is_read(tmp_path: Path) -> None:
    assert radio(
        tmp_path,
        """\
  ensembles: {piano: 3, violin + cello: 1, strings flute: 1, any: 1}
  variety: {style: 3, keys: free, mode: minor}
  arc: {every: 2h, energy: 20, tempo: 10%}
  dayparts:
    "06:00-12:00": {styles: {bach: 2}, ensembles: {organ: 1}, energy: low, density: 3, tempo: 70, mode: major}
    "22:00 - 6:00": {}
    "12:00-22:00": {energy: {0s: low, 60s: high}}
  join: {crossfade: 3, morph: 1}
  crossfade: 2.5s
  morph: 30s
  ident: {text: "This is {title}", every: 1h30m}
  repeat_after: 2d
  timezone: Europe/Berlin
""",
    ) == Radio(
        ensembles=((("piano",), 3), (("violin", "cello"), 1), (("violin", "cello", "flute"), 1), ((), 1)),
        variety=Variety(3, "free", "minor"),
        arc=Arc(7200.0, 20.0, 0.1),
        dayparts=(
            Daypart(360, 720, (("bach", 2),), ((("organ",), 1),), Course(((0, 48),)), Course(((0, 3),)), 70, "major"),
            Daypart(1320, 360),
            Daypart(720, 1320, energy=Course(((0.0, 48.0), (60.0, 100.0)))),
        ),
        joins=(("crossfade", 3), ("morph", 1)),
        crossfade_s=2.5,
        morph_s=30.0,
        ident=Ident("This is Night Radio", 0, 5400.0),
        repeat_after_s=172_800.0,
        zone="Europe/Berlin",
    )


def test_what_is_not_said_is_as_usual_and_what_is_off_is_off(tmp_path: Path) -> None:
    assert radio(tmp_path, "") == Radio()
    off = radio(
        tmp_path, "  arc: off\n  repeat_after: off\n  join: morph\n  dayparts: {'18:00-24:00': {energy: high}}\n"
    )
    assert (off.arc, off.repeat_after_s, off.joins) == (None, 0.0, (("morph", 1.0),))
    assert [off.dayparts[0].holds(minute) for minute in (0, 1079, 1080, 1439)] == [False, False, True, True]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('dayparts: {"6-12": {energy: low}}', '5:13: dayparts: "6-12" is no part of a day; write such as'),
        ('dayparts: {"06:00-12:00": {}, "11:00-13:00": {}}', "5:13: dayparts: 06:00-12:00 and 11:00-13:00 overlap"),
        ('dayparts: {"06:00-12:00": {styl: {}}}', '5:30: unknown key "styl" - did you mean "styles"?'),
        ('dayparts: {"06:00-12:00": {styles: {shopin: 1}}}', 'the style "shopin" is unknown; nearest: chopin'),
        ("ensembles: {vilin: 1}", 'the instrument "vilin" is unknown - did you mean "violin"?'),
        ("ensembles: {piano: 0}", "the weight of piano is a number above 0"),
        ("arc: {every: 3}", "every: should be a time such as 4s, 20m or 6h"),
        ("arc: {tempo: 60%}", "tempo: should be 0% to 40%"),
        ("join: fade", 'pieces are not joined by "fade" - did you mean "crossfade"?'),
        ("join: {morph: 1}\n  duration: 30s", "a morph of 20 s takes more than half of each piece"),
        ("ident: {every: 4}", '"text" is missing'),
        ("ident: {text: x, every: soon}", "pieces such as 4, or 1m to 1d"),
        ("repeat_after: 8d", "8d is out of range; 1m to 7d"),
        ("timezone: Europe/Berln", "unknown - did you mean Europe/Berlin?"),
        ("variety: {keys: nea}", "should be 'near', 'free' or 'model'"),
        ("crossfade: 40s", "40s is out of range; 0.5s to 30s"),
        ("varety: {}", 'unknown key "varety" - did you mean "variety"?'),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, text: str, line: str) -> None:
    with pytest.raises(SetlistError) as refused:
        radio(tmp_path, f"  {text}\n")
    (told,) = str(refused.value).splitlines()
    assert line in told


@pytest.mark.parametrize(("text", "seconds"), [("4s", 4), ("1h30m", 5400), ("2d", 172_800), ("0.5h", 1800)])
def test_times_are_written_as_people_do(text: str, seconds: float) -> None:
    assert span_of(text, 0.0, 1e6) == seconds
