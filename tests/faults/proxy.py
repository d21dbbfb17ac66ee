"""A line between two programs that can be cut, held and made slow."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time

from tests.air.ingest import quiet_port

_CHUNK = 1 << 14
# The shortest time after which Linux sends again.
STALL_S = 0.2


class Proxy:
    """Hands on what comes to `port`, both ways, until told otherwise.

    Args:
        target: port of the loopback that it leads to.

    Attributes:
        port: where it listens.
        held: nothing is handed on, and nobody is told: the line is half open.
        stalls: how likely it stands still for `STALL_S` with each handful, as TCP does for a packet that was lost.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self.port = quiet_port()
        self.held = False
        self.stalls = 0.0
        self.accepted = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def cut(self) -> None:
        """Break all connections."""
        with self._lock:
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Listen no more, and break all connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                far = socket.create_connection(("127.0.0.1", self._target), 5.0)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._open |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, sink), name="proxy line", daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                while self.held:
                    time.sleep(0.02)
                if self.stalls and random.random() < self.stalls:
                    time.sleep(STALL_S)
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
            with self._lock:
                self._open.discard(end)
