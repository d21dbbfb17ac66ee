"""What a file turns is turned at a MIDI port: at its time, no oftener than needed, and back when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.controls import BEND, KNOWN, MODULATION, PLACE, PLAIN, VOLUME, Controls, Curve, controls_of
from model.notes import Note
from streaming.midi.out import CHANNELS, MidiOut, MidiRoute
from streaming.midi.standing import NEUTRAL, REACH, Standing
from streaming.mixing.mixer import LATENCY_SAMPLES
from streaming.notetape import Kind, NoteTape, Record
from streaming.playing.hands import reach_of, standing
from streaming.playing.playout import Playout
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE

SECOND = SAMPLE_RATE
RANGE_12 = [bytes((0xB0, *step)) for step in ((101, 0), (100, 0), (6, 24), (38, 0), (101, 127), (100, 127))]


@pytest.fixture
def tape(tmp_path: Path) -> Iterator[NoteTape]:
    made = NoteTape.join(tmp_path / "notes")
    made.reset(LATENCY_SAMPLES)
    yield made
    made.close()


def played(tape: NoteTape, notes: list[Note], controls: tuple[Controls, ...], seconds: float = 4.0) -> Playout:
    playout = Playout(bed=False)
    playout.tape = tape
    playout.load(1, notes, seconds - 1.0, controls=controls)
    playout.go(1)
    for _ in range(round(seconds * SECOND / BLOCK_SAMPLES)):
        playout.step()
    return playout


def turned(tape: NoteTape) -> list[tuple[float, str, int, int]]:
    """(seconds since the piece began, instrument, controller, value)."""
    (begun,) = (record.sample for record in tape.read(0) if record.kind is Kind.BEGUN)
    return [
        (round((r.sample - begun) / SECOND, 3), r.instrument, r.control, r.value)
        for r in tape.read(0)
        if r.kind is Kind.TURNED
    ]


def sent(tape: NoteTape) -> list[tuple[int, bytes]]:
    out = MidiOut(MidiRoute("any", CHANNELS))
    out.take(tape.read(1))
    found: list[tuple[int, bytes]] = []
    position = 0
    while (following := out.next_sample(position)) is not None:
        position = max(position, following)
        found += [(position, message) for message in out.due(position)]
    return found


def test_each_controller_is_turned_when_the_file_turns_it() -> None:
    controls = Controls(
        gain_db=Curve((0.0, 1.0), (0.0, -12.04)), place=Curve((0.0,), (-1.0,)), vibrato=Curve((0.0,), (0.5,))
    )
    assert standing(controls, 0.0, 2) == {REACH: 2, VOLUME: 100, PLACE: 1, MODULATION: 64, BEND: 8192}
    assert standing(controls, 1.0, 2)[VOLUME] == 50
    assert standing(PLAIN, 0.0, 2) == NEUTRAL


@given(
    st.lists(st.tuples(st.integers(0, 4800), st.sampled_from(sorted(KNOWN)), st.integers(0, 16_383)), max_size=40),
    st.floats(0.0, 5.0),
)
def test_whatever_a_file_turns_a_port_is_sent_only_what_there_is(
    turns: list[tuple[int, int, int]], at_s: float
) -> None:
    turns = sorted((tick, number, value if number == BEND else value % 128) for tick, number, value in turns)
    controls = controls_of(turns, [tick / 960 for tick, _, _ in turns])
    device = Standing()
    for control, value in standing(controls, at_s, reach_of(controls)).items():
        for message in device.turn(15, control, value):
            assert all(0 <= data <= 127 for data in message[1:])


def test_volume_and_bends_reach_the_channel_of_the_instrument_before_its_note(tape: NoteTape) -> None:
    controls = Controls(gain_db=Curve((0.0, 1.0), (-12.04, 0.0)), bend_cents=Curve((0.0, 1.5), (0.0, 200.0)))
    played(tape, [Note(0.5, 69, "trumpet", 2.0, 90, 1)], (controls,))
    assert turned(tape) == [
        (0.5, "trumpet", VOLUME, 50), (1.0, "trumpet", VOLUME, 100), (1.5, "trumpet", BEND, 16_383)
    ]  # fmt: skip
    channel = CHANNELS["trumpet"] - 1
    messages = [message for _, message in sent(tape)]
    assert messages == [
        bytes((0xB0 | channel, VOLUME, 50)), bytes((0x90 | channel, 69, 90)), bytes((0xB0 | channel, VOLUME, 100)),
        bytes((0xE0 | channel, 127, 127)), bytes((0x80 | channel, 69, 64)),
    ]  # fmt: skip


def test_a_bend_further_than_a_device_reaches_tells_it_to_reach_further() -> None:
    device = Standing()
    wide = Controls(bend_cents=Curve((0.0,), (1200.0,)))
    assert reach_of(PLAIN) == 2
    assert (reach_of(wide), standing(wide, 0.0, 24)[BEND]) == (24, 8192 + 4096)
    assert device.turn(0, REACH, 24) == RANGE_12
    assert device.turn(0, REACH, 24) == []


def test_the_part_that_struck_last_has_the_hand_on_the_controllers(tape: NoteTape) -> None:
    soft, loud = Controls(gain_db=Curve((0.0, 1.9), (-12.04, 0.0))), Controls(gain_db=Curve((0.0,), (4.15,)))
    notes = [
        Note(0.0, 60, "piano", 0.4, 80, 1), Note(0.5, 64, "piano", 0.4, 80, 2), Note(1.0, 67, "piano", 0.4, 80, 1),
        Note(1.5, 72, "piano", 0.4, 80, 0),
    ]  # fmt: skip
    played(tape, notes, (soft, loud))
    # At 1.9 s nobody plays what the first part turns.
    assert turned(tape) == [
        (0.0, "piano", VOLUME, 50), (0.5, "piano", VOLUME, 127), (1.0, "piano", VOLUME, 50),
        (1.5, "piano", VOLUME, 100),
    ]  # fmt: skip


def test_what_is_turned_all_the_time_is_told_once_a_block_at_most(tape: NoteTape) -> None:
    steps = 3000
    bends = Curve(tuple(n / 1000 for n in range(steps)), tuple(200.0 * (n % 200) / 200 for n in range(steps)))
    played(tape, [Note(0.0, 60, "organ", 3.0, 80, 1)], (Controls(bend_cents=bends),))
    told = turned(tape)
    assert 400 < len(told) <= 3.0 * SECOND / BLOCK_SAMPLES + 1
    assert {control for _, _, control, _ in told} == {BEND}


def test_a_piece_that_is_over_turns_nothing_any_more(tape: NoteTape) -> None:
    controls = Controls(gain_db=Curve((0.0, 2.9), (0.0, -12.04)))
    playout = played(tape, [Note(0.0, 60, "organ", 0.5, 80, 1)], (controls,), seconds=2.0)
    for _ in range(600):
        playout.step()
    assert turned(tape) == []


def test_a_port_that_comes_back_stands_where_the_piece_does_and_is_left_as_it_was() -> None:
    out = MidiOut(MidiRoute("any", {"flute": 1}))
    out.take([Record(Kind.TURNED, 100, instrument="flute", control=VOLUME, value=70)])
    out.take([Record(Kind.TURNED, 200, instrument="flute", control=BEND, value=9000)])
    out.take([Record(Kind.TURNED, 200, instrument="cello", control=VOLUME, value=1)])
    assert out.due(300) == [bytes((0xB0, VOLUME, 70)), bytes((0xE0, 9000 & 127, 9000 >> 7))]
    resumed = out.resume(300)
    assert bytes((0xB0, VOLUME, 70)) in resumed
    assert bytes((0xE0, 9000 & 127, 9000 >> 7)) in resumed
    out.take([Record(Kind.RESET, 400)])
    ended = out.due(400)
    assert bytes((0xB0, VOLUME, 100)) in ended
    assert bytes((0xE0, 0, 64)) in ended
    assert not [m for m in out.resume(500) if m[:2] == bytes((0xB0, VOLUME))]
