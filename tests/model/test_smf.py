"""Damaged and odd MIDI files: music where there is some, else one clear line."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import MidiError
from model.instruments import BY_NAME
from model.midi import read_midi
from tests.model.midi_bytes import END, QUARTER, off, on, program, read, signature, smf, sounding, sustain, tempo, track


class TestDamage:
    """Files that parsers refuse, and that still hold music."""

    def test_a_stuck_note_ends_after_four_beats(self, tmp_path: Path) -> None:
        data = smf(track((0, on(60)), (0, on(62)), (480 * 9, off(62))))
        assert sounding(read(tmp_path, data)) == [(0.0, 2.0, 60), (0.0, 4.5, 62)]

    def test_a_stuck_note_ends_when_struck_again(self, tmp_path: Path) -> None:
        data = smf(track((0, on(60)), (480, on(60)), (480, off(60)), (0, on(64)), (1, off(64))))
        assert sounding(read(tmp_path, data))[:2] == [(0.0, 0.5, 60), (0.5, 1.0, 60)]

    def test_an_end_without_a_beginning_ends_nothing(self, tmp_path: Path) -> None:
        data = smf(track((0, off(60)), (480, on(60)), (480, off(60)), (480, off(60)), (0, on(62)), (480, off(62))))
        assert sounding(read(tmp_path, data)) == [(0.5, 1.0, 60), (1.5, 2.0, 62)]

    def test_a_spare_end_does_not_hide_a_missing_one(self, tmp_path: Path) -> None:
        data = smf(track((0, off(60)), (0, on(60)), (480 * 9, on(62)), (480, off(62))))
        assert sounding(read(tmp_path, data)) == [(0.0, 2.0, 60), (4.5, 5.0, 62)]

    def test_stuck_drums_are_short(self, tmp_path: Path) -> None:
        data = smf(track((0, on(36, 80, 9)), (480 * 4, on(36, 80, 9)), (480 * 4, off(36, 9))))
        assert sounding(read(tmp_path, data))[0] == (0.0, 0.125, 36)

    def test_a_truncated_file_keeps_what_came_before(self, tmp_path: Path) -> None:
        whole = smf(track(*QUARTER, (0, on(62)), (480, off(62))))
        for cut in range(len(whole) - len(END) - 4, len(whole)):
            assert sounding(read(tmp_path, whole[:cut])) == [(0.0, 0.5, 60), (0.5, 1.0, 62)]

    @pytest.mark.parametrize("length", [0, 3, 4000, 0xFFFFFFFF])
    def test_a_wrong_track_length_is_seen_through(self, tmp_path: Path, length: int) -> None:
        data = smf(track(*QUARTER, length=length), track((0, on(62)), (480, off(62))))
        assert sounding(read(tmp_path, data)) == [(0.0, 0.5, 60), (0.0, 0.5, 62)]

    def test_a_track_without_its_end_is_read(self, tmp_path: Path) -> None:
        assert sounding(read(tmp_path, smf(track(*QUARTER, end=b"")))) == [(0.0, 0.5, 60)]

    @pytest.mark.parametrize(
        "between",
        [b"\xff\x01\x01a", b"\xf0\x02\x01\xf7", b"\xf8", b"\xff\x03\x04\xff\xfe\x80\xe9"],
        ids=["text", "sysex", "clock", "odd text"],
    )
    def test_running_status_outlives_other_events(self, tmp_path: Path, between: bytes) -> None:
        data = smf(track((0, on(60)), (0, between), (480, b"\x3c\x00"), (0, b"\x3e\x50"), (480, b"\x3e\x00")))
        assert sounding(read(tmp_path, data)) == [(0.0, 0.5, 60), (0.5, 1.0, 62)]

    def test_a_volume_above_127_is_loud(self, tmp_path: Path) -> None:
        (note,) = read(tmp_path, smf(track((0, b"\x90\x3c\x90"), (480, off(60))))).piece.notes
        assert (note.pitch, note.velocity) == (60, 127)

    def test_patterns_of_format_2_follow_one_another(self, tmp_path: Path) -> None:
        data = smf(track(*QUARTER), track((0, on(62)), (480, off(62))), kind=2)
        assert sounding(read(tmp_path, data)) == [(0.0, 0.5, 60), (0.5, 1.0, 62)]

    @pytest.mark.parametrize(
        "data",
        [
            smf(b"XFIH" + struct.pack(">I", 3) + b"abc", track(*QUARTER)),
            smf(track(*QUARTER)) + b"\x00\x00garbage!",
            b"RIFF\x40\x00\x00\x00RMIDdata\x2c\x00\x00\x00" + smf(track(*QUARTER)),
            b"MThd" + struct.pack(">IHHH", 8, 0, 1, 480) + b"\x00\x00" + track(*QUARTER),
            b"MThd" + struct.pack(">IHHH", 6, 1, 9, 480) + track(*QUARTER),
        ],
        ids=["alien chunk", "garbage at the end", "RIFF", "long header", "wrong track count"],
    )
    def test_odd_wrappings_are_seen_through(self, tmp_path: Path, data: bytes) -> None:
        assert sounding(read(tmp_path, data)) == [(0.0, 0.5, 60)]

    def test_a_gap_longer_than_one_delta_is_kept(self, tmp_path: Path) -> None:
        # 2^28 - 1 ticks is the longest delta; the text between is left behind.
        gap = (2**28 - 1, b"\xff\x01\x00")
        data = smf(track(*QUARTER, gap, (480, on(62)), (480, off(62))), division=32767)
        assert sounding(read(tmp_path, data))[1][0] == pytest.approx((2**28 - 1 + 960) / 32767 / 2, abs=1e-3)

    @settings(max_examples=300, deadline=None)
    @given(data=st.data())
    def test_no_damage_breaks_the_reader(self, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
        whole = smf(
            track((0, tempo(400_000)), (0, signature(3, 2))),
            track((0, program(48)), (0, sustain(127)), *QUARTER, (3, sustain(0)), (0, on(40)), (9, b"\x28\x00")),
            track((0, on(36, 80, 9)), (480, off(36, 9))),
        )
        broken = bytearray(whole)
        for at, value in data.draw(
            st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=9)
        ):
            broken[at] = value
        path = tmp_path_factory.getbasetemp() / "broken.mid"
        path.write_bytes(broken[: data.draw(st.integers(0, len(whole)))])
        try:
            imported = read_midi(path, pedal=True)
        except MidiError as error:
            assert str(error).startswith(f"{path}: ")  # noqa: PT017 - either outcome is right
            return
        assert imported.piece.notes
        for note in imported.piece.notes:
            assert BY_NAME[note.instrument].low <= note.pitch <= BY_NAME[note.instrument].high
            assert note.onset_s >= 0
            assert note.duration_s >= 0
            assert 1 <= note.velocity <= 127


class TestFilmFrames:
    def test_film_frames_are_converted(self, tmp_path: Path) -> None:
        # 25 frames of 40 ticks: 1000 ticks a second, whatever the tempo.
        data = smf(track((0, tempo(250_000)), (500, on(60)), (1000, off(60))), division=0xE728)
        assert sounding(read(tmp_path, data)) == [(0.5, 1.5, 60)]

    def test_drop_frames_are_converted(self, tmp_path: Path) -> None:
        data = smf(track((0, on(60)), (30 * 80, off(60))), division=0xE350)
        assert sounding(read(tmp_path, data)) == [(0.0, 1.001, 60)]


class TestRefusals:
    @pytest.mark.parametrize(
        ("data", "why"),
        [
            (b"", "empty"),
            (b"MThd", "header is cut off"),
            (smf()[:13], "header is cut off"),
            (b"ID3\x04" + bytes(400), "not a MIDI file"),
            (smf(), "no track"),
            (smf(track()), "no notes"),
            (smf(track((0, b"\x3c\x40"), (480, b"\x3c\x00"))), "no notes"),
            (smf(track((0, b"\xf0\xff\xff\xff\x7f"))), "no notes"),
            (smf(track((0, b"\xff\x01\xff\xff\xff\xff\xff"))), "no notes"),
            (smf(track(*QUARTER), kind=3), "format 3"),
            (smf(track(*QUARTER), division=0), "0 ticks"),
            (smf(track(*QUARTER), division=0x9C28), "film frames"),
            (smf(track(*[(2**28 - 1, on(60))] * 9)), "past what a MIDI file can hold"),
            (smf(track(*QUARTER, (2**28 - 1, on(62)), (1, off(62)))), "hours"),
        ],
    )
    def test_names_the_file_what_is_wrong_and_a_way_out(self, tmp_path: Path, data: bytes, why: str) -> None:
        with pytest.raises(MidiError, match=why) as caught:
            read(tmp_path, data)
        text = str(caught.value)
        assert text.startswith(f"{tmp_path / 'tune.mid'}: ")
        assert ";" in text
        assert "\n" not in text

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(MidiError, match=r"nowhere\.mid: .*no such file"):
            read_midi(tmp_path / "nowhere.mid")

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(MidiError, match="folder"):
            read_midi(tmp_path)

    def test_a_huge_file_is_not_even_read(self, tmp_path: Path) -> None:
        path = tmp_path / "huge.mid"
        with path.open("wb") as file:
            file.truncate(20_000_001)
        with pytest.raises(MidiError, match="too big"):
            read_midi(path)

    def test_too_many_notes(self, tmp_path: Path) -> None:
        body = b"\x00\x90\x3c\x50" + b"\x00\x3c\x50" * 500_000
        with pytest.raises(MidiError, match="more than 500000 notes"):
            read(tmp_path, smf(b"MTrk" + struct.pack(">I", len(body)) + body))
