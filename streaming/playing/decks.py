"""The decks: pieces on faders, the notes that begin in a block, and the end of each."""

from __future__ import annotations

from collections.abc import Sequence

from model.notes import Note
from streaming.mixing.loudness import to_gain
from streaming.mixing.steering import moved
from streaming.playing.bed import BED
from streaming.playing.deck import Deck, Loaded
from streaming.playing.ensemble import Ensemble
from streaming.playing.shelf import RELEASE_S
from streaming.playing.telling import Telling
from streaming.synthesis.synth import DECKS, Strike
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, Timeline, to_samples


class Decks:
    """All decks; the first is the bed's.

    Args:
        orchestra: what plays.
        telling: who is told of beginnings and ends.

    Attributes:
        current: of the piece that plays and has not ended; None: none does.
    """

    def __init__(self, orchestra: Ensemble, telling: Telling) -> None:
        self._orchestra, self._telling = orchestra, telling
        self._decks: list[Deck | None] = [None] * DECKS
        self.current: int | None = None

    @property
    def all(self) -> Sequence[Deck | None]:
        """The decks in order, None where there is no piece on one."""
        return self._decks

    @property
    def bed(self) -> Deck | None:
        """The bed, while it sounds."""
        return self._decks[BED]

    @property
    def live(self) -> Deck | None:
        """The piece that plays."""
        return self._decks[self.current] if self.current is not None else None

    @property
    def pieces(self) -> list[tuple[int, Deck]]:
        """Decks with a piece on them, also one that fades or rings."""
        return [(index, deck) for index, deck in enumerate(self._decks) if deck is not None and index != BED]

    # --- pieces come and go ----------------------------------------------------------

    def lay_bed(self, deck: Deck | None) -> None:
        """Let the bed sound, or be gone."""
        self._decks[BED] = deck
        if deck is not None:
            self._telling.begun(BED, deck.start)

    def put(self, deck: Deck, piece: Loaded) -> None:
        """Put a piece on a deck: it is the one that plays from its start on."""
        index = self._free()
        self._orchestra.assign(index, piece.bank, piece.style, piece.variants)
        self._orchestra.let_turn(index)
        deck.turn(piece.controls, index)
        self._decks[index] = deck
        self.current = index
        self._telling.begun(deck.number, deck.start)

    def _free(self) -> int:
        """Return a deck without a piece; if all are taken, the one that began first is cleared."""
        free = next((i for i, deck in enumerate(self._decks) if deck is None and i != BED), None)
        if free is not None:
            return free
        _, index = min((deck.start, index) for index, deck in self.pieces)
        self.clear(index)
        return index

    def clear(self, index: int) -> None:
        """Take a piece off its deck; voices that still sound go quickly."""
        deck = self._decks[index]
        if deck is None:
            return
        self._orchestra.release(index, within_s=0.01)
        self._telling.cleared(index, self._orchestra.sample)
        if not deck.ended:
            self._telling.over(deck.number, self._orchestra.sample)
        self._decks[index] = None
        if self.current == index:
            self.current = None

    def end(self, until: int) -> int | None:
        """Tell of the pieces that end before a sample; return where the one that plays does."""
        ended = None
        for index, deck in self.pieces:
            if not deck.ended and deck.end < until:
                deck.ended = True
                self._telling.over(deck.number, deck.end)
                if self.current == index:
                    self.current, ended = None, deck.end
            # Its deck is free when the last of its voices has gone.
            if deck.ended and not self._orchestra.sounds(index):
                self._decks[index] = None
        return ended

    # --- what changes while they play --------------------------------------------------

    def retime(self, index: int, notes: Sequence[Note]) -> None:
        """Let a deck go on with other notes; those that sound already end when they say."""
        deck = self._decks[index]
        if deck is None:
            return
        timeline = Timeline(notes)
        played = timeline.take(self._orchestra.sample - deck.start)
        ends = {(deck.start + e.sample, e.note.pitch, e.note.instrument): deck.start + e.end_sample for e in played}
        self._orchestra.shorten(index, ends)
        self._telling.shortened(index, ends, self._orchestra.sample)
        deck.timeline = timeline

    def revise(self, index: int, deck: Deck, piece: Loaded) -> None:
        """Let a deck go on with its piece as it is now."""
        now = self._orchestra.sample
        self.retime(index, piece.notes)
        deck.levels = piece.levels
        if deck.steering is not None:
            deck.steering.revise(piece.course)
        deck.end = max(now, deck.start + to_samples(piece.duration_s + RELEASE_S))
        if deck.towards == 0.0:
            # It is fading out: what was to follow then still does.
            deck.end = min(deck.end, now + int(deck.gain / deck.slope) * BLOCK_SAMPLES)

    def steer(self, power: float) -> None:
        """Tell the piece that plays how loud it was; nothing can be learned while another one sounds, too."""
        sounding = sum(deck is not None for deck in self._decks)
        for _, deck in self.pieces:
            if deck.steering is not None:
                deck.steering.hear(power, deck.trim_db, alone=sounding == 1 and deck.gain == deck.towards == 1.0)

    # --- a block ---------------------------------------------------------------------

    def move(self) -> bool:
        """Move all faders on by a block; return whether the piece that plays has faded out."""
        over = False
        for index, deck in enumerate(self._decks):
            if deck is None:
                continue
            if deck.gain == deck.towards == 0.0:
                over = over or self.current == index
                self.clear(index)
                continue
            before = deck.gain
            deck.gain += max(-deck.slope, min(deck.slope, deck.towards - deck.gain))
            first, last = deck.trim_db, deck.trim_db
            if deck.steering is not None and deck.steering.moves:
                last = deck.trim_db = moved(first, deck.steering.wanted_db, BLOCK_SAMPLES / SAMPLE_RATE)
            # Squared: a fade that the ear hears as even.
            self._orchestra.fade(index, before * before * to_gain(first), deck.gain * deck.gain * to_gain(last))
        return over

    def turn(self, now: int) -> None:
        """Turn what the pieces turn in the block that begins at a sample."""
        for _, deck in self.pieces:
            if deck.turning is not None:
                for turned in deck.turning.step(now - deck.start):
                    self._orchestra.turn(turned)

    def strikes(self, now: int, until: int) -> list[Strike]:
        """Return the notes that begin in a block, in order."""
        found = [s for index, deck in enumerate(self._decks) if deck for s in _strikes(index, deck, now, until)]
        found.sort(key=lambda s: s.offset)
        return found


def _strikes(index: int, deck: Deck, now: int, until: int) -> list[Strike]:
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
