"""The gate: every kind of planted fault is caught, good music passes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from model.gate.faults import FEWEST_NOTES
from model.gate.gate import KINDS, LONGEST_RUN, Gate, Refusal, copying
from model.gate.index import Copied
from model.gate.shingles import LINES
from model.notes import Note, Piece
from tests.model.gate.planting import FAULTS, Planted, hang, loop, pause, shorten
from tests.model.making import tune

GATE = Gate()
LENGTH_S = 90.0
ENSEMBLES = (("piano", "violin"), ("guitar", "flute"), ("organ", "trumpet"))


def kinds(refusals: tuple[Refusal, ...]) -> list[str]:
    return [refusal.kind for refusal in refusals]


@pytest.mark.parametrize("instruments", ENSEMBLES)
@pytest.mark.parametrize("seconds", [30.0, 90.0, 240.0])
def test_good_music_passes(seconds: float, instruments: tuple[str, ...]) -> None:
    for seed in range(3):
        assert GATE.refusals(tune(seconds, seed, instruments), length_s=seconds) == ()


@pytest.mark.parametrize("instruments", ENSEMBLES)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f.kind}: {f.strength}")
def test_a_planted_fault_is_refused_by_its_kind(fault: Planted, instruments: tuple[str, ...]) -> None:
    piece = fault.plant(tune(LENGTH_S, 1, instruments))
    found = GATE.refusals(piece, length_s=LENGTH_S)
    assert fault.kind in kinds(found), found
    assert all(refusal.reason for refusal in found)


def test_all_kinds_but_copying_are_planted() -> None:
    assert {fault.kind for fault in FAULTS} == set(KINDS) - {"copying"}


@pytest.mark.parametrize(
    ("piece", "why"),
    [
        (pause(tune(60.0), 12.0), "silence: is silent for 12 s from 0:30 on"),
        (loop(tune(60.0), 2.0, 10), "loop: repeats 2.0 s of music 10 times from 0:20 on"),
        (hang(tune(60.0), 30.0), "hanging notes: a note hangs for 30 s from 0:12 on"),
        (Piece(()), "silence: there is not one note in it"),
    ],
)
def test_a_reason_says_what_and_where(piece: Piece, why: str) -> None:
    assert str(GATE.refusals(piece)[0]) == why


def test_what_is_as_long_as_was_asked_for_is_not_too_short() -> None:
    piece = tune(60.0)
    assert kinds(GATE.refusals(shorten(piece, 0.99), length_s=60.0)) == []
    assert kinds(GATE.refusals(shorten(piece, 0.96), length_s=60.0)) == ["too short"]
    assert kinds(GATE.refusals(shorten(piece, 0.5))) == [], "no length was asked for"


def test_hardly_any_notes_are_too_short_whatever_was_asked_for() -> None:
    few = replace(tune(20.0), notes=tune(20.0).notes[: FEWEST_NOTES - 1])
    assert "too short" in kinds(GATE.refusals(few))


def test_a_theme_that_returns_is_no_loop() -> None:
    theme, other = tune(10.0, 1).notes, tune(10.0, 2).notes
    parts = [theme, theme, other, theme, other, theme]
    notes = [replace(n, onset_s=n.onset_s + 10.0 * k) for k, part in enumerate(parts) for n in part]
    assert GATE.refusals(Piece(tuple(sorted(notes)))) == ()


def test_a_beat_under_music_that_moves_is_no_loop() -> None:
    beat = [Note(n * 0.5, (36, 38)[n % 2], "drums", 0.1, 80) for n in range(180)]
    moving = tune(LENGTH_S)
    assert GATE.refusals(replace(moving, notes=tuple(sorted([*moving.notes, *beat])))) == ()
    assert kinds(GATE.refusals(Piece(tuple(beat)))) == ["loop"], "a machine alone is one"


def run(notes: int, line: str = LINES[1], share: float = 0.1, source: str = "folk/reel") -> Copied:
    return Copied(notes, share, line, source, 31.0, 40.0)


@pytest.mark.parametrize("line", LINES)
def test_a_run_that_real_pieces_share_passes_and_a_longer_one_does_not(line: str) -> None:
    assert copying([run(LONGEST_RUN[line], line)]) is None
    assert copying([run(60, line)]) == f"copies 60 notes in a row of folk/reel from 0:31 on ({line})"
    assert copying([run(60, line, source="")]) == f"copies 60 notes in a row from 0:31 on ({line})"


def test_a_copy_with_slips_is_told_by_how_much_is_known() -> None:
    assert copying([run(25, share=0.8)]) == "80% of its all onsets are figures of training pieces, most of folk/reel"
    assert copying([run(13, share=1.0)]) is None, "a short piece of one common figure"


def test_the_gate_needs_no_torch() -> None:
    code = "import sys, model.gate.gate; assert 'numpy' in sys.modules; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
