"""The orchestra: notes in, the thirteen instruments' stems out, block by block."""

from __future__ import annotations

import heapq
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.instruments import BY_NAME
from model.notes import Note
from streaming.bank import tables
from streaming.errors import SynthError
from streaming.patches import BY_INSTRUMENT, PATCHES, Patch, zone_of
from streaming.percussion import KIT, DrumSound, sound_of
from streaming.timeline import BLOCK_SAMPLES, to_samples
from streaming.voices import Engine, Place, Voice

log = logging.getLogger(__name__)

# So many voices may sound; the others are there for new notes while stolen ones fade.
POLYPHONY = 96
_RESERVE = 32
DECKS = 4
STEAL_S = 0.006
# A key struck again: the old sound of the same string or pipe goes quickly, without a click.
_RESTRIKE_S = 0.06
_SHORTEST_SAMPLES = 480
_LOUD_AT_VELOCITY = 80


@dataclass(frozen=True, slots=True)
class Strike:
    """A note that begins in the block to come.

    Attributes:
        offset: sample in the block, 0 to 255.
        length_samples: until its key is let go.
        note: what is played; its times are not looked at.
        deck: the fader it hears to, 0 to 3.
        gain_db: added to its level.
        colour: any number that goes with the note; the same one sounds the same.
    """

    offset: int
    length_samples: int
    note: Note
    deck: int = 0
    gain_db: float = 0.0
    colour: int = 0


@dataclass(slots=True, eq=False)
class _Sounding:
    """A voice at work."""

    voice: Voice
    patch: Patch
    key: tuple[str, int, int]
    chokes: str
    deck: int
    started: int
    release_s: float
    released: int | None = None
    stolen: bool = False
    done: bool = False


class Orchestra:
    """Thirteen instruments on one pool of voices; one orchestra at a time in a process.

    Attributes:
        sample: samples made since the start.
        stolen: notes that were cut short for want of voices.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self._engine = Engine.get(POLYPHONY + _RESERVE, DECKS)
        self._bank = _bank(self._engine, seed)
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        """Silence everything and start again at sample 0, as if new."""
        engine = self._engine
        for voice in engine.voices:
            voice.stop()
        for fader in engine.faders:
            fader[:] = 1.0
        engine.settle()
        self.sample = 0
        self.stolen = 0
        self._resting = list(reversed(engine.voices))
        self._sounding: dict[_Sounding, None] = {}
        self._due: list[tuple[int, int, bool, _Sounding]] = []
        self._serial = 0
        self._touched: list[_Sounding] = []

    @property
    def voices(self) -> int:
        """Voices that sound now."""
        return len(self._sounding)

    def sounds(self, deck: int) -> bool:
        """Whether a voice of a deck sounds."""
        return any(s.deck == deck for s in self._sounding)

    def fade(self, deck: int, start_gain: float, end_gain: float) -> None:
        """Set a deck's fader: a straight line over the block to come."""
        fader = self._engine.faders[deck]
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
        for sounding in [s for s in self._sounding if s.deck == deck]:
            self._release(sounding, 0, within_s)

    def shorten(self, deck: int, ends: Mapping[tuple[int, int, str], int]) -> None:
        """Let go of keys of a deck earlier than they were to be; drums ring out.

        Args:
            deck: whose.
            ends: (sample of the beginning, pitch, instrument) of a note to the sample of its new end.
        """
        for sounding in self._sounding:
            instrument, pitch, of_deck = sounding.key
            end = ends.get((sounding.started, pitch, instrument))
            # Whichever end comes first is the one that counts.
            if of_deck == deck and end is not None and BY_NAME[instrument].sustains:
                self._push(max(end, self.sample), False, sounding)

    def process(self, strikes: Sequence[Strike] = ()) -> NDArray[np.float32]:
        """Make the next block.

        Args:
            strikes: notes that begin in it, in order.

        Returns:
            float32 [256, 26]: left and right of each instrument in the order of
            `patches.PATCHES`. The array is used again for the next block.
        """
        end = self.sample + BLOCK_SAMPLES
        for strike in strikes:
            self._strike(strike)
        while self._due and self._due[0][0] < end:
            at, _, is_end, sounding = heapq.heappop(self._due)
            if is_end:
                self._finish(sounding)
            elif sounding.released is None:
                self._release(sounding, at - self.sample, None)
        self._engine.process()
        if not math.isfinite(float(self._engine.stems.sum())):
            self._mend()
        for sounding in self._touched:
            if sounding.done:
                continue
            held = sounding.released is None
            sounding.voice.gate[:] = 0.5 if held else 0.0
            if held:
                sounding.voice.set_release(sounding.release_s)
        self._touched.clear()
        self.sample = end
        return self._engine.stems

    def _strike(self, strike: Strike) -> None:
        note = strike.note
        patch = BY_INSTRUMENT.get(note.instrument)
        if patch is None:
            raise SynthError(f"no instrument is called {note.instrument!r}")
        drum = None if BY_NAME[note.instrument].sustains else sound_of(note.pitch)
        key = (patch.name, note.pitch, strike.deck)
        chokes = drum.chokes if drum else ""
        for other in self._sounding:
            if other.key == key if drum is None else chokes != "" and other.chokes == chokes:
                self._release(other, strike.offset, _RESTRIKE_S if drum is None else 0.02)
        voice = self._voice()
        if voice is None:
            self.stolen += 1
            return
        start = self.sample + strike.offset
        place, hz = self._place(patch, note.pitch, drum)
        sounding = _Sounding(voice, patch, key, chokes, strike.deck, start, patch.release_s)
        self._sounding[sounding] = None
        voice.start(
            place,
            patch,
            channel=2 * PATCHES.index(patch),
            deck=self._engine.decks[strike.deck],
            hz=hz,
            gain=_gain(patch, note.velocity, drum, strike.gain_db),
            attack_s=_attack_s(patch, note.velocity),
            cutoff_hz=_cutoff_hz(patch, note),
            phases=_phases(patch, place.loops, note.pitch, strike.colour),
        )
        gate = voice.gate
        gate[: strike.offset] = 0.0
        # Exactly 1 starts the oscillators; anything lower only holds.
        gate[strike.offset] = 1.0
        gate[strike.offset + 1 :] = 0.5
        self._touched.append(sounding)
        length = max(_SHORTEST_SAMPLES, strike.length_samples)
        if not place.loops:
            # A struck string ends by itself: let go before its table comes round again.
            own = int(place.length * place.hz / hz) - to_samples(patch.release_s) - 2 * BLOCK_SAMPLES
            length = own if drum else max(_SHORTEST_SAMPLES, min(length, own))
        self._push(start + length, False, sounding)

    def _push(self, at: int, is_end: bool, sounding: _Sounding) -> None:
        self._serial += 1
        heapq.heappush(self._due, (at, self._serial, is_end, sounding))

    def _release(self, sounding: _Sounding, offset: int, within_s: float | None) -> None:
        """Let go of a key at an offset of the block; a second time only to hurry it on."""
        if sounding.released is not None or sounding.done:
            return
        if within_s is not None and within_s < sounding.release_s:
            sounding.release_s = within_s
            sounding.voice.set_release(within_s)
        # A key struck and let go in one block: the gate still rises for a sample.
        offset = max(offset, sounding.started - self.sample + 1)
        sounding.released = self.sample + offset
        sounding.voice.gate[offset:] = 0.0
        self._touched.append(sounding)
        self._push(sounding.released + to_samples(sounding.release_s) + BLOCK_SAMPLES, True, sounding)

    def _finish(self, sounding: _Sounding) -> None:
        if sounding.done:
            return
        sounding.done = True
        sounding.voice.stop()
        del self._sounding[sounding]
        self._resting.append(sounding.voice)

    def _mend(self) -> None:
        """Mute what is not a number and make its voices anew, since a filter never forgets it."""
        stems = self._engine.stems
        bad = np.asarray(~np.isfinite(stems).all(axis=0))
        stems[:, bad] = 0.0
        names = {patch.name for index, patch in enumerate(PATCHES) if bad[2 * index : 2 * index + 2].any()}
        log.warning("voices of %s made no numbers; they are made anew", ", ".join(sorted(names)))
        for sounding in [s for s in self._sounding if s.patch.name in names]:
            sounding.done = True
            sounding.voice.stop()
            del self._sounding[sounding]
            self._resting.insert(0, self._engine.replace(sounding.voice))

    def _voice(self) -> Voice | None:
        """Return a resting voice; when too many sound, one of them begins to go.

        The rule: of those let go the oldest, else the oldest of all.
        """
        playing = [s for s in self._sounding if not s.stolen]
        if len(playing) >= POLYPHONY:
            let_go = [s for s in playing if s.released is not None]
            victim = min(let_go, key=lambda s: (s.released, s.started)) if let_go else playing[0]
            victim.stolen = True
            if victim.released is None:
                self.stolen += 1
            self._cut(victim)
        return self._resting.pop() if self._resting else None

    def _cut(self, sounding: _Sounding) -> None:
        """Fade a voice in a few milliseconds, whatever it is doing."""
        sounding.voice.set_release(STEAL_S)
        sounding.release_s = STEAL_S
        if sounding.released is None:
            self._release(sounding, 0, None)
        else:
            self._push(self.sample + to_samples(STEAL_S) + BLOCK_SAMPLES, True, sounding)

    def _place(self, patch: Patch, pitch: int, drum: DrumSound | None) -> tuple[Place, float]:
        places = self._bank[patch.name]
        if drum is not None:
            place = places[KIT.index(drum)]
            return place, place.hz
        return places[zone_of(patch, pitch)], 440.0 * 2.0 ** ((pitch - 69) / 12)


def _bank(engine: Engine, seed: int) -> dict[str, list[Place]]:
    """Return every instrument's tables, in pyo; one bank at a time, for they take some 200 MB."""
    if seed not in engine.banks:
        engine.forget_banks()
        engine.banks[seed] = {name: [engine.hold(t) for t in made] for name, made in tables(seed=seed).items()}
    return engine.banks[seed]


def _gain(patch: Patch, velocity: int, drum: DrumSound | None, gain_db: float) -> float:
    level_db = patch.level_db + (drum.level_db if drum else 0.0) + gain_db
    touch_db = 0.5 * patch.touch * math.log2(max(velocity, 1) / _LOUD_AT_VELOCITY)
    return math.pow(10.0, (level_db + touch_db) / 20.0)


def _attack_s(patch: Patch, velocity: int) -> float:
    """Return the rise: a little slower for soft notes where there is one."""
    return patch.attack_s * (1.5 - 0.7 * velocity / 127)


def _cutoff_hz(patch: Patch, note: Note) -> float:
    open_hz = patch.dark_hz * math.pow(patch.bright_hz / patch.dark_hz, (note.velocity - 1) / 126)
    return min(20_000.0, max(150.0, open_hz * math.pow(2.0, patch.follow * (note.pitch - 60) / 12)))


def _phases(patch: Patch, loops: bool, pitch: int, colour: int) -> tuple[float, float]:
    """Return where in the loop the two ears begin: another place for each note, the same each time."""
    if not loops:
        return 0.0, 0.0
    left = ((colour * 2654435761 + pitch * 40503) % 65536) / 65536
    return left, (left + 0.5) % 1.0 if patch.choir_phases else left
