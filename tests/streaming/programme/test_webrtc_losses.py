"""Bad networks and slow viewers: what is lost is sent again, keyframes come by measure, nothing piles up."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streaming.programme.ice import Watching, Ways
from streaming.programme.peer import BACKLOG_BYTES, PACKETS_AT_ONCE, VIDEO_QUEUE, Peer
from streaming.programme.rtp import Burst, Kind, SampleClock
from streaming.programme.webrtc import KEYFRAME_EVERY_S_EACH
from streaming.ring import Ring
from tests.fakes_feed import RingPlayer
from tests.streaming.programme.house import House, Viewer


@pytest.fixture
async def house() -> AsyncIterator[House]:
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="feed") as folder:
        ring = Ring.create(Path(folder) / "programme.ring")
        with RingPlayer(ring):
            async with House(Path(folder), Watching(), "--stamp").open() as house:
                yield house
        ring.close()


async def test_what_is_lost_on_the_way_is_sent_again(house: House) -> None:
    async with Viewer(house.url) as viewer:
        ice: Any = viewer.peer.getReceivers()[0].transport.transport
        receive = ice._recv
        seen: set[bytes] = set()
        lost: list[bytes] = []

        async def lose() -> bytes:
            """Return the next datagram, but lose every fortieth packet of the streams when it comes first."""
            while True:
                data: bytes = await receive()
                name = data[2:4] + data[8:12]
                is_rtp = 127 < data[0] < 192 and not 192 <= data[1] <= 223
                if not is_rtp or name in seen:
                    return data
                seen.add(name)
                if len(seen) % 40:
                    return data
                lost.append(name)

        await viewer.heard("video", 5)
        ice._recv = lose
        await viewer.heard("video", 120)
    assert len(lost) > 3
    steps = np.diff([frame.pts for _, frame in viewer.frames["video"][5:]]) // 3000
    assert steps.min() == 1
    # What a starved feed left out was never sent; of what was, nothing is missing.
    assert house.status is not None
    assert int((steps - 1).sum()) <= house.status.dropped


async def test_a_viewer_that_lost_the_picture_gets_a_keyframe_but_not_at_will(house: House) -> None:
    async with Viewer(house.url) as viewer:
        await viewer.heard("video", 5)
        # The pause after the keyframe of its beginning is over.
        await asyncio.sleep(KEYFRAME_EVERY_S_EACH)
        receiver: Any = next(one for one in viewer.peer.getReceivers() if one.track.kind == "video")
        (ssrc,) = receiver._RTCRtpReceiver__remote_streams
        began = len(viewer.frames["video"])
        for _ in range(60):
            await receiver._send_rtcp_pli(ssrc)
            await asyncio.sleep(0.05)
        frames = [frame for _, frame in viewer.frames["video"][began:]]
    # One is asked for at once, one more two seconds later, and one comes by itself every two seconds.
    assert any(frame.key_frame for frame in frames[:12])
    assert sum(frame.key_frame for frame in frames) <= 5


class Wire:
    """A way out that takes as much as it is told to."""

    def __init__(self) -> None:
        self.backlog = 0


class Outlet:
    """Keeps what is sent, by packet."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, int]] = []

    def send(self, burst: Burst, start: int = 0, end: int | None = None) -> None:
        self.sent += [(burst.sample, index) for index in range(start, len(burst.payloads) if end is None else end)]


def burst(kind: Kind, number: int, packets: int = 1, *, keyframe: bool = False) -> Burst:
    return Burst(kind, (b"payload",) * packets, number, number, keyframe)


@pytest.fixture
async def slow() -> AsyncIterator[tuple[Peer, Wire, dict[Kind, Outlet], list[int]]]:
    asked: list[int] = []
    peer = Peer(Ways(), SampleClock(), lambda: asked.append(1))
    wire, outlets = Wire(), {kind: Outlet() for kind in ("audio", "video")}
    inner: Any = peer
    inner._wire, inner._outlets, inner._started = wire, outlets, {"audio", "video"}
    yield peer, wire, outlets, asked  # type: ignore[misc]
    await peer.close()


Slow = tuple[Peer, Wire, dict[Kind, Outlet], list[int]]


async def test_nothing_is_sent_before_a_keyframe(slow: Slow) -> None:
    peer, _, outlets, _ = slow
    peer.push(burst("video", 1))
    assert (outlets["video"].sent, peer.dropped) == ([], 1)
    peer.push(burst("video", 2, keyframe=True))
    peer.push(burst("video", 3))
    assert outlets["video"].sent == [(2, 0), (3, 0)]


async def test_a_keyframe_goes_in_parts_and_sound_does_not_wait_for_it(slow: Slow) -> None:
    peer, _, outlets, _ = slow
    size = 2 * PACKETS_AT_ONCE + 5
    assert peer.push(burst("video", 1, size, keyframe=True))
    assert len(outlets["video"].sent) == PACKETS_AT_ONCE
    peer.push(burst("audio", 1))
    assert outlets["audio"].sent == [(1, 0)]
    assert peer.drain()
    assert not peer.drain()
    assert outlets["video"].sent == [(1, index) for index in range(size)]


async def test_who_does_not_read_holds_a_second_and_goes_on_with_a_keyframe(slow: Slow) -> None:
    peer, wire, outlets, asked = slow
    peer.push(burst("video", 0, PACKETS_AT_ONCE + 1, keyframe=True))
    wire.backlog = BACKLOG_BYTES + 1
    for number in range(1, 10 * VIDEO_QUEUE):
        peer.push(burst("video", number))
        peer.push(burst("audio", number))
    inner: Any = peer
    assert len(inner._queue) <= VIDEO_QUEUE
    assert asked, "a keyframe is wanted"
    assert outlets["audio"].sent == []
    wire.backlog = 0
    before = len(outlets["video"].sent)
    peer.push(burst("video", 9_000))
    peer.push(burst("video", 9_001, keyframe=True))
    peer.push(burst("video", 9_002))
    # The picture that was half sent is sent to its end, then comes nothing that needs what was dropped.
    assert outlets["video"].sent[before:] == [(0, PACKETS_AT_ONCE), (9_001, 0), (9_002, 0)]
