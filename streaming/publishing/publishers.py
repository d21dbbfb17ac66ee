"""All destinations of a show; the broadcast hands them its packets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from av.packet import Packet

from streaming.publishing.destination import Destination
from streaming.publishing.parcels import Parcel, Stream
from streaming.publishing.publisher import News, Programme, Publisher, Status


class Publishers:
    """Publishes to several destinations at once; made and changed in one asyncio loop.

    Args:
        programme: what is published.
        want_keyframe: called when a picture has to begin anew; from any thread, must not block.
        on_news: told, in the loop, of every loss and return.
        rng: of the jitter.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        programme: Programme,
        *,
        want_keyframe: Callable[[], None],
        on_news: Callable[[News], None],
        rng: Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._programme = programme
        self._want_keyframe, self._on_news = want_keyframe, on_news
        self._rng, self._clock = rng or Random(), clock
        self._publishers: tuple[Publisher, ...] = ()
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def wanted(self) -> bool:
        """Whether any destination takes packets now."""
        return any(publisher.wanted for publisher in self._publishers)

    @property
    def statuses(self) -> list[Status]:
        """How each destination is."""
        return [publisher.status for publisher in self._publishers]

    def set(self, destinations: Sequence[Destination]) -> None:
        """Publish to these from now on; one that is published to already goes on undisturbed."""
        running = {publisher.destination: publisher for publisher in self._publishers}
        self._publishers = tuple(running.get(to) or self._made(to) for to in dict.fromkeys(destinations))
        for publisher in running.values():
            if publisher in self._publishers:
                continue
            task = asyncio.create_task(publisher.close())
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    def packet(self, stream: Stream, packet: Packet[Any]) -> None:
        """Hand a packet of the encoder to every destination; from the programme's thread, never blocks."""
        publishers = self._publishers
        if packet.pts is None or not any(publisher.wanted for publisher in publishers):
            return
        parcel = Parcel(stream, packet.pts, packet.is_keyframe, bytes(packet))
        for publisher in publishers:
            publisher.put(parcel)

    async def close(self) -> None:
        """End all publications."""
        self.set(())
        await asyncio.gather(*self._leaving)

    def _made(self, destination: Destination) -> Publisher:
        return Publisher(
            destination,
            self._programme,
            want_keyframe=self._want_keyframe,
            on_news=self._on_news,
            rng=self._rng,
            clock=self._clock,
        )
