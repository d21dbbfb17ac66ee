"""The process that sends the show's notes to a MIDI port.

Run as `python -m conductor.midi_out --run DIR`; answers the messages of
`conductor.wire` on `DIR/midi_out.sock`. It reads what the player writes on its tape
and never talks to it: whatever befalls a port, the sound does not hear of it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from conductor import wire
from conductor.desk import Desk
from conductor.errors import ConductorError
from streaming.errors import StreamingError
from streaming.midi.heldport import HeldPort
from streaming.midi.out import MidiRoute
from streaming.midi.ports import Ports, SystemPorts
from streaming.midi.sender import Sender, hurry
from streaming.notetape import NoteTape
from streaming.ring import Ring

log = logging.getLogger(__name__)

WORKER = "midi_out"
# The thread that sends waits no longer than this for the one that talks.
_SWITCH_S = 0.0005
_ORPHANED_EVERY_S = 5.0
_PIECES_KEPT = 64


class MidiOutlet:
    """Serves a conductor, and sends as it says.

    Attributes:
        desk: where it hears and tells.
        ended: set when it is to end.

    Args:
        ring: of the programme.
        tape: what sounds.
        ports: makes the ports of the machine.
    """

    def __init__(self, ring: Ring, tape: NoteTape, ports: Callable[[], Ports] = SystemPorts) -> None:
        self._ring, self._tape, self._ports = ring, tape, ports
        self._loop = asyncio.get_running_loop()
        self.desk = Desk(WORKER, self._obey, self._greet)
        self._route: wire.Route | None = None
        self._news: wire.PortNews | None = None
        self._tempi: OrderedDict[int, list[tuple[float, float]]] = OrderedDict()
        self._port: HeldPort | None = None
        self._sender: Sender | None = None
        self._thread: threading.Thread | None = None
        self.ended = asyncio.Event()

    def _greet(self) -> None:
        if self._news is not None:
            self.desk.show(self._news)

    def _obey(self, message: wire.Message) -> None:
        match message:
            case wire.Route() if message != self._route:
                self._halt()
                self._route = message
                self._begin(message)
            case wire.Route():
                pass
            case wire.Tempi(number, tempi):
                self._tempi[number] = tempi
                while len(self._tempi) > _PIECES_KEPT:
                    self._tempi.popitem(last=False)
                if self._sender is not None:
                    self._sender.tell(number, tempi)
            case wire.Quit():
                self.ended.set()
            case _:
                self.desk.fault(f"{WORKER} does not know what to do with {type(message).__name__}")

    def _begin(self, wish: wire.Route) -> None:
        route = MidiRoute(wish.port, wish.channels, wish.clock, wish.latency_ms, wish.programs)
        self._port = HeldPort(wish.port, self._ports(), self._tell)
        self._sender = Sender(self._ring, self._tape, self._port, route)
        for number, tempi in self._tempi.items():
            self._sender.tell(number, tempi)
        self._port.start()
        self._thread = threading.Thread(target=self._send, args=(self._sender,), name="sender")
        self._thread.start()

    def _send(self, sender: Sender) -> None:
        try:
            sender.run()
        except Exception:
            # Whatever it was: all keys are let go, and the conductor starts a new process.
            log.exception("sending broke off")
            self._loop.call_soon_threadsafe(self.ended.set)

    def _halt(self) -> None:
        """Let go of every key, then of the port."""
        if self._sender is not None and self._thread is not None and self._port is not None:
            self._sender.stop()
            self._thread.join()
            self._port.close()
        self._sender = self._thread = self._port = None

    def _tell(self, there: bool, text: str) -> None:
        self._loop.call_soon_threadsafe(self._say, wire.PortNews(there, text))

    def _say(self, news: wire.PortNews) -> None:
        self._news = news
        log.info("%s", news.text)
        self.desk.show(news)

    async def close(self) -> None:
        """Let go of everything."""
        self._halt()
        await self.desk.close()


async def send(run: Path) -> None:
    """Be the sender of a run folder until told to quit.

    Args:
        run: the folder with `programme.ring`, `programme.notes` and `midi_out.sock`.
    """
    sys.setswitchinterval(_SWITCH_S)
    hurry()
    with Ring.join(run / "programme.ring") as ring:
        tape = NoteTape.join(run / "programme.notes")
        outlet = MidiOutlet(ring, tape)
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, outlet.ended.set)
        socket = run / f"{WORKER}.sock"
        server = await wire.serve(socket, outlet.desk.serve)
        gc.collect()
        gc.freeze()
        try:
            while not outlet.ended.is_set():
                try:
                    await asyncio.wait_for(outlet.ended.wait(), _ORPHANED_EVERY_S)
                except TimeoutError:
                    if not socket.exists():
                        log.info("the show has put its run folder away")
                        outlet.ended.set()
        finally:
            server.close()
            await outlet.close()
            tape.close()
            socket.unlink(missing_ok=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the sender; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m conductor.midi_out", description="Sends the notes of a show to a MIDI port."
    )
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="the show's run folder")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s midi_out %(levelname)s %(message)s")
    try:
        asyncio.run(send(options.run))
    except (ConductorError, StreamingError) as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
