"""The feed: the process that joins sound and picture and owns every listener.

Started as `python -m conductor.feed --run DIR`; answers the messages of `conductor.wire` on `DIR/feed.sock`.
The programme runs in a thread of its own; sockets and WebRTC share the asyncio loop of the main thread.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from conductor import wire
from conductor.errors import WireError
from conductor.publication import destinations
from conductor.viewing import admit, attend
from model.notes import Mark, Note, TempoMark
from streaming.errors import StreamingError, ThemeError
from streaming.picture.pianoroll import PianoRoll
from streaming.picture.poll import Ballot
from streaming.picture.scene import Coming, Origin, Scene
from streaming.picture.stamp import stamp
from streaming.picture.theme import Theme
from streaming.picture.themefile import DEFAULT, read_theme
from streaming.programme import emergency
from streaming.programme.broadcast import Broadcast
from streaming.programme.encoder import AAC_BITRATE, bitrate_of
from streaming.programme.nut import NutServer
from streaming.programme.program import Program, Sink
from streaming.programme.webrtc import Viewers
from streaming.publishing.publisher import News, Programme, Status
from streaming.publishing.publishers import Publishers
from streaming.ring import Ring

logger = logging.getLogger(__name__)

STATUS_EVERY_S = 1.0
# A change of what is heard is told sooner.
_LOOK_EVERY_S = 0.05
# The programme makes a frame every few milliseconds; one that made none for so long hangs.
HANGS_S = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """How a feed is started.

    Attributes:
        run: folder of the show: `programme.ring` and `feed.sock` are in it.
        width, height: of the picture, in pixels, even.
        fps: pictures per second.
        nut_port: TCP port for OBS; None: nobody is served.
        fast: as fast as the ring allows, for files.
        stamp: draw the calibration marks of `streaming.picture.stamp`.
        theme: of the picture, by name or path.
    """

    run: Path
    width: int = 1280
    height: int = 720
    fps: int = 30
    nut_port: int | None = None
    fast: bool = False
    stamp: bool = False
    theme: str = DEFAULT


class Feed:
    """Everything the feed process holds; to be made and run inside one asyncio loop.

    Raises:
        StreamingError: the ring or the port cannot be used.
    """

    def __init__(self, options: Options) -> None:
        self._loop = asyncio.get_running_loop()
        self._options = options
        self._link: wire.Link | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        # By number, the latest version of a piece that sounds, while it is laid out.
        self._redrawn: dict[int, Scene] = {}
        self._ended = asyncio.Event()
        self._failed = False
        size = (options.width, options.height, options.fps)
        self._ring = Ring.join(options.run / "programme.ring")
        self._viewers = Viewers(self._want_keyframe)
        self._publishers = Publishers(
            Programme(*size, bitrate_of(*size), AAC_BITRATE),
            want_keyframe=self._want_keyframe,
            on_news=self._publish_news,
        )
        self._broadcast = Broadcast(
            *size,
            audience=self._viewers,
            outlets=self._publishers,
            on_fault=self._fault,
            live=not options.fast,
        )
        self._nut = None if options.nut_port is None else NutServer(options.nut_port, *size)
        sinks: list[Sink] = [self._broadcast] if self._nut is None else [self._nut, self._broadcast]
        theme, self._notice = _theme(options.theme)
        self._roll = PianoRoll(options.width, options.height, fps=options.fps, theme=theme)
        self._program = Program(
            self._ring,
            self._roll,
            sinks,
            fps=options.fps,
            fast=options.fast,
            finish=partial(stamp, fps=options.fps) if options.stamp else None,
            # Nothing starts without it.
            emergency=None if options.fast else emergency.load(),
        )

    async def run(self) -> bool:
        """Serve until Quit; return whether all ended well."""
        thread = threading.Thread(target=self._make_programme, name="programme")
        server = await wire.serve(self._options.run / "feed.sock", self._talk)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._quit)
        thread.start()
        self._start(self._report())
        await self._ended.wait()
        server.close()
        await asyncio.gather(self._viewers.close(), self._publishers.close())
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        thread.join()
        if self._nut is not None:
            self._nut.close()
        if self._link is not None:
            await self._link.close()
        self._ring.close()
        return not self._failed

    # --- in the programme's thread ---

    def _make_programme(self) -> None:
        try:
            self._program.run()
        except Exception:
            # Whatever it was: the conductor starts a new feed, which goes on at the same sample.
            logger.exception("the programme broke off")
            self._failed = True
        finally:
            self._broadcast.record("")
            self._loop.call_soon_threadsafe(self._ended.set)

    def _record(self, path: str) -> None:
        self._broadcast.record(path)
        # At once: whoever waits for the recording to begin or end need not wait for the next second.
        self._loop.call_soon_threadsafe(self._send_status)

    def _fault(self, reason: str) -> None:
        logger.error("%s", reason)
        fault = wire.Fault("feed", reason, retryable=False)
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._send, fault)

    # --- in the loop ---

    def _want_keyframe(self) -> None:
        self._broadcast.force_keyframe()

    def _publish_news(self, news: News) -> None:
        logger.log(logging.INFO if news.there else logging.WARNING, "%s", news.text)
        self._send(wire.PublishNews(news.name, news.there, news.text))
        self._send_status()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _send(self, message: wire.Message) -> None:
        if self._link is not None:
            self._link.send(message)

    async def _report(self) -> None:
        program, told, next_s = self._program, (True, False), 0.0
        while True:
            heard, now_s = (program.slate, program.emergency), time.monotonic()
            if heard != told or now_s >= next_s:
                self._send_status()
                told, next_s = heard, now_s + STATUS_EVERY_S
            await asyncio.sleep(_LOOK_EVERY_S)

    def _send_status(self) -> None:
        program = self._program
        self._send(
            wire.FeedStatus(
                sample=program.sample,
                frames=program.frames,
                dropped=program.dropped,
                viewers=len(self._viewers),
                readers=0 if self._nut is None else self._nut.readers,
                recording=self._broadcast.recording,
                slate=program.slate,
                destinations=[self._told(status) for status in self._publishers.statuses],
                level_db=round(program.listening.peak_db, 1),
                quiet_s=round(program.listening.quiet_s, 1),
                emergency=program.emergency,
            )
        )

    def _told(self, status: Status) -> wire.DestinationStatus:
        return wire.DestinationStatus(
            status.name,
            status.place,
            status.state,
            round(time.monotonic() - status.since_s, 1),
            status.sent_bytes,
            status.dropped,
            status.reconnects,
            status.last_error,
        )

    async def _talk(self, link: wire.Link) -> None:
        """Answer one connection; the newest gets status and faults."""
        self._link = link
        link.trouble = self._trouble
        link.send(wire.Hello("feed", os.getpid()))
        for notice in filter(None, (self._notice, self._roll.look.lettering.missing)):
            link.send(wire.Fault("feed", notice))
        try:
            async for message in link.messages():
                self._obey(link, message)
        except WireError as error:
            logger.warning("a connection was closed: %s", error)

    def _trouble(self) -> str:
        """Return why this process is not at work, though it answers."""
        still_s = self._program.still_s
        return f"it has made no picture for {still_s:.0f} s" if still_s > HANGS_S else ""

    def _obey(self, link: wire.Link, message: wire.Message) -> None:
        match message:
            case wire.Announce():
                scene = _scene(message)
                position_s = self._program.position_s(scene.number)
                if position_s is None:
                    self._redrawn.pop(scene.number, None)
                    # Laid out beside the programme, so that its first picture comes in time.
                    self._loop.run_in_executor(None, self._roll.prepare, scene)
                    self._program.announce(scene)
                else:
                    self._start(self._redraw(scene, position_s))
            case wire.Next():
                self._program.announce_next(_coming(message), message.number)
            case wire.Ballot():
                self._roll.ask(_ballot(message))
            case wire.Publish():
                self._publishers.set(destinations(message))
            case wire.Record(path=path):
                # Fast: what is in the ring still belongs to the recording that ends.
                after = self._ring.write_index if self._options.fast and not path else 0
                self._program.call(partial(self._record, path), after_sample=after)
            case wire.Admit():
                admit(self._viewers, message)
            case wire.Offer() | wire.Trickle() | wire.Leave():
                self._start(attend(self._viewers, link, message))
            case wire.Quit():
                self._quit()
            case _:
                link.send(wire.Fault("feed", f"the feed does not know what to do with {type(message).__name__}"))

    async def _redraw(self, scene: Scene, position_s: float) -> None:
        """Show a piece that sounds already as it is now; what is drawn so far stays until it is laid out."""
        self._redrawn[scene.number] = scene
        await self._loop.run_in_executor(None, self._roll.prepare, scene, position_s)
        # Layouts may be finished in another order than they were begun.
        if self._redrawn.get(scene.number) is scene:
            del self._redrawn[scene.number]
            self._program.announce(scene)

    def _quit(self) -> None:
        after = self._ring.write_index if self._options.fast else 0
        self._program.call(self._program.stop, after_sample=after)


def _scene(message: wire.Announce) -> Scene:
    return Scene(
        number=message.number,
        title=message.title,
        caption=message.caption,
        notes=tuple(sorted(Note(*row) for row in message.notes)),
        tempi=tuple(TempoMark(*row) for row in message.tempi) or (TempoMark(0.0, 120.0),),
        duration_s=message.duration_s,
        beats_per_bar=message.beats_per_bar,
        marks=tuple(Mark(*row) for row in message.marks),
        styles=tuple((at_s, tuple(shares.items())) for at_s, shares in message.styles),
        origin=Origin(message.composed_s, message.heard),
        ident=message.ident,
    )


def _theme(name: str) -> tuple[Theme, str]:
    """Return a theme; where its file was lost or broken since the show was checked, the default, and what to tell."""
    try:
        return read_theme(name), ""
    except ThemeError as error:
        return read_theme(), f"{str(error).splitlines()[0]}; the picture is drawn in the theme {DEFAULT}"


def _coming(message: wire.Next) -> Coming:
    return Coming(message.text, message.gap_s, message.ready, message.farewell)


def _ballot(message: wire.Ballot) -> Ballot | None:
    if not message.choices or len(message.counts) != len(message.choices):
        return None
    choices, counts = tuple(message.choices), tuple(message.counts)
    return Ballot(message.title, choices, counts, message.left_s, message.winner, message.hint)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()) or int(width) % 2 or int(height) % 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size like 1280x720, even in both")
    return int(width), int(height)


def _options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="conductor.feed", description="Join sound and picture; serve every listener.")
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="folder of the running show")
    parser.add_argument("--size", type=_size, default=(1280, 720), metavar="WxH", help="of the picture (1280x720)")
    parser.add_argument("--fps", type=int, default=30, choices=(24, 25, 30, 50, 60), help="pictures per second (30)")
    parser.add_argument("--nut", type=int, metavar="PORT", help="serve OBS: raw pictures and sound as NUT over TCP")
    parser.add_argument("--fast", action="store_true", help="as fast as the machine allows, for recordings")
    parser.add_argument("--stamp", action="store_true", help="draw frame numbers and flashes, for A/V measurements")
    parser.add_argument("--theme", default=DEFAULT, metavar="NAME|FILE", help=f"look of the picture ({DEFAULT})")
    got = parser.parse_args(arguments)
    width, height = got.size
    return Options(got.run, width, height, got.fps, got.nut, got.fast, got.stamp, got.theme)


async def _main(options: Options) -> bool:
    return await Feed(options).run()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the feed process; return its exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s feed %(levelname)s %(message)s", stream=sys.stderr)
    for noisy in ("aioice", "aiortc"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        return 0 if asyncio.run(_main(_options(arguments))) else 1
    except StreamingError as error:
        print(f"feed: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
