"""Where a piece goes, by the ending of its name: MIDI, sound, picture or video; and how people see it coming."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from conductor.errors import UsageError

if TYPE_CHECKING:
    from model.notes import Piece
    from streaming.playing.render import RenderReport, Sound

ENDINGS = (".mid", ".wav", ".flac", ".png", ".mp4")


def check_output(path: Path, endings: tuple[str, ...] = ENDINGS) -> None:
    """Refuse a file that cannot be written, before any work is done for it.

    Raises:
        UsageError: an unknown ending, a missing folder, or no permission.
    """
    if path.suffix.lower() not in endings:
        raise UsageError(f"{path}: cannot write {path.suffix or 'a name without ending'}; use {', '.join(endings)}")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; make it first")
    existed = path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        raise UsageError(f"{path}: cannot write there ({error.strerror}); choose another place") from error
    if not existed:
        path.unlink(missing_ok=True)


def write_piece(
    piece: Piece, path: Path, *, sound: Sound | None = None, stems: Path | None = None, heard: Piece | None = None
) -> RenderReport | None:
    """Write a piece; return what was measured where it is sound alone.

    Args:
        piece: the music.
        path: the file.
        sound: how it is played; None: as on air, as people would.
        stems: folder for a file of each instrument, beside a file of sound.
        heard: the piece as it sounds, with pedal and controls, where that is more than is drawn.

    Raises:
        EncodeError: the file cannot be written.
        MidiError: the MIDI file cannot be written.
    """
    ending = path.suffix.lower()
    if ending == ".mid":
        from model.midi import write_midi

        write_midi(piece, path)
    elif ending == ".png":
        from streaming.picture.scoreimage import draw_score

        draw_score(piece, path)
    elif ending == ".mp4":
        from streaming.playing.render import Sound, render
        from streaming.programme.video import render_video

        with bar("drawing") as tell:
            blocks = render(heard or piece, sound or Sound(expression=True))
            render_video(piece, blocks, path, progress=tell)
    else:
        from streaming.playing.render import Sound, render_wav

        with bar("playing") as tell:
            return render_wav(heard or piece, path, sound or Sound(expression=True), stems=stems, progress=tell)
    return None


class bar:  # noqa: N801, reads as a verb where it is used
    """A progress bar of something that goes from 0 to 1; none where nobody sees it."""

    def __init__(self, what: str) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=100, desc=what, bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}", disable=None)

    def __enter__(self) -> bar:
        return self

    def __call__(self, fraction: float) -> None:
        """Say how far it is, 0 to 1."""
        self._bar.update(min(1.0, fraction) * 100 - self._bar.n)

    def __exit__(self, *_: object) -> None:
        self._bar.close()


@contextmanager
def first_interrupt(what: str) -> Iterator[Callable[[], bool]]:
    """Yield what says whether Ctrl-C was pressed; pressed a second time it ends the program, as ever.

    Args:
        what: what is done at the first, for the person who pressed it.
    """
    pressed: list[int] = []

    def press(number: int, _: object) -> None:
        pressed.append(number)
        signal.signal(signal.SIGINT, before)
        print(f"\n{what} (Ctrl-C again: stop at once)", file=sys.stderr)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)
