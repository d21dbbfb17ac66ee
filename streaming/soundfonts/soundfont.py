"""The orchestra of a SoundFont: the same notes in, the same stems out, from somebody's samples.

It has the face of `streaming.synthesis.synth.Orchestra`. Its sound is dry: rooms and the last stage are those of the
programme, and its instruments are as loud as the synth's.
"""

from __future__ import annotations

import heapq
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.instruments import BY_NAME, INSTRUMENTS
from streaming.errors import SoundFontError
from streaming.mixing.calibration import levels_of
from streaming.mixing.levels import Levels
from streaming.performing import splice
from streaming.performing.turning import Turned
from streaming.soundfonts.fluid import CHUNK_SAMPLES, Font, Outputs, Player
from streaming.soundfonts.levels import matched, name_of
from streaming.soundfonts.sf2 import Preset, instruments_of
from streaming.synthesis.synth import DECKS, Strike
from streaming.timeline import BLOCK_SAMPLES, to_samples

log = logging.getLogger(__name__)

# So many notes may sound; the other players are there for new ones while stolen ones fade.
POLYPHONY = 96
_RESERVE = 32
_STEAL_S = 0.006
# A hat that is closed ends the open one.
_CHOKE_S = 0.02
_SHORTEST_SAMPLES = 480
_LONGEST_DRUM_SAMPLES = to_samples(6.0)
# The library only ever takes away: notes are turned down by this much, and the stems up again.
_ROOM_DB = 30.0
_PARTS = len(INSTRUMENTS)
_INDEX = {instrument.name: index for index, instrument in enumerate(INSTRUMENTS)}


@dataclass(slots=True, eq=False)
class _Sounding:
    """A note at work.

    Attributes:
        key: instrument, pitch, deck.
        part: of its piece's controls, that turns it; 0: none.
        chokes: what other notes of its instrument it ends; 0: none.
        let_go: sample at which it is let go; None: not yet known.
    """

    player: Player
    key: tuple[str, int, int]
    started: int
    part: int = 0
    chokes: int = 0
    let_go: int | None = None
    stolen: bool = False

    @property
    def deck(self) -> int:
        return self.key[2]


class SampledOrchestra:
    """The instruments of a SoundFont.

    Args:
        path: an .sf2 or .sf3 file; not needed any more once it is loaded.
        like: what the notes of another orchestra measure: its instruments become as loud as those. None: as they are.

    Attributes:
        sample: samples made since the start.
        stolen: notes that were cut short for want of voices.
        presets: what plays each instrument; those it has nothing for are missing.
        levels_db: what is added to the level of each of them.
        levels: what its notes measure; None where they are as loud as they are.

    Raises:
        SoundFontError: the file cannot be read or holds none of the instruments.
        SynthError: the library is not installed.
    """

    def __init__(self, path: Path, *, like: Levels | None = None) -> None:
        self.path = path
        self.presets: dict[str, Preset] = instruments_of(path)
        self._font = Font(path)
        self._handles: dict[str, int] = {}
        for name, preset in self.presets.items():
            handle = self._font.choose(preset.bank, preset.program)
            if handle is None:
                self._font.close()
                raise SoundFontError(f"{path}: damaged, its preset {preset.name!r} cannot be loaded; fetch it again")
            self._handles[name] = handle
        self._outputs = Outputs(DECKS * _PARTS)
        self._players = [Player(self._outputs) for _ in range(POLYPHONY + _RESERVE)]
        self._fader = np.ones((DECKS, BLOCK_SAMPLES), np.float32)
        self._made = np.zeros((2 * _PARTS, BLOCK_SAMPLES), np.float32)
        self._part = np.zeros_like(self._made)
        self._stems = np.zeros((BLOCK_SAMPLES, 2 * _PARTS), np.float32)
        self._sounding: dict[_Sounding, None] = {}
        self.reset()
        self._keys = {name: self._keys_of(name) for name in self.presets}
        self.levels_db = dict.fromkeys(self.presets, 0.0)
        self.levels: Levels | None = None
        if like is not None:
            self.levels_db, self.levels = matched(levels_of(self, name_of(path)), like, self.presets)

    def _keys_of(self, name: str) -> frozenset[int]:
        """Return the keys of an instrument that have a sample."""
        player, handle = self._players[0], self._handles[name]
        found = frozenset(k for k in range(128) if player.start(handle, k, 80, attenuation_db=_ROOM_DB, place=0))
        player.silence()
        return found

    def close(self) -> None:
        """Give all memory back; the orchestra cannot be used any more."""
        for player in self._players:
            player.close()
        self._font.close()

    def reset(self, sample: int = 0) -> None:
        """Silence everything and start again, as if new.

        Args:
            sample: to count from.
        """
        for sounding in self._sounding:
            sounding.player.silence()
        self._outputs.planar[:] = 0.0
        self._fader[:] = 1.0
        self.sample = sample
        self.stolen = 0
        self._resting = list(reversed(self._players))
        self._sounding = {}
        self._turned: dict[tuple[int, int], Turned] = {}
        self._due: list[tuple[int, int, _Sounding]] = []
        self._serial = 0

    @property
    def voices(self) -> int:
        """Notes that sound now."""
        return len(self._sounding)

    def sounds(self, deck: int) -> bool:
        """Whether a note of a deck sounds."""
        return any(s.deck == deck for s in self._sounding)

    def plays(self, instrument: str, pitch: int) -> bool:
        """Whether there is a sample for a note."""
        return pitch in self._keys.get(instrument, ())

    def fade(self, deck: int, start_gain: float, end_gain: float) -> None:
        """Set a deck's fader: a straight line over the block to come."""
        fader = self._fader[deck]
        if start_gain == end_gain:
            fader[:] = end_gain
        else:
            fader[:] = np.linspace(start_gain, end_gain, BLOCK_SAMPLES, endpoint=False)

    def release(self, deck: int, *, within_s: float | None = None) -> None:
        """Let go of every key of a deck, at the start of the block to come.

        Args:
            deck: whose.
            within_s: longest release; None leaves each its own.
        """
        for sounding in self._sounding:
            if sounding.deck == deck:
                self._let_go(sounding, self.sample, within_s)

    def turn(self, turned: Turned) -> None:
        """Play the notes of a part of a deck's piece louder, elsewhere, or at another pitch."""
        self._turned[turned.deck, turned.part] = turned
        for sounding in self._sounding:
            if (sounding.deck, sounding.part) == (turned.deck, turned.part):
                sounding.player.turn(turned.gain_db, turned.place, turned.cents)

    def let_turn(self, deck: int) -> None:
        """Forget the parts of a deck's last piece."""
        self._turned = {key: turned for key, turned in self._turned.items() if key[0] != deck}

    def shorten(self, deck: int, ends: Mapping[tuple[int, int, str], int]) -> None:
        """Let go of keys of a deck earlier than they were to be; drums ring out.

        Args:
            deck: whose.
            ends: (sample of the beginning, pitch, instrument) of a note to the sample of its new end.
        """
        for sounding, end in splice.ended(self._sounding, deck, ends, self.sample):
            self._let_go(sounding, end)

    def process(self, strikes: Sequence[Strike] = ()) -> NDArray[np.float32]:
        """Make the next block.

        Args:
            strikes: notes that begin in it, in order; those it has no sample for are not heard.

        Returns:
            float32 [256, 26]: left and right of each instrument in the order of `model.instruments`. The
            array is used again for the next block.
        """
        for strike in strikes:
            self._strike(strike)
        ends: dict[_Sounding, int] = {}
        while self._due and self._due[0][0] < self.sample + BLOCK_SAMPLES:
            at, _, sounding = heapq.heappop(self._due)
            # Whichever end comes first is the one that counts.
            ends.setdefault(sounding, max(at, self.sample))
        self._outputs.planar[:] = 0.0
        decks = {sounding.deck for sounding in self._sounding}
        for sounding in list(self._sounding):
            if not self._render(sounding, ends.get(sounding)):
                del self._sounding[sounding]
                sounding.let_go = self.sample
                self._resting.append(sounding.player)
        self._mix(decks)
        self.sample += BLOCK_SAMPLES
        return self._stems

    def rest(self) -> None:
        """Let the time of a block pass in which nothing sounds."""
        self.sample += BLOCK_SAMPLES

    def _strike(self, strike: Strike) -> None:
        note = strike.note
        handle = self._handles.get(note.instrument)
        if handle is None:
            return
        key = (note.instrument, note.pitch, strike.deck)
        start = self.sample + strike.offset
        for other in self._sounding:
            if other.key == key:
                self._let_go(other, start)
        self._steal()
        if not self._resting:
            self.stolen += 1
            return
        player = self._resting[-1]
        level_db = self.levels_db[note.instrument] + strike.gain_db
        sounds = player.start(
            handle,
            min(127, max(0, note.pitch)),
            min(127, max(1, note.velocity)),
            attenuation_db=max(0.0, _ROOM_DB - level_db),
            place=strike.deck * _PARTS + _INDEX[note.instrument],
        )
        if not sounds:
            return
        sounding = _Sounding(self._resting.pop(), key, start, note.part, player.exclusive_class)
        if (turned := self._turned.get((strike.deck, note.part))) is not None:
            player.turn(turned.gain_db, turned.place, turned.cents)
        if sounding.chokes:
            for other in self._sounding:
                if other.chokes == sounding.chokes and (other.key[0], other.deck) == (key[0], key[2]):
                    self._let_go(other, start, _CHOKE_S)
        self._sounding[sounding] = None
        # A drum rings out; but there are fonts whose drums would never end.
        shortest = _SHORTEST_SAMPLES if BY_NAME[note.instrument].sustains else _LONGEST_DRUM_SAMPLES
        self._let_go(sounding, start + max(shortest, strike.length_samples))

    def _let_go(self, sounding: _Sounding, at: int, within_s: float | None = None) -> None:
        """Let go of a key at a sample, unless that happens earlier; a shorter release counts at once."""
        if within_s is not None:
            sounding.player.hurry(within_s)
        if sounding.let_go is None or at < sounding.let_go:
            sounding.let_go = at
            self._serial += 1
            heapq.heappush(self._due, (at, self._serial, sounding))

    def _steal(self) -> None:
        """Let one note go quickly where too many sound: of those let go the oldest, else the oldest of all."""
        playing = [s for s in self._sounding if not s.stolen]
        if len(playing) < POLYPHONY:
            return
        let_go = [s for s in playing if s.let_go is not None and s.let_go < self.sample]
        victim = min(let_go, key=lambda s: (s.let_go, s.started)) if let_go else playing[0]
        victim.stolen = True
        self.stolen += not let_go
        self._let_go(victim, self.sample, _STEAL_S)

    def _render(self, sounding: _Sounding, end: int | None) -> bool:
        """Let a note play its part of the block; return whether there is more of it to come."""
        first = max(0, sounding.started - self.sample)
        if end is not None:
            # Its player hears of it where the next chunk begins.
            since = end - sounding.started
            place = max(first, first if since <= 0 else end + -since % CHUNK_SAMPLES - self.sample)
            if place >= BLOCK_SAMPLES:
                self._serial += 1
                heapq.heappush(self._due, (self.sample + BLOCK_SAMPLES, self._serial, sounding))
            else:
                if place > first:
                    sounding.player.render(first, place - first)
                sounding.player.stop()
                first = place
        return sounding.player.render(first, BLOCK_SAMPLES - first)

    def _mix(self, decks: set[int]) -> None:
        """Put the decks that sound together through their faders."""
        self._made[:] = 0.0
        of_deck = self._outputs.planar.reshape(DECKS, 2 * _PARTS, BLOCK_SAMPLES)
        for deck in sorted(decks):
            np.multiply(of_deck[deck], self._fader[deck], out=self._part)
            self._made += self._part
        np.multiply(self._made.T, np.float32(10 ** (_ROOM_DB / 20)), out=self._stems)
        if not math.isfinite(float(self._stems.sum())):
            log.warning("%s: samples gave what is no number; they are silenced", self.path)
            self._stems[:] = 0.0
            for sounding in self._sounding:
                sounding.player.silence()
