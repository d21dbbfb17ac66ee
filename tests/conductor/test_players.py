"""Who plays is chosen in the setlist, checked with its place before the show, told to the player, and heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from conductor import wire
from conductor.cli import main
from conductor.errors import SetlistError
from conductor.radio.drawing import draw
from conductor.setlist import Cue, Setlist, load_setlist
from conductor.show.crew import commands_of
from conductor.show.stage import RunFolder, ShowOptions
from conductor.show.take import bed
from model.midi import write_midi
from model.notes import Note, Piece
from tests.conductor.refusals import Printed, refusal
from tests.conductor.test_player import dial, player

UKULELE = "extends: guitar-nylon\ninstrument: guitar\ntitle: Ukulele\nstring:\n  decay_s: {G3: 1.6, C6: 0.7}\n"
SHOW = """\
version: 1
sound: {patches: mine, variants: {guitar: ukulele, bass: upright}}
cues:
  - {style: rock}
  - style: jazz
    sound: {variants: {guitar: steel}}
endless: {styles: {bach: 1}, sound: {variants: {violin: section}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "guitar-ukulele.yaml").write_text(UKULELE)
    return tmp_path


def read(folder: Path, text: str) -> Setlist:
    (folder / "show.yaml").write_text(text)
    return load_setlist(folder / "show.yaml")


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(SetlistError) as caught:
        read(folder, text)
    return [line.removeprefix(f"{folder / 'show.yaml'}:") for line in str(caught.value).splitlines()]


def test_a_cue_adds_its_variants_to_those_of_the_show(folder: Path) -> None:
    setlist = read(folder, SHOW)
    first, second = setlist.cues
    assert dict(first.variants) == {"guitar": "ukulele", "bass": "upright"}
    assert dict(second.variants) == {"guitar": "steel", "bass": "upright"}
    assert setlist.endless
    assert dict(draw(setlist.endless, 1, 1).variants) == {"guitar": "ukulele", "bass": "upright", "violin": "section"}
    assert setlist.patches == folder / "mine"


def test_a_cue_that_names_variants_keeps_the_bank_of_the_show(folder: Path) -> None:
    from tests.streaming.soundfonts.making import write_soundfont

    font = write_soundfont(folder / "hall.sf2")
    text = "version: 1\nsound: {bank: hall.sf2}\ncues: [{style: bach, sound: {variants: {bass: electric}}}]\n"
    assert read(folder, text).cues[0].bank == str(font)


def test_a_drawn_cue_keeps_its_variants_when_it_is_kept(folder: Path) -> None:
    setlist = read(folder, SHOW)
    assert setlist.endless
    cue = draw(setlist.endless, 1, 1)
    assert Cue.of({**cue.as_dict(), "follow": cue.follow}) == cue


def test_what_cannot_be_played_is_told_with_its_place(folder: Path) -> None:
    text = SHOW.replace("{guitar: steel}", "{guitar: stel, basss: upright}")
    first, second = mistakes(folder, text)
    assert first == '6:32: variants: there is no guitar "stel" - did you mean "steel"?'
    assert second == '6:38: variants: there is no instrument "basss" - did you mean "bass"?'
    assert "no such folder" in mistakes(folder, SHOW.replace("patches: mine", "patches: yours"))[0]
    (folder / "mine" / "guitar-ukulele.yaml").write_text(UKULELE.replace("decay_s", "decay"))
    (only,) = mistakes(folder, SHOW)
    where = f"2:18: {folder / 'mine' / 'guitar-ukulele.yaml'}:5:3: "
    assert only == f'{where}"decay" is not known here - did you mean "decay_s"?'


def test_patches_are_of_the_whole_show(folder: Path) -> None:
    (only,) = mistakes(folder, SHOW.replace("{variants: {guitar: steel}}", "{patches: mine}"))
    assert only.startswith('6:13: unknown key "patches"')


def test_the_player_is_started_with_the_patches_and_told_who_plays(folder: Path, tmp_path: Path) -> None:
    setlist = read(folder, SHOW)
    run = RunFolder(tmp_path / "data")
    try:
        line = commands_of(ShowOptions(tmp_path / "data"), run, setlist.loudness, setlist.patches)("player")
    finally:
        run.close()
    assert f"--patches={folder / 'mine'}" in line
    load = bed().played_for(setlist.cues[1]).load(3)
    assert load.variants == {"guitar": "steel", "bass": "upright"}
    assert wire.decode(wire.encode(load).strip()) == load


async def test_a_player_whose_patches_have_gone_bad_plays_all_the_same_and_says_so(folder: Path) -> None:
    (folder / "mine" / "guitar-ukulele.yaml").write_text("instrument: lute\n")
    async with player(folder, f"--patches={folder / 'mine'}"):
        desk = await dial(folder)
        fault = await desk.until(wire.Fault)
        assert "guitar-ukulele.yaml:1:13" in fault.reason
        assert "the program's own patches play" in fault.reason
        desk.link.send(wire.Load(1, [(0.0, 60, "guitar", 1.0, 80, 0)], 1.0, variants={"guitar": "ukulele"}))
        unknown = await desk.until(wire.Fault, lambda m: "ukulele" in m.reason and m is not fault)
        assert "the style decides who plays" in unknown.reason
        desk.link.send(wire.Go(1))
        assert (await desk.until(wire.Started, lambda m: m.number == 1)).sample > 0
        await desk.close()


def test_a_file_is_rendered_by_the_variants_and_patches_asked_for(folder: Path) -> None:
    write_midi(Piece((Note(0.0, 60, "guitar", 1.0, 90), Note(1.0, 67, "guitar", 1.0, 90))), folder / "a.mid")
    patches = ["--patches", str(folder / "mine")]
    choices = {"plain": [], "steel": ["--variant", "guitar=steel"], "own": [*patches, "--variant", "guitar=ukulele"]}
    sounds = []
    for name, words in choices.items():
        out = folder / f"{name}.wav"
        assert main(["render", str(folder / "a.mid"), str(out), "--tail", "1", *words]) == 0
        sounds.append(soundfile.read(out)[0])
    assert all(np.abs(sound).max() > 0.05 for sound in sounds)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(sounds[one] - sounds[other]).max() > 0.02


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--variant", "bass"], "--variant bass: write it as bass=upright"),
        (["--variant", "bass=uprigt"], '--variant: there is no bass "uprigt" - did you mean "upright"?'),
        (["--patches", "nowhere"], "--patches: nowhere: there is no such folder of patches"),
    ],
)
def test_a_variant_that_is_not_there_is_refused(folder: Path, capsys: Printed, words: list[str], told: str) -> None:
    write_midi(Piece((Note(0.0, 60, "guitar", 1.0, 90),)), folder / "a.mid")
    assert told in refusal(capsys, ["render", str(folder / "a.mid"), str(folder / "a.wav"), *words])
    assert not (folder / "a.wav").exists()
