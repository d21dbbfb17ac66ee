"""Makes the file of the emergency bed: `python -m streaming.playing.emergency [FILE]`.

The bed as the player plays it, from its second time round on, so that what rings over from the first is in it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from streaming.playing.bed import bed
from streaming.playing.playout import Playout
from streaming.programme.emergency import FILE, SEAM_S
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE, to_samples

BITRATE = 96_000


def rendered() -> NDArray[np.float32]:
    """Return the loop and its seam, float32 [samples, 2]."""
    playout = Playout()
    length = to_samples(bed().duration_s)
    blocks = -(-(2 * length + to_samples(SEAM_S)) // BLOCK_SAMPLES) + 1
    sound = np.concatenate([playout.step() for _ in range(blocks)])
    return sound[length : 2 * length + to_samples(SEAM_S)]


def write(path: Path) -> None:
    """Write the file: Opus in Ogg."""
    sound = rendered()
    with av.open(str(path), "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE, layout="stereo", bit_rate=BITRATE)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound.reshape(1, -1)), format="flt", layout="stereo")
        frame.sample_rate = SAMPLE_RATE
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)


def main(arguments: Sequence[str]) -> int:
    """Write the file; return the exit status."""
    path = Path(arguments[0]) if arguments else FILE
    write(path)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
