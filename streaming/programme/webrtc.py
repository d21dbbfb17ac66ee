"""Viewers in a browser: WebRTC peers that all get the packets of the one encoder.

A packet is cut up once, whoever looks on; a viewer then costs a header and a cipher for each piece of it.
All of it lives in one asyncio loop; `Viewers.packet` is what other threads may call.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from av.packet import Packet

from streaming.errors import FullError, GoneError
from streaming.programme.ice import Ways
from streaming.programme.offer import read_fragment, read_offer
from streaming.programme.peer import Peer
from streaming.programme.rtp import Kind, SampleClock, burst_of

logger = logging.getLogger(__name__)

# However many come, or lose packets, at once: the picture of all suffers from keyframes.
KEYFRAME_EVERY_S = 0.5
# One viewer alone, on a bad network, may ask less often.
KEYFRAME_EVERY_S_EACH = 2.0
_PACE_S = 0.005


class Viewers:
    """All WebRTC peers.

    Args:
        want_keyframe: called, in the loop, when a viewer needs a keyframe; at most every `KEYFRAME_EVERY_S`.
        ways: how many may watch, and by which servers they are reached.
    """

    def __init__(self, want_keyframe: Callable[[], None], ways: Ways | None = None) -> None:
        self.ways = ways or Ways()
        self._force_keyframe = want_keyframe
        self._loop = asyncio.get_running_loop()
        self._clock = SampleClock()
        self._peers: dict[str, Peer] = {}
        self._caring: dict[Peer, asyncio.Task[None]] = {}
        self._keyframe_s = -KEYFRAME_EVERY_S
        self._keyframe_timer: asyncio.TimerHandle | None = None
        self._pace_timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._peers)

    # --- sessions ---

    async def answer(self, session: str, sdp: str) -> str:
        """Return the SDP answer to a viewer's offer, and serve it from then on.

        Args:
            session: what the viewer is known by from now on.
            sdp: its offer.

        Raises:
            OfferError: it cannot be read.
            UnservableError: it takes none of what there is.
            FullError: there are too many viewers.
        """
        offer = read_offer(sdp)
        if len(self._peers) >= self.ways.viewers:
            raise FullError(f"{self.ways.viewers} viewers watch already, as many as may: try again later")
        asking = _Asking(self._loop, self._want_keyframe)
        peer = Peer(self.ways, self._clock, asking)
        # Counted from here on, so that the encoder runs when the connection stands.
        self._peers[session] = peer
        try:
            answer = await peer.answer(offer)
        except BaseException:
            await self._close(session, peer)
            raise
        self._caring[peer] = self._loop.create_task(self._care(session, peer))
        return answer

    def add(self, session: str, fragment: str) -> None:
        """Take addresses that a viewer tells of after its offer.

        Args:
            session: of the viewer.
            fragment: as `application/trickle-ice-sdpfrag`.

        Raises:
            GoneError: there is no such viewer.
            OfferError: they cannot be read, or belong to another session of ICE.
        """
        self._peer(session).add(read_fragment(fragment))

    async def leave(self, session: str) -> None:
        """Let a viewer go.

        Raises:
            GoneError: there is no such viewer.
        """
        await self._drop(session, self._peer(session))

    async def close(self) -> None:
        """Disconnect everybody."""
        await asyncio.gather(*(self._drop(session, peer) for session, peer in list(self._peers.items())))
        for timer in (self._keyframe_timer, self._pace_timer):
            if timer is not None:
                timer.cancel()

    def _peer(self, session: str) -> Peer:
        try:
            return self._peers[session]
        except KeyError:
            raise GoneError("there is no such viewer, or it is gone: make a new offer") from None

    async def _care(self, session: str, peer: Peer) -> None:
        await peer.watch()
        self._caring.pop(peer, None)
        await self._close(session, peer)
        logger.info("a viewer is gone, %d left", len(self._peers))

    async def _drop(self, session: str, peer: Peer) -> None:
        task = self._caring.pop(peer, None)
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._close(session, peer)

    async def _close(self, session: str, peer: Peer) -> None:
        self._peers.pop(session, None)
        await peer.close()

    # --- packets ---

    def packet(self, kind: Kind, packet: Packet[Any]) -> None:
        """Hand a packet to every viewer; from any thread."""
        if self._peers:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody watches
                self._loop.call_soon_threadsafe(self._push, kind, packet)

    def _push(self, kind: Kind, packet: Packet[Any]) -> None:
        burst = burst_of(kind, packet)
        self._clock.heed(burst.sample)
        self._pace([peer.push(burst) for peer in self._peers.values()])

    def _pace(self, waiting: list[bool]) -> None:
        if self._pace_timer is None and any(waiting):
            self._pace_timer = self._loop.call_later(_PACE_S, self._drain)

    def _drain(self) -> None:
        self._pace_timer = None
        self._pace([peer.drain() for peer in self._peers.values()])

    # --- keyframes ---

    def _want_keyframe(self) -> None:
        """Ask for a keyframe, now or when the last one is long enough ago."""
        if self._keyframe_timer is not None:
            return
        wait_s = max(0.0, self._keyframe_s + KEYFRAME_EVERY_S - self._loop.time())
        if wait_s:
            self._keyframe_timer = self._loop.call_later(wait_s, self._ask_keyframe)
        else:
            self._ask_keyframe()

    def _ask_keyframe(self) -> None:
        self._keyframe_timer = None
        self._keyframe_s = self._loop.time()
        self._force_keyframe()


class _Asking:
    """One viewer's wish for keyframes, as often as one viewer may."""

    def __init__(self, loop: asyncio.AbstractEventLoop, want_keyframe: Callable[[], None]) -> None:
        self._loop, self._want_keyframe = loop, want_keyframe
        self._asked_s = -KEYFRAME_EVERY_S_EACH

    def __call__(self) -> None:
        now = self._loop.time()
        if now - self._asked_s >= KEYFRAME_EVERY_S_EACH:
            self._asked_s = now
            self._want_keyframe()
