"""The show's notes as MIDI messages, each with the sample at which it is to be sent.

Records of the tape go in, messages come out in the order of time. What is kept
with every key that is down makes sure that it is let go: at its end, when its
piece is cut or faded, when the player is gone, and when a port comes back.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from model.instruments import BY_NAME, INSTRUMENTS
from streaming.midi.clock import START_AHEAD, MidiClock
from streaming.midi.standing import Standing
from streaming.notetape import Kind, Record
from streaming.timeline import to_samples

# A tenth of a second is made ahead; what is sent earlier than that could not be known in time.
EARLIEST_MS, LATEST_MS = 80.0, -5000.0
DRUM_CHANNEL = 10
# Each instrument on a channel of its own, the drums where General MIDI has them.
_SUSTAINED = (i.name for i in INSTRUMENTS if i.sustains)
CHANNELS: Mapping[str, int] = {
    **{name: n if n < DRUM_CHANNEL else n + 1 for n, name in enumerate(_SUSTAINED, start=1)},
    **{i.name: DRUM_CHANNEL for i in INSTRUMENTS if not i.sustains},
}

# A drum machine may overlook a shorter one.
_SHORTEST = to_samples(0.01)
# A note that comes later than this is left out: late by more, it is a mistake and no note.
_LATE = to_samples(0.1)
# A held note is worth striking in its middle while so much of it is to come.
_WORTH = to_samples(0.25)
# Program changes are slow to carry out, and on a cable slow to come.
_PROGRAMS_AHEAD = to_samples(0.05)
_OFF, _ON, _CONTROL, _PROGRAM = 0x80, 0x90, 0xB0, 0xC0
_SOUND_OFF, _NOTES_OFF, _PEDAL = 120, 123, 64


@dataclass(frozen=True, slots=True)
class MidiRoute:
    """Where notes go.

    Attributes:
        port: name of a port, or a part of it.
        channels: channel (1-16) of each instrument that is sent.
        clock: whether MIDI clock, start and stop are sent.
        latency_ms: how much earlier than it is on air everything is sent; negative: later.
        programs: whether program changes (General MIDI) are sent at the start of every piece.
    """

    port: str
    channels: Mapping[str, int]
    clock: bool = False
    latency_ms: float = 0.0
    programs: bool = False


class _Turn(IntEnum):
    """What comes first of what is due at the same sample."""

    CLEAR = 0
    PIECE = 1
    PROGRAMS = 2
    OFF = 3
    TURN = 4
    ON = 5


@dataclass(slots=True, eq=False)
class _Key:
    """A key of a channel that is, or will be, down."""

    channel: int
    pitch: int
    velocity: int
    instrument: str
    deck: int
    sample: int
    end: int

    @property
    def place(self) -> tuple[int, int]:
        return self.channel, self.pitch

    @property
    def name(self) -> tuple[int, str, int, int]:
        return self.deck, self.instrument, self.pitch, self.sample

    @property
    def sustains(self) -> bool:
        return BY_NAME[self.instrument].sustains

    @property
    def on(self) -> bytes:
        return bytes((_ON | self.channel, self.pitch, self.velocity))

    @property
    def off(self) -> bytes:
        return bytes((_OFF | self.channel, self.pitch, 64))


class MidiOut:
    """Turns records of the tape into messages.

    Args:
        route: where they go; `port` and `latency_ms` are the sender's business.

    Attributes:
        missed: notes left out, since they came too late.
    """

    def __init__(self, route: MidiRoute) -> None:
        self.missed = 0
        self.clock = MidiClock()
        self._route = route
        self._channels = {name: channel - 1 for name, channel in route.channels.items()}
        # Channels in use, and what General MIDI plays there.
        self._programs = {channel: BY_NAME[name].program for name, channel in self._channels.items()}
        self._due: list[tuple[int, _Turn, int, _Key | Record]] = []
        self._serial = 0
        self._down: dict[tuple[int, int], _Key] = {}
        # By deck, instrument, pitch and first sample: for a note whose end changes.
        self._known: dict[tuple[int, str, int, int], _Key] = {}
        self._at_once: list[bytes] = []
        self._standing = Standing()

    @property
    def keys(self) -> int:
        """Keys that are down."""
        return len(self._down)

    def take(self, records: Iterable[Record]) -> None:
        """Take what the tape tells."""
        for record in records:
            match record.kind:
                case Kind.NOTE:
                    self._strike(record)
                case Kind.END:
                    self._shorten(record)
                case Kind.CLEARED:
                    self._push(record.sample, _Turn.CLEAR, record)
                case Kind.BEGUN if record.number:
                    self._push(record.sample - START_AHEAD, _Turn.PIECE, record)
                    self._push(record.sample - _PROGRAMS_AHEAD, _Turn.PROGRAMS, record)
                case Kind.TURNED if record.instrument in self._channels:
                    self._push(record.sample, _Turn.TURN, record)
                case Kind.OVER:
                    self._push(record.sample, _Turn.PIECE, record)
                case Kind.RESET:
                    self._at_once += self.silence()

    def next_sample(self, position: int) -> int | None:
        """Return when the next message is to be sent; None: nothing is known to come."""
        if self._at_once:
            return position
        pulse = self.clock.next_sample(position) if self._route.clock else None
        times = [at for at in (pulse, self._due[0][0] if self._due else None) if at is not None]
        return min(times, default=None)

    def due(self, position: int) -> list[bytes]:
        """Return the messages to be sent up to a sample, in order."""
        messages, self._at_once = self._at_once, []
        # The pulses first: of all messages they can wait the least.
        if self._route.clock:
            messages += self.clock.due(position)
        while self._due and self._due[0][0] <= position:
            at, turn, _, what = heapq.heappop(self._due)
            if isinstance(what, Record):
                messages += self._happen(turn, what)
            elif turn is _Turn.OFF:
                messages += self._let_go(what, at)
            else:
                messages += self._press(what, position)
        # A piece that has begun just now has its start.
        if self._route.clock:
            messages += self.clock.due(position)
        return messages

    def silence(self) -> list[bytes]:
        """Forget what is to come and return what lets go of everything."""
        messages = [key.off for key in self._down.values()]
        messages += self.clock.halt()
        for channel in self._programs:
            messages += [bytes((_CONTROL | channel, control, 0)) for control in (_PEDAL, _NOTES_OFF)]
        messages += self._standing.release()
        self._due.clear()
        self._down.clear()
        self._known.clear()
        return messages

    def resume(self, position: int) -> list[bytes]:
        """Return what brings a port that was away to where we are: silence, programs, the keys that are down."""
        messages = []
        for channel in self._programs:
            controls = (_SOUND_OFF, _PEDAL, _NOTES_OFF)
            messages += [bytes((_CONTROL | channel, control, 0)) for control in controls]
        messages += self._program_changes() + self._standing.again()
        worth = [key for key in self._down.values() if key.sustains and key.end - position >= _WORTH]
        messages += [key.on for key in worth]
        self.clock.relocate(position)
        return messages

    # --- notes -----------------------------------------------------------------------

    def _push(self, at: int, turn: _Turn, what: _Key | Record) -> None:
        self._serial += 1
        heapq.heappush(self._due, (at, turn, self._serial, what))

    def _strike(self, record: Record) -> None:
        channel = self._channels.get(record.instrument)
        if channel is None:
            return
        end = max(record.end_sample, record.sample + _SHORTEST)
        key = _Key(channel, record.pitch, record.velocity, record.instrument, record.deck, record.sample, end)
        self._known[key.name] = key
        self._push(record.sample, _Turn.ON, key)
        # Known until then, whether or not it was pressed.
        self._push(end, _Turn.OFF, key)

    def _shorten(self, record: Record) -> None:
        key = self._known.get((record.deck, record.instrument, record.pitch, record.sample))
        if key is not None and record.end_sample < key.end:
            key.end = max(record.end_sample, key.sample + _SHORTEST)
            self._push(key.end, _Turn.OFF, key)

    def _press(self, key: _Key, position: int) -> list[bytes]:
        if key.end <= key.sample:
            return []
        late = position - key.sample > _LATE
        if late and not (key.sustains and key.end - position >= _WORTH):
            self.missed += 1
            return []
        other = self._down.get(key.place)
        self._down[key.place] = key
        return [key.on] if other is None else [other.off, key.on]

    def _let_go(self, key: _Key, at: int) -> list[bytes]:
        if at < key.end:
            return []
        if self._known.get(key.name) is key:
            del self._known[key.name]
        # Another note may have taken the key since.
        if self._down.get(key.place) is not key:
            return []
        del self._down[key.place]
        return [key.off]

    def _clear(self, record: Record) -> list[bytes]:
        """Let go of a deck; what of it was to begin later is another piece's."""
        gone = [key for key in self._known.values() if key.deck == record.deck and key.sample < record.sample]
        messages = []
        for key in gone:
            # Should it still wait to be pressed, it never will be.
            key.end = min(key.end, key.sample)
            messages += self._let_go(key, record.sample)
        return messages

    # --- pieces ----------------------------------------------------------------------

    def _happen(self, turn: _Turn, record: Record) -> list[bytes]:
        if turn is _Turn.CLEAR:
            return self._clear(record)
        if turn is _Turn.PROGRAMS:
            return self._program_changes()
        if turn is _Turn.TURN:
            return self._standing.turn(self._channels[record.instrument], record.control, record.value)
        if record.kind is Kind.OVER:
            return self.clock.end(record.number)
        stopped = self.clock.halt()
        self.clock.begin(record.number, record.sample)
        return stopped

    def _program_changes(self) -> list[bytes]:
        if not self._route.programs:
            return []
        drums = DRUM_CHANNEL - 1
        return [bytes((_PROGRAM | channel, program)) for channel, program in self._programs.items() if channel != drums]
