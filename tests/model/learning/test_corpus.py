"""A folder of MIDI files becomes tokens; what cannot be used is listed, never fatal."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.errors import CorpusError
from model.language.tokenizer import decode
from model.language.vocabulary import VOCABULARY
from model.learning.corpus import MIN_NOTES, Corpus, build, gather, seconds, tidy
from model.midi import write_midi
from model.notes import Note, Piece, TempoMark
from tests.model.making import tune, write_corpus

COLUMNS = "path,style,genre,split,performed\n"


def make(folder: Path, out: Path) -> tuple[Corpus, list[str]]:
    _, skipped = build(folder, out, processes=1)
    return Corpus(out), skipped


def test_sub_folders_named_after_styles_teach_them(corpus: Corpus) -> None:
    assert len(corpus.rows) == 10
    assert {row.style for row in corpus} == {"bach", "folk"}
    assert {row.groups for row in corpus} == {("piano", "strings"), ("guitar", "winds")}


def test_every_token_of_every_piece_is_kept_in_order(corpus: Corpus) -> None:
    offset = 0
    for row in corpus:
        assert row.offset == offset
        offset += row.tokens
        tokens = corpus.tokens[row.offset : offset].astype(np.int64)
        assert tokens[-1] == VOCABULARY.end
        assert len(decode(tokens.tolist()).notes) == row.notes >= MIN_NOTES
        np.testing.assert_array_equal(
            corpus.ticks[row.offset : offset], np.cumsum(VOCABULARY.wait_ticks[tokens]).astype(np.uint32)
        )
        assert corpus.ticks[offset - 1] == row.ticks
        # At 120 beats a minute a beat is 50 ticks.
        np.testing.assert_allclose(corpus.beats[row.offset : offset], corpus.ticks[row.offset : offset] / 50, rtol=1e-5)
    assert offset == len(corpus.tokens) == len(corpus.ticks) == len(corpus.beats)


def test_playing_time_is_added_up(corpus: Corpus) -> None:
    assert seconds(corpus.rows) == pytest.approx(10 * 20, abs=10)


def test_an_index_says_style_genre_split_and_performed(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_midi(tune(20.0), tmp_path / f"{name}.mid")
    (tmp_path / "unlisted.mid").write_bytes((tmp_path / "a.mid").read_bytes())
    (tmp_path / "index.csv").write_text(
        COLUMNS + "a.mid,chopin,piano,train,1\nb.mid,nobody,nothing,valid,0\nc.mid,,,test,0\n"
    )
    corpus, skipped = make(tmp_path, tmp_path / "out")
    assert skipped == []
    assert [(r.style, r.genre, r.performed, r.split) for r in corpus] == [
        ("chopin", "piano", True, "train"),
        (None, None, False, "valid"),
        (None, None, False, "test"),
    ]
    assert corpus.styles == {"chopin": 1}


def test_without_an_index_some_files_are_held_out_always_the_same(tmp_path: Path) -> None:
    for n in range(200):
        (tmp_path / f"{n}.mid").touch()
    splits = [source.split for source in gather(tmp_path)]
    assert splits == [source.split for source in gather(tmp_path)]
    assert 160 < splits.count("train") < 200
    assert splits.count("valid") > 0


def test_broken_empty_and_short_files_are_left_out_and_listed(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "midi", 2)
    (folder / "broken.mid").write_bytes(b"MThd but not really")
    (folder / "empty.mid").write_bytes(b"")
    write_midi(Piece((Note(0.0, 60, "piano", 1.0, 80),)), folder / "short.mid")
    out = tmp_path / "out"
    corpus, skipped = make(folder, out)
    assert len(corpus.rows) == 2
    assert len(skipped) == 3
    for name in ("broken.mid", "empty.mid", "short.mid"):
        assert [name in line for line in skipped].count(True) == 1
    assert all("\n" not in line for line in skipped)
    assert json.loads((out / "skipped.json").read_text()) == skipped


def test_what_is_no_file_is_left_out_without_waiting_for_it(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "midi", 1)
    os.mkfifo(folder / "pipe.mid")
    (folder / "folder.mid").mkdir()
    (folder / "nowhere.mid").symlink_to("gone.mid")
    _, skipped = make(folder, tmp_path / "out")
    assert sorted(Path(line.split(":")[0]).name for line in skipped) == ["folder.mid", "nowhere.mid", "pipe.mid"]


def test_a_name_that_is_no_text_is_read_all_the_same(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "midi", 1)
    (folder / "bach" / "tune0.mid").rename(os.fsdecode(bytes(folder / "bach") + b"/caf\xe9.mid"))
    corpus, skipped = make(folder, tmp_path / "out")
    assert skipped == []
    assert Path(corpus.rows[0].path).exists()


def test_an_index_that_holds_everything_out_is_taken_at_its_word(tmp_path: Path) -> None:
    write_midi(tune(20.0), tmp_path / "a.mid")
    (tmp_path / "index.csv").write_text(COLUMNS + "a.mid,bach,,test,0\n")
    corpus, _ = make(tmp_path, tmp_path / "out")
    assert [row.split for row in corpus] == ["test"]


class TestWhatCannotBeUsedIsRefusedInALine:
    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(CorpusError, match="no such folder"):
            gather(tmp_path / "nowhere")

    def test_no_midi(self, tmp_path: Path) -> None:
        (tmp_path / "readme.txt").touch()
        with pytest.raises(CorpusError, match="no MIDI files"):
            gather(tmp_path)

    def test_an_index_without_a_column(self, tmp_path: Path) -> None:
        (tmp_path / "index.csv").write_text("path,style\na.mid,bach\n")
        with pytest.raises(CorpusError, match=r"index\.csv: no column 'genre'"):
            gather(tmp_path)

    def test_an_index_with_a_row_cut_short(self, tmp_path: Path) -> None:
        (tmp_path / "index.csv").write_text(COLUMNS + "a.mid,bach,piano,train,0\nb.mid,bach\n")
        with pytest.raises(CorpusError, match=r"index\.csv: line 3"):
            gather(tmp_path)

    def test_an_index_with_an_unknown_split(self, tmp_path: Path) -> None:
        (tmp_path / "index.csv").write_text(COLUMNS + "a.mid,bach,piano,training,0\n")
        with pytest.raises(CorpusError, match=r"line 2: .*'training'.*train, valid, test"):
            gather(tmp_path)

    def test_an_index_that_is_not_text(self, tmp_path: Path) -> None:
        (tmp_path / "index.csv").write_bytes(b"path,style\n\xff\xfe\x00")
        with pytest.raises(CorpusError, match=r"index\.csv: cannot be read"):
            gather(tmp_path)

    def test_nothing_but_broken_files_and_nothing_built_stays_behind(self, tmp_path: Path) -> None:
        (tmp_path / "broken.mid").write_bytes(b"no music")
        out = tmp_path / "out"
        with pytest.raises(CorpusError, match=r"none of 1 files could be used; first: .*broken\.mid"):
            build(tmp_path, out, processes=1)
        with pytest.raises(CorpusError, match="no built corpus here"):
            Corpus(out)

    def test_a_place_that_cannot_be_written(self, midi_folder: Path, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(CorpusError, match="cannot write"):
            build(midi_folder, tmp_path / "file" / "out", processes=1)

    def test_a_folder_nothing_was_built_in(self, tmp_path: Path) -> None:
        with pytest.raises(CorpusError, match="no built corpus here"):
            Corpus(tmp_path)

    def test_one_built_with_another_vocabulary(self, built_folder: Path, tmp_path: Path) -> None:
        folder = shutil.copytree(built_folder, tmp_path / "built")
        listing = json.loads((folder / "pieces.json").read_text())
        (folder / "pieces.json").write_text(json.dumps({**listing, "vocabulary": "0" * 64}))
        with pytest.raises(CorpusError, match="another vocabulary"):
            Corpus(folder)

    @pytest.mark.parametrize("name", ["tokens.u16", "ticks.u32", "beats.f32"])
    def test_one_that_was_cut_off(self, built_folder: Path, tmp_path: Path, name: str) -> None:
        folder = shutil.copytree(built_folder, tmp_path / "built")
        (folder / name).write_bytes((folder / name).read_bytes()[:-8])
        with pytest.raises(CorpusError, match="damaged"):
            Corpus(folder)
        (folder / name).unlink()
        with pytest.raises(CorpusError, match="damaged"):
            Corpus(folder)

    @pytest.mark.parametrize(
        ("name", "damage"),
        [("tokens.u16", np.array([60_000], np.uint16)), ("beats.f32", np.array([np.nan], np.float32))],
    )
    def test_one_that_says_what_the_language_does_not(
        self, built_folder: Path, tmp_path: Path, name: str, damage: np.ndarray[Any, Any]
    ) -> None:
        folder = shutil.copytree(built_folder, tmp_path / "built")
        (folder / name).write_bytes(damage.tobytes() + (folder / name).read_bytes()[damage.nbytes :])
        with pytest.raises(CorpusError, match="damaged"):
            Corpus(folder)

    def test_one_whose_list_is_none(self, built_folder: Path, tmp_path: Path) -> None:
        folder = shutil.copytree(built_folder, tmp_path / "built")
        (folder / "pieces.json").write_text("[]")
        with pytest.raises(CorpusError, match="another vocabulary"):
            Corpus(folder)


class TestMusicIsTidied:
    def test_it_begins_at_once_and_its_tempi_with_it(self) -> None:
        piece = Piece(
            (Note(3.0, 60, "piano", 1.0, 80),), (TempoMark(0.0, 90.0), TempoMark(2.0, 60.0), TempoMark(4.0, 70.0))
        )
        tidied = tidy(piece)
        assert tidied.notes == (Note(0.0, 60, "piano", 1.0, 80),)
        assert tidied.tempi == (TempoMark(0.0, 60.0), TempoMark(1.0, 70.0))

    def test_unisons_of_one_instrument_are_one_note_the_longest_and_loudest(self) -> None:
        piece = Piece(
            (Note(0.0, 60, "piano", 2.0, 40), Note(0.002, 60, "piano", 1.0, 90), Note(0.0, 60, "violin", 1, 80))
        )
        assert tidy(piece).notes == (Note(0.0, 60, "piano", 2.0, 90), Note(0.0, 60, "violin", 1.0, 80))

    def test_a_note_struck_again_ends_where_it_is_struck(self) -> None:
        piece = Piece((Note(0.0, 60, "piano", 5.0, 80), Note(1.0, 60, "piano", 1.0, 80)))
        assert [n.duration_s for n in tidy(piece).notes] == [1.0, 1.0]

    def test_silence_stays_silence(self) -> None:
        assert tidy(Piece(())).notes == ()
