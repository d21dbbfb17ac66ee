"""The composer's process: holds the model and answers requests, one at a time.

Started as `python -m conductor.composer --run DIR`. It listens on
`DIR/composer.sock`; requests queue; a conductor that goes away takes its
requests with it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

# Two spinning threads beside a busy player take ten times as long a step.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

from conductor.errors import WireError
from conductor.take import note_rows, tempo_rows
from conductor.wire import Cancel, Compose, Composed, Hello, Link, Message, Progress, Quit, Refused, serve
from model.composing.composer import Composer
from model.composing.prompt import Prompt
from model.errors import ComposingCancelledError, ModelError
from model.midi import write_midi
from model.network.checkpoint import SHIPPED

log = logging.getLogger("composer")


@dataclass(slots=True)
class Desk:
    """Requests of one conductor, done one after another.

    Attributes:
        composer: the model.
        link: to the conductor.
        stopped: set when everything is to be dropped.
        cancelled: requests that are not wanted any more.
    """

    composer: Composer
    link: Link
    stopped: threading.Event = field(default_factory=threading.Event)
    cancelled: set[str] = field(default_factory=set)
    requests: asyncio.Queue[Compose] = field(default_factory=asyncio.Queue)

    async def work(self) -> None:
        """Answer requests until cancelled."""
        while True:
            request = await self.requests.get()
            if request.request_id not in self.cancelled:
                self.link.send(await self._answer(request))
            else:
                self.link.send(Refused(request.request_id, "composing was cancelled", False))

    async def _answer(self, request: Compose) -> Message:
        loop = asyncio.get_running_loop()

        def progress(fraction: float, composed_s: float) -> None:
            loop.call_soon_threadsafe(self.link.send, Progress(request.request_id, fraction, composed_s))

        def cancelled() -> bool:
            return self.stopped.is_set() or request.request_id in self.cancelled

        def compose() -> Composed:
            prompt = Prompt.of(request.prompt)
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
            )

        try:
            return await asyncio.to_thread(compose)
        except ComposingCancelledError as error:
            return Refused(request.request_id, str(error), retryable=False)
        except ModelError as error:
            return Refused(request.request_id, str(error), error.retryable)
        except (RuntimeError, MemoryError, ValueError, TypeError) as error:
            # Whatever breaks inside torch costs one take, never the composer.
            log.exception("composing %s broke", request.request_id)
            return Refused(request.request_id, f"{type(error).__name__}: {error}", retryable=True)


async def run(folder: Path, composer: Composer) -> None:
    """Serve conductors until one says Quit."""
    finished = asyncio.Event()
    current: list[Desk] = []

    async def handler(link: Link) -> None:
        for desk in current:
            desk.stopped.set()
        desk = Desk(composer, link)
        current[:] = [desk]
        link.send(Hello("composer", os.getpid()))
        worker = asyncio.create_task(desk.work())
        try:
            async for message in link.messages():
                if isinstance(message, Compose):
                    desk.requests.put_nowait(message)
                elif isinstance(message, Cancel):
                    desk.cancelled.add(message.request_id)
                elif isinstance(message, Quit):
                    finished.set()
                    return
        except WireError as error:
            log.error("%s", error)
        finally:
            desk.stopped.set()
            worker.cancel()

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
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
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
