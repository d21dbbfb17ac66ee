"""Stand-ins for the three workers that speak `conductor.wire`: `python -m tests.fakes player --run DIR`.

They keep time, queues and promises as the real ones do, but make no sound and no picture.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import os
import random
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from conductor import wire
from conductor.workers import command
from model.notes import Note, Piece

if TYPE_CHECKING:
    from conductor.show.crew import Commands
    from model.composing.prompt import Prompt

SAMPLE_RATE = 48_000
TICK_S = 0.01
# As of `conductor.show.take`, which takes half a second to load: too long for three processes of every test.
SEAM_S = 0.005


def note_rows(piece: Piece) -> list[wire.NoteRow]:
    """Return a piece's notes as they go between processes, as `conductor.show.take` does."""
    return [(n.onset_s, n.pitch, n.instrument, n.duration_s, n.velocity, n.part) for n in piece.notes]


def fake_commands(run: Path, **options: str) -> Commands:
    """Return how the fakes are started; `composer="--fail 1"` and such are their options."""
    return lambda name: [
        sys.executable, "-m", "tests.fakes", name, "--run", str(run), *options.get(name, "").split()
    ]  # fmt: skip


def real_commands(run: Path) -> Commands:
    return lambda name: command(name, run)


def fake_piece(seed: int, duration_s: float, instruments: list[str]) -> Piece:
    """Return notes in a scale that fill a duration."""
    rng = random.Random(seed)
    names = instruments or ["piano"]
    notes = []
    onset_s = 0.0
    while onset_s < duration_s - 0.5:
        pitch = 60 + rng.choice([0, 2, 4, 5, 7, 9, 11, 12])
        notes.append(Note(onset_s, pitch, rng.choice(names), 0.5, 80))
        onset_s += 0.25
    return Piece(tuple(notes), title="fake")


def fake_sections(piece: Piece, prompt: Prompt) -> list[tuple[Piece, float]]:
    """Return a piece as it grows on from another: what stays and a scale, first 8 s more, then all."""
    at_s = prompt.at_s or 0.0
    stays = tuple(replace(n, duration_s=min(n.duration_s, at_s - n.onset_s)) for n in piece.notes if n.onset_s < at_s)
    scale = fake_piece(prompt.seed, prompt.duration_s - at_s, list(prompt.instruments)).notes
    new = tuple(replace(n, onset_s=n.onset_s + at_s) for n in scale)
    ends = [min(at_s + 8.0, prompt.duration_s), prompt.duration_s]
    return [(replace(piece, notes=stays + tuple(n for n in new if n.offset_s <= end)), end) for end in ends]


class FakeWorker:
    """Serves a socket; the newest connection is answered."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self.name = name
        self.options = options
        self.link: wire.Link | None = None
        self.quit = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()
        # What happened while nobody was connected; the next conductor is told.
        self.waiting: list[wire.Message] = []

    def say(self, message: wire.Message) -> None:
        if self.link and not self.link.closed:
            self.link.send(message)
        elif isinstance(message, wire.Started | wire.Ended):
            self.waiting.append(message)

    def spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def serve(self, loop: Callable[[], Awaitable[None]]) -> None:
        async def talk(link: wire.Link) -> None:
            self.link = link
            link.send(wire.Hello(self.name, os.getpid()))
            while self.waiting:
                link.send(self.waiting.pop(0))
            # A connection that is still open when the process ends is no news.
            with contextlib.suppress(asyncio.CancelledError):
                async for message in link.messages():
                    if isinstance(message, wire.Quit):
                        self.quit.set()
                    else:
                        self.hear(message)

        server = await wire.serve(self.options.run / f"{self.name}.sock", talk)
        self.spawn(loop())
        await self.quit.wait()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        server.close()

    def hear(self, message: wire.Message) -> None:
        raise NotImplementedError

    async def loop(self) -> None:
        """What goes on by itself."""


class FakeComposer(FakeWorker):
    """Composes scales; the first `--fail` requests are refused."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        super().__init__(name, options)
        # Only a composer needs them, and they take a while.
        from model.composing.prompt import Prompt
        from model.midi import read_midi, write_midi

        self.prompt_of, self.read, self.write = Prompt.of, read_midi, write_midi

    def hear(self, message: wire.Message) -> None:
        match message:
            case wire.Compose():
                self.spawn(self.compose(message))
            case wire.Change():
                self.spawn(self.change(message))
            case wire.Cancel(request_id):
                self.say(wire.Refused(request_id, "cancelled", retryable=False))

    async def compose(self, request: wire.Compose) -> None:
        prompt = request.prompt
        for n in range(1, 5):
            await asyncio.sleep(self.options.seconds / 4)
            self.say(wire.Progress(request.request_id, n / 4, prompt["duration_s"] * n / 4))
        if self.options.fail:
            self.options.fail -= 1
            self.say(wire.Refused(request.request_id, "the muse is silent", retryable=True))
            return
        piece = fake_piece(prompt["seed"], prompt["duration_s"], prompt["instruments"])
        if prompt["continue_from"]:
            piece = fake_sections(self.read(Path(prompt["continue_from"])).piece, self.prompt_of(prompt))[-1][0]
        path = Path(request.out + ".mid")
        self.write(piece, path)
        rows = note_rows(piece)
        self.say(
            wire.Composed(
                request.request_id, str(path), rows, [(0.0, 120.0)], piece.duration_s, self.options.seconds,
                {"checkpoint": "fake", "seed": prompt["seed"], "prompt": prompt, "scores": [0.5]},
                index=1, score=0.5, others=self.others(request) if self.options.candidates else [],
            )
        )  # fmt: skip

    def others(self, request: wire.Compose) -> list[wire.Other]:
        """Two more candidates beside the second, which is chosen: a good one and one that is refused."""
        found = []
        for index, refused in ((0, ""), (2, "12 bars are those of a training piece")):
            piece = fake_piece(request.prompt["seed"] + index + 1, request.prompt["duration_s"], ["flute"])
            path = Path(f"{request.out}-{index + 1}.mid")
            self.write(piece, path)
            found.append(wire.Other(index, str(path), piece.duration_s, len(piece.notes), 0.4 - index / 10, refused))
        return found

    async def change(self, request: wire.Change) -> None:
        prompt = self.prompt_of(request.prompt)
        before = self.read(Path(request.prompt["continue_from"])).piece
        at_s = prompt.at_s or 0.0
        sections = fake_sections(before, prompt)
        for index, (piece, until_s) in enumerate([*sections, sections[-1]]):
            await asyncio.sleep(self.options.seconds)
            if index == self.options.break_after:
                self.say(wire.Refused(request.request_id, "the muse is silent", retryable=True))
                return
            if index == self.options.die_after:
                os._exit(9)
            rows = [row for row in note_rows(piece) if row[0] >= at_s - SEAM_S]
            final = index == len(sections)
            self.say(wire.Revised(request.request_id, rows, [(0.0, 120.0)], until_s, piece.duration_s, final))
        piece = sections[-1][0]
        path = Path(request.out + ".mid")
        self.write(piece, path)
        self.say(
            wire.Composed(
                request.request_id, str(path), note_rows(piece), [(0.0, 120.0)], piece.duration_s, self.options.seconds,
                {"checkpoint": "fake", "seed": prompt.seed},
            )
        )  # fmt: skip


class FakePlayer(FakeWorker):
    """Keeps the time of pieces, `--speed` times faster than they are."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        super().__init__(name, options)
        # The bed is there from the beginning.
        self.pieces: dict[int, float] = {0: math.inf}
        self.cuts: dict[int, float] = {}
        self.queue: list[int] = []
        self.gap_s = 0.0
        self.playing = 0
        self.begun_s = 0.0
        self.end_s = math.inf
        self.next_s = math.inf
        self.now_s = 0.0

    @property
    def sample(self) -> int:
        return int(self.now_s * SAMPLE_RATE)

    def hear(self, message: wire.Message) -> None:
        match message:
            case wire.Load(number, _, duration_s):
                self.pieces[number] = duration_s
            case wire.Revise(number, from_s, _, duration_s):
                self.pieces[number] = duration_s
                sounds = self.playing == number
                at_s = max(from_s, self.now_s - self.begun_s) if sounds else from_s
                if sounds:
                    self.end_s = self.begun_s + duration_s
                sample = int((self.begun_s + at_s) * SAMPLE_RATE) if sounds else -1
                self.say(wire.Replaced(number, at_s, sample, late=at_s > from_s))
            case wire.Follow(numbers, gap_s, cuts):
                self.queue, self.gap_s = [n for n in numbers if n in self.pieces], gap_s
                self.cuts = {n: at_s for n, at_s in zip(numbers, cuts, strict=False) if at_s is not None}
                # As the real one: what was planned is taken back; with nothing playing the queue begins at once.
                self.next_s = math.inf if self.playing else self.now_s
            case wire.Go(number, _, from_s):
                self.queue = [n for n in self.queue if n != number]
                if self.playing:
                    self.say(wire.Ended(self.playing, self.sample))
                self.begin(number, from_s)
            case wire.Fade(seconds):
                if self.playing:
                    self.end_s = min(self.end_s, self.now_s + seconds)
            case wire.Drop(numbers):
                for number in numbers:
                    self.pieces.pop(number, None)
                self.queue = [n for n in self.queue if n in self.pieces]

    def begin(self, number: int, from_s: float = 0.0) -> None:
        if number not in self.pieces:
            self.say(wire.Fault("player", f"no piece {number}"))
            return
        self.playing, self.begun_s, self.next_s = number, self.now_s - from_s, math.inf
        self.end_s = self.begun_s + self.pieces[number] if number else math.inf
        self.say(wire.Started(number, int(self.begun_s * SAMPLE_RATE)))

    async def loop(self) -> None:
        clock = asyncio.get_running_loop()
        before_s = clock.time()
        told_s = 0.0
        self.begin(0)
        while True:
            await asyncio.sleep(TICK_S)
            real_s = clock.time()
            was_s, self.now_s = self.now_s, self.now_s + (real_s - before_s) * self.options.speed
            before_s = real_s
            early_s = -min(0.0, self.gap_s) if self.queue else 0.0
            cut_s = self.cuts.get(self.queue[0]) if self.queue else None
            # However long a busy machine left it asleep; a cut that is told too late is none.
            cut = cut_s is not None and was_s - 1.0 <= self.begun_s + cut_s <= self.now_s
            if self.playing and (cut or self.now_s >= self.end_s - early_s):
                early_s = 1.0 if cut else early_s
                old, self.playing = self.playing, 0
                if early_s:
                    self.begin(self.queue.pop(0))
                else:
                    self.next_s = self.now_s + self.gap_s if self.queue else math.inf
                self.say(wire.Ended(old, self.sample))
                if not early_s:
                    self.begin(0)
                    self.next_s = self.now_s + self.gap_s if self.queue else math.inf
            if self.now_s >= self.next_s:
                self.next_s = math.inf
                if self.queue:
                    self.begin(self.queue.pop(0))
            if real_s - told_s > 0.1:
                told_s = real_s
                position_s = self.now_s - self.begun_s
                wobble = 2.0 * math.sin(self.now_s)
                self.say(
                    wire.Levels(self.sample, self.playing, position_s, -16.0 + wobble, -14.2, -3.0 + wobble / 2, 12)
                )


class FakeFeed(FakeWorker):
    """Counts; a recording is a file with the titles that were announced."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        super().__init__(name, options)
        self.recording = ""
        self.titles: list[str] = []
        self.published: list[str] = []
        self.frames = 0

    def hear(self, message: wire.Message) -> None:
        match message:
            case wire.Announce(title=title):
                self.titles.append(title)
            case wire.Record(path):
                if self.recording:
                    Path(self.recording).write_text("\n".join(self.titles))
                self.recording = path
                self.status()
            case wire.Offer(request_id):
                self.say(wire.Answer(request_id, "", "a fake has no picture"))
            case wire.Publish(destinations):
                self.published = [row.name for row in destinations]

    def status(self) -> None:
        refused = self.options.refuse
        published = [
            wire.DestinationStatus(name, "ingest", "refused", 3.0, 0, 0, 0, "the key is wrong")
            if name == refused
            else wire.DestinationStatus(name, "ingest", "live", 3.0, 9000, 0, 0, "")
            for name in self.published
        ]
        self.say(
            wire.FeedStatus(self.frames * 1600, self.frames, 0, 1, 1, self.recording, self.options.slate, published)
        )

    async def loop(self) -> None:
        while True:
            self.frames += 15
            self.status()
            await asyncio.sleep(0.5)


class FakeMidiOut(FakeWorker):
    """Finds every port."""

    def hear(self, message: wire.Message) -> None:
        match message:
            case wire.Route(port):
                self.say(wire.PortNews(True, f"notes go to {port}"))

    async def loop(self) -> None:
        """Nothing goes on by itself."""


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=("composer", "player", "feed", "midi_out"))
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=0.05, help="that composing takes")
    parser.add_argument("--fail", type=int, default=0)
    parser.add_argument("--candidates", action="store_true", help="hand over those that were not chosen, too")
    parser.add_argument("--break-after", type=int, default=-1, help="sections of a change, which is refused then")
    parser.add_argument("--die-after", type=int, default=-1, help="sections of a change")
    parser.add_argument("--refuse", default="", metavar="NAME", help="of a destination whose ingest refuses it")
    parser.add_argument("--slate", action="store_true", help="the feed hears no player")
    parser.add_argument("--die", action="store_true", help="at once, with a word")
    options, _ = parser.parse_known_args()
    if options.die:
        print("no weights here", file=sys.stderr)
        sys.exit(3)
    kinds: dict[str, type[FakeWorker]] = {
        "composer": FakeComposer, "player": FakePlayer, "feed": FakeFeed, "midi_out": FakeMidiOut
    }  # fmt: skip
    worker = kinds[options.name](options.name, options)
    await worker.serve(worker.loop)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
