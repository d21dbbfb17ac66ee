"""What the playout does to the notes of its pieces is on the tape, sample for sample, and so at a MIDI port."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from model.notes import Note
from streaming.midi.out import CHANNELS, MidiOut, MidiRoute
from streaming.mixing.mixer import LATENCY_SAMPLES
from streaming.notetape import Kind, NoteTape, Record
from streaming.playing.deck import Begun, Over
from streaming.playing.playout import Playout
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE

SECOND = SAMPLE_RATE
BASE = 1_000_000


@pytest.fixture
def tape(tmp_path: Path) -> Iterator[NoteTape]:
    made = NoteTape.join(tmp_path / "notes")
    made.reset(BASE + LATENCY_SAMPLES)
    yield made
    made.close()


def run(playout: Playout, seconds: float) -> None:
    for _ in range(round(seconds * SECOND / BLOCK_SAMPLES)):
        playout.step()


def sent(tape: NoteTape) -> list[tuple[int, str, int]]:
    """(sample of the programme, on or off, pitch) of what a port is sent, by a sender that is always in time."""
    out = MidiOut(MidiRoute("any", CHANNELS))
    out.take(tape.read(1))
    found: list[tuple[int, str, int]] = []
    position = 0
    while (following := out.next_sample(position)) is not None:
        position = max(position, following)
        kinds = {0x90: "on", 0x80: "off"}
        found += [(position - BASE, kinds[m[0] & 0xF0], m[1]) for m in out.due(position)]
    return found


def of(kind: Kind, tape: NoteTape) -> list[Record]:
    return [record for record in tape.read(1) if record.kind is kind]


def test_notes_are_told_where_they_are_heard_and_pieces_where_they_begin_and_end(tape: NoteTape) -> None:
    playout = Playout(bed=False)
    playout.tape = tape
    notes = [Note(0.1, 60, "organ", 0.3, 80), Note(0.25, 64, "organ", 0.3, 90)]
    playout.load(1, notes, 0.6)
    playout.go(1)
    run(playout, 3.0)
    begun, over = playout.take_news()
    assert isinstance(begun, Begun)
    assert isinstance(over, Over)
    assert of(Kind.BEGUN, tape) == [Record(Kind.BEGUN, BASE + begun.sample, number=1)]
    assert of(Kind.OVER, tape) == [Record(Kind.OVER, BASE + over.sample, number=1)]
    start = begun.sample
    assert sent(tape) == [
        (start + 4800, "on", 60), (start + 12_000, "on", 64), (start + 19_200, "off", 60), (start + 26_400, "off", 64),
    ]  # fmt: skip


def test_notes_that_are_replaced_are_not_told_and_what_is_held_across_is_let_go_there(tape: NoteTape) -> None:
    playout = Playout(bed=False)
    playout.tape = tape
    playout.load(1, [Note(0.0, 48, "organ", 2.0, 80), *(Note(n * 0.5, 60, "piano", 0.2, 80) for n in range(4))], 2.0)
    playout.go(1)
    run(playout, 0.3)
    playout.revise(1, 1.0, [Note(1.25, 72, "piano", 0.2, 80)], 1.5)
    run(playout, 4.0)
    start = of(Kind.BEGUN, tape)[0].sample - BASE
    heard = [(at - start, what, pitch) for at, what, pitch in sent(tape)]
    assert (SECOND, "off", 48) in heard
    assert [(at, pitch) for at, what, pitch in heard if what == "on"] == [
        (0, 48), (0, 60), (SECOND // 2, 60), (SECOND * 5 // 4, 72),
    ]  # fmt: skip


def test_a_piece_that_is_faded_is_let_go_where_it_is_silent_and_softer_until_then(tape: NoteTape) -> None:
    playout = Playout(bed=False)
    playout.tape = tape
    playout.load(1, [Note(0.0, 48, "organ", 9.0, 80), *(Note(n * 0.1, 60, "piano", 0.05, 100) for n in range(90))], 9.0)
    playout.go(1)
    run(playout, 1.0)
    faded = playout.sample
    playout.fade(1.0)
    run(playout, 3.0)
    velocities = [r.velocity for r in of(Kind.NOTE, tape) if r.instrument == "piano" and r.sample > BASE + faded]
    assert velocities == sorted(velocities, reverse=True)
    assert velocities[0] > 80 > 20 > velocities[-1] >= 1
    (let_go,) = [at for at, what, pitch in sent(tape) if (what, pitch) == ("off", 48)]
    assert abs(let_go - (faded + SECOND + LATENCY_SAMPLES)) <= 2 * BLOCK_SAMPLES
    assert max(at for at, what, _ in sent(tape) if what == "on") < let_go


def test_a_piece_that_is_cut_by_the_next_ends_at_the_sample_where_that_begins(tape: NoteTape) -> None:
    playout = Playout(bed=False)
    playout.tape = tape
    playout.load(1, [Note(0.0, 48, "organ", 5.0, 80), Note(1.5, 50, "organ", 1.0, 80)], 5.0)
    playout.load(2, [Note(0.0, 52, "organ", 0.5, 80)], 0.5)
    playout.go(1)
    playout.follow([2], cuts=[1.0])
    run(playout, 4.0)
    first, second = (record.sample - BASE for record in of(Kind.BEGUN, tape))
    assert second - first == SECOND
    assert sent(tape) == [(first, "on", 48), (second, "off", 48), (second, "on", 52), (second + SECOND // 2, "off", 52)]


def test_the_bed_is_not_told(tape: NoteTape) -> None:
    playout = Playout()
    playout.tape = tape
    run(playout, 2.0)
    assert playout.orchestra.voices > 0, "it sounds"
    assert of(Kind.NOTE, tape) == []
