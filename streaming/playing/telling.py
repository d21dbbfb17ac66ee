"""Who is told of what plays: the news for whoever made the playout, and the tape for those who play along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streaming.mixing.mixer import LATENCY_SAMPLES
from streaming.notetape import NoteTape
from streaming.playing.bed import BED
from streaming.playing.deck import Begun, Changed, Deck, News, Over, Silent, Troubled
from streaming.playing.hands import Hands
from streaming.synthesis.synth import Strike
from streaming.timeline import BLOCK_SAMPLES


class Telling:
    """What happens, told as it happens, in samples of the programme.

    Attributes:
        tape: where what sounds is told; None: nowhere.
    """

    def __init__(self) -> None:
        self.tape: NoteTape | None = None
        self._news: list[News] = []
        self._hands = Hands()

    def take(self) -> list[News]:
        """Return what has happened since the last call."""
        news, self._news = self._news, []
        return news

    def begun(self, number: int, sample: int) -> None:
        """Tell that a piece begins at a sample of the synth's clock."""
        self._news.append(Begun(number, sample + LATENCY_SAMPLES))
        if self.tape is not None and number != BED:
            self.tape.begun(number, sample)

    def over(self, number: int, sample: int) -> None:
        """Tell that a piece has ended."""
        self._news.append(Over(number, sample + LATENCY_SAMPLES))
        if self.tape is not None and number != BED:
            self.tape.over(number, sample)

    def changed(self, number: int, from_s: float, sample: int | None, *, late: bool) -> None:
        """Tell that the notes of a piece are others.

        Args:
            number: of the piece.
            from_s: since when, in seconds of the piece.
            sample: which that is; None: it does not play.
            late: whether the time asked for was past.
        """
        self._news.append(Changed(number, from_s, -1 if sample is None else sample + LATENCY_SAMPLES, late))

    def silent(self, number: int) -> None:
        """Tell that nothing is heard of a piece."""
        self._news.append(Silent(number))

    def troubled(self, texts: Sequence[str]) -> None:
        """Tell what a person should read."""
        self._news += [Troubled(text) for text in texts]

    # --- to those who play along -----------------------------------------------------

    def struck(self, strikes: Sequence[Strike], decks: Sequence[Deck | None], now: int) -> None:
        """Tell of the notes of pieces that begin in a block and of what they turn; the bed is nobody's music."""
        if self.tape is None:
            return
        strikes = [strike for strike in strikes if strike.deck != BED]
        for turn in self._hands.turned(strikes, decks, now, now + BLOCK_SAMPLES):
            self.tape.turned(turn.sample, turn.instrument, turn.control, turn.value)
        for strike in strikes:
            deck = decks[strike.deck]
            if deck is not None:
                self.tape.struck(now + strike.offset, strike.length_samples, strike.note, strike.deck, deck.gain)

    def shortened(self, index: int, ends: Mapping[tuple[int, int, str], int], now: int) -> None:
        """Tell of notes of a deck that end earlier than was told."""
        if self.tape is not None:
            self.tape.shortened(index, ends, now)

    def cleared(self, index: int, now: int) -> None:
        """Tell that the notes of a deck are let go."""
        if self.tape is not None:
            self.tape.cleared(index, now)
