"""The bytes of a Standard MIDI File, mended so that no note is lost in parsing.

Files in the wild lack note-offs, lie about the length of a track, set a program
in another track than the notes, end in the middle of an event, count time in
film frames. Parsers refuse these, or lose notes without a word. Here a file is
walked event by event and written anew: what a piece needs is kept (notes,
programs, the sustain pedal, tempi, time signatures, markers), the rest is left
behind. Who wants them gets the other controllers beside it (`mend_apart`).

Source: Standard MIDI Files 1.0 (RP-001), MIDI Manufacturers Association, 1996.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from model.controls import BEND, KNOWN, OF_BEND, RESET, TOLD_AGAIN, Turn
from model.errors import MidiError

MAX_NOTES = 500_000
MAX_TICKS = 2**31 - 1
MAX_DELTA = 2**28 - 1
DRUM_CHANNEL = 9
SUSTAIN_PEDAL = 64
# A note whose end is missing lasts until its key is struck again, this long at
# most; a drum is struck and done.
STUCK_BEATS = 4.0
STUCK_DRUM_BEATS = 0.25
# A Standard MIDI File inside RIFF (.rmi) or behind a MacBinary header begins by here.
SEARCH_BYTES = 256

_OFF, _ON, _CONTROL, _PROGRAM, _BEND = 0x80, 0x90, 0xB0, 0xC0, 0xE0
_TEXT, _NAME, _MARKER, _TEMPO, _SIGNATURE, _END = 0x01, 0x03, 0x06, 0x51, 0x58, 0x2F
# A longer marker is cut; no bar of the picture holds it.
MAX_MARKER_BYTES = 60
# Data bytes of a channel message by its high nibble, and of a system message.
_CHANNEL_DATA = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}
_SYSTEM_DATA = {0xF1: 1, 0xF2: 2, 0xF3: 1}

Event = tuple[int, bytes]


@dataclass(slots=True)
class _Track:
    """What is kept of one track.

    Attributes:
        events: (tick, message with its status), in the order of the file.
        end_tick: tick of the last event read.
        open: how many notes are down at the end, by (channel, pitch).
        playing: channels that have notes.
        turns: what its controllers were turned to, by channel.
    """

    events: list[Event] = field(default_factory=list)
    end_tick: int = 0
    open: Counter[tuple[int, int]] = field(default_factory=Counter)
    playing: set[int] = field(default_factory=set)
    notes: int = 0
    turns: dict[int, list[Turn]] = field(default_factory=dict)
    _turned: dict[tuple[int, int], int] = field(default_factory=dict)

    def turn(self, tick: int, channel: int, number: int, value: int) -> None:
        """Keep a turn of a controller, if it is one."""
        if self._turned.get((channel, number)) != value or number in TOLD_AGAIN:
            self.turns.setdefault(channel, []).append((tick, number, value))
        self._turned[channel, number] = value
        if number == RESET:
            self._turned.clear()


def mend(data: bytes) -> bytes:
    """Write a MIDI file anew, as a clean file of format 1.

    Args:
        data: a Standard MIDI File of format 0, 1 or 2, whole or damaged.
            The patterns of format 2 follow one another.

    Returns:
        The mended file: explicit statuses, every note with an end, programs and
        pedal in the track of the notes they govern, time in ticks per beat.

    Raises:
        MidiError: what is wrong and what to do, without the name of the file.
    """
    tracks, ticks_per_beat = _mended(data)
    return _whole([track.events for track in tracks], ticks_per_beat)


def mend_apart(data: bytes) -> tuple[bytes, list[list[Turn]]]:
    """Write a MIDI file anew, each channel of a track as a track of its own, and return its controllers.

    Args:
        data: as for `mend`.

    Returns:
        The mended file, the name of each track with notes being its number among the controllers; and
        those: volume, place, expression, modulation, bend and what belongs to it, in order of time.

    Raises:
        MidiError: as `mend`.
    """
    tracks, ticks_per_beat = _mended(data)
    chunks: list[list[Event]] = []
    turns: list[list[Turn]] = []
    for track in tracks:
        chunks.append([event for event in track.events if event[1][0] == 0xFF])
        for channel in sorted(track.playing):
            name = str(len(turns)).encode()
            own = [event for event in track.events if event[1][0] < 0xF0 and event[1][0] & 0x0F == channel]
            chunks.append([(0, bytes((0xFF, _NAME, len(name))) + name), *own])
            turns.append(_turns_of(track, channel, tracks))
    return _whole(chunks, ticks_per_beat), turns


def _turns_of(track: _Track, channel: int, tracks: list[_Track]) -> list[Turn]:
    """Return what holds for a channel of a track: of each controller its own, else what others send there."""
    found = list(track.turns.get(channel, ()))
    had = {number for _, number, _ in found}
    if had & OF_BEND:
        # Those that say how far a bend goes belong to it.
        had |= OF_BEND
    for other in tracks:
        if other is not track:
            found += [turn for turn in other.turns.get(channel, ()) if turn[1] not in had]
    return sorted(found, key=lambda turn: turn[0])


def _whole(chunks: list[list[Event]], ticks_per_beat: int) -> bytes:
    header = b"MThd" + struct.pack(">IHHH", 6, 1, len(chunks), ticks_per_beat)
    return header + b"".join(_chunk(events) for events in chunks)


def _mended(data: bytes) -> tuple[list[_Track], int]:
    """Return the tracks of a file, put right, and its ticks in a beat."""
    at = data.find(b"MThd", 0, SEARCH_BYTES)
    if at < 0:
        raise MidiError("not a MIDI file (no MThd at its start); export it as a Standard MIDI File")
    if len(data) < at + 14:
        raise MidiError("the header is cut off; export or download it again")
    header_bytes, kind, _, division = struct.unpack(">IHHH", data[at + 4 : at + 14])
    if kind > 2:
        raise MidiError(f"format {kind} is unknown; export it as format 0 or 1")
    ticks_per_beat, frame_tempo = _division(division)
    tracks: list[_Track] = []
    notes = start_tick = 0
    for body in _bodies(data, at + 8 + max(6, header_bytes)):
        track = _walk(body, start_tick, MAX_NOTES - notes)
        tracks.append(track)
        notes += track.notes
        if kind == 2:
            start_tick = track.end_tick
    if not tracks:
        raise MidiError("no track in it; export or download it again")
    if notes == 0:
        raise MidiError("no notes in it; choose another file")
    for track in tracks:
        _release(track, ticks_per_beat)
    for keep in (_PROGRAM, _CONTROL):
        _lend(tracks, keep)
    if frame_tempo:
        # Film frames last as long whatever the tempo, so the file's tempi mean nothing.
        for track in tracks:
            track.events = [e for e in track.events if e[1][:2] != bytes((0xFF, _TEMPO))]
        tracks[0].events.insert(0, (0, bytes((0xFF, _TEMPO, 3)) + frame_tempo.to_bytes(3, "big")))
    return tracks, ticks_per_beat


def _division(division: int) -> tuple[int, int]:
    """Return ticks per beat, and microseconds per beat where frames are counted (else 0).

    A second of film is taken as one beat: 25 frames of 40 ticks are 1000 ticks.
    """
    if not division & 0x8000:
        if division == 0:
            raise MidiError("it has 0 ticks in a beat; export it again")
        return division, 0
    frames, ticks = 256 - (division >> 8), division & 0xFF
    if frames not in (24, 25, 29, 30) or ticks == 0:
        raise MidiError(f"{frames} film frames of {ticks} ticks is no known timing; export it with ticks per beat")
    # 29 stands for 29.97: 30 frames in 1.001 s.
    return (30 * ticks, 1_001_000) if frames == 29 else (frames * ticks, 1_000_000)


def _bodies(data: bytes, at: int) -> Iterator[memoryview]:
    """Yield the bytes of each track, cutting where lengths lie."""
    view = memoryview(data)
    while at + 8 <= len(data):
        length = struct.unpack(">I", data[at + 4 : at + 8])[0]
        start, end = at + 8, at + 8 + length
        following = data[end : end + 4]
        if end != len(data) and not (following.isascii() and following.isalpha()):
            # The length is wrong, or garbage follows: look for the next track ourselves.
            found = data.find(b"MTrk", start)
            end = found if found >= 0 else len(data)
        if data[at : at + 4] == b"MTrk":
            yield view[start:end]
        at = end


def _walk(body: memoryview, tick: int, most_notes: int) -> _Track:
    """Read the events of a track up to its end, or to where it breaks off."""
    track = _Track(end_tick=tick)
    events, held, size = track.events, track.open, len(body)
    at = status = 0
    try:
        while at < size:
            delta, at = _number(body, at)
            tick += delta
            if tick > MAX_TICKS:
                raise MidiError("its times run past what a MIDI file can hold; export or download it again")
            first = body[at]
            if first >= 0xF0:
                at += 1
                if first == 0xFF:
                    what = body[at]
                    length, at = _number(body, at + 1)
                    payload = bytes(body[at : at + length])
                    at += length
                    if what == _END:
                        track.end_tick = tick
                        break
                    if what == _MARKER:
                        payload = _text(payload)
                    if _useful(what, payload):
                        events.append((tick, bytes((0xFF, what, len(payload))) + payload))
                elif first in (0xF0, 0xF7):
                    length, at = _number(body, at)
                    at += length
                else:
                    at += _SYSTEM_DATA.get(first, 0)
                continue
            if first >= 0x80:
                status = first
                at += 1
            elif not status:
                # Data without any status before it: nothing says what it means.
                at += 1
                continue
            high, channel = status & 0xF0, status & 0x0F
            # Some programs write volumes above 127; the byte is data all the same.
            one = min(body[at], 127)
            two = min(body[at + 1], 127) if _CHANNEL_DATA[high] == 2 else 0
            at += _CHANNEL_DATA[high]
            track.end_tick = tick
            if high == _ON and two:
                track.notes += 1
                if track.notes > most_notes:
                    raise MidiError(f"more than {MAX_NOTES} notes; cut it into pieces")
                held[channel, one] += 1
                track.playing.add(channel)
                events.append((tick, bytes((status, one, two))))
            elif high in (_ON, _OFF):
                # An end without a beginning would end a note that comes later.
                if held[channel, one]:
                    held[channel, one] -= 1
                    events.append((tick, bytes((_OFF | channel, one, 64))))
            elif high == _PROGRAM:
                events.append((tick, bytes((status, one))))
            elif high == _CONTROL and one == SUSTAIN_PEDAL:
                events.append((tick, bytes((status, one, two))))
            elif high == _CONTROL and one in KNOWN:
                track.turn(tick, channel, one, two)
            elif high == _BEND:
                track.turn(tick, channel, BEND, two << 7 | one)
    except IndexError:
        # The file breaks off within an event: what came before is music.
        pass
    return track


def _number(body: memoryview, at: int) -> tuple[int, int]:
    """Read a variable-length quantity; return it and the place after it."""
    value = 0
    for _ in range(4):
        byte = body[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at
    raise IndexError("longer than four bytes")


def _text(payload: bytes) -> bytes:
    """Return a text as UTF-8; older programs wrote it as Latin-1."""
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        text = payload.decode("latin-1")
    return text.encode("utf-8")[:MAX_MARKER_BYTES].decode("utf-8", "ignore").encode("utf-8")


def _useful(what: int, payload: bytes) -> bool:
    """Say whether a meta event is a tempo above 0, a time signature that can be, or a marker that says something."""
    if what == _MARKER:
        return bool(payload)
    if what == _TEMPO:
        return len(payload) == 3 and any(payload)
    return what == _SIGNATURE and len(payload) == 4 and payload[0] > 0 and payload[1] <= 6


def _release(track: _Track, ticks_per_beat: int) -> None:
    """End the notes that have no end.

    Where a key has fewer ends than beginnings, nobody can tell whose is missing:
    that key is read as struck by one finger, each note ending at the first end
    or the next beginning.
    """
    stuck = {key for key, count in track.open.items() if count}
    if not stuck:
        return
    kept: list[Event] = []
    down: dict[tuple[int, int], int] = {}

    def close(key: tuple[int, int], tick: int) -> None:
        start = down.pop(key)
        reach = STUCK_DRUM_BEATS if key[0] == DRUM_CHANNEL else STUCK_BEATS
        end = max(start + 1, min(tick, start + round(reach * ticks_per_beat)))
        kept.append((end, bytes((_OFF | key[0], key[1], 64))))

    for tick, message in track.events:
        key = (message[0] & 0x0F, message[1])
        high = message[0] & 0xF0
        if high not in (_ON, _OFF) or key not in stuck:
            kept.append((tick, message))
        elif high == _ON:
            if key in down:
                close(key, tick)
            down[key] = tick
            kept.append((tick, message))
        elif key in down:
            del down[key]
            kept.append((tick, message))
    for key in sorted(down):
        # At a break the last chord is struck a moment before the end: let it ring a beat.
        close(key, max(track.end_tick, down[key] + ticks_per_beat))
    kept.sort(key=lambda event: event[0])
    track.events = kept


def _lend(tracks: list[_Track], high: int) -> None:
    """Give tracks the programs or pedal that other tracks set for their channels."""
    owned: dict[int, list[Event]] = {}
    had: list[set[int]] = []
    for track in tracks:
        mine = [e for e in track.events if e[1][0] & 0xF0 == high]
        had.append({e[1][0] & 0x0F for e in mine})
        for channel in had[-1]:
            owned.setdefault(channel, [e for e in mine if e[1][0] & 0x0F == channel])
    for track, own in zip(tracks, had, strict=True):
        lent = [e for channel in track.playing - own for e in owned.get(channel, ())]
        if lent:
            # Before the notes of the same tick: sorting keeps the order of equals.
            track.events = sorted(lent + track.events, key=lambda event: event[0])


def _chunk(events: list[Event]) -> bytes:
    pieces: list[bytes] = []
    now = 0
    for tick, message in events:
        while tick - now > MAX_DELTA:
            pieces += (_quantity(MAX_DELTA), bytes((0xFF, _TEXT, 0)))
            now += MAX_DELTA
        pieces += (_quantity(tick - now), message)
        now = tick
    body = b"".join(pieces) + bytes((0, 0xFF, _END, 0))
    return b"MTrk" + struct.pack(">I", len(body)) + body


def _quantity(value: int) -> bytes:
    """Write a variable-length quantity (0 to MAX_DELTA)."""
    if value < 0x80:
        return bytes((value,))
    if value < 0x4000:
        return bytes((value >> 7 | 0x80, value & 0x7F))
    return bytes((value >> 21 & 0x7F | 0x80, value >> 14 & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value & 0x7F))
