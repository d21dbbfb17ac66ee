"""Whether a programme goes out, asked of nobody: read in the ring that player and feed share.

For when no conductor answers: it may hang, be dead, or have no console, and the show may play on without it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conductor.observing.pulse import FLOOR_DB
from conductor.show.stage import run_folders
from streaming.errors import RingError
from streaming.ring import Ring
from streaming.timeline import SAMPLE_RATE

# Long enough for a feed that is busy, short enough for a person who waits.
LOOK_S = 1.0
# A rest in the music is no silence.
_BACK_S = 6.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a ring tells.

    Attributes:
        run: the run folder.
        made: whether the player wrote samples meanwhile; sent: whether the feed took some.
        peak_db: highest level of the last seconds, dBFS.
    """

    run: Path
    made: bool
    sent: bool
    peak_db: float

    @property
    def audible(self) -> bool:
        """Whether the audience hears it."""
        return self.made and self.sent and self.peak_db > FLOOR_DB

    @property
    def reasons(self) -> list[str]:
        """Why not."""
        found = [] if self.made else ["player: no sound is made"]
        found += [] if self.sent else ["feed: nothing goes out"]
        quiet = f"silence: nothing above {FLOOR_DB:.0f} dBFS in the last {_BACK_S:.0f} s"
        return found + ([] if self.peak_db > FLOOR_DB else [quiet])


def look(folders: Iterable[Path] | None = None, seconds: float = LOOK_S) -> list[Seen]:
    """Return what is seen in each ring of this user on this machine that moves.

    Args:
        folders: run folders to look at; None: all there are.
        seconds: how long.
    """
    rings: list[tuple[Path, Ring, int, int]] = []
    for folder in run_folders() if folders is None else folders:
        try:
            if folder.stat().st_uid != os.getuid():
                continue
            ring = Ring.open(folder / "programme.ring")
        except (OSError, RingError):
            continue
        rings.append((folder, ring, ring.write_index, ring.read_index))
    if rings:
        time.sleep(seconds)
    found = []
    for folder, ring, written, read in rings:
        with ring:
            made, sent = ring.write_index != written, ring.read_index != read
            if made or sent:
                span = int(_BACK_S * SAMPLE_RATE)
                sound = ring.read(max(0, ring.read_index - span), span)
                peak = float(np.abs(sound).max(initial=0.0))
                found.append(Seen(folder, made, sent, 20.0 * float(np.log10(max(peak, 1e-6)))))
    return found
