"""The emergency bed: music in the feed's memory, for when no player is heard and nobody knows for how long.

It is the bed that the player plays where nothing is loaded (`streaming.playing.bed`), rendered once and shipped:
who has it needs neither synth nor disk. `python -m streaming.playing.emergency` makes the file anew.
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from streaming.errors import EmergencyError
from streaming.timeline import SAMPLE_RATE

Audio = npt.NDArray[np.float32]

FILE = Path(__file__).with_name("emergency.ogg")
# The file goes on so long after the loop's end, as it began: there the two are joined.
SEAM_S = 1.0
_SHORTEST_S = 10.0
# What is quieter than this is no music, whatever the file says.
_AUDIBLE_DB = -60.0


def load(path: Path = FILE) -> Audio:
    """Return the loop, float32 [samples, 2] at 48 kHz; its end goes over into its beginning.

    Args:
        path: of the file.

    Raises:
        EmergencyError: it cannot be read, or is not music.
    """
    try:
        with av.open(str(path)) as container:
            resampler = av.AudioResampler("fltp", "stereo", SAMPLE_RATE)
            frames = [each.to_ndarray() for frame in container.decode(audio=0) for each in resampler.resample(frame)]
    except (OSError, ValueError, IndexError, av.FFmpegError) as error:
        raise EmergencyError(f"{path}: the emergency bed cannot be read ({error}): install the program again") from None
    sound = np.concatenate(frames, axis=1).T.astype(np.float32) if frames else np.zeros((0, 2), np.float32)
    loop = seamless(sound)
    level_db = 20.0 * np.log10(max(float(np.sqrt(np.mean(np.square(loop)))), 1e-9)) if len(loop) else -180.0
    if len(loop) < _SHORTEST_S * SAMPLE_RATE or level_db < _AUDIBLE_DB or not np.isfinite(level_db):
        raise EmergencyError(f"{path}: the emergency bed is not music: install the program again")
    return loop


def seamless(sound: Audio) -> Audio:
    """Return a loop of a sound whose last `SEAM_S` are as its first: the one goes over into the other."""
    seam = min(int(SEAM_S * SAMPLE_RATE), len(sound) // 2)
    loop = sound[: len(sound) - seam].copy()
    if seam:
        # The same music twice: a straight line keeps its level.
        rises = (np.arange(seam, dtype=np.float32) / seam)[:, None]
        loop[:seam] = sound[len(sound) - seam :] * (1.0 - rises) + loop[:seam] * rises
    return loop
