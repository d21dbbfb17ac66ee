"""The composer's process: holds the model and answers requests, one at a time.

Started as `python -m conductor.composer --run DIR`. It listens on
`DIR/composer.sock`; requests queue, but for changes of pieces that sound already: each begins
at once, and what else is composed stands still until its first notes are there. A conductor that
goes away takes its requests with it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

# Two spinning threads beside a busy player take ten times as long a step.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

from conductor.errors import WireError
from conductor.memory import give_back
from conductor.show.take import SEAM_S, mark_rows, note_rows, tempo_rows
from conductor.wire import (
    Cancel,
    Change,
    Compose,
    Composed,
    Hello,
    Link,
    Message,
    Other,
    Progress,
    Quit,
    Refused,
    Revised,
    serve,
)
from model.composing.composer import Composer, Take
from model.composing.composer import Other as Candidate
from model.composing.prompt import Prompt
from model.errors import ComposingCancelledError, ModelError
from model.midi import write_midi
from model.network.checkpoint import SHIPPED
from model.notes import Piece

log = logging.getLogger("composer")

# How often a request that stands still looks whether it may go on.
STANDSTILL_S = 0.02
# What is cancelled stops at its next token; whatever has not by then hangs.
DEAF_S = 20.0
# A change that somebody waits for comes before what is composed for later, and behind sound and picture.
LOWLY_NICE = 10


def _step_back() -> None:
    """Let this thread, and those it starts, wait for everybody else: what it composes is for later."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), max(LOWLY_NICE, os.nice(0)))


class Section(Protocol):
    """Takes a piece so far, whose notes before `until_s` are final."""

    def __call__(self, piece: Piece, until_s: float, *, final: bool = False) -> None:
        """Take it; `final` when it is the whole piece."""


class Muse(Protocol):
    """What is needed of `model.composing.composer.Composer`."""

    def compose(
        self,
        prompt: Prompt,
        *,
        progress: Callable[[float, float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        committed: Callable[[Piece, float], None] | None = None,
    ) -> Take:
        """Compose a piece; tell what is `committed` of it, and until when, as it grows."""


@dataclass(slots=True)
class Desk:
    """Requests of one conductor, done one after another.

    Attributes:
        composer: the model.
        link: to the conductor.
        stopped: set when everything is to be dropped.
        cancelled: requests that are not wanted any more.
        changes: by piece, the change that is composed; later ones take the place of earlier ones.
        urgent: changes whose first notes are still awaited.
        at_work: the request that is composed now.
        deaf_s: since when (monotonic) that is not wanted any more, and goes on all the same.
        lowly: the thread of what has time.
    """

    composer: Muse
    link: Link
    stopped: threading.Event = field(default_factory=threading.Event)
    cancelled: set[str] = field(default_factory=set)
    requests: asyncio.Queue[Compose] = field(default_factory=asyncio.Queue)
    changes: dict[str, Change] = field(default_factory=dict)
    urgent: set[str] = field(default_factory=set)
    at_work: str = ""
    deaf_s: float | None = None
    lowly: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, initializer=_step_back))
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def work(self) -> None:
        """Answer requests until cancelled."""
        while True:
            request = await self.requests.get()
            if request.request_id not in self.cancelled:
                self.at_work = request.request_id
                self.link.send(await self._answer(request))
                self.at_work, self.deaf_s = "", None
                # What it took is not needed for minutes, and left to the allocator it would be held for days.
                await asyncio.get_running_loop().run_in_executor(self.lowly, give_back)
            else:
                self.link.send(Refused(request.request_id, "composing was cancelled", False))

    def cancel(self, request_id: str) -> None:
        """Let a request be dropped at its next step."""
        self.cancelled.add(request_id)
        if request_id == self.at_work:
            self.deaf_s = time.monotonic()

    def trouble(self) -> str:
        """Return why nothing will be composed any more: a request that hangs keeps all others waiting."""
        deaf = self.deaf_s is not None and time.monotonic() - self.deaf_s > DEAF_S
        return "it does not stop composing what is not wanted any more" if deaf else ""

    def change(self, request: Change) -> None:
        """Begin to compose the rest of a piece anew, beside whatever is composed."""
        if (before := self.changes.get(request.piece)) is not None:
            self.cancelled.add(before.request_id)
        self.changes[request.piece] = request
        self.urgent.add(request.request_id)
        task = asyncio.create_task(self._change(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _change(self, request: Change) -> None:
        answer = await self._answer(request)
        self.urgent.discard(request.request_id)
        if self.changes.get(request.piece) is request:
            del self.changes[request.piece]
        self.link.send(answer)

    async def _answer(self, request: Compose | Change) -> Message:
        loop = asyncio.get_running_loop()

        def tell(message: Message) -> None:
            loop.call_soon_threadsafe(self.link.send, message)

        def progress(fraction: float, composed_s: float) -> None:
            tell(Progress(request.request_id, fraction, composed_s))

        def cancelled() -> bool:
            gone = self.stopped.is_set() or request.request_id in self.cancelled
            # On two cores the first notes of a change would otherwise come too late.
            while isinstance(request, Compose) and self.urgent and not gone:
                gone = self.stopped.wait(STANDSTILL_S) or request.request_id in self.cancelled
            return gone

        def compose() -> Composed:
            prompt = Prompt.of(request.prompt)
            if isinstance(request, Change):
                revised = self._revised(request, prompt.at_s or 0.0, tell)
                take = self.composer.compose(prompt, progress=progress, cancelled=cancelled, committed=revised)
                revised(take.piece, take.piece.duration_s, final=True)
            else:
                take = self.composer.compose(prompt, progress=progress, cancelled=cancelled)
            midi = Path(f"{request.out}.mid")
            write_midi(take.piece, midi)
            return Composed(
                request_id=request.request_id,
                midi=str(midi),
                notes=note_rows(take.piece),
                tempi=tempo_rows(take.piece),
                duration_s=take.piece.duration_s,
                seconds=take.seconds,
                provenance=take.provenance,
                beats_per_bar=take.piece.beats_per_bar,
                marks=mark_rows(take.piece),
                index=take.chosen,
                score=take.judgements[take.chosen].score if take.judgements else 0.0,
                others=[self._other(other, f"{request.out}-{other.index + 1}.mid") for other in take.others],
            )

        try:
            return await loop.run_in_executor(self.lowly if isinstance(request, Compose) else None, compose)
        except ComposingCancelledError as error:
            return Refused(request.request_id, str(error), retryable=False)
        except ModelError as error:
            return Refused(request.request_id, str(error), error.retryable)
        except (RuntimeError, MemoryError, ValueError, TypeError) as error:
            # Whatever breaks inside torch costs one take, never the composer.
            log.exception("composing %s broke", request.request_id)
            return Refused(request.request_id, f"{type(error).__name__}: {error}", retryable=True)

    @staticmethod
    def _other(other: Candidate, path: str) -> Other:
        write_midi(other.piece, Path(path))
        piece = other.piece
        return Other(other.index, path, piece.duration_s, len(piece.notes), other.judgement.score, other.refused)

    def _revised(self, request: Change, at_s: float, tell: Callable[[Message], None]) -> Section:
        """Return what sends the notes so far; to be called after each section."""

        def revised(piece: Piece, until_s: float, *, final: bool = False) -> None:
            self.urgent.discard(request.request_id)
            if request.request_id not in self.cancelled:
                # With them, what sounds already and goes on.
                rows = [row for row in note_rows(piece) if row[0] >= at_s - SEAM_S or row[0] + row[3] > at_s + SEAM_S]
                tell(Revised(request.request_id, rows, tempo_rows(piece), until_s, piece.duration_s, final))

        return revised


async def run(folder: Path, composer: Muse) -> None:
    """Serve conductors until one says Quit."""
    finished = asyncio.Event()
    current: list[Desk] = []

    async def handler(link: Link) -> None:
        for desk in current:
            desk.stopped.set()
        desk = Desk(composer, link)
        link.trouble = desk.trouble
        current[:] = [desk]
        link.send(Hello("composer", os.getpid()))
        worker = asyncio.create_task(desk.work())
        try:
            async for message in link.messages():
                if isinstance(message, Compose):
                    desk.requests.put_nowait(message)
                elif isinstance(message, Change):
                    desk.change(message)
                elif isinstance(message, Cancel):
                    desk.cancel(message.request_id)
                elif isinstance(message, Quit):
                    finished.set()
                    return
        except WireError as error:
            log.error("%s", error)
        finally:
            desk.stopped.set()
            worker.cancel()
            desk.lowly.shutdown(wait=False)

    server = await serve(folder / "composer.sock", handler)
    async with server:
        await finished.wait()


def main() -> int:
    """Start the process; return its exit status."""
    parser = argparse.ArgumentParser(prog="conductor.composer", description="Composes pieces for a conductor.")
    parser.add_argument("--run", type=Path, required=True, help="folder of the show's sockets")
    parser.add_argument("--checkpoint", type=Path, default=SHIPPED, help="weights to compose with")
    parser.add_argument("--threads", type=int, default=1, help="processor cores to use")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s composer %(levelname)s %(message)s")
    torch.set_num_threads(max(1, args.threads))
    try:
        composer = Composer(args.checkpoint)
    except ModelError as error:
        print(f"composer: {error}", file=sys.stderr)
        return 2
    asyncio.run(run(args.run, composer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
