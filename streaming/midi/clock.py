"""MIDI clock: 24 pulses a quarter note by the tempo of the piece on air, and start, stop and continue.

Source: MIDI 1.0 Detailed Specification 4.2, System Real Time and Song Position Pointer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from model.notes import DEFAULT_TEMPO_BPM, TempoMark
from streaming.timeline import TempoMap, to_samples, to_seconds

PULSES = 24
PULSE, START, CONTINUE, STOP = b"\xf8", b"\xfa", b"\xfb", b"\xfc"
_POSITION = 0xF2
# A song position counts sixteenths, in 14 bits.
_SIXTEENTH = 6
_LAST_POSITION = 2**14 - 1
# A device needs a moment between start and the first pulse.
START_AHEAD = to_samples(0.002)
# Later by more than a quarter note, the pulses are left out and their number is told instead.
_LOST = PULSES
_PIECES_KEPT = 64
_BPM = (5.0, 1000.0)


class MidiClock:
    """The pulses of the piece that is on air."""

    def __init__(self) -> None:
        self._tempi: OrderedDict[int, TempoMap] = OrderedDict()
        self._number: int | None = None
        self._begin = 0
        # The next pulse, from the first of the piece; None until something says where we are.
        self._pulse: int | None = None
        self._going = False

    @property
    def going(self) -> bool:
        """Whether the devices were told to go and not yet to stop."""
        return self._going

    def tell(self, number: int, tempi: Sequence[tuple[float, float]]) -> None:
        """Take the tempo marks of a piece, also anew while it is on air.

        Args:
            number: of the piece.
            tempi: (seconds, quarter notes a minute), sorted by time, the first at 0.
        """
        marks = [TempoMark(max(0.0, time_s), bpm) for time_s, bpm in tempi if _BPM[0] <= bpm <= _BPM[1]]
        if not marks or marks[0].time_s > 0.0:
            marks.insert(0, TempoMark(0.0, marks[0].bpm if marks else DEFAULT_TEMPO_BPM))
        self._tempi[number] = TempoMap(marks)
        self._tempi.move_to_end(number)
        while len(self._tempi) > _PIECES_KEPT:
            self._tempi.popitem(last=False)

    def begin(self, number: int, sample: int) -> None:
        """Let a piece be on air from a sample on."""
        self._number, self._begin, self._pulse = number, sample, 0

    def end(self, number: int) -> list[bytes]:
        """Let a piece be over; return what is to be sent now."""
        return self.halt() if number == self._number else []

    def halt(self) -> list[bytes]:
        """Let nothing be on air; return what is to be sent now."""
        self._number = None
        return self._stop()

    def relocate(self, position: int) -> None:
        """Go on from a sample with its song position, as for a device that has heard nothing so far."""
        self._going = False
        if self._number is not None and position > self._begin:
            self._pulse = None

    def next_sample(self, position: int) -> int | None:
        """Return when the next message is to be sent; None: not as things are."""
        self._find(position)
        due = self._due()
        return due - START_AHEAD if due is not None and not self._going else due

    def due(self, position: int) -> list[bytes]:
        """Return what is to be sent up to a sample."""
        messages: list[bytes] = []
        while (due := self.next_sample(position)) is not None and due <= position:
            assert self._pulse is not None
            if self._pulse_at(position) - self._pulse > _LOST:
                messages += self._stop()
                self._pulse = None
            elif not self._going:
                self._going = True
                messages += _go(self._pulse)
            else:
                messages.append(PULSE)
                self._pulse += 1
        return messages

    # --- where we are ----------------------------------------------------------------

    def _find(self, position: int) -> None:
        """Set the next pulse where it is not known: the next sixteenth, which has a song position."""
        if self._pulse is None and self._number in self._tempi:
            self._pulse = -(-self._pulse_at(position + START_AHEAD) // _SIXTEENTH) * _SIXTEENTH

    def _due(self) -> int | None:
        tempo = self._tempi.get(self._number) if self._number is not None else None
        if tempo is None or self._pulse is None:
            return None
        return self._begin + to_samples(tempo.to_seconds(self._pulse / PULSES))

    def _pulse_at(self, sample: int) -> int:
        """Return the first pulse that comes after a sample."""
        tempo = self._tempi[self._number or 0]
        return int(tempo.to_beats(max(0.0, to_seconds(sample - self._begin))) * PULSES) + 1

    def _stop(self) -> list[bytes]:
        going, self._going = self._going, False
        return [STOP] if going else []


def _go(pulse: int) -> list[bytes]:
    if pulse == 0:
        return [START]
    position = min(_LAST_POSITION, pulse // _SIXTEENTH)
    return [bytes((_POSITION, position & 0x7F, position >> 7)), CONTINUE]
