"""A piece played into a sound file: a process of its own, `python -m conductor.console.sounding`, that gives way.

It reads one job as JSON, a line of its standard input, prints how far it is, 0 to 1, a line at a time, and ends when
whoever wants the file is gone. Nothing of the conductor imports it: it holds pyo.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import asdict, dataclass, replace
from pathlib import Path

# The show's own sound comes first, always.
NICENESS = 19


@dataclass(frozen=True, slots=True)
class Job:
    """A file that is wanted.

    Attributes:
        midi, out: path of the piece, and of the WAV file.
        style: of the piece; empty: none.
        bank: path of the SoundFont that plays it, or `synth`.
        expression: whether it is played as people would, or exactly as written.
        variants: instrument to variant, before what the style says.
        patches: folder of patches of the show's own; empty: none.
        lufs, dbtp: loudness of the whole, and its ceiling.
    """

    midi: str
    out: str
    style: str
    bank: str
    expression: bool
    variants: dict[str, str]
    patches: str
    lufs: float
    dbtp: float

    @property
    def line(self) -> str:
        """The job as it is sent."""
        return json.dumps(asdict(self))


def play(job: Job) -> None:
    """Write the file.

    Raises:
        ModelError: the piece cannot be read.
        StreamingError: it cannot be played, or the file not be written.
    """
    from conductor.show.take import read_take
    from streaming.playing.render import Sound, render_wav

    take = replace(read_take(Path(job.midi), title="", caption=""), style=job.style or None)
    sound = Sound(
        lufs=job.lufs, dbtp=job.dbtp, bank=job.bank, expression=job.expression, variants=job.variants,
        patches=Path(job.patches) if job.patches else None,
    )  # fmt: skip
    render_wav(take.piece, Path(job.out), sound, progress=lambda fraction: print(f"{fraction:.3f}", flush=True))


def _leave_with_the_show() -> None:
    sys.stdin.read()
    os._exit(1)


def main() -> int:
    """Play what standard input says; return the exit status."""
    os.nice(NICENESS)
    job = Job(**json.loads(sys.stdin.readline()))
    threading.Thread(target=_leave_with_the_show, daemon=True).start()
    from model.errors import ModelError
    from streaming.errors import StreamingError

    try:
        play(job)
    except (ModelError, StreamingError) as error:
        print(str(error).splitlines()[0], file=sys.stderr)
        return 2
    # Whoever has the pipe open still would hold up a proper end.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
