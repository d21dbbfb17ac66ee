"""What plays when: loaded pieces, the queue, fades, and the bed under it all.

The same object makes the programme live and offline, block by block, and knows
nothing of clocks or sockets; so both sound the same, sample for sample.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.controls import Controls
from model.notes import Note
from streaming.mixing.calibration import levels_of
from streaming.mixing.levels import gain_db_to
from streaming.mixing.loudness import to_gain
from streaming.mixing.mixer import CEILING_DBTP, LATENCY_SAMPLES, Master
from streaming.mixing.room import DEFAULT_ROOM
from streaming.mixing.steering import Steering, moved
from streaming.notetape import NoteTape
from streaming.performing import expression, splice
from streaming.performing.notation import Score
from streaming.performing.turning import Turning, gain_db_of
from streaming.playing.bed import drone
from streaming.playing.deck import Begun, Changed, Deck, Loaded, News, Over, Queue, Silent, Troubled
from streaming.playing.ensemble import Ensemble
from streaming.soundfonts.sf2 import SYNTH
from streaming.synthesis.synth import DECKS, Orchestra, Strike
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, Timeline, to_samples, to_seconds

__all__ = ["Begun", "Changed", "News", "Over", "Playout", "Silent", "Troubled"]

log = logging.getLogger(__name__)

BED = 0
# So far under the pieces that it does not count for the loudness of the programme: the gate is at -10 LU.
BED_DB = -11.0
TARGET_LUFS = -14.0
_GAIN_RANGE_DB = (-24.0, 24.0)
# The limiter lets through no moment that is louder than this under its ceiling: no music is denser.
_CREST_DB = 7.5
BED_IN_S, BED_OUT_S = 1.5, 1.0
# A piece ends a little after its last key is let go: the strings ring.
RELEASE_S = 1.0
# A shorter pause between two pieces is left silent.
_BED_AFTER_S = 4.0
_TAIL_S = 2.0
_EXPECT_FOR = to_samples(1.0)


class Playout:
    """Plays loaded pieces in order over a bed; see the module.

    Attributes:
        sample: samples made so far; the next block begins here.
        master: the last stage, with its meters.
        orchestra: the synth, and the orchestras of SoundFonts.
        stems: float32 [256, 2 x instruments], what the orchestra gave to the last block.
        tape: where what sounds is told, in samples of the synth's clock; None: nowhere.

    Args:
        seed: of the instruments' tables and the rooms.
        bed: whether something sounds where no piece does.
        lufs: integrated loudness each piece is brought to.
        dbtp: true peak that nothing passes.
        patient: whether a piece waits for its SoundFont to be loaded.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        bed: bool = True,
        lufs: float = TARGET_LUFS,
        dbtp: float = CEILING_DBTP,
        patient: bool = False,
    ) -> None:
        synth = Orchestra(seed=seed)
        self.orchestra = Ensemble(synth, levels_of(synth, f"synth {seed}"), patient=patient)
        self.master = Master(seed=seed, dbtp=dbtp)
        self._lufs = lufs
        self._cap = 10 ** ((dbtp - _CREST_DB + 0.691) / 10)
        self._seed = seed
        self.tape: NoteTape | None = None
        self.stems = np.zeros((BLOCK_SAMPLES, 0), np.float32)
        self._with_bed = bed
        self._pieces: dict[int, Loaded] = {}
        self._decks: list[Deck | None] = [None] * DECKS
        self.load(BED, *drone())
        self._current: int | None = None
        self._queue = Queue()
        # (number, synth sample) of the piece of the queue that is to begin next.
        self._next: tuple[int, int] | None = None
        # The piece that was ordered to begin with the next block.
        self._ordered: int | None = None
        self._news: list[News] = []
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
        """
        self.orchestra.prepare([bank])
        performance = expression.perform(notes, score, seed=self._seed)
        turned = tuple(controls)
        own = self._gain_db(performance.played, room, bank, turned)
        piece = Loaded(performance.played, duration_s, gain_db, gain_db + own, room=room, bank=bank)
        piece.performance, piece.controls = performance, turned
        piece.course = self._course(piece)
        self._pieces[number] = piece
        if number == BED and (deck := self._decks[0]) is not None:
            # The new bed comes in when the old one is out.
            deck.move(0.0, BED_OUT_S)

    def drop(self, numbers: Sequence[int]) -> None:
        """Forget pieces; one that plays plays on."""
        for number in numbers:
            if number != BED:
                self._pieces.pop(number, None)
        self._queue.numbers = [n for n in self._queue.numbers if n in self._pieces]
        if self._next is not None and self._next[0] not in self._pieces:
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
        missing = [n for n in numbers if n not in self._pieces or n == BED]
        # What follows a piece that is not there follows another one, and cuts that nowhere.
        places = zip([None, *numbers], numbers, cuts, strict=False)
        joined = {n: at_s for before, n, at_s in places if at_s is not None and before not in missing}
        self._queue = Queue([n for n in numbers if n not in missing], gap_s, joined)
        self._next = None
        if missing:
            raise KeyError(missing[0])

    def go(self, number: int, fade_s: float = 0.5) -> None:
        """Begin a piece with the next block; what plays fades out under it.

        Raises:
            KeyError: it is not loaded.
        """
        if number not in self._pieces or number == BED:
            raise KeyError(number)
        self._queue.numbers = [n for n in self._queue.numbers if n != number]
        for deck in self._decks[1:]:
            if deck is not None:
                deck.move(0.0, fade_s)
        self._next, self._ordered = None, number

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
        piece = self._pieces.get(number)
        if piece is None or number == BED:
            raise KeyError(number)
        now = self.orchestra.sample
        taken = [(index, deck) for index, deck in enumerate(self._decks) if deck is not None and not deck.ended]
        decks = [(index, deck) for index, deck in taken if deck.number == number]
        played = max((now - deck.start for _, deck in decks), default=0)
        at = max(to_samples(from_s), played)
        late = at > to_samples(from_s)
        # No note is played before its written place: what was played is what is written before this time.
        piece.performance = expression.revised(piece.performance, notes, at, score)
        piece.notes = piece.performance.played
        new = [n for n, as_written in piece.performance if to_samples(as_written.onset_s) >= at]
        gain_db = piece.own_gain_db + self._gain_db(new, piece.room, piece.bank, piece.controls)
        piece.duration_s = max(duration_s, to_seconds(at))
        piece.levels = [*((since, db) for since, db in piece.levels if since < at), (at, gain_db)]
        piece.course = self._course(piece)
        for index, deck in decks:
            self._retime(index, deck, piece.notes)
            deck.levels = piece.levels
            if deck.steering is not None:
                deck.steering.revise(piece.course)
            deck.end = max(now, deck.start + to_samples(piece.duration_s + RELEASE_S))
            if deck.towards == 0.0:
                # It is fading out: what was to follow then still does.
                deck.end = min(deck.end, now + int(deck.gain / deck.slope) * BLOCK_SAMPLES)
        sample = decks[-1][1].start + at + LATENCY_SAMPLES if decks else -1
        self._news.append(Changed(number, to_seconds(at), sample, late))

    def _gain_db(self, notes: Sequence[Note], room: str, bank: str, controls: Sequence[Controls]) -> float:
        """Return the gain that brings notes to the programme's loudness, as far as they tell."""
        gains_db = [gain_db_of(controls, n.part, n.onset_s) for n in notes] if controls else None
        course = self.orchestra.levels(bank).course(notes, room, gains_db=gains_db)
        low, high = _GAIN_RANGE_DB
        return min(high, max(low, gain_db_to(course, self._lufs, self._cap)))

    def _course(self, piece: Loaded) -> NDArray[np.float64]:
        """Return how loud a piece is expected to be at each moment."""
        levels = self.orchestra.levels(piece.bank)
        course = levels.course((), piece.room, piece.duration_s + RELEASE_S)
        since = [(0, piece.gain_db), *piece.levels]
        for (first, gain_db), (end, _) in zip(since, [*since[1:], (2**62, 0.0)], strict=True):
            notes = [n for n in piece.notes if first <= max(0, to_samples(n.onset_s)) < end]
            turned = [gain_db_of(piece.controls, n.part, n.onset_s) for n in notes] if piece.controls else None
            part = levels.course(notes, piece.room, gains_db=turned) * 10 ** (gain_db / 10)
            if len(part) > len(course):
                course = np.concatenate([course, np.zeros(len(part) - len(course))])
            course[: len(part)] += part
        return course

    def _retime(self, index: int, deck: Deck, notes: Sequence[Note]) -> None:
        """Let a deck go on with other notes; those that sound already end when they say."""
        timeline = Timeline(notes)
        played = timeline.take(self.orchestra.sample - deck.start)
        ends = {(deck.start + e.sample, e.note.pitch, e.note.instrument): deck.start + e.end_sample for e in played}
        self.orchestra.shorten(index, ends)
        if self.tape is not None:
            self.tape.shortened(index, ends, self.orchestra.sample)
        deck.timeline = timeline

    def fade(self, seconds: float) -> None:
        """Fade out what plays; the next in the queue follows, else the bed."""
        deck = self._decks[self._current] if self._current is not None else None
        if deck is None:
            return
        deck.move(0.0, seconds)
        deck.end = min(deck.end, self.orchestra.sample + to_samples(max(seconds, 0.0)))
        self._next = None

    # --- state ---------------------------------------------------------------------

    @property
    def sample(self) -> int:
        """Samples made so far."""
        return self.orchestra.sample

    @property
    def number(self) -> int:
        """The piece that plays; 0 is the bed, or nothing."""
        deck = self._decks[self._current] if self._current is not None else None
        return deck.number if deck is not None else BED

    @property
    def position_s(self) -> float:
        """Seconds since it began."""
        deck = self._decks[self._current if self._current is not None else 0]
        return max(0.0, (self.sample - LATENCY_SAMPLES - deck.start) / SAMPLE_RATE) if deck is not None else 0.0

    @property
    def idle(self) -> bool:
        """Whether nothing plays, nothing is to begin, and the last sound has gone."""
        waiting = self._next is not None or self._ordered is not None or bool(self._queue.numbers)
        playing = any(deck is not None for deck in self._decks[1:])
        return not waiting and not playing and self._quiet_blocks * BLOCK_SAMPLES > _TAIL_S * SAMPLE_RATE

    def take_news(self) -> list[News]:
        """Return what has happened since the last call."""
        news, self._news = self._news, []
        return news

    # --- the programme ---------------------------------------------------------------

    def step(self) -> NDArray[np.float32]:
        """Make the next block, float32 [256, 2]; a piece sounds one block after its order."""
        now = self.orchestra.sample
        until = now + BLOCK_SAMPLES
        self._end(until)
        self._schedule(until)
        self._begin(until)
        if self._with_bed:
            self._tend_bed(now)
        for index in range(DECKS):
            self._move(index)
        for deck in self._decks:
            if deck is not None and deck.turning is not None:
                for turned in deck.turning.step(now - deck.start):
                    self.orchestra.turn(turned)
        strikes = [s for index, deck in enumerate(self._decks) if deck for s in self._strikes(index, deck, now, until)]
        strikes.sort(key=lambda s: s.offset)
        if any(s.deck != BED for s in strikes):
            self._last_strike = now
        if self.tape is not None:
            self._tell(self.tape, strikes, now)
        self.stems = self.orchestra.process(strikes)
        playing = any(deck is not None for deck in self._decks[1:])
        expected = playing and now - self._last_strike < _EXPECT_FOR
        steps = self.master.meter.steps
        block = self.master.process(self.stems, expected=expected)
        if self.master.meter.steps != steps:
            self._steer()
        busy = playing or self.orchestra.voices > 0
        self._quiet_blocks = 0 if busy else self._quiet_blocks + 1
        self._news += [Troubled(text) for text in self.orchestra.take_troubles()]
        if self.master.alarm and not self._alarmed:
            self._news.append(Silent(self.number))
        self._alarmed = self.master.alarm
        return block

    def _tell(self, tape: NoteTape, strikes: Sequence[Strike], now: int) -> None:
        """Tell those who play along of the notes of pieces."""
        for strike in strikes:
            deck = self._decks[strike.deck] if strike.deck != BED else None
            if deck is not None:
                tape.struck(now + strike.offset, strike.length_samples, strike.note, strike.deck, deck.gain)

    def _steer(self) -> None:
        """Tell the piece that plays how loud it was; nothing can be learned while another one sounds, too."""
        for index, deck in enumerate(self._decks[1:], start=1):
            if deck is None or deck.steering is None:
                continue
            others = any(other is not None for i, other in enumerate(self._decks) if i != index)
            deck.steering.hear(
                self.master.meter.step_power, deck.trim_db, alone=not others and deck.gain == deck.towards == 1.0
            )

    def _end(self, until: int) -> None:
        """Tell of the pieces that end before a sample."""
        for index, deck in enumerate(self._decks[1:], start=1):
            if deck is not None and not deck.ended and deck.end < until:
                deck.ended = True
                self._tell_over(deck.number, deck.end)
                if self._current == index:
                    self._plan_next(deck.end)
                    self._current = None
            # Its deck is free when the last of its voices has gone.
            if deck is not None and deck.ended and not self.orchestra.sounds(index):
                self._decks[index] = None

    def _plan_next(self, end: int) -> None:
        if self._next is None and self._ordered is None and self._queue.numbers:
            at = max(self.orchestra.sample, end + to_samples(self._queue.gap_s))
            self._next = (self._queue.numbers.pop(0), at)

    def _schedule(self, until: int) -> None:
        """Find out whether the next of the queue is to begin before a sample."""
        if self._next is not None or self._ordered is not None or not self._queue.numbers:
            return
        deck = self._decks[self._current] if self._current is not None else None
        if deck is None:
            # Nothing plays any more, or nothing ever did: the queue begins at once.
            self._plan_next(self.orchestra.sample - to_samples(self._queue.gap_s))
        elif (cut := self._cut(deck)) is not None:
            if cut < until:
                self._next = (self._queue.numbers.pop(0), cut)
                self._retime(
                    self._current or 0,
                    deck,
                    splice.joined([e.note for e in deck.timeline.events], (), cut - deck.start),
                )
                deck.end = cut
        elif deck.end + to_samples(self._queue.gap_s) < until:
            self._plan_next(deck.end)

    def _cut(self, deck: Deck) -> int | None:
        """Return the sample at which the next of the queue takes a deck's place, if it does and that is to come."""
        at_s = self._queue.cuts.get(self._queue.numbers[0])
        if at_s is None or deck.towards == 0.0:
            return None
        cut = deck.start + to_samples(at_s)
        return cut if self.orchestra.sample <= cut < deck.end else None

    def _begin(self, until: int) -> None:
        if self._ordered is not None:
            self._next, self._ordered = (self._ordered, self.orchestra.sample), None
        if self._next is None or self._next[1] >= until:
            return
        number, at = self._next
        self._next = None
        piece = self._pieces.get(number)
        if piece is None:
            return
        index = self._free_deck()
        end = at + to_samples(piece.duration_s + RELEASE_S)
        self.orchestra.assign(index, piece.bank)
        self.orchestra.let_turn(index)
        steering = Steering(piece.course, self._lufs + piece.own_gain_db, self._cap)
        deck = Deck(number, Timeline(piece.notes), at, end, piece.gain_db, levels=piece.levels, steering=steering)
        deck.turning = Turning(piece.controls, index) if piece.controls else None
        self._decks[index] = deck
        # The meter's steps begin with the piece, so that they are the same whatever was before it.
        self.master.meter.begin()
        self.master.play_in(piece.room, at_once=self._quiet_blocks * BLOCK_SAMPLES > _TAIL_S * SAMPLE_RATE)
        self._current = index
        self._news.append(Begun(number, at + LATENCY_SAMPLES))
        if self.tape is not None:
            self.tape.begun(number, at)

    def _free_deck(self) -> int:
        """Return a deck without a piece; if all are taken, the one that began first is cleared."""
        taken = []
        for index, deck in enumerate(self._decks[1:], start=1):
            if deck is None:
                return index
            taken.append((deck.start, index))
        _, index = min(taken)
        self._clear(index)
        return index

    def _clear(self, index: int) -> None:
        """Take a piece off its deck; voices that still sound go quickly."""
        deck = self._decks[index]
        if deck is None:
            return
        self.orchestra.release(index, within_s=0.01)
        if self.tape is not None:
            self.tape.cleared(index, self.orchestra.sample)
        if not deck.ended:
            self._tell_over(deck.number, self.orchestra.sample)
        self._decks[index] = None
        if self._current == index:
            self._current = None

    def _tell_over(self, number: int, sample: int) -> None:
        self._news.append(Over(number, sample + LATENCY_SAMPLES))
        if self.tape is not None:
            self.tape.over(number, sample)

    def _move(self, index: int) -> None:
        """Move a fader on by a block; a deck that has faded out is cleared."""
        deck = self._decks[index]
        if deck is None:
            return
        if deck.gain == deck.towards == 0.0:
            if self._current == index:
                self._plan_next(self.orchestra.sample)
            self._clear(index)
            return
        before = deck.gain
        step = max(-deck.slope, min(deck.slope, deck.towards - deck.gain))
        deck.gain += step
        first, last = deck.trim_db, deck.trim_db
        if deck.steering is not None and deck.steering.moves:
            last = deck.trim_db = moved(first, deck.steering.wanted_db, BLOCK_SAMPLES / SAMPLE_RATE)
        # Squared: a fade that the ear hears as even.
        self.orchestra.fade(index, before * before * to_gain(first), deck.gain * deck.gain * to_gain(last))

    def _strikes(self, index: int, deck: Deck, now: int, until: int) -> list[Strike]:
        if index == BED and until > deck.end:
            deck.timeline.rewind()
            deck.start, deck.end = deck.end, deck.end + deck.end - deck.start
        return [
            Strike(
                offset=max(0, event.sample + deck.start - now),
                length_samples=event.end_sample - event.sample,
                note=event.note,
                deck=index,
                gain_db=deck.gain_at(event.sample),
                colour=event.sample,
            )
            for event in deck.timeline.take(until - deck.start)
        ]

    def _tend_bed(self, now: int) -> None:
        """Bring the bed in where nothing plays, and take it out where something does."""
        bed = self._decks[BED]
        soon = self._next is not None and self._next[1] - now < to_samples(_BED_AFTER_S)
        wanted = self._current is None and not soon
        if wanted and bed is None:
            piece = self._pieces[BED]
            length = max(BLOCK_SAMPLES, to_samples(piece.duration_s))
            bed = Deck(BED, Timeline(piece.notes), now, now + length, piece.gain_db + BED_DB, gain=0.0)
            bed.move(1.0, BED_IN_S)
            self._decks[BED] = bed
            self._news.append(Begun(BED, now + LATENCY_SAMPLES))
        elif bed is not None and not wanted and bed.towards > 0.0:
            bed.move(0.0, BED_OUT_S)
