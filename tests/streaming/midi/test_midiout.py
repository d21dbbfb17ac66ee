"""What a MIDI port is sent: the notes that sound, when they sound, and never one that hangs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.instruments import BY_NAME, INSTRUMENTS
from model.notes import Note
from streaming.midi.clock import CONTINUE, PULSE, START, STOP, MidiClock
from streaming.midi.out import CHANNELS, DRUM_CHANNEL, MidiOut, MidiRoute
from streaming.midi.sender import POLL_S, Sender
from streaming.notetape import RECORDS, Kind, NoteTape, Record
from streaming.ring import Ring
from streaming.timeline import SAMPLE_RATE

SECOND = SAMPLE_RATE
EVERYTHING = MidiRoute("any", CHANNELS)


def note(at: int, length: int, pitch: int = 60, instrument: str = "piano", velocity: int = 80, deck: int = 1) -> Record:
    return Record(Kind.NOTE, at, at + length, 0, deck, instrument, pitch, velocity)


def end(of: Record, at: int) -> Record:
    return Record(Kind.END, of.sample, at, 0, of.deck, of.instrument, of.pitch, 0)


def is_on(message: bytes) -> bool:
    return message[0] & 0xF0 == 0x90


def is_off(message: bytes) -> bool:
    return message[0] & 0xF0 == 0x80


def keys_left(messages: list[bytes]) -> set[tuple[int, int]]:
    """The keys that a device which heard these messages still holds down."""
    down: set[tuple[int, int]] = set()
    for message in messages:
        key = (message[0] & 0x0F, message[1] if len(message) > 1 else 0)
        if is_on(message):
            assert key not in down, "struck twice without being let go"
            down.add(key)
        elif is_off(message):
            assert key in down, "let go without being struck"
            down.remove(key)
    return down


# --- which messages ------------------------------------------------------------------


def test_each_instrument_has_a_channel_of_its_own_and_the_drums_the_tenth() -> None:
    assert set(CHANNELS) == {i.name for i in INSTRUMENTS}
    assert len(set(CHANNELS.values())) == len(INSTRUMENTS)
    assert CHANNELS["piano"] == 1
    assert CHANNELS["drums"] == DRUM_CHANNEL
    assert set(CHANNELS.values()) <= set(range(1, 17))


def test_a_note_is_struck_at_its_sample_and_let_go_at_its_end_on_the_channel_of_its_instrument() -> None:
    out = MidiOut(MidiRoute("any", {"violin": 3}))
    out.take([note(1000, 4800, 67, "violin", 90), note(1000, 4800, 40, "bass")])
    assert out.next_sample(0) == 1000
    assert out.due(999) == []
    assert out.due(1000) == [bytes((0x92, 67, 90))]
    assert out.next_sample(1000) == 5800
    assert out.due(5799) == []
    assert out.due(5800) == [bytes((0x82, 67, 64))]
    assert out.next_sample(5800) is None, "an instrument that is not in the map is not sent"


def test_a_key_struck_again_is_let_go_first_and_only_the_new_note_ends_it() -> None:
    out = MidiOut(EVERYTHING)
    out.take([note(0, 10_000), note(4000, 10_000)])
    assert out.due(0) == [bytes((0x90, 60, 80))]
    assert out.due(4000) == [bytes((0x80, 60, 64)), bytes((0x90, 60, 80))]
    assert out.due(13_999) == []
    assert out.due(14_000) == [bytes((0x80, 60, 64))]


def test_at_one_sample_keys_are_let_go_before_others_are_struck() -> None:
    out = MidiOut(EVERYTHING)
    out.take([note(0, 4800, 60), note(4800, 4800, 62)])
    out.due(0)
    assert out.due(4800) == [bytes((0x80, 60, 64)), bytes((0x90, 62, 80))]


def test_a_drum_of_no_length_is_still_heard_by_a_slow_machine() -> None:
    out = MidiOut(EVERYTHING)
    out.take([note(0, 1, 38, "drums")])
    assert out.due(0) == [bytes((0x99, 38, 80))]
    assert out.due(400) == []
    assert out.due(480) == [bytes((0x89, 38, 64))]


def test_a_note_that_is_shortened_ends_there_whether_or_not_it_sounds_already() -> None:
    out = MidiOut(EVERYTHING)
    sounding, to_come = note(0, 96_000, 60), note(1000, 96_000, 64)
    out.take([sounding, to_come])
    out.due(0)
    out.take([end(sounding, 2000), end(to_come, 3000)])
    assert out.due(1000) == [bytes((0x90, 64, 80))]
    assert out.due(2000) == [bytes((0x80, 60, 64))]
    assert out.due(3000) == [bytes((0x80, 64, 64))]
    assert out.due(200_000) == []
    # A later end than the one it said is none.
    out.take([longer := note(200_000, 4800)])
    out.take([end(longer, 300_000)])
    assert out.due(200_000) == [bytes((0x90, 60, 80))]
    assert out.due(204_799) == []
    assert out.due(204_800) == [bytes((0x80, 60, 64))]


def test_when_a_deck_is_cleared_what_it_holds_is_let_go_and_what_it_had_to_come_is_not_sent() -> None:
    out = MidiOut(EVERYTHING)
    out.take([note(0, 96_000, 60), note(0, 96_000, 62, deck=2), note(4000, 4800, 64), note(5000, 4800, 65)])
    out.due(0)
    out.take([Record(Kind.CLEARED, 3000, deck=1)])
    assert out.due(3000) == [bytes((0x80, 60, 64))]
    assert [m[1] for m in out.due(5000)] == [64, 65], "what begins later on that deck is of the next piece"
    out.take([note(6000, 4800, 67), Record(Kind.CLEARED, 6500, deck=1)])
    assert out.due(7000) == [bytes((0x90, 67, 80)), *(bytes((0x80, pitch, 64)) for pitch in (64, 65, 67))]
    assert out.due(50_000) == []
    assert out.due(96_000) == [bytes((0x80, 62, 64))]


def test_a_new_player_and_silence_let_go_of_everything_at_once() -> None:
    out = MidiOut(EVERYTHING)
    out.take([note(0, 96_000, 60), note(0, 96_000, 40, "bass"), note(50_000, 100)])
    out.due(0)
    out.take([Record(Kind.RESET, 10_000)])
    assert out.next_sample(10_000) == 10_000
    messages = out.due(10_000)
    assert {bytes((0x80, 60, 64)), bytes((0x83, 40, 64))} <= set(messages)
    for channel in set(CHANNELS.values()):
        assert bytes((0xB0 | channel - 1, 123, 0)) in messages, "all notes off, on every channel in use"
    assert out.keys == 0
    assert out.due(200_000) == []


def test_a_note_that_is_far_too_late_is_left_out_but_for_a_long_one_that_still_sounds() -> None:
    out = MidiOut(EVERYTHING)
    out.take([note(0, 4 * SECOND, 60), note(0, 4 * SECOND, 36, "drums"), note(0, 12_000, 64)])
    assert out.due(9000) == [bytes((0x90, 60, 80))]
    assert out.missed == 2
    assert keys_left([bytes((0x90, 60, 80)), *out.due(4 * SECOND)]) == set()


def test_a_port_that_comes_back_is_silenced_told_the_programs_and_given_what_is_held() -> None:
    out = MidiOut(MidiRoute("any", {"organ": 1, "drums": 10, "harp": 4}, programs=True))
    out.take([note(0, 10 * SECOND, 48, "organ"), note(0, 10 * SECOND, 38, "drums"), note(0, 50_000, 50, "organ")])
    out.due(0)
    messages = out.resume(SECOND)
    first_on = next(n for n, m in enumerate(messages) if is_on(m))
    for channel in (0, 3, 9):
        assert messages.index(bytes((0xB0 | channel, 123, 0))) < first_on
    assert bytes((0xC0, BY_NAME["organ"].program)) in messages[:first_on]
    assert bytes((0xC3, BY_NAME["harp"].program)) in messages[:first_on]
    assert not any(m[0] == 0xC9 for m in messages), "the drums' channel has no program"
    # A drum is not struck again, nor a note that is about to end.
    assert [m for m in messages if is_on(m)] == [bytes((0x90, 48, 80))]
    assert bytes((0x80, 48, 64)) in out.due(10 * SECOND)


def test_programs_are_told_before_a_piece_begins_and_only_if_wanted() -> None:
    for wanted in (True, False):
        out = MidiOut(MidiRoute("any", {"cello": 2}, programs=wanted))
        out.take([note(SECOND, 100, 50, "cello"), Record(Kind.BEGUN, SECOND, number=1)])
        messages = out.due(SECOND - 2000)
        assert messages == ([bytes((0xC1, BY_NAME["cello"].program))] if wanted else [])


ANY_NOTE = st.tuples(
    st.integers(0, 20_000), st.integers(1, 30_000), st.integers(60, 63), st.sampled_from(["piano", "violin", "drums"]),
    st.integers(1, 2),
)  # fmt: skip


@given(st.lists(ANY_NOTE, max_size=40), st.lists(st.tuples(st.integers(0, 39), st.integers(0, 50_000)), max_size=8),
       st.lists(st.integers(1, 9000), min_size=1, max_size=30), st.booleans())  # fmt: skip
def test_whatever_is_played_shortened_and_cleared_no_key_hangs_and_none_is_struck_twice(
    rows: list[tuple[int, int, int, str, int]], ends: list[tuple[int, int]], strides: list[int], cleared: bool
) -> None:
    # Two instruments share a channel.
    out = MidiOut(MidiRoute("any", {"piano": 1, "violin": 1, "drums": 10}))
    notes = [note(at, length, pitch, instrument, deck=deck) for at, length, pitch, instrument, deck in rows]
    changes = sorted((at, index) for index, at in ends if index < len(notes))
    heard: list[bytes] = []
    position = 0
    waiting = sorted(notes, key=lambda n: n.sample)
    for stride in [*strides, 60_000]:
        position += stride
        while waiting and waiting[0].sample <= position + 4800:
            out.take([waiting.pop(0)])
        while changes and changes[0][0] <= position:
            at, index = changes.pop(0)
            out.take([end(notes[index], at)])
        if cleared and position > 15_000:
            out.take([Record(Kind.CLEARED, position, deck=1)])
        heard += out.due(position)
    heard += out.due(200_000)
    assert keys_left(heard) == set()
    assert out.keys == 0
    assert out.next_sample(200_000) is None


# --- the clock -----------------------------------------------------------------------


def run_clock(clock: MidiClock, start: int, until: int) -> list[tuple[int, bytes]]:
    """All messages with their samples, by a sender that comes in time."""
    sent: list[tuple[int, bytes]] = []
    position = start
    while (following := clock.next_sample(position)) is not None and following < until:
        position = max(position, following)
        sent += [(position, message) for message in clock.due(position)]
    return sent


def test_there_are_24_pulses_a_quarter_after_a_start() -> None:
    clock = MidiClock()
    clock.tell(1, [(0.0, 120.0)])
    clock.begin(1, 10_000)
    sent = run_clock(clock, 0, 10_000 + SECOND)
    assert sent[0] == (10_000 - 96, START)
    pulses = [at for at, message in sent[1:] if message == PULSE]
    assert len(pulses) == len(sent) - 1 == 48
    assert pulses == [10_000 + 1000 * n for n in range(48)]
    assert clock.end(7) == [], "another piece that ends does not stop this one"
    assert clock.end(1) == [STOP]
    assert clock.next_sample(60_000) is None


def test_pulses_follow_the_changes_of_tempo() -> None:
    clock = MidiClock()
    clock.tell(1, [(0.0, 60.0), (2.0, 240.0)])
    clock.begin(1, 0)
    pulses = [at for at, message in run_clock(clock, -1000, 3 * SECOND) if message == PULSE]
    assert pulses[: 2 * 24] == [2000 * n for n in range(48)]
    assert pulses[2 * 24 :] == [2 * SECOND + 500 * n for n in range(96)]


def test_a_tempo_that_is_told_while_the_piece_plays_holds_from_then_on_and_no_pulse_is_sent_twice() -> None:
    clock = MidiClock()
    clock.tell(1, [(0.0, 120.0)])
    clock.begin(1, 0)
    before = run_clock(clock, -1000, SECOND)
    clock.tell(1, [(0.0, 120.0), (2.0, 60.0)])
    after = run_clock(clock, SECOND, 4 * SECOND)
    pulses = [at for at, message in before + after if message == PULSE]
    assert pulses == [1000 * n for n in range(96)] + [2 * SECOND + 2000 * n for n in range(48)]


def test_a_device_that_comes_late_is_told_the_place_and_goes_on_with_a_sixteenth() -> None:
    clock = MidiClock()
    clock.tell(1, [(0.0, 120.0)])
    clock.begin(1, 0)
    run_clock(clock, -1000, 5 * SECOND)
    clock.relocate(5 * SECOND + 100)
    sent = run_clock(clock, 5 * SECOND + 100, 6 * SECOND)
    # 5 s at 120 are 10 quarters and 40 sixteenths; the next one is the 41st, at 5.125 s.
    assert [message for _, message in sent[:3]] == [bytes((0xF2, 41, 0)), CONTINUE, PULSE]
    assert sent[1][0] == 5 * SECOND + 6000 - 96
    assert sent[2][0] == 5 * SECOND + 6000


def test_pulses_that_were_missed_for_long_are_not_made_up_for() -> None:
    clock = MidiClock()
    clock.tell(1, [(0.0, 120.0)])
    clock.begin(1, 0)
    run_clock(clock, -1000, SECOND)
    sent = clock.due(10 * SECOND)
    assert sent == [STOP]
    assert run_clock(clock, 10 * SECOND, 11 * SECOND)[1][1] == CONTINUE
    # For a moment they are: every pulse counts.
    moment = clock.due(11 * SECOND + 5000)
    assert set(moment) == {PULSE}
    assert len(moment) >= 5


def test_a_piece_that_follows_at_once_is_a_stop_and_a_start() -> None:
    out = MidiOut(MidiRoute("any", CHANNELS, clock=True))
    for number in (1, 2):
        out.clock.tell(number, [(0.0, 120.0)])
    out.take([Record(Kind.BEGUN, 0, number=1)])
    assert out.due(0) == [START, PULSE]
    out.take([Record(Kind.BEGUN, 48_500, number=2), Record(Kind.OVER, 48_500, number=1)])
    messages = [m for at in range(1, 50_000, 50) for m in out.due(at)]
    assert messages == [PULSE] * 48 + [STOP, START, PULSE, PULSE]


@pytest.mark.parametrize("tempi", [[], [(0.0, 0.0)], [(3.0, 90.0)], [(0.0, float("nan"))], [(0.0, 1e9), (1.0, 100.0)]])
def test_absurd_tempi_are_no_reason_to_stop(tempi: list[tuple[float, float]]) -> None:
    clock = MidiClock()
    clock.tell(1, tempi)
    clock.begin(1, 0)
    assert 10 <= len(run_clock(clock, -1000, SECOND)) <= 100


# --- the tape ------------------------------------------------------------------------


def test_what_is_written_on_the_tape_is_read_by_another(tmp_path: Path) -> None:
    writer, reader = NoteTape.join(tmp_path / "notes"), NoteTape.join(tmp_path / "notes")
    writer.reset(1000)
    writer.begun(3, 0)
    writer.struck(5, 100, Note(0.0, 64, "harp", 1.0, 100), deck=2, fader=0.5)
    writer.shortened(2, {(5, 64, "harp"): 50, (1, 60, "harp"): 10}, now=40)
    writer.cleared(2, 60)
    writer.over(3, 70)
    assert reader.read(0) == [
        Record(Kind.RESET, 1000),
        Record(Kind.BEGUN, 1000, number=3),
        Record(Kind.NOTE, 1005, 1105, 0, 2, "harp", 64, 50),
        Record(Kind.END, 1005, 1050, 0, 2, "harp", 64),
        Record(Kind.CLEARED, 1060, deck=2),
        Record(Kind.OVER, 1070, number=3),
    ]
    assert reader.read(5) == reader.read(0)[5:]
    writer.close()
    reader.close()


def test_of_a_tape_that_ran_round_only_what_is_surely_there_is_read(tmp_path: Path) -> None:
    tape = NoteTape.join(tmp_path / "notes")
    for number in range(RECORDS + 10):
        tape.begun(number, number)
    records = tape.read(0)
    assert tape.count - len(records) == tape.oldest > 0
    assert [r.number for r in records] == list(range(tape.oldest, RECORDS + 10))
    tape.close()


# --- the sender ----------------------------------------------------------------------


class Wire:
    """An outlet that remembers what it was sent and when."""

    def __init__(self) -> None:
        self.fresh = True
        self.there = True
        self.now_ns = 0
        self.sent: list[tuple[int, bytes]] = []

    def take_fresh(self) -> bool:
        fresh, self.fresh = self.fresh, False
        return fresh

    def send(self, messages: list[bytes]) -> None:
        if self.there:
            self.sent += [(self.now_ns, message) for message in messages]

    @property
    def notes(self) -> list[tuple[int, bytes]]:
        return [(at, m) for at, m in self.sent if is_on(m) or is_off(m)]


class Studio:
    """A ring, a tape and a sender on a virtual clock; the programme is on air from 1 s on, 0.2 s after it was made."""

    def __init__(self, folder: Path, route: MidiRoute = EVERYTHING) -> None:
        self.ring, self.tape = Ring.create(folder / "ring"), NoteTape.join(folder / "notes")
        self.wire = Wire()
        self.ring.air_ns = SECOND_NS
        self.playing = True
        self.sender = Sender(self.ring, self.tape, self.wire, route, clock_ns=lambda: self.wire.now_ns)

    def run(self, until_s: float) -> None:
        while self.wire.now_ns < until_s * 1e9:
            on_air = (self.wire.now_ns - self.ring.air_ns) * SAMPLE_RATE // SECOND_NS
            if self.playing:
                self.ring.skip_to(on_air + SECOND // 5)
            wait_s = self.sender.step()
            self.wire.now_ns += max(10_000, round(wait_s * 1e9))

    def close(self) -> None:
        self.ring.close()
        self.tape.close()


SECOND_NS = 1_000_000_000
ORGAN = Note(0.0, 48, "organ", 1.0, 80)


@pytest.mark.parametrize(("latency_ms", "at_s"), [(0.0, 1.5), (40.0, 1.46), (-300.0, 1.8)])
def test_a_note_is_sent_when_its_sample_is_on_air_earlier_or_later_by_the_latency(
    tmp_path: Path, latency_ms: float, at_s: float
) -> None:
    studio = Studio(tmp_path, MidiRoute("any", CHANNELS, latency_ms=latency_ms))
    studio.tape.struck(SECOND // 2, SECOND // 4, ORGAN, deck=1)
    studio.run(3.0)
    (on, struck), (off, let_go) = studio.wire.notes
    assert is_on(struck)
    assert is_off(let_go)
    # Within one sample, and the 10 microseconds of the virtual sleep.
    assert on == pytest.approx(at_s * 1e9, abs=40_000)
    assert off - on == pytest.approx(0.25e9, abs=40_000)
    studio.close()


def test_a_programme_that_waits_is_waited_for(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    for at in (10_000, 20_000):
        studio.tape.struck(at, 4800, ORGAN, deck=1)
    studio.run(1.3)
    studio.ring.air_ns += 50_000_000
    studio.run(2.0)
    struck = [at for at, message in studio.wire.notes if is_on(message)]
    assert struck[1] - struck[0] == pytest.approx(10_000 / SAMPLE_RATE * 1e9 + 50_000_000, abs=60_000)
    studio.close()


def test_when_the_player_is_gone_every_key_is_let_go_and_the_next_one_is_played_along_with(tmp_path: Path) -> None:
    studio = Studio(tmp_path, MidiRoute("any", CHANNELS, clock=True))
    studio.sender.tell(1, [(0.0, 120.0)])
    studio.tape.begun(1, 0)
    studio.tape.struck(0, 60 * SECOND, ORGAN, deck=1)
    studio.run(2.0)
    assert keys_left([m for _, m in studio.wire.notes]) == {(CHANNELS["organ"] - 1, 48)}
    studio.playing = False
    studio.run(4.0)
    assert keys_left([m for _, m in studio.wire.notes]) == set()
    off = studio.wire.notes[-1][0]
    # The last sample it made was on air at 2.2 s.
    assert 2.2e9 < off < 2.35e9
    assert [m for _, m in studio.wire.sent if m in (START, STOP)] == [START, STOP]
    sent = len(studio.wire.sent)
    studio.run(6.0)
    assert len(studio.wire.sent) == sent, "said once"
    studio.playing = True
    studio.tape.reset(6 * SECOND)
    studio.tape.struck(0, SECOND, ORGAN, deck=1)
    studio.run(8.5)
    (struck, _), _ = studio.wire.notes[-2:]
    assert struck == pytest.approx(7e9, abs=60_000)
    assert keys_left([m for _, m in studio.wire.notes]) == set()
    studio.close()


def test_who_comes_late_strikes_what_is_held_and_nothing_that_is_past(tmp_path: Path) -> None:
    tape = NoteTape.join(tmp_path / "notes")
    tape.struck(0, 4 * SECOND, ORGAN, deck=1)
    tape.struck(0, 100, Note(0.0, 60, "piano", 0.1, 80), deck=1)
    studio = Studio(tmp_path)
    studio.wire.now_ns = 3 * SECOND_NS
    studio.run(6.0)
    channel = CHANNELS["organ"] - 1
    assert [m for _, m in studio.wire.notes] == [bytes((0x90 | channel, 48, 80)), bytes((0x80 | channel, 48, 64))]
    assert studio.wire.notes[1][0] == pytest.approx(5e9, abs=60_000)
    tape.close()
    studio.close()


def test_a_port_that_was_away_goes_on_with_what_sounds_then(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    studio.tape.struck(0, SECOND, ORGAN, deck=1)
    studio.tape.struck(2 * SECOND, 2 * SECOND, Note(0.0, 52, "organ", 2.0, 70), deck=1)
    studio.run(1.5)
    studio.wire.there = False
    studio.run(3.5)
    studio.wire.there = studio.wire.fresh = True
    count = len(studio.wire.notes)
    studio.run(6.0)
    channel = CHANNELS["organ"] - 1
    back = studio.wire.notes[count:]
    assert [m for _, m in back] == [bytes((0x90 | channel, 52, 70)), bytes((0x80 | channel, 52, 64))]
    assert bytes((0xB0 | channel, 123, 0)) in [m for at, m in studio.wire.sent if at < back[0][0] + 1]
    studio.close()


def test_however_it_ends_nothing_is_left_sounding(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    studio.tape.struck(0, 60 * SECOND, ORGAN, deck=1)
    studio.run(2.0)
    assert keys_left([m for _, m in studio.wire.notes])
    studio.sender.stop()
    studio.sender.run()
    assert keys_left([m for _, m in studio.wire.notes]) == set()
    studio.close()


def test_with_nothing_to_do_it_sleeps(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    studio.ring.skip_to(SECOND)
    studio.wire.now_ns = SECOND_NS
    assert studio.sender.step() == POLL_S
    studio.close()
