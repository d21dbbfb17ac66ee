"""The synth and the orchestras of SoundFonts as one: each deck is played by the one that its piece asks for.

A SoundFont is loaded beside the music. Until it is there, and where it has no sound for a note, the synth plays:
nothing goes silent for want of a file.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streaming.errors import SynthError
from streaming.mixing.levels import Levels, PatchLevels
from streaming.patches import Library, Patch
from streaming.performing.turning import Turned
from streaming.soundfonts.levels import measure_apart
from streaming.soundfonts.sf2 import SYNTH, instruments_of
from streaming.soundfonts.soundfont import SampledOrchestra
from streaming.synthesis.synth import DECKS, Orchestra, Strike
from streaming.timeline import BLOCK_SAMPLES

log = logging.getLogger(__name__)

# A SoundFont takes some 100 MB: what was not asked for lately makes room.
_MOST_BANKS = 4
# Makes the orchestra of a file, as loud as another one.
Load = Callable[[Path, Levels], SampledOrchestra]


def loaded(path: Path, like: Levels) -> SampledOrchestra:
    """Return the orchestra of a SoundFont, as loud as another one.

    Raises:
        SynthError: it cannot be played.
    """
    # What can be refused is refused first; then the work, elsewhere: the lock of this interpreter is the music's.
    instruments_of(path)
    measure_apart(path)
    return SampledOrchestra(path, like=like)


class _Bank:
    """A SoundFont that is there, is coming, or cannot come."""

    def __init__(self, path: str, load: Load, like: Levels) -> None:
        self.path = path
        self.orchestra: SampledOrchestra | None = None
        self.trouble = ""
        self.joined = False
        self._load, self._like = load, like
        self._thread = threading.Thread(target=self._run, name=f"bank {path}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.orchestra = self._load(Path(self.path), self._like)
        except SynthError as error:
            self.trouble = str(error)
        except Exception as error:
            # Whatever it is, the music goes on.
            log.exception("%s", self.path)
            self.trouble = f"{self.path}: cannot be loaded ({type(error).__name__}: {error})"

    @property
    def coming(self) -> bool:
        return self._thread.is_alive()

    def wait(self) -> None:
        self._thread.join()


class Ensemble:
    """All orchestras of a playout; it has the face of each.

    Args:
        synth: the orchestra that always plays.
        patches: that it has.
        levels: what the notes of each of them measure.
        patient: whether a piece waits for its SoundFont to be loaded; offline nobody hears the pause.
        load: makes the orchestra of a file.
    """

    def __init__(
        self,
        synth: Orchestra,
        patches: Library,
        levels: PatchLevels,
        *,
        patient: bool = False,
        load: Load | None = None,
    ) -> None:
        self.synth = synth
        self._patches, self._levels = patches, levels
        self._patient = patient
        self._load = load or loaded
        # The one asked for last stands last.
        self._banks: dict[str, _Bank] = {}
        self._decks = [SYNTH] * DECKS
        self._troubles: list[str] = []
        self._told: set[str] = set()
        self._stems = np.zeros(0, np.float32)

    # --- which plays what -----------------------------------------------------------

    def prepare(self, banks: Sequence[str]) -> None:
        """Begin to load SoundFonts that are not loaded yet.

        Args:
            banks: paths; `synth` is always there.
        """
        for path in banks:
            if path in ("", SYNTH):
                continue
            bank = self._banks.pop(path, None)
            # A file that could not be read may have been put right since.
            self._banks[path] = (
                bank
                if bank and not bank.trouble
                else _Bank(path, self._load, self._levels.of(self._patches.ensemble()))
            )
        spare = [p for p, bank in self._banks.items() if p not in self._decks and not bank.coming]
        for path in spare[: max(0, len(self._banks) - _MOST_BANKS)]:
            bank = self._banks.pop(path)
            if bank.orchestra is not None:
                bank.orchestra.close()

    def players(self, style: str = "", variants: Mapping[str, str] | None = None) -> dict[str, Patch]:
        """Return the patch of every instrument, in the order of the stems.

        Args:
            style: of the piece.
            variants: instrument to variant, before what the style says.

        Raises:
            PatchError: an instrument or a variant is unknown.
        """
        return self._patches.ensemble(style, variants)

    def assign(self, deck: int, bank: str, style: str = "", variants: Mapping[str, str] | None = None) -> None:
        """Let a bank play what is struck on a deck from now on.

        Args:
            deck: whose.
            bank: path of a SoundFont, or `synth`.
            style: of the piece.
            variants: as of `players`: what the synth plays is played by those.

        Raises:
            PatchError: an instrument or a variant is unknown.
        """
        self.synth.choose(deck, style, variants)
        self._decks[deck] = bank or SYNTH
        if self._decks[deck] == SYNTH:
            return
        if bank not in self._banks:
            self.prepare([bank])
        if self._patient:
            self._banks[bank].wait()
        if self._banks[bank].coming:
            self.say(f"{bank}: it is still being loaded; the synth plays until it is there")

    def levels(self, bank: str, style: str = "", variants: Mapping[str, str] | None = None) -> Levels:
        """Return what the notes of a bank measure where its players stand; those of the synth while it is not there.

        Args:
            bank: path of a SoundFont, or `synth`.
            style: of the piece.
            variants: as of `players`.
        """
        players = self.players(style, variants)
        found = self._banks.get(bank)
        if found is not None and self._patient:
            found.wait()
        orchestra = found.orchestra if found is not None and not found.coming else None
        if orchestra is not None and orchestra.levels is not None:
            return orchestra.levels.standing(players)
        return self._levels.of(players)

    def take_troubles(self) -> list[str]:
        """Return what has gone wrong with banks since the last call, each once."""
        for bank in self._banks.values():
            if bank.trouble and not bank.coming:
                self.say(f"{bank.trouble} - the synth plays in its place")
        troubles, self._troubles = self._troubles, []
        return troubles

    def say(self, text: str) -> None:
        """Tell of something once, among the troubles."""
        if text not in self._told:
            self._told.add(text)
            self._troubles.append(text)
            log.warning("%s", text)

    @property
    def _all(self) -> tuple[Orchestra | SampledOrchestra, ...]:
        return self.synth, *self._ready()

    def _ready(self) -> list[SampledOrchestra]:
        """Return the orchestras that are loaded, their clocks being the synth's."""
        ready = []
        for bank in self._banks.values():
            if bank.coming or bank.orchestra is None:
                continue
            if not bank.joined:
                bank.orchestra.reset(self.synth.sample)
                bank.joined = True
            ready.append(bank.orchestra)
        return ready

    # --- one orchestra --------------------------------------------------------------

    @property
    def sample(self) -> int:
        """Samples made so far."""
        return self.synth.sample

    @property
    def voices(self) -> int:
        """Voices that sound now."""
        return self.synth.voices + sum(o.voices for o in self._ready())

    @property
    def stolen(self) -> int:
        """Notes that were cut short for want of voices."""
        return self.synth.stolen + sum(o.stolen for o in self._ready())

    def sounds(self, deck: int) -> bool:
        """Whether a voice of a deck sounds."""
        return self.synth.sounds(deck) or any(o.sounds(deck) for o in self._ready())

    def fade(self, deck: int, start_gain: float, end_gain: float) -> None:
        """Set a deck's fader: a straight line over the block to come."""
        for orchestra in self._all:
            orchestra.fade(deck, start_gain, end_gain)

    def release(self, deck: int, *, within_s: float | None = None) -> None:
        """Let go of every key of a deck, at the start of the block to come.

        Args:
            deck: whose.
            within_s: longest release; None leaves each its own.
        """
        for orchestra in self._all:
            orchestra.release(deck, within_s=within_s)

    def turn(self, turned: Turned) -> None:
        """Play the notes of a part of a deck's piece louder, elsewhere, or at another pitch."""
        for orchestra in self._all:
            orchestra.turn(turned)

    def let_turn(self, deck: int) -> None:
        """Forget the parts of a deck's last piece."""
        for orchestra in self._all:
            orchestra.let_turn(deck)

    def shorten(self, deck: int, ends: Mapping[tuple[int, int, str], int]) -> None:
        """Let go of keys of a deck earlier than they were to be; see `Orchestra.shorten`."""
        for orchestra in self._all:
            orchestra.shorten(deck, ends)

    def process(self, strikes: Sequence[Strike] = ()) -> NDArray[np.float32]:
        """Make the next block.

        Args:
            strikes: notes that begin in it, in order.

        Returns:
            float32 [256, 2 x instruments]: all banks together. The array is used again for the next block.
        """
        ready = self._ready()
        if not ready:
            return self.synth.process(strikes)
        shares: dict[SampledOrchestra, list[Strike]] = {orchestra: [] for orchestra in ready}
        others = []
        for strike in strikes:
            bank = self._banks.get(self._decks[strike.deck])
            orchestra = bank.orchestra if bank is not None and bank.joined else None
            if orchestra is not None and orchestra.plays(strike.note.instrument, strike.note.pitch):
                shares[orchestra].append(strike)
            else:
                others.append(strike)
        stems = self.synth.process(others)
        for orchestra, share in shares.items():
            if share or orchestra.voices:
                more = orchestra.process(share)
                if self._stems.shape != stems.shape:
                    self._stems = np.zeros((BLOCK_SAMPLES, stems.shape[1]), np.float32)
                stems = np.add(stems, more, out=self._stems)
            else:
                orchestra.rest()
        return stems
