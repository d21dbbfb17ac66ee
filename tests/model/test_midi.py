"""Reading MIDI files as pieces, and writing pieces as MIDI files."""

from __future__ import annotations

from pathlib import Path

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import MidiError
from model.instruments import BY_NAME, INSTRUMENTS
from model.midi import MOST_MARKS, read_midi, write_midi
from model.notes import Mark, Note, Piece, TempoMark
from tests.model.midi_bytes import (
    QUARTER,
    marker,
    off,
    on,
    program,
    read,
    signature,
    smf,
    sounding,
    sustain,
    tempo,
    track,
)


class TestTime:
    def test_no_tempo_means_120(self, tmp_path: Path) -> None:
        assert sounding(read(tmp_path, smf(track(*QUARTER)))) == [(0.0, 0.5, 60)]

    def test_tempo_changes_move_what_follows(self, tmp_path: Path) -> None:
        conductor = track((0, tempo(1_000_000)), (240, tempo(500_000)), (480, tempo(250_000)))
        notes = track((0, on(60)), (480, off(60)), (0, on(62)), (480, off(62)))
        # 240 ticks at 60 bpm, 480 at 120, 240 at 240.
        assert sounding(read(tmp_path, smf(conductor, notes))) == [(0.0, 0.75, 60), (0.75, 1.125, 62)]

    def test_agrees_with_mido_on_the_length_of_a_file(self, tmp_path: Path) -> None:
        tempi = [(97, tempo(200_000 + 31_337 * i)) for i in range(40)]
        imported = read(tmp_path, smf(track(*tempi), track((13, on(60)), (3900, off(60)))))
        assert imported.piece.duration_s == pytest.approx(mido.MidiFile(tmp_path / "tune.mid").length, abs=1e-9)

    @pytest.mark.parametrize("micros", [b"\xff\x51\x03\x00\x00\x00", b"\xff\x51\x01\x07"])
    def test_an_impossible_tempo_is_ignored(self, tmp_path: Path, micros: bytes) -> None:
        imported = read(tmp_path, smf(track((0, micros), *QUARTER)))
        assert sounding(imported) == [(0.0, 0.5, 60)]
        assert imported.piece.tempi == (TempoMark(0.0, 120.0),)

    def test_a_brief_or_slight_tempo_change_gets_no_mark(self, tmp_path: Path) -> None:
        steady = [(0, tempo(500_000)), (960, tempo(400_000)), (960, tempo(500_000)), (960, tempo(495_000))]
        imported = read(tmp_path, smf(track(*steady), track((0, on(60)), (480 * 60, off(60)))))
        assert imported.piece.tempi == (TempoMark(0.0, 120.0),)

    def test_a_new_tempo_that_stays_gets_a_mark(self, tmp_path: Path) -> None:
        imported = read(
            tmp_path, smf(track((0, tempo(500_000)), (960, tempo(600_000))), track((0, on(60)), (480 * 60, off(60))))
        )
        assert [(m.time_s, m.bpm) for m in imported.piece.tempi] == [(0.0, 120.0), (1.0, pytest.approx(100.0))]

    @pytest.mark.parametrize(
        ("event", "beats"),
        [(signature(3, 2), 3.0), (signature(6, 3), 3.0), (signature(2, 1), 4.0), (signature(0, 2), 4.0), (b"", 4.0)],
    )
    def test_a_bar_is_counted_in_quarters(self, tmp_path: Path, event: bytes, beats: float) -> None:
        events = ((0, event),) if event else ()
        assert read(tmp_path, smf(track(*events, *QUARTER))).piece.beats_per_bar == beats


class TestNotes:
    def test_overlapping_equal_pitches_pair_first_in_first_out(self, tmp_path: Path) -> None:
        data = smf(track((0, on(60, 90)), (480, on(60, 50)), (480, off(60)), (480, off(60))))
        assert sounding(read(tmp_path, data)) == [(0.0, 1.0, 60), (0.5, 1.5, 60)]

    def test_a_note_of_no_length_is_kept(self, tmp_path: Path) -> None:
        assert sounding(read(tmp_path, smf(track((0, on(60)), (0, off(60)))))) == [(0.0, 0.0, 60)]

    def test_a_note_on_without_velocity_ends_a_note(self, tmp_path: Path) -> None:
        assert sounding(read(tmp_path, smf(track((0, on(60)), (480, on(60, 0)))))) == [(0.0, 0.5, 60)]

    def test_the_title_is_the_name_of_the_file(self, tmp_path: Path) -> None:
        assert read(tmp_path, smf(track(*QUARTER))).piece.title == "tune"

    def test_volumes_no_token_says_are_counted_and_kept(self, tmp_path: Path) -> None:
        data = smf(track((0, on(60, 3)), (0, on(62, 4)), (0, on(64, 127)), (480, off(60)), (0, off(62)), (0, off(64))))
        imported = read(tmp_path, data)
        assert imported.clamped == 1
        assert sorted(n.velocity for n in imported.piece.notes) == [3, 4, 127]

    @pytest.mark.parametrize("pitch", [0, 20, 21, 108, 109, 127])
    def test_pitches_fold_by_octaves_into_the_range(self, tmp_path: Path, pitch: int) -> None:
        imported = read(tmp_path, smf(track((0, on(pitch)), (480, off(pitch)))))
        (note,) = imported.piece.notes
        assert 21 <= note.pitch <= 108
        assert note.pitch % 12 == pitch % 12
        assert imported.folded == (note.pitch != pitch)


class TestInstruments:
    @pytest.mark.parametrize("number", range(128))
    def test_every_program_has_an_instrument(self, tmp_path: Path, number: int) -> None:
        (note,) = read(tmp_path, smf(track((0, program(number)), *QUARTER))).piece.notes
        assert number in BY_NAME[note.instrument].programs

    def test_channel_ten_is_drums(self, tmp_path: Path) -> None:
        imported = read(
            tmp_path, smf(track((0, on(36, 80, 9)), (1, on(100, 80, 9)), (9, off(36, 9)), (1, off(100, 9))))
        )
        assert {n.instrument for n in imported.piece.notes} == {"drums"}
        assert [n.pitch for n in imported.piece.notes] == [36, 76]
        assert imported.folded == 1

    @pytest.mark.parametrize(("pitch", "name"), [(54, "cello"), (55, "violin")])
    def test_a_low_string_ensemble_is_cello(self, tmp_path: Path, pitch: int, name: str) -> None:
        imported = read(tmp_path, smf(track((0, program(48)), (0, on(pitch)), (480, off(pitch)))))
        assert imported.piece.instruments == (name,)

    def test_a_program_change_in_mid_track_changes_the_instrument(self, tmp_path: Path) -> None:
        data = smf(track((0, program(40)), *QUARTER, (0, program(73)), (0, on(64)), (480, off(64))))
        assert [(n.instrument, n.onset_s) for n in read(tmp_path, data).piece.notes] == [
            ("violin", 0.0),
            ("flute", 0.5),
        ]

    def test_a_program_set_in_another_track_counts(self, tmp_path: Path) -> None:
        data = smf(track((0, program(40, 3))), track((0, on(60, 80, 3)), (480, off(60, 3))), track(*QUARTER))
        assert sorted(n.instrument for n in read(tmp_path, data).piece.notes) == ["piano", "violin"]


class TestPedal:
    def test_without_asking_the_pedal_does_nothing(self, tmp_path: Path) -> None:
        assert sounding(read(tmp_path, smf(track((0, sustain(127)), *QUARTER, (480, sustain(0)))))) == [(0.0, 0.5, 60)]

    def test_a_note_lasts_until_the_pedal_rises(self, tmp_path: Path) -> None:
        data = smf(track((0, sustain(127)), *QUARTER, (480, sustain(0))))
        assert sounding(read(tmp_path, data, pedal=True)) == [(0.0, 1.0, 60)]

    def test_a_note_lasts_until_its_pitch_sounds_again(self, tmp_path: Path) -> None:
        data = smf(track((0, sustain(127)), *QUARTER, (240, on(60)), (240, off(60)), (480, sustain(0))))
        assert sounding(read(tmp_path, data, pedal=True)) == [(0.0, 0.75, 60), (0.75, 1.5, 60)]

    def test_a_pedal_that_never_rises_holds_eight_seconds(self, tmp_path: Path) -> None:
        data = smf(track((0, sustain(127)), *QUARTER, (480 * 60, on(70)), (480, off(70))))
        assert sounding(read(tmp_path, data, pedal=True))[0] == (0.0, 8.5, 60)

    def test_a_new_pedal_does_not_catch_the_old_chord(self, tmp_path: Path) -> None:
        lifted = (*QUARTER, (0, sustain(0)), (0, sustain(127)), (480, sustain(0)))
        assert sounding(read(tmp_path, smf(track((0, sustain(127)), *lifted)), pedal=True)) == [(0.0, 0.5, 60)]

    def test_a_pedal_in_another_track_of_the_channel_counts(self, tmp_path: Path) -> None:
        data = smf(track((0, sustain(127)), (960, sustain(0))), track(*QUARTER))
        assert sounding(read(tmp_path, data, pedal=True)) == [(0.0, 1.0, 60)]

    def test_drums_do_not_hear_the_pedal(self, tmp_path: Path) -> None:
        data = smf(track((0, sustain(127, 9)), (0, on(36, 80, 9)), (480, off(36, 9)), (480, sustain(0, 9))))
        assert sounding(read(tmp_path, data, pedal=True)) == [(0.0, 0.5, 36)]


LEVELS = st.integers(1, 127)


@st.composite
def pieces(draw: st.DrawFn) -> Piece:
    names = draw(st.lists(st.sampled_from([i.name for i in INSTRUMENTS]), min_size=1, max_size=13, unique=True))
    notes = [
        Note(
            draw(st.floats(0, 300)),
            draw(st.integers(BY_NAME[name].low, BY_NAME[name].high)),
            name,
            draw(st.floats(0.01, 20)),
            draw(LEVELS),
        )
        for name in names
        for _ in range(draw(st.integers(1, 4)))
    ]
    marks = draw(st.lists(st.tuples(st.floats(5, 200), st.floats(30, 300)), max_size=3, unique_by=lambda m: m[0]))
    tempi = (TempoMark(0.0, draw(st.floats(30, 300))), *(TempoMark(*m) for m in sorted(marks)))
    return Piece(tuple(sorted(notes)), tempi, "Étude", None, draw(st.sampled_from([2.0, 3.0, 4.0, 1.5, 3.5])))


class TestWriting:
    @settings(max_examples=100, deadline=None)
    @given(piece=pieces())
    def test_every_onset_and_end_survives_within_a_millisecond(
        self, piece: Piece, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        path = tmp_path_factory.getbasetemp() / "written.mid"
        write_midi(piece, path)
        back = read_midi(path)
        assert back.folded == back.dropped == 0
        assert back.piece.beats_per_bar == piece.beats_per_bar
        for name in piece.instruments:
            before = [n for n in piece.notes if n.instrument == name]
            after = [n for n in back.piece.notes if n.instrument == name]
            for field in ("onset_s", "offset_s", "pitch", "velocity"):
                wanted = sorted(getattr(n, field) for n in before)
                assert sorted(getattr(n, field) for n in after) == pytest.approx(wanted, abs=1e-3), field
        assert len(back.piece.notes) == len(piece.notes)

    def test_an_hour_does_not_drift(self, tmp_path: Path) -> None:
        # 60e6 / 113.7 is no whole number of microseconds.
        piece = Piece((Note(0.0, 60, "piano", 1.0, 80), Note(3600.0, 60, "piano", 1.0, 80)), (TempoMark(0.0, 113.7),))
        write_midi(piece, tmp_path / "long.mid")
        assert read_midi(tmp_path / "long.mid").piece.notes[1].onset_s == pytest.approx(3600.0, abs=1e-3)

    def test_one_track_and_channel_for_each_instrument(self, tmp_path: Path) -> None:
        notes = tuple(Note(0.0, i.low, i.name, 1.0, 80) for i in INSTRUMENTS)
        write_midi(Piece(notes, (TempoMark(0.0, 90.0), TempoMark(8.0, 60.0)), "Dawn"), tmp_path / "all.mid")
        file = mido.MidiFile(tmp_path / "all.mid")
        assert file.tracks[0].name == "Dawn"
        found = {t.name: {m.channel for m in t if not m.is_meta} for t in file.tracks[1:]}
        assert set(found) == {i.name for i in INSTRUMENTS}
        assert found.pop("drums") == {9}
        assert all(len(channels) == 1 for channels in found.values())
        assert len(set.union(*found.values())) == len(INSTRUMENTS) - 1
        programs = {t.name: next(m.program for m in t if m.type == "program_change") for t in file.tracks[1:]}
        assert programs == {i.name: i.program for i in INSTRUMENTS}
        tempi = [m.tempo for t in file.tracks for m in t if m.type == "set_tempo"]
        assert tempi == [666_667, 1_000_000]

    def test_a_note_of_no_length_is_written_with_one(self, tmp_path: Path) -> None:
        write_midi(Piece((Note(1.0, 60, "flute", 0.0, 80),)), tmp_path / "short.mid")
        (note,) = read_midi(tmp_path / "short.mid").piece.notes
        assert 0 < note.duration_s < 0.001

    def test_a_place_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(MidiError, match="no such file or folder"):
            write_midi(Piece((Note(0.0, 60, "piano", 1.0, 80),)), tmp_path / "none" / "x.mid")

    def test_a_full_disk_and_a_locked_folder_say_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for number, words in ((28, "disk full"), (13, "no permission")):

            def refuse(*_: object, number: int = number) -> int:
                raise OSError(number, "refused")

            monkeypatch.setattr(Path, "write_bytes", refuse)
            with pytest.raises(MidiError, match=words):
                write_midi(Piece((Note(0.0, 60, "piano", 1.0, 80),)), tmp_path / "x.mid")


class TestMarks:
    def test_marks_come_back_within_a_millisecond(self, tmp_path: Path) -> None:
        marks = (Mark(0.0, "A"), Mark(1.2345, "composed from here"), Mark(7.5, "A'"), Mark(7.5, "Ärmel ♪"))
        tempi = (TempoMark(0.0, 97.0), TempoMark(5.0, 61.0))
        write_midi(Piece((Note(0.0, 60, "piano", 9.0, 80),), tempi, marks=marks), tmp_path / "marked.mid")
        found = read_midi(tmp_path / "marked.mid").piece.marks
        assert [m.text for m in found] == [m.text for m in marks]
        assert [m.time_s for m in found] == pytest.approx([m.time_s for m in marks], abs=1e-3)

    def test_a_piece_without_marks_has_none(self, tmp_path: Path) -> None:
        assert read(tmp_path, smf(track(*QUARTER))).piece.marks == ()

    @pytest.mark.parametrize(
        ("payload", "text"),
        [
            (b"Vers 1", "Vers 1"),
            (b"Caf\xe9", "Café"),
            ("日本".encode(), "日本"),
            (b" a\tb\r\n", "a b"),
            (b"x" * 200, "x" * 60),
        ],
    )
    def test_markers_of_other_programs_are_read(self, tmp_path: Path, payload: bytes, text: str) -> None:
        (mark,) = read(tmp_path, smf(track((0, on(60)), (240, marker(payload)), (240, off(60))))).piece.marks
        assert mark == Mark(0.25, text)

    def test_empty_markers_and_those_behind_the_music_are_left_out(self, tmp_path: Path) -> None:
        events = ((0, marker(b"")), (0, marker(b" ")), *QUARTER, (9999, marker(b"fin")))
        piece = read(tmp_path, smf(track(*events))).piece
        assert piece.marks == ()

    def test_a_file_that_marks_everything_is_cut_short(self, tmp_path: Path) -> None:
        many = [(1, marker(b"x"))] * 470
        assert len(read(tmp_path, smf(track((0, on(60)), *many, (480, off(60))))).piece.marks) == MOST_MARKS
