"""Viewers that no direct way leads to are served through a relay, a real one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiortc import RTCSessionDescription

from streaming.programme.ice import Relay, Watching
from streaming.publishing.destination import KeySource
from streaming.ring import Ring
from tests.air.relay import PASSWORD, USER, RelayServer
from tests.fakes_feed import RingPlayer
from tests.streaming.programme.house import House, Viewer

pytestmark = pytest.mark.air


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayServer]:
    server = RelayServer(tmp_path / "relay")
    yield server
    server.close()


def relayed(sdp: str) -> str:
    """Return a description that knows no way but a relay."""
    lines = sdp.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("a=candidate:") or " typ relay" in line)


class Afar(Viewer):
    """A viewer behind a wall: of the feed it knows the relay's address alone, and nothing else gets through to it."""

    async def connect(self) -> None:
        """Build the wall before anything can come, offer, and open a door where the relay is."""
        sdp, headers = await self.offer(), {"Content-Type": "application/sdp"}
        doors: set[int] = set()
        for receiver in self.peer.getReceivers():
            ice: Any = receiver.transport.transport
            for protocol in ice._connection._protocols:
                protocol.datagram_received = walled(protocol.datagram_received, doors)
        async with aiohttp.ClientSession() as http, http.post(f"{self._url}/whep", data=sdp, headers=headers) as said:
            self.answer = relayed(await said.text())
            assert said.status == 201, self.answer
        doors |= {int(line.split()[5]) for line in self.answer.splitlines() if line.startswith("a=candidate:")}
        assert doors, "the feed has no place at the relay"
        await self.peer.setRemoteDescription(RTCSessionDescription(self.answer, "answer"))


def walled(receive: Callable[[bytes, Any], None], doors: set[int]) -> Callable[[bytes, Any], None]:
    """Return what takes datagrams from some ports only."""
    return lambda data, place: receive(data, place) if place[1] in doors else None


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_who_reaches_the_relay_alone_sees_and_hears_the_programme(relay: RelayServer, transport: str) -> None:
    url = f"turn:{relay.address}:{relay.port}?transport={transport}"
    with tempfile.TemporaryDirectory(prefix="feed") as name:
        folder = Path(name)
        (folder / "key").write_text(PASSWORD)
        watching = Watching(turn=(Relay(url, USER, KeySource(file=str(folder / "key"))),))
        ring = Ring.create(folder / "programme.ring")
        with RingPlayer(ring):
            async with House(folder, watching).open() as house, Afar(house.url) as viewer:
                await viewer.heard("video", 30)
                await viewer.heard("audio", 50)
        ring.close()
    assert "ALLOCATE processed, success" in relay.log
    assert PASSWORD not in viewer.answer
