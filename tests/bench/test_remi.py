"""The peer's language says the same notes as ours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.errors import MidiError
from model.instruments import BY_NAME
from model.language.tokenizer import level_velocity
from model.language.vocabulary import VOCABULARY
from model.learning.corpus import Corpus, build
from model.midi import write_midi
from model.notes import Note, Piece, TempoMark
from tests.bench import kept
from tests.bench.remi import GRIDS, KINDS, Beats, Remi, Source, notes_of, read, to_piece, to_score

pytest.importorskip("miditok", reason="the peer is an extra: pip install 'conductor-live[bench]'")


@pytest.fixture(name="source", scope="module")
def _source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A piece with an upbeat, a change of tempo, two instruments and drums."""
    folder = tmp_path_factory.mktemp("remi")
    rng = np.random.default_rng(0)
    notes = [Note(0.5 + n * 0.25, int(rng.integers(60, 80)), "violin", 0.24, 30 + n) for n in range(60)]
    notes += [Note(1.0 + n, 48, "piano", 0.9, 70) for n in range(14)]
    notes += [Note(0.5 + n * 0.5, 36, "drums", 0.1, 90) for n in range(28)]
    tempi = (TempoMark(0.0, 120.0), TempoMark(8.0, 96.0))
    write_midi(Piece(tuple(sorted(notes)), tempi, beats_per_bar=3.0), folder / "upbeat.mid")
    build(folder, folder / "built", processes=1)
    return read(Corpus(folder / "built").rows[0])


def test_it_reads_the_notes_that_our_corpus_holds(corpus: Corpus) -> None:
    for row in corpus.rows[:4]:
        piece = read(row).piece
        assert (
            len(piece.notes)
            == row.notes
            == int((VOCABULARY.velocity_of[corpus.tokens[row.offset : row.offset + row.tokens]] > 0).sum())
        )


def test_notes_lie_on_the_beats_of_the_file(source: Source) -> None:
    score = to_score(source)
    assert {t.name: len(t.notes) for t in score.tracks} == {"piano": 14, "violin": 60, "drums": 28}
    again = notes_of(score, lambda ticks: source.beats.to_seconds(ticks) - source.start_s)
    for note, other in zip(source.piece.notes, again, strict=True):
        assert (note.pitch, note.instrument) == (other.pitch, other.instrument)
        assert other.onset_s == pytest.approx(note.onset_s, abs=0.001)
        assert other.velocity == level_velocity(note.instrument, note.velocity)
    assert (score.time_signatures[0].numerator, score.time_signatures[0].denominator) == (3, 4)
    assert source.start_s == pytest.approx(0.5)


def test_seconds_and_ticks_are_the_same_through_a_change_of_tempo(source: Source) -> None:
    seconds = np.linspace(0.0, 15.0, 50)
    assert len(source.beats.ticks) == 2
    assert np.allclose(source.beats.to_seconds(source.beats.to_ticks(seconds)), seconds)
    assert Beats.of(source.score).to_seconds(np.array([0.0])) == 0.0


@pytest.mark.parametrize("grid", GRIDS)
def test_all_notes_come_back(source: Source, grid: str) -> None:
    language = Remi(grid)
    tokens = language.encode(source)
    assert language.notes(tokens) == len(source.piece.notes)
    found = kept.remi(language, source)
    assert found["lost"].max() == 0.0
    # A beat of 0.5 s in 8 or in 48 steps: half a step is the most that is lost.
    assert found["onset_ms"].max() < {"remi": 40.0, "remi-fine": 8.0}[grid]
    piece = to_piece(language.decode(tokens.tolist()))
    assert piece.instruments == source.piece.instruments
    assert piece.tempi[0].bpm == pytest.approx(120.0, abs=1.0)


def test_a_finer_grid_keeps_more(source: Source) -> None:
    coarse, fine = (kept.summary([kept.remi(Remi(grid), source)]) for grid in ("remi", "remi-fine"))
    ours = kept.summary([kept.ours(source)])
    assert fine["onset_ms_mean"] + fine["length_ms_mean"] < coarse["onset_ms_mean"] + coarse["length_ms_mean"]
    assert ours["lost"] == 0.0
    assert ours["onset_ms_p95"] <= 5.01


def test_what_our_language_cannot_say_is_spared_it(source: Source) -> None:
    language = Remi()
    kinds = {KINDS[k] for k in np.unique(language.kinds[language.encode(source)])}
    assert kinds == {"note", "volume", "length", "time", "tempo", "instrument", "meter"}
    drums = Source(
        source.row,
        Piece(tuple(n for n in source.piece.notes if n.instrument == "drums")),
        source.start_s,
        source.beats,
        source.score,
    )
    assert KINDS.index("length") not in language.kinds[language.encode(drums)]
    assert not BY_NAME["drums"].sustains


def test_all_pitches_but_drums_are_moved(source: Source) -> None:
    language = Remi()
    tokens = language.encode(source)
    moved = to_piece(language.decode(language.transpose(tokens, 3).tolist()))
    plain = to_piece(language.decode(tokens.tolist()))
    for note, other in zip(plain.notes, moved.notes, strict=True):
        assert other.pitch == note.pitch + (0 if note.instrument == "drums" else 3)
    assert (language.transpose(tokens, 100) == tokens).all()


def test_music_whose_file_has_gone_is_a_line(corpus: Corpus) -> None:
    with pytest.raises(MidiError, match=r"gone\.mid"):
        read(replace(corpus.rows[0], path=str(Path("nowhere") / "gone.mid")))
