"""What is heard of the programme, measured where it leaves: its level, and how long a player has been silent."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Audio = npt.NDArray[np.float32]

# Below this (-90 dBFS) there is nothing, however far one turns it up. Rooms ring down to it within 3 s.
SILENT = 10 ** (-90 / 20)
# A player that gives nothing for so long is silent: it leaves pauses of up to 4 s between two pieces.
SILENT_S = 5.0
# Sound again for so long, and it is trusted. As long as it was gone where that is less.
GOOD_S = 2.0


class Listening:
    """Listens to what the player gives and to what goes out.

    Attributes:
        quiet_s: how long the player has given nothing but silence; 0 while it sounds.
        silent: whether that is taken for a fault, until it has sounded for `GOOD_S`.

    Args:
        rate: samples a second.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self.quiet_s = 0.0
        self.silent = False
        self._good_s = 0.0
        # Of the second under way and of the one before it.
        self._peaks, self._counted = (0.0, 0.0), 0

    @property
    def peak_db(self) -> float:
        """Peak of what went out in the last second or two, dBFS, -120 at least."""
        return 20.0 * float(np.log10(max(*self._peaks, 1e-6)))

    def given(self, audio: Audio) -> None:
        """Take in what the player gave."""
        seconds = len(audio) / self._rate
        if float(np.abs(audio).max(initial=0.0)) > SILENT:
            self.quiet_s = 0.0
            self._good_s += seconds
            self.silent = self.silent and self._good_s < GOOD_S
        else:
            self.quiet_s += seconds
            self._good_s = 0.0
            self.silent = self.silent or self.quiet_s > SILENT_S

    def absent(self, samples: int) -> None:
        """Take in that the player gave nothing at all."""
        self.quiet_s += samples / self._rate
        self._good_s = 0.0

    def sent(self, audio: Audio) -> None:
        """Take in what went out."""
        now, before = self._peaks
        self._peaks = max(now, float(np.abs(audio).max(initial=0.0))), before
        self._counted += len(audio)
        if self._counted >= self._rate:
            self._peaks, self._counted = (0.0, self._peaks[0]), 0
