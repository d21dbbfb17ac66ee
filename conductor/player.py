"""The player process: notes in from the conductor, the programme's sound out to the ring.

Run as `python -m conductor.player --run DIR [--fast]`. It holds pyo, and pyo
holds the interpreter's lock for every block, so nothing else lives here. It plays
on when the conductor is gone; what happens meanwhile is told to the next one.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from conductor import wire
from conductor.desk import Desk
from conductor.errors import ConductorError
from model.notes import Note, TempoMark
from streaming.errors import PatchError, StreamingError
from streaming.mixing.mixer import CEILING_DBTP, LATENCY_SAMPLES
from streaming.notetape import NoteTape
from streaming.patches import library
from streaming.performing.notation import Score
from streaming.playing.playout import TARGET_LUFS, Begun, Changed, News, Over, Playout, Troubled
from streaming.ring import Ring
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE

log = logging.getLogger(__name__)

WORKER = "player"
AHEAD_S = 0.25
_AHEAD_BLOCKS = int(AHEAD_S * SAMPLE_RATE) // BLOCK_SAMPLES
# Further behind than this (the machine slept), the clock is set anew instead of running after it.
_LOST_S = 2.0
# After so many blocks the conductor is heard, at least.
_BURST_BLOCKS = 16
_NAP_S = 0.01
_LEVELS_S = 0.1


class Player:
    """Serves a conductor and keeps the ring filled.

    Attributes:
        desk: where it hears and tells.

    Args:
        ring: where the programme goes; it continues at its `write_index`.
        playout: what makes it.
        fast: as fast as the ring has room, instead of by the clock.
    """

    def __init__(self, ring: Ring, playout: Playout, *, fast: bool = False) -> None:
        self._ring = ring
        self._playout = playout
        self._fast = fast
        self._base = ring.write_index
        self._skip()
        self.desk = Desk(WORKER, self._obey)
        self._quit = asyncio.Event()
        self._next_levels = 0.0
        # Blocks that came after their moment on air.
        self._late = 0

    def quit(self) -> None:
        """Leave the loop of `run`."""
        self._quit.set()

    def _obey(self, message: wire.Message) -> None:
        playout = self._playout
        try:
            match message:
                case wire.Load():
                    self._load(message)
                case wire.Banks(paths):
                    playout.orchestra.prepare(paths)
                case wire.Follow(numbers, gap_s, cuts):
                    playout.follow(numbers, gap_s, cuts)
                case wire.Revise(number, from_s, rows, duration_s, score):
                    playout.revise(number, from_s, [Note(*row) for row in rows], duration_s, _score(score))
                    # Told at once: fast, the next block may be long in coming.
                    self._tell_news()
                case wire.Go(number, fade_s, from_s):
                    playout.go(number, fade_s, from_s)
                case wire.Fade(seconds):
                    playout.fade(seconds)
                case wire.Drop(numbers):
                    playout.drop(numbers)
                case wire.Quit():
                    self.quit()
                case _:
                    self.desk.fault(f"the player does not understand {type(message).__name__}")
        except KeyError as error:
            self.desk.fault(f"{type(message).__name__}: piece {error.args[0]} is not loaded")
        except Exception as error:
            # Whatever it is that is wrong with a piece, the one that plays goes on.
            log.exception("%s", type(message).__name__)
            self.desk.fault(f"{type(message).__name__}: it cannot be played ({error})")

    def _load(self, piece: wire.Load) -> None:
        self._playout.load(
            piece.number,
            [Note(*row) for row in piece.notes],
            piece.duration_s,
            piece.gain_db,
            piece.room,
            piece.bank,
            _score(piece.score),
            wire.controls_of(piece.controls),
            piece.style,
            piece.variants,
        )

    async def run(self) -> None:
        """Make the programme until told to quit."""
        # The feed went on while all was made ready; who begins behind it is late for ever.
        started, anchor = time.monotonic(), self._skip()
        while not self._quit.is_set():
            now = time.monotonic()
            if self._fast:
                blocks = 0 if self._playout.idle else self._ring.room // BLOCK_SAMPLES
            else:
                due = anchor + int((now - started + AHEAD_S) * SAMPLE_RATE)
                behind = due - self._ring.write_index
                # On time by its own clock and still behind the reader: nothing would be heard any more.
                overtaken = behind <= 0 and self._ring.read_index > self._ring.write_index
                if overtaken or behind > (AHEAD_S + _LOST_S) * SAMPLE_RATE:
                    still_s = (max(due, self._ring.read_index) - self._ring.write_index) / SAMPLE_RATE
                    log.warning("the programme stood still for %.1f s", still_s)
                    started, anchor = now, self._skip()
                    continue
                blocks = -(-behind // BLOCK_SAMPLES)
                self._late += min(_BURST_BLOCKS, max(0, blocks - _AHEAD_BLOCKS))
            for _ in range(min(blocks, _BURST_BLOCKS)):
                self._step()
            self._send_levels(now)
            await asyncio.sleep(0 if blocks > _BURST_BLOCKS else _NAP_S)

    def _step(self) -> None:
        block = self._playout.step()
        # Marks first: the feed must know the piece when it reads its first sample.
        self._tell_news()
        self._ring.write(block)

    def _skip(self) -> int:
        """Go on where the feed is: it may have gone on over silence while nothing came; return the sample."""
        anchor = max(self._ring.write_index, self._ring.read_index)
        self._base += anchor - self._ring.write_index
        self._ring.skip_to(anchor)
        self._tell_base()
        return anchor

    def _tell_base(self) -> None:
        """Let those who play along know where in the programme the playout's clock begins."""
        if self._playout.tape is not None:
            self._playout.tape.reset(self._base + LATENCY_SAMPLES)

    def _tell_news(self) -> None:
        for news in self._playout.take_news():
            self._report(news)

    def _report(self, news: News) -> None:
        match news:
            case Begun(number, sample):
                self._ring.mark(number, self._base + sample)
                self.desk.tell(wire.Started(number, self._base + sample))
            case Over(number, sample):
                self.desk.tell(wire.Ended(number, self._base + sample))
            case Changed(number, from_s, sample, late):
                self.desk.tell(wire.Replaced(number, from_s, self._base + sample if sample >= 0 else sample, late))
            case Troubled(text):
                self.desk.fault(text, retryable=True)
            case _:
                reason = f"piece {news.number} should sound, but nothing is heard"
                self.desk.fault(reason, retryable=True)

    def _send_levels(self, now: float) -> None:
        if now < self._next_levels or not self.desk.attended:
            return
        self._next_levels = now + _LEVELS_S
        playout, master = self._playout, self._playout.master
        self.desk.show(
            wire.Levels(
                sample=self._ring.write_index,
                number=playout.number,
                position_s=round(playout.position_s, 3),
                momentary_lufs=round(master.meter.momentary_lufs, 2),
                integrated_lufs=round(master.meter.integrated_lufs, 2),
                peak_dbtp=round(master.take_peak_dbtp(), 2),
                voices=playout.orchestra.voices,
                late=self._late,
            )
        )


def _score(row: wire.ScoreRow | None) -> Score | None:
    if row is None:
        return None
    style, tempi, beats_per_bar = row
    return Score(style, tuple(TempoMark(*mark) for mark in tempi) or Score().tempi, beats_per_bar)


async def play(
    run: Path,
    *,
    fast: bool = False,
    lufs: float = TARGET_LUFS,
    dbtp: float = CEILING_DBTP,
    patches: Path | None = None,
) -> None:
    """Be the player of a run folder until told to quit.

    Args:
        run: the folder with `programme.ring` and `player.sock`.
        fast: as fast as the ring has room, without a bed.
        lufs: integrated loudness each piece is brought to.
        dbtp: true peak that nothing passes.
        patches: folder of patches of the show's own.
    """
    began = time.monotonic()
    with Ring.join(run / "programme.ring") as ring:
        trouble = ""
        try:
            own = library(patches)
        except PatchError as error:
            # They were good when the show began; a player that comes back must play, whatever became of them.
            own, trouble = library(), f"{'; '.join(str(error).splitlines())} - the program's own patches play"
            log.error("%s", trouble)
        playout = Playout(bed=not fast, lufs=lufs, dbtp=dbtp, patient=fast, patches=own)
        # Fast, nobody can play along.
        playout.tape = None if fast else NoteTape.join(run / "programme.notes")
        player = Player(ring, playout, fast=fast)
        if trouble:
            player.desk.fault(trouble)
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, player.quit)
        socket = run / "player.sock"
        server = await wire.serve(socket, player.desk.serve)
        # What is there now stays: no collection ever looks at the voices again.
        gc.collect()
        gc.freeze()
        log.info("ready after %.1f s, at sample %d", time.monotonic() - began, ring.write_index)
        try:
            await player.run()
        finally:
            server.close()
            await player.desk.close()
            socket.unlink(missing_ok=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the player; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m conductor.player", description="The player of a show.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--run", type=Path, metavar="DIR", help="the show's run folder")
    what.add_argument("--prepare", action="store_true", help="make what the first show would wait for, and end")
    parser.add_argument("--fast", action="store_true", help="do not wait for the clock")
    parser.add_argument("--lufs", type=float, default=TARGET_LUFS, help="loudness of the programme (%(default)s)")
    parser.add_argument("--dbtp", type=float, default=CEILING_DBTP, help="true peak that nothing passes (%(default)s)")
    parser.add_argument("--patches", type=Path, metavar="DIR", help="a folder of patches of one's own")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s player %(levelname)s %(message)s")
    try:
        if options.prepare:
            Playout(bed=False, patches=library(options.patches))
            return 0
        asyncio.run(play(options.run, fast=options.fast, lufs=options.lufs, dbtp=options.dbtp, patches=options.patches))
    except (ConductorError, StreamingError) as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
