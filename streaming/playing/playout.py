"""What plays when: loaded pieces, the queue, fades, and the bed under it all.

The same object makes the programme live and offline, block by block, and knows
nothing of clocks or sockets; so both sound the same, sample for sample.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from model.controls import Controls
from model.notes import Note
from streaming.mixing.calibration import levels_of_patches
from streaming.mixing.mixer import CEILING_DBTP, LATENCY_SAMPLES, Master
from streaming.mixing.room import DEFAULT_ROOM
from streaming.mixing.steering import Steering
from streaming.notetape import NoteTape
from streaming.patches import Library, library
from streaming.performing import splice
from streaming.performing.notation import Score
from streaming.playing.bed import BED
from streaming.playing.bed import bed as in_a_moment
from streaming.playing.deck import Begun, Changed, Deck, News, Over, Queue, Silent, Troubled
from streaming.playing.decks import Decks
from streaming.playing.ensemble import Ensemble
from streaming.playing.shelf import RELEASE_S, Shelf
from streaming.playing.telling import Telling
from streaming.soundfonts.sf2 import SYNTH
from streaming.synthesis.synth import Orchestra
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, Timeline, to_samples, to_seconds

__all__ = ["BED", "RELEASE_S", "Begun", "Changed", "News", "Over", "Playout", "Silent", "Troubled"]

log = logging.getLogger(__name__)

# So far under the pieces: a piece comes in, and the loudness of the programme (its gate is at -10 LU) is theirs.
BED_DB = -15.0
TARGET_LUFS = -14.0
# The limiter lets through no moment that is louder than this under its ceiling: no music is denser.
_CREST_DB = 7.5
BED_IN_S, BED_OUT_S = 1.5, 1.0
# A shorter pause between two pieces is the room's: the bed would be gone before it is there.
_BED_AFTER_S = BED_IN_S + BED_OUT_S
_TAIL_S = 2.0
_EXPECT_FOR = to_samples(1.0)


class Playout:
    """Plays loaded pieces in order over a bed; see the module.

    Attributes:
        sample: samples made so far; the next block begins here.
        master: the last stage, with its meters.
        orchestra: the synth, and the orchestras of SoundFonts.
        decks: the pieces that sound.
        stems: float32 [256, 2 x instruments], what the orchestra gave to the last block.

    Args:
        seed: of the instruments' tables and the rooms.
        bed: whether something sounds where no piece does.
        lufs: integrated loudness each piece is brought to.
        dbtp: true peak that nothing passes.
        patient: whether a piece waits for its SoundFont to be loaded.
        patches: of the synth; None: those that come with the program.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        bed: bool = True,
        lufs: float = TARGET_LUFS,
        dbtp: float = CEILING_DBTP,
        patient: bool = False,
        patches: Library | None = None,
    ) -> None:
        patches = patches or library()
        synth = Orchestra(seed=seed, patches=patches)
        self.orchestra = Ensemble(synth, patches, levels_of_patches(synth, patches, f"synth {seed}"), patient=patient)
        self.master = Master(seed=seed, dbtp=dbtp)
        self._lufs = lufs
        self._cap = 10 ** ((dbtp - _CREST_DB + 0.691) / 10)
        self._telling = Telling()
        self.decks = Decks(self.orchestra, self._telling)
        self._shelf = Shelf(self.orchestra, lufs=lufs, cap=self._cap, seed=seed)
        self.stems = np.zeros((BLOCK_SAMPLES, 0), np.float32)
        self._with_bed = bed
        self._shelf.load(BED, in_a_moment().notes, in_a_moment().duration_s)
        self._queue = Queue()
        # (number, synth sample) of the piece of the queue that is to begin next.
        self._next: tuple[int, int] | None = None
        # The piece that was ordered to begin with the next block.
        self._ordered: int | None = None
        # The piece that is being put on a deck just now.
        self._begins: int | None = None
        # How far into itself it begins, in samples, and over how long it comes in.
        self._into, self._in_s = 0, 0.0
        self._bed_in_s = BED_IN_S
        self._last_strike = -_EXPECT_FOR
        self._quiet_blocks = 10**9
        self._alarmed = False

    # --- orders --------------------------------------------------------------------

    def load(
        self,
        number: int,
        notes: Sequence[Note],
        duration_s: float,
        gain_db: float = 0.0,
        room: str = DEFAULT_ROOM,
        bank: str = SYNTH,
        score: Score | None = None,
        controls: Sequence[Controls] = (),
        style: str = "",
        variants: Mapping[str, str] | None = None,
    ) -> None:
        """Keep a piece; number 0 is the bed.

        Args:
            number: it is known by.
            notes: of the piece.
            duration_s: its length.
            gain_db: against the programme's loudness.
            room: of `streaming.mixing.room.ROOMS`, or `dry`.
            bank: path of the SoundFont that plays it, or `synth`.
            score: by which players make music of written notes; None: exactly as written.
            controls: of the parts of its notes.
            style: of the piece, for the patches that play it; where nothing is said, the score's.
            variants: instrument to variant, before what the style says.
        """
        self._shelf.load(number, notes, duration_s, gain_db, room, bank, score, controls, style, variants)
        if number == BED and (bed := self.decks.bed) is not None:
            # The new bed comes in when the old one is out.
            bed.move(0.0, BED_OUT_S)

    def drop(self, numbers: Sequence[int]) -> None:
        """Forget pieces; one that plays plays on."""
        for number in numbers:
            if number != BED:
                self._shelf.drop(number)
        self._queue.numbers = [n for n in self._queue.numbers if n in self._shelf]
        if self._next is not None and self._next[0] not in self._shelf:
            self._next = None

    def follow(self, numbers: Sequence[int], gap_s: float = 1.0, cuts: Sequence[float | None] = ()) -> None:
        """Replace the queue; pieces that are not loaded are left out.

        Args:
            numbers: in the order of playing.
            gap_s: pause after the end of a piece; negative starts early.
            cuts: for each piece, second of the one before it at which that is cut and this begins, to the
                sample; None, past, or missing: after the gap.

        Raises:
            KeyError: one is not loaded (the others are queued).
        """
        missing = [n for n in numbers if n not in self._shelf or n == BED]
        # What follows a piece that is not there follows another one, and cuts that nowhere.
        places = zip([None, *numbers], numbers, cuts, strict=False)
        joined = {n: at_s for before, n, at_s in places if at_s is not None and before not in missing}
        self._queue = Queue([n for n in numbers if n not in missing], gap_s, joined)
        self._next = None
        if missing:
            raise KeyError(missing[0])

    def go(self, number: int, fade_s: float = 0.5, from_s: float = 0.0) -> None:
        """Begin a piece with the next block; what plays fades out under it.

        Args:
            number: of a loaded piece; one that plays, or fades, begins once more, and no end is told of it before.
            fade_s: how long what plays takes to fade; what begins within itself comes in as long.
            from_s: seconds into the piece at which it begins.

        Raises:
            KeyError: it is not loaded.
        """
        if number not in self._shelf or number == BED:
            raise KeyError(number)
        self._queue.numbers = [n for n in self._queue.numbers if n != number]
        for _, deck in self.decks.pieces:
            deck.move(0.0, fade_s)
            deck.ended = deck.ended or deck.number == number
        self._next, self._ordered = None, number
        self._into, self._in_s = to_samples(max(0.0, from_s)), fade_s

    def revise(
        self, number: int, from_s: float, notes: Sequence[Note], duration_s: float, score: Score | None = None
    ) -> None:
        """Replace the notes of a piece from a time on, playing or not; what has been played stays.

        What sounds across that time is let go there, to the sample, unless it is among the new notes.
        A time that is past becomes the next block; the news say so.

        Args:
            number: of a loaded piece.
            from_s: seconds since it began.
            notes: from that time on; earlier ones are those that may go on.
            duration_s: of the whole piece.
            score: of the whole piece, where it is another now.

        Raises:
            KeyError: it is not loaded.
        """
        if number not in self._shelf or number == BED:
            raise KeyError(number)
        playing = [(index, deck) for index, deck in self.decks.pieces if deck.number == number and not deck.ended]
        played = max((self.sample - deck.start for _, deck in playing), default=0)
        at = max(to_samples(from_s), played)
        piece = self._shelf.revise(number, at, notes, duration_s, score)
        for index, deck in playing:
            self.decks.revise(index, deck, piece)
        sample = playing[-1][1].start + at if playing else None
        self._telling.changed(number, to_seconds(at), sample, late=at > to_samples(from_s))

    def fade(self, seconds: float) -> None:
        """Fade out what plays; the next in the queue follows, else the bed."""
        deck = self.decks.live
        if deck is None:
            return
        deck.move(0.0, seconds)
        deck.end = min(deck.end, self.sample + to_samples(max(seconds, 0.0)))
        self._bed_in_s = min(BED_IN_S, seconds)
        self._next = None

    # --- state ---------------------------------------------------------------------

    @property
    def sample(self) -> int:
        """Samples made so far; the next block begins here."""
        return self.orchestra.sample

    @property
    def number(self) -> int:
        """The piece that plays; 0 is the bed, or nothing."""
        deck = self.decks.live
        return deck.number if deck is not None else BED

    @property
    def position_s(self) -> float:
        """Seconds since it began."""
        deck = self.decks.live or self.decks.bed
        return max(0.0, (self.sample - LATENCY_SAMPLES - deck.start) / SAMPLE_RATE) if deck is not None else 0.0

    @property
    def idle(self) -> bool:
        """Whether nothing plays, nothing is to begin, and the last sound has gone."""
        waiting = self._next is not None or self._ordered is not None or bool(self._queue.numbers)
        return not waiting and not self.decks.pieces and self._rests

    @property
    def _rests(self) -> bool:
        """Whether the last sound has gone."""
        return self._quiet_blocks * BLOCK_SAMPLES > _TAIL_S * SAMPLE_RATE

    @property
    def tape(self) -> NoteTape | None:
        """Where what sounds is told, in samples of the synth's clock; None: nowhere."""
        return self._telling.tape

    @tape.setter
    def tape(self, tape: NoteTape | None) -> None:
        self._telling.tape = tape

    def take_news(self) -> list[News]:
        """Return what has happened since the last call."""
        return self._telling.take()

    # --- the programme ---------------------------------------------------------------

    def step(self) -> NDArray[np.float32]:
        """Make the next block, float32 [256, 2]; a piece sounds one block after its order."""
        try:
            return self._step()
        except Exception as error:
            # Whatever is wrong with a piece, the programme goes on without it; what is wrong without one is told above.
            if not self.decks.pieces and self._begins is None:
                raise
            log.exception("a piece cannot be played on")
            self._telling.troubled([f"a piece cannot be played on and is left ({type(error).__name__}: {error})"])
            self._next = self._ordered = self._begins = None
            for index, _ in self.decks.pieces:
                self.decks.clear(index)
            return self._step()

    def _step(self) -> NDArray[np.float32]:
        now = self.sample
        until = now + BLOCK_SAMPLES
        ended = self.decks.end(until)
        if ended is not None:
            self._plan_next(ended)
        self._schedule(until)
        self._begin(until)
        if self._with_bed:
            self._tend_bed(now)
        if self.decks.move():
            self._plan_next(now)
        self.decks.turn(now)
        strikes = self.decks.strikes(now, until)
        if any(s.deck != BED for s in strikes):
            self._last_strike = now
        self._telling.struck(strikes, self.decks.all, now)
        self.stems = self.orchestra.process(strikes)
        playing = bool(self.decks.pieces)
        steps = self.master.meter.steps
        block = self.master.process(self.stems, expected=playing and now - self._last_strike < _EXPECT_FOR)
        if self.master.meter.steps != steps:
            self.decks.steer(self.master.meter.step_power)
        self._quiet_blocks = 0 if playing or self.orchestra.voices > 0 else self._quiet_blocks + 1
        self._telling.troubled(self.orchestra.take_troubles())
        if self.master.alarm and not self._alarmed:
            self._telling.silent(self.number)
        self._alarmed = self.master.alarm
        return block

    def _plan_next(self, end: int) -> None:
        """Let the next of the queue begin after the end of a piece."""
        if self._next is None and self._ordered is None and self._queue.numbers:
            at = max(self.sample, end + to_samples(self._queue.gap_s))
            self._next = (self._queue.numbers.pop(0), at)

    def _schedule(self, until: int) -> None:
        """Find out whether the next of the queue is to begin before a sample."""
        if self._next is not None or self._ordered is not None or not self._queue.numbers:
            return
        deck = self.decks.live
        if deck is None:
            # Nothing plays any more, or nothing ever did: the queue begins at once.
            self._plan_next(self.sample - to_samples(self._queue.gap_s))
        elif (cut := self._cut(deck)) is not None:
            if cut < until:
                self._next = (self._queue.numbers.pop(0), cut)
                self.decks.retime(self.decks.current or 0, splice.joined(deck.notes, (), cut - deck.start))
                deck.end = cut
        elif deck.end + to_samples(self._queue.gap_s) < until:
            self._plan_next(deck.end)

    def _cut(self, deck: Deck) -> int | None:
        """Return the sample at which the next of the queue takes a deck's place, if it does and that is to come."""
        at_s = self._queue.cuts.get(self._queue.numbers[0])
        if at_s is None or deck.towards == 0.0:
            return None
        cut = deck.start + to_samples(at_s)
        return cut if self.sample <= cut < deck.end else None

    def _begin(self, until: int) -> None:
        """Begin the piece that is to begin before a sample."""
        into = 0
        if self._ordered is not None:
            self._next, self._ordered = (self._ordered, self.sample), None
            into = self._into
        if self._next is None or self._next[1] >= until:
            return
        number, at = self._next
        self._next, self._begins = None, number
        piece = self._shelf.get(number)
        if piece is None:
            self._begins = None
            return
        start = at - into
        end = max(start + to_samples(piece.duration_s + RELEASE_S), at)
        steering = Steering(piece.course, self._lufs + piece.own_gain_db, self._cap)
        notes = splice.begun_within(piece.notes, into) if into else piece.notes
        deck = Deck(number, Timeline(notes), start, end, piece.gain_db, levels=piece.levels, steering=steering)
        if into:
            steering.skip(into)
            deck.gain = 0.0
            deck.move(1.0, self._in_s)
        # The meter's steps begin with the piece, so that they are the same whatever was before it.
        self.master.meter.begin()
        self.master.play_in(piece.room, self.orchestra.players(piece.style, piece.variants), at_once=self._rests)
        self.decks.put(deck, piece)
        self._begins = None

    def _tend_bed(self, now: int) -> None:
        """Bring the bed in where nothing plays, and take it out where something does."""
        deck = self.decks.bed
        # What sounds goes just before the next piece begins, and not long before.
        least_s = _BED_AFTER_S if deck is None else BED_OUT_S
        soon = self._next is not None and self._next[1] - now < to_samples(least_s)
        live = self.decks.live
        # Where nothing follows what is faded, the bed comes in under it: there is no hole between them.
        leaves = live is not None and live.towards == 0.0 and not self._queue.numbers and self._ordered is None
        wanted = (live is None or leaves) and not soon
        if wanted and deck is None and (piece := self._shelf.get(BED)) is not None:
            length = max(BLOCK_SAMPLES, to_samples(piece.duration_s))
            deck = Deck(BED, Timeline(piece.notes), now, now + length, piece.gain_db + BED_DB, gain=0.0)
            deck.move(1.0, self._bed_in_s)
            self._bed_in_s = BED_IN_S
            self.decks.lay_bed(deck)
        elif deck is not None and not wanted and deck.towards > 0.0:
            deck.move(0.0, BED_OUT_S)
