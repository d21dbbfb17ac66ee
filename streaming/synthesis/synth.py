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
from streaming.errors import SynthError
from streaming.patches import Library, Patch, library, zone_of
from streaming.patches.recipe import DrumSound
from streaming.performing import splice
from streaming.performing.lanes import Lane
from streaming.performing.turning import Turned
from streaming.synthesis.bank import tables
from streaming.synthesis.engine import Engine
from streaming.synthesis.layers import Place
from streaming.synthesis.touch import touch_of
from streaming.synthesis.voices import Touch, Voice
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, to_samples

log = logging.getLogger(__name__)

# So many voices may sound; the others are there for new notes while stolen ones fade.
POLYPHONY = 96
_RESERVE = 32
DECKS = 4
STEAL_S = 0.006
# A key struck again: the old sound of the same string or pipe goes quickly, without a click.
_RESTRIKE_S = 0.06
_SHORTEST_SAMPLES = 480
# A damper or finger is heard only while voices are plenty, and after a note that had time to sound.
_LET_GO_UNDER = POLYPHONY // 2
_LET_GO_AFTER_S = 0.08
# So many held keys free about all the strings that can answer.
_FREE_STRINGS = 7


# Of a note that sounds: instrument, pitch, deck.
Key = tuple[str, int, int]


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
    key: Key
    chokes: str
    deck: int
    started: int
    release_s: float
    touch: Touch
    lane: Lane | None = None
    released: int | None = None
    stolen: bool = False
    drained: bool = False
    done: bool = False


class Orchestra:
    """Thirteen instruments on one pool of voices; one orchestra at a time in a process.

    Attributes:
        sample: samples made since the start.
        stolen: notes that were cut short for want of voices.
    """

    def __init__(self, *, seed: int = 0, patches: Library | None = None) -> None:
        self._engine = Engine.get(POLYPHONY + _RESERVE, DECKS)
        self._library = patches or library()
        self._bank = _bank(self._engine, seed, self._library)
        self._seed = seed
        self._channels = {name: 2 * index for index, name in enumerate(BY_NAME)}
        self._kits = {
            key: {number: index for index, sound in enumerate(patch.kit) for number in sound.keys}
            for key, patch in self._library.patches.items()
            if patch.kit
        }
        self.reset()

    def choose(self, deck: int, style: str = "", variants: Mapping[str, str] | None = None) -> None:
        """Choose what a deck's notes to come are played with: solo violin or section, upright or electric bass.

        Args:
            deck: whose.
            style: of the piece, as `streaming/patches/styles.yaml` knows it.
            variants: instrument to variant, before what the style says.

        Raises:
            PatchError: an instrument or a variant is unknown; the choice stays as it was.
        """
        self._ensembles[deck] = self._library.ensemble(style, variants)

    def reset(self) -> None:
        """Silence everything and start again at sample 0, as if new."""
        engine = self._engine
        for voice in engine.voices:
            voice.stop()
        for fader in engine.faders:
            fader[:] = 1.0
        engine.lanes.reset()
        engine.settle()
        self.sample = 0
        self.stolen = 0
        # The first that rests plays next, so that what plays does not hang on what was played before.
        self._resting = list(range(len(engine.voices)))
        self._sounding: dict[_Sounding, None] = {}
        self._due: list[tuple[int, int, bool, _Sounding]] = []
        self._serial = 0
        self._ensembles = [self._library.ensemble() for _ in range(DECKS)]

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

    def turn(self, turned: Turned) -> None:
        """Play the notes of a part of a deck's piece louder, elsewhere, or at another pitch."""
        lane = self._engine.lanes.claim(turned.deck, turned.part, self._engine.decks[turned.deck])
        if lane is not None and lane.turn(turned):
            for sounding in self._sounding:
                if sounding.lane is lane:
                    sounding.voice.bend(lane.ratio, self.sample)

    def let_turn(self, deck: int) -> None:
        """Forget the parts of a deck's last piece; what of it still sounds stays as it is turned."""
        self._engine.lanes.forget(deck, [s.lane for s in self._sounding if s.lane is not None])

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
        for sounding, end in splice.ended(self._sounding, deck, ends, self.sample):
            # Whichever end comes first is the one that counts.
            self._push(end, False, sounding)

    def process(self, strikes: Sequence[Strike] = ()) -> NDArray[np.float32]:
        """Make the next block.

        Args:
            strikes: notes that begin in it, in order.

        Returns:
            float32 [256, 26]: left and right of each instrument in the order of
            `streaming.patches.PATCHES`. The array is used again for the next block.
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
        for sounding in self._sounding:
            if sounding.voice.wakes <= self.sample:
                sounding.voice.tend(self.sample)
        self._engine.process()
        if not math.isfinite(float(self._engine.stems.sum())):
            self._mend()
        self.sample = end
        return self._engine.stems

    def _strike(self, strike: Strike) -> None:
        note = strike.note
        patch = self._ensembles[strike.deck].get(note.instrument)
        if patch is None:
            raise SynthError(f"no instrument is called {note.instrument!r}")
        drum = self._drum(patch, note.pitch)
        key = (patch.name, note.pitch, strike.deck)
        chokes = drum.chokes if drum else ""
        free = 0
        for other in self._sounding:
            if other.key == key if drum is None else chokes != "" and other.chokes == chokes:
                self._release(other, strike.offset, _RESTRIKE_S if drum is None else 0.02)
            free += other.released is None and other.deck == strike.deck and other.patch is patch
        place, hz = self._place(patch, note.pitch, drum)
        loops, part = place.body.loops, min(free / _FREE_STRINGS, 1.0)
        touch = touch_of(patch, note, drum, gain_db=strike.gain_db, colour=strike.colour, hz=hz, loops=loops, free=part)
        lane = self._engine.lanes.of(strike.deck, note.part) if note.part else None
        sounding = self._begin(patch, key, chokes, strike.offset, place, touch, lane)
        if sounding is None:
            self.stolen += 1
            return
        length = max(_SHORTEST_SAMPLES, strike.length_samples)
        if not place.body.loops:
            # A struck string ends by itself: let go before its table comes round again.
            rings = to_samples(place.body.duration_s(hz)) - to_samples(sounding.release_s) - 2 * BLOCK_SAMPLES
            length = rings if drum else max(_SHORTEST_SAMPLES, min(length, rings))
        self._push(sounding.started + length, False, sounding)

    def _begin(
        self, patch: Patch, key: Key, chokes: str, offset: int, place: Place, touch: Touch, lane: Lane | None
    ) -> _Sounding | None:
        """Let a voice begin at an offset of the block; None when there is none."""
        voice = self._voice()
        if voice is None:
            return None
        release_s = patch.played.release_s.at(key[1])
        if not place.body.loops:
            # The release, too, must be over before the table comes round again.
            release_s = min(release_s, 0.4 * place.body.duration_s(touch.hz))
        fader = self._engine.decks[key[2]]
        faders = (fader, fader) if lane is None else lane.streams
        sounding = _Sounding(voice, patch, key, chokes, key[2], self.sample + offset, release_s, touch, lane)
        self._sounding[sounding] = None
        channel = self._channels[patch.name]
        voice.start(place, patch.played, touch, at=sounding.started, now=self.sample, channel=channel, faders=faders)
        if lane is not None and lane.ratio != 1.0:
            voice.bend(lane.ratio, self.sample)
        return sounding

    def _push(self, at: int, is_end: bool, sounding: _Sounding) -> None:
        self._serial += 1
        heapq.heappush(self._due, (at, self._serial, is_end, sounding))

    def _release(self, sounding: _Sounding, offset: int, within_s: float | None) -> None:
        """Let go of a key at an offset of the block; a second time only to hurry it on."""
        if sounding.released is not None or sounding.done:
            return
        if within_s is not None and within_s < sounding.release_s:
            sounding.release_s = within_s
        # A key struck and let go in one block.
        offset = max(offset, sounding.started - self.sample + 1)
        sounding.released = self.sample + offset
        sounding.voice.let_go(sounding.released, self.sample, sounding.release_s)
        self._push(sounding.released + to_samples(sounding.release_s) + BLOCK_SAMPLES, True, sounding)
        # A damper has none of its own.
        if within_s is None and not sounding.stolen and sounding.key[0]:
            self._let_go(sounding, offset)

    def _let_go(self, sounding: _Sounding, offset: int) -> None:
        """Sound the damper or finger that ends a note, where there is one and voices are plenty."""
        place = self._bank[sounding.patch.key][1]
        if place is None or offset >= BLOCK_SAMPLES or len(self._sounding) >= _LET_GO_UNDER:
            return
        lasted_s = (self.sample + offset - sounding.started) / SAMPLE_RATE
        if lasted_s < _LET_GO_AFTER_S:
            return
        hz = place.body.hz
        # What has died away is let go more quietly.
        gain = sounding.touch.gain * max(0.2, 1.0 - 0.2 * lasted_s)
        touch = Touch(hz, gain, attack_s=0.0005, cutoff_hz=sounding.touch.cutoff_hz)
        key = ("", sounding.key[1], sounding.deck)
        begun = self._begin(sounding.patch, key, "", offset, place, touch, sounding.lane)
        if begun is not None:
            rings = to_samples(place.body.duration_s(hz)) - to_samples(begun.release_s) - 2 * BLOCK_SAMPLES
            self._push(begun.started + max(_SHORTEST_SAMPLES, rings), False, begun)

    def _finish(self, sounding: _Sounding) -> None:
        if sounding.done:
            return
        if not sounding.drained:
            # A block more, in which its low-passes forget what they played.
            sounding.drained = True
            sounding.voice.drain()
            self._push(self.sample + BLOCK_SAMPLES, True, sounding)
            return
        self._rest(sounding)

    def _rest(self, sounding: _Sounding) -> None:
        """Take a voice out of what sounds."""
        sounding.done = True
        sounding.voice.stop()
        del self._sounding[sounding]
        heapq.heappush(self._resting, self._engine.voices.index(sounding.voice))

    def _mend(self) -> None:
        """Mute what is not a number and make its voices anew, since a filter never forgets it."""
        stems = self._engine.stems
        bad = np.asarray(~np.isfinite(stems).all(axis=0))
        stems[:, bad] = 0.0
        names = {name for name, channel in self._channels.items() if bad[channel : channel + 2].any()}
        log.warning("voices of %s made no numbers; they are made anew", ", ".join(sorted(names)))
        for sounding in [s for s in self._sounding if s.patch.name in names]:
            self._rest(sounding)
            self._engine.replace(sounding.voice)

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
        return self._engine.voices[heapq.heappop(self._resting)] if self._resting else None

    def _cut(self, sounding: _Sounding) -> None:
        """Fade a voice in a few milliseconds, whatever it is doing."""
        sounding.release_s = STEAL_S
        if sounding.released is None:
            self._release(sounding, 0, None)
        else:
            sounding.voice.hurry(self.sample, STEAL_S)
            self._push(self.sample + to_samples(STEAL_S) + BLOCK_SAMPLES, True, sounding)

    def _drum(self, patch: Patch, pitch: int) -> DrumSound | None:
        if not patch.kit:
            return None
        keys = self._kits[patch.key]
        if pitch not in keys:
            # What the kit does not have, its nearest neighbour plays.
            pitch = min(keys, key=lambda k: (abs(k - pitch), k))
        return patch.kit[keys[pitch]]

    def _place(self, patch: Patch, pitch: int, drum: DrumSound | None) -> tuple[Place, float]:
        places = self._bank[patch.key][0]
        if drum is not None:
            place = places[patch.kit.index(drum)]
            return place, place.body.hz
        return places[zone_of(patch, pitch)], 440.0 * 2.0 ** ((pitch - 69) / 12)


def _bank(engine: Engine, seed: int, patches: Library) -> dict[str, tuple[list[Place], Place | None]]:
    """Return every patch's tables, in pyo; one bank at a time, for they take some 250 MB."""
    key = (seed, patches)
    if key not in engine.banks:
        engine.forget_banks()
        held = {}
        for name, made in tables(seed=seed, patches=patches).items():
            let_go = None if made.let_go is None else Place(engine.hold_table(made.let_go))
            held[name] = ([engine.hold(sound) for sound in made.sounds], let_go)
        engine.banks[key] = held
    return engine.banks[key]
