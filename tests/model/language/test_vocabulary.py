"""The vocabulary: one token a word, and what each word means."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from model.errors import TokenError
from model.instruments import BY_NAME, GROUPS, INSTRUMENTS
from model.language.vocabulary import STYLES, TEMPI_BPM, VOCABULARY, Vocabulary, pitch_name, style_token

# A shipped checkpoint carries this hash: a table that changes needs new checkpoints.
HASH = "fea05aec5976b01359f22c9efa7706ba611dba0d62212fde18750c9344494aa6"


def test_no_two_tokens_have_one_text() -> None:
    assert len(set(VOCABULARY.texts)) == len(VOCABULARY.texts) == len(VOCABULARY)


def test_every_text_leads_to_its_id_and_back() -> None:
    assert [VOCABULARY.id(text) for text in VOCABULARY.texts] == list(range(len(VOCABULARY)))


def test_no_text_holds_a_space_since_spaces_part_words() -> None:
    assert all(text and not any(c.isspace() for c in text) for text in VOCABULARY.texts)


def test_the_table_is_the_one_that_checkpoints_were_trained_with() -> None:
    assert VOCABULARY.hash == HASH
    assert Vocabulary().hash == HASH


def test_the_hash_is_the_same_in_another_process_and_needs_no_torch() -> None:
    program = "import sys; from model.language.vocabulary import VOCABULARY as v; print(v.hash, 'torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.split() == [HASH, "False"]


def test_ids_fit_the_16_bits_they_are_stored_in() -> None:
    assert len(VOCABULARY) < 2**16


@pytest.mark.parametrize("word", ["piano:v72:G1", "piano:v0:B5", "violin:v80:G4", "wait:12", "tempo90", "bach"])
def test_words_of_musenets_published_sample_are_tokens(word: str) -> None:
    assert VOCABULARY.texts[VOCABULARY.id(word)] == word


@pytest.mark.parametrize("instrument", [i.name for i in INSTRUMENTS if i.name != "piano"])
def test_instruments_but_the_piano_have_musenets_v80(instrument: str) -> None:
    assert 80 in BY_NAME[instrument].levels


def test_the_piano_has_all_of_musenets_volumes() -> None:
    assert set(range(24, 121, 8)) <= set(BY_NAME["piano"].levels)


def test_every_note_in_every_range_has_a_token_for_every_level_and_an_end() -> None:
    for instrument in INSTRUMENTS:
        for pitch in range(instrument.low, instrument.high + 1):
            for velocity in instrument.levels:
                assert f"{instrument.name}:v{velocity}:{pitch_name(pitch)}" in VOCABULARY.ids
            assert (f"{instrument.name}:v0:{pitch_name(pitch)}" in VOCABULARY.ids) is instrument.sustains


def test_drums_have_no_note_off() -> None:
    assert not [text for text in VOCABULARY.texts if text.startswith("drums:v0:")]


def test_waits_last_1_to_128_ticks_of_10_ms() -> None:
    waits = VOCABULARY.wait_ticks
    assert sorted(waits[waits > 0]) == list(range(1, 129))
    for n in (1, 17, 128):
        assert waits[VOCABULARY.id(f"wait:{n}")] == n


def test_arrays_say_what_the_texts_say() -> None:
    for token, note in enumerate(VOCABULARY.notes):
        row = VOCABULARY.instrument_of[token]
        if note is None:
            assert row == VOCABULARY.pitch_of[token] == VOCABULARY.velocity_of[token] == -1
            continue
        assert INSTRUMENTS[row].name == note.instrument
        assert VOCABULARY.texts[token] == f"{note.instrument}:v{note.velocity}:{pitch_name(note.pitch)}"
        assert VOCABULARY.note_id[row, VOCABULARY.level_of(note), note.pitch] == token
    assert np.count_nonzero(VOCABULARY.note_id >= 0) == sum(note is not None for note in VOCABULARY.notes)


def test_middle_c_is_c4() -> None:
    assert (pitch_name(60), pitch_name(69), pitch_name(21)) == ("C4", "A4", "A0")


def test_a_style_that_shares_a_groups_name_is_told_apart() -> None:
    shared = [style for style in STYLES if style in GROUPS]
    assert shared
    for style in STYLES:
        assert style_token(style) == (f"style:{style}" if style in shared else style)
        assert style_token(style) in VOCABULARY.ids


@pytest.mark.parametrize(("bpm", "said"), [(120.0, 120), (120.9, 120), (121.2, 122), (3.0, 20), (999.0, 250)])
def test_a_tempo_is_said_as_the_nearest_in_the_table(bpm: float, said: int) -> None:
    assert VOCABULARY.tempo_of(VOCABULARY.tempo_id(bpm)) == said


def test_only_tempo_tokens_say_a_tempo() -> None:
    tempi = [t for t in map(VOCABULARY.tempo_of, range(len(VOCABULARY))) if t is not None]
    assert tempi == list(TEMPI_BPM)


def test_an_unknown_word_is_refused_by_name() -> None:
    with pytest.raises(TokenError, match="unknown token 'kazoo:v80:C4'"):
        VOCABULARY.id("kazoo:v80:C4")
