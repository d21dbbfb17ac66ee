"""What a SoundFont says of itself is read, or told to be wrong in one line."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.instruments import BY_NAME
from streaming.errors import SoundFontError
from streaming.soundfonts.sf2 import Preset, choose_presets, instruments_of, presets_of
from tests.streaming.soundfonts.making import GENERAL, write_soundfont


def refusal(path: Path) -> str:
    with pytest.raises(SoundFontError) as caught:
        instruments_of(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def test_presets_are_read_in_order(tmp_path: Path) -> None:
    found = presets_of(write_soundfont(tmp_path / "a.sf2", [(128, 0), (0, 40), (0, 0)]))
    assert found == (Preset(0, 0, "preset"), Preset(0, 40, "preset"), Preset(128, 0, "preset"))


def test_general_midi_has_all_our_instruments(tmp_path: Path) -> None:
    assert set(instruments_of(write_soundfont(tmp_path / "a.sf2"))) == set(BY_NAME)


def test_an_instrument_takes_its_own_program_then_one_that_is_read_as_it() -> None:
    strings, solo, kit = Preset(0, 48, "strings"), Preset(0, 40, "solo"), Preset(128, 8, "room kit")
    assert choose_presets([strings, solo, kit]) == {"violin": solo, "drums": kit}
    assert choose_presets([strings]) == {"violin": strings}
    assert choose_presets([Preset(1, 40, "variation")]) == {}


def test_a_list_that_begins_at_an_odd_place_is_found(tmp_path: Path) -> None:
    # The makers of .sf3 files leave no gap after samples of odd length.
    path = write_soundfont(tmp_path / "a.sf2")
    data = path.read_bytes()
    at = data.index(b"sdta") - 4
    length = int.from_bytes(data[at : at + 4], "little")
    end = at + 4 + length
    odd = data[:at] + (length + 1).to_bytes(4, "little") + data[at + 4 : end] + b"\0" + data[end:]
    path.write_bytes(odd[:4] + (len(odd) - 8).to_bytes(4, "little") + odd[8:])
    assert len(presets_of(path)) == len(GENERAL)


def test_what_is_no_soundfont_is_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.sf2"
    assert refusal(path).startswith("no such file or directory")
    path.write_bytes(b"MThd" + bytes(100))
    assert refusal(path).startswith("this is no SoundFont")
    path.write_bytes(b"")
    assert refusal(path).startswith("this is no SoundFont")
    assert refusal(write_soundfont(tmp_path / "b.sf2", [(5, 0)])).startswith("it has none of our instruments")
    assert refusal(write_soundfont(tmp_path / "c.sf2", [])).startswith("there is no preset in it")


def test_a_file_that_is_cut_short_is_refused_and_says_by_how_much(tmp_path: Path) -> None:
    path = write_soundfont(tmp_path / "a.sf2")
    whole = path.stat().st_size
    path.write_bytes(path.read_bytes()[: whole // 2])
    assert refusal(path) == f"cut short, {whole // 2:,} bytes of {whole:,}; fetch it again"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(at=st.integers(8, 6000), value=st.integers(0, 255))
def test_a_damaged_file_is_read_or_refused_but_never_breaks_anything(tmp_path: Path, at: int, value: int) -> None:
    path = write_soundfont(tmp_path / "a.sf2")
    data = bytearray(path.read_bytes())
    data[at % len(data)] = value
    path.write_bytes(bytes(data))
    with contextlib.suppress(SoundFontError):
        assert instruments_of(path)
