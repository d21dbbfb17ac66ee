"""OBS as the show wants it: a wanted state, reconciled whenever OBS can be reached.

The show says what it wants (feed, scene, texts, streaming) and never waits for
OBS. A thread of its own holds the connection, makes OBS so, and makes it so
again after OBS was gone. Nothing that OBS does raises into the show.

A scene that the operator picks in OBS by hand is left alone until the show
wants another; a stream that ended though it is wanted is started again.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from streaming.errors import ObsError
from streaming.obs.link import ObsFinalError, ObsLink, ObsRefusedError, parse_url
from streaming.obs.sources import Wanted, apply_scene, apply_streaming, apply_text, ensure_feed, restart_feed

log = logging.getLogger(__name__)

# Health is looked at this often while nothing changes.
PULSE_S = 5.0
# And this often while a stream begins or ends.
SETTLING_S = 0.25
# A feed input without a reader is given this long between two restarts: OBS needs 2-3 s.
FEED_RESTART_EVERY_S = 6.0


@dataclass(frozen=True, slots=True)
class ObsState:
    """What is known of OBS.

    Attributes:
        available: whether OBS is connected and does as wanted.
        reason: why not, in one line for a person; empty when available.
        version: of OBS, empty until it was reached once.
        scene: the scene on program.
        streaming: whether OBS streams now.
        reconnecting: whether OBS tries to reach its ingest again.
        skipped_frames, total_frames: of the stream, by OBS's count.
    """

    available: bool = False
    reason: str = "not started"
    version: str = ""
    scene: str = ""
    streaming: bool = False
    reconnecting: bool = False
    skipped_frames: int = 0
    total_frames: int = 0


class ObsDirector:
    """Keeps OBS as the show wants it.

    Args:
        url: ws://HOST:PORT of OBS's WebSocket server.
        password: of that server; empty where it asks for none.
        feed_url: where OBS reads the programme, such as tcp://127.0.0.1:19003.
        audio_offset_ms: delay of the programme's sound in OBS; OBS 29 shows the picture 13 to 41 ms
            late, another amount at every start, and 20 is the middle of it.
        on_change: called with the new state, in the event loop that called `start`.
        timeout_s: for every reply of OBS.
        backoff_s: shortest and longest pause between two tries to connect.
        rng: of the jitter in these pauses.

    Raises:
        ObsError: the address is not one.
    """

    def __init__(
        self,
        url: str,
        password: str = "",
        feed_url: str = "tcp://127.0.0.1:19003",
        *,
        audio_offset_ms: int = 20,
        on_change: Callable[[ObsState], None] | None = None,
        timeout_s: float = 3.0,
        backoff_s: tuple[float, float] = (1.0, 30.0),
        rng: random.Random | None = None,
    ) -> None:
        parse_url(url)
        self._url = url
        self._password = password
        self._timeout_s = timeout_s
        self._backoff_s = backoff_s
        self._rng = rng or random.Random()
        self._on_change = on_change
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        # Guards what both threads touch: wanted, revision, closing, feed restart, state.
        self._changed = threading.Condition()
        self._wanted = Wanted(feed_url=feed_url, audio_offset_ms=audio_offset_ms)
        self._revision = 0
        self._restart_feed = False
        self._feed_restarted_at_s = -FEED_RESTART_EVERY_S
        self._readers_missing = 0
        self._closing = False
        self._state = ObsState()
        self._tried = asyncio.Event()
        # Only the thread counts these: tries in a row that failed.
        self._failures = 0

    @property
    def state(self) -> ObsState:
        """What is known of OBS now."""
        with self._changed:
            return self._state

    @property
    def available(self) -> bool:
        """Whether OBS is connected and does as wanted."""
        return self.state.available

    async def start(self) -> bool:
        """Connect; keep trying in the background when OBS is not there.

        Returns:
            Whether OBS was there at the first try (`state.reason` says why not).
        """
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="obs", daemon=True)
        self._thread.start()
        await self._tried.wait()
        return self.available

    def wanted(
        self,
        *,
        scene: str | None = None,
        now: str | None = None,
        next: str | None = None,  # noqa: A002  # the show's word
        streaming: bool | None = None,
    ) -> None:
        """Say what is wanted from now on; what is None stays as it was wanted before.

        Args:
            scene: the scene on program.
            now: text of the source that tells what plays.
            next: text of the source that tells what comes.
            streaming: whether OBS streams; False stops it.
        """
        with self._changed:
            before = self._wanted
            wanted = replace(
                before,
                scene=before.scene if scene is None else scene,
                now=before.now if now is None else now,
                next=before.next if next is None else next,
                streaming=before.streaming if streaming is None else streaming,
            )
            if wanted != before:
                self._wanted = wanted
                self._revision += 1
                self._changed.notify()

    def feed_readers(self, readers: int) -> None:
        """Tell how many read the programme feed, once a second.

        OBS 29 can stop retrying for ever after a refused connect while it
        reports that it plays. No reader twice in a row while OBS is connected
        means just that, and the input is set anew.
        """
        with self._changed:
            self._readers_missing = 0 if readers else self._readers_missing + 1
            due_s = self._feed_restarted_at_s + FEED_RESTART_EVERY_S
            if self._readers_missing >= 2 and self._state.available and time.monotonic() >= due_s:
                self._feed_restarted_at_s = time.monotonic()
                self._readers_missing = 0
                self._restart_feed = True
                self._changed.notify()

    async def close(self) -> None:
        """Carry out what was wanted last, if OBS is there, and let go of it; a stream goes on unless unwanted."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            # Two requests may be waiting for a reply; a thread stuck longer than that is a daemon's.
            await asyncio.to_thread(self._thread.join, 2 * self._timeout_s + 1.0)
            self._thread = None

    # --- in the thread ------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing:
            try:
                link = ObsLink(self._url, self._password, timeout_s=self._timeout_s)
                try:
                    self._serve(link)
                finally:
                    link.close()
            except ObsFinalError as error:
                log.warning("%s", error)
                self._report(ObsState(reason=str(error), version=self.state.version))
                return
            except ObsError as error:
                self._lost(str(error))
            except Exception as error:
                # The show must not learn of a fault in here by a dead thread; the log has it whole.
                log.exception("driving OBS failed")
                self._lost(f"driving OBS failed: {type(error).__name__}")
            self._pause()

    def _serve(self, link: ObsLink) -> None:
        """Keep OBS as wanted until the link breaks or the show ends."""
        version = str(link.request("GetVersion").get("obsVersion", ""))
        done: Wanted | None = None
        refused: set[str] = set()
        while True:
            with self._changed:
                wanted, revision, closing = self._wanted, self._revision, self._closing
                restart, self._restart_feed = self._restart_feed, False
            self._reconcile(link, wanted, done, restart, refused)
            if done is None:
                log.info("OBS %s is connected", version)
            done, self._failures = wanted, 0
            if closing:
                self._report(self._look(link, version))
                return
            self._watch(link, version, wanted.streaming, revision)

    def _watch(self, link: ObsLink, version: str, streaming: bool | None, revision: int) -> None:
        """Tell how OBS is, until there is something to do or a pulse is over."""

        def due() -> bool:
            return self._revision != revision or self._restart_feed or self._closing

        until_s = time.monotonic() + PULSE_S
        while (rest_s := until_s - time.monotonic()) > 0:
            state = self._look(link, version)
            self._report(state)
            # A stream begins and ends in its own time; whoever waits for it should not wait for the next pulse.
            settled = streaming is None or state.streaming == streaming
            with self._changed:
                if self._changed.wait_for(due, rest_s if settled else min(rest_s, SETTLING_S)):
                    return

    def _reconcile(self, link: ObsLink, wanted: Wanted, done: Wanted | None, restart: bool, refused: set[str]) -> None:
        """Make OBS as wanted, only what has changed since `done`; one refusal does not stop the rest."""

        def attempt(what: str, action: Callable[..., None], *args: Any) -> None:
            try:
                action(link, *args)
                refused.discard(what)
            except ObsRefusedError as error:
                if what not in refused:
                    log.warning("%s", error)
                refused.add(what)

        if done is None or wanted.scene != done.scene or "scene" in refused:
            attempt("scene", apply_scene, wanted)
        if done is None or "feed" in refused:
            attempt("feed", ensure_feed, wanted)
        elif restart:
            log.info("OBS does not read the programme: setting its input anew")
            attempt("feed", restart_feed, wanted)
        for what, old in (("now", done and done.now), ("next", done and done.next)):
            text = getattr(wanted, what)
            if text is not None and (text != old or what in refused):
                attempt(what, apply_text, what, text)
        if wanted.streaming is not None:
            attempt("streaming", apply_streaming, wanted.streaming)

    def _look(self, link: ObsLink, version: str) -> ObsState:
        stream = link.request("GetStreamStatus")
        return ObsState(
            available=True,
            reason="",
            version=version,
            scene=str(link.request("GetCurrentProgramScene").get("currentProgramSceneName", "")),
            streaming=bool(stream.get("outputActive")),
            reconnecting=bool(stream.get("outputReconnecting")),
            skipped_frames=int(stream.get("outputSkippedFrames", 0)),
            total_frames=int(stream.get("outputTotalFrames", 0)),
        )

    def _lost(self, reason: str) -> None:
        # Once when it goes, not at every try.
        if self._failures == 0:
            log.info("%s", reason)
        self._failures += 1
        self._report(ObsState(reason=reason, version=self.state.version))

    def _report(self, state: ObsState) -> None:
        with self._changed:
            changed, self._state = state != self._state, state
        if self._loop is None or self._loop.is_closed():
            return
        try:
            self._loop.call_soon_threadsafe(self._tried.set)
            if changed and self._on_change is not None:
                self._loop.call_soon_threadsafe(self._on_change, state)
        except RuntimeError:
            # The loop closed in between: nobody is left to be told.
            pass

    def _pause(self) -> None:
        shortest_s, longest_s = self._backoff_s
        pause_s = min(longest_s, shortest_s * 2 ** min(self._failures - 1, 16)) * self._rng.uniform(0.5, 1.0)
        with self._changed:
            self._changed.wait_for(lambda: self._closing, pause_s)
