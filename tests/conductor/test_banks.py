"""Which bank plays is chosen in the setlist, checked with its place before the show, and told to the player."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from conductor.errors import SetlistError
from conductor.radio.drawing import draw
from conductor.setlist import Cue, Setlist, load_setlist
from conductor.show.take import bed
from conductor.wire import Load, decode, encode
from model.midi import write_midi
from streaming.errors import SynthError
from streaming.soundfonts import fluid
from streaming.soundfonts.sf2 import SYNTH
from tests.conductor.refusals import Printed, refusal
from tests.model.making import tune
from tests.streaming.soundfonts.making import write_soundfont

SHOW = """\
version: 1
sound: {bank: hall.sf2}
cues:
  - {style: bach}
  - {style: chopin, sound: {bank: synth}}
  - style: jazz
    sound:
      bank: fonts/club.sf2
endless: {styles: {bach: 1}}
"""


def read(folder: Path, text: str) -> Setlist:
    (folder / "show.yaml").write_text(text)
    return load_setlist(folder / "show.yaml")


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(SetlistError) as caught:
        read(folder, text)
    return [line.removeprefix(f"{folder / 'show.yaml'}:") for line in str(caught.value).splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fonts").mkdir()
    write_soundfont(tmp_path / "hall.sf2")
    write_soundfont(tmp_path / "fonts" / "club.sf2")
    return tmp_path


def test_a_cue_is_played_by_its_own_bank_else_by_that_of_the_show(folder: Path) -> None:
    setlist = read(folder, SHOW)
    hall, club = str(folder / "hall.sf2"), str(folder / "fonts" / "club.sf2")
    assert [cue.bank for cue in setlist.cues] == [hall, SYNTH, club]
    assert setlist.endless
    assert draw(setlist.endless, 1, 1).bank == hall
    assert setlist.banks == [hall, club]


def test_where_nothing_is_said_the_synth_plays(folder: Path) -> None:
    setlist = read(folder, "version: 1\ncues: [{style: bach}]\n")
    assert setlist.cues[0].bank == SYNTH
    assert setlist.banks == []


def test_banks_that_cannot_be_played_are_told_all_at_once_with_their_places(folder: Path) -> None:
    (folder / "hall.sf2").unlink()
    (folder / "fonts" / "club.sf2").write_bytes(b"something else entirely")
    write_soundfont(folder / "hal.sf2")
    first, second = mistakes(folder, SHOW)
    assert first.startswith(f"2:15: {folder / 'hall.sf2'}: no such file or directory")
    assert first.endswith('did you mean "hal.sf2"?')
    assert second.startswith(f"8:13: {folder / 'fonts' / 'club.sf2'}: this is no SoundFont")


def test_a_misspelled_key_is_told(folder: Path) -> None:
    (only,) = mistakes(folder, "version: 1\nsound: {banc: synth}\ncues: [{style: bach}]\n")
    assert only.startswith('2:9: unknown key "banc"')
    assert 'did you mean "bank"?' in only


def test_without_the_library_a_setlist_with_samples_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise SynthError("SoundFonts are played with FluidSynth, which is not installed; apt-get install it")

    monkeypatch.setattr(fluid, "library", missing)
    assert all("FluidSynth, which is not installed" in line for line in mistakes(folder, SHOW))
    assert read(folder, "version: 1\ncues: [{style: bach}]\n").cues


def test_a_cue_keeps_its_bank_when_it_is_kept(folder: Path) -> None:
    cue = read(folder, SHOW).cues[0]
    assert Cue.of({**cue.as_dict(), "follow": cue.follow}).bank == cue.bank


def test_the_player_is_told_what_plays_a_piece(folder: Path) -> None:
    said = replace(bed(), bank=str(folder / "hall.sf2")).load(3)
    told = decode(encode(said).strip())
    assert isinstance(told, Load)
    assert told.bank == str(folder / "hall.sf2")
    assert bed().load(0).bank == SYNTH


def test_a_file_is_not_rendered_with_a_bank_that_is_not_there(tmp_path: Path, capsys: Printed) -> None:
    write_midi(tune(4.0), tmp_path / "a.mid")
    words = ["render", str(tmp_path / "a.mid"), str(tmp_path / "a.wav"), "--bank", str(tmp_path / "none.sf2")]
    told = refusal(capsys, words)
    assert f"--bank: {tmp_path / 'none.sf2'}: no such file or directory" in told
    assert not (tmp_path / "a.wav").exists()
