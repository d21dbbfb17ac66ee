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
from dataclasses import replace
from typing import Any

from streaming.backoff import Backoff
from streaming.errors import ObsError
from streaming.obs.keeper import Keeper
from streaming.obs.link import ObsFinalError, ObsLink, parse_url, version_of
from streaming.obs.meters import Meters
from streaming.obs.outputs import Roll
from streaming.obs.sources import FEED_INPUT
from streaming.obs.vigil import SoundVigil
from streaming.obs.wanted import AUDIO_OFFSET_MS, ObsState, Wanted

log = logging.getLogger(__name__)

# What is wanted is looked after this often while nothing changes ...
PULSE_S = 5.0
# ... and how OBS is, this often ...
LOOK_S = 1.0
# ... or this often while a stream begins or ends.
SETTLING_S = 0.25
# So many more words of the feed without a reader are no fault where OBS was told of the feed just now.
CONNECTING_LOOKS = 2


class ObsDirector:
    """Keeps OBS as the show wants it.

    Args:
        url: ws://HOST:PORT of OBS's WebSocket server.
        password: of that server; empty where it asks for none.
        feed_url: where OBS reads the programme, such as tcp://127.0.0.1:19003.
        audio_offset_ms: delay of the programme's sound in OBS.
        roll_after_s: age at which a broadcast that the show began is ended and begun anew; None: never.
        keyed: whether the programme is drawn on plain green, which OBS is to take away.
        on_change: called with the new state, in the event loop that called `start`.
        on_news: called there with a line for a person and whether it is good news; None: the log is told.
        timeout_s: for every reply of OBS.
        backoff: when a connection that was lost is tried again.
        clock: in seconds, monotonic.

    Raises:
        ObsError: the address is not one.
    """

    def __init__(
        self,
        url: str,
        password: str = "",
        feed_url: str = "tcp://127.0.0.1:19003",
        *,
        audio_offset_ms: int = AUDIO_OFFSET_MS,
        roll_after_s: float | None = None,
        keyed: bool = False,
        on_change: Callable[[ObsState], None] | None = None,
        on_news: Callable[[str, bool], None] | None = None,
        timeout_s: float = 3.0,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parse_url(url)
        self._url = url
        self._password = password
        self._timeout_s = timeout_s
        self._backoff = backoff or Backoff(random.Random(), first_s=1.0)
        self._clock = clock
        self._on_change = on_change
        self.on_news = on_news
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        # Guards what both threads touch: wanted, revision, closing, readers, seam, state.
        self._changed = threading.Condition()
        self._wanted = Wanted(feed_url=feed_url, audio_offset_ms=audio_offset_ms, keyed=keyed)
        self._revision = 0
        self._readers_missing = 0
        self._seam = False
        self._closing = False
        self._state = ObsState()
        self._tried = asyncio.Event()
        self._sound = SoundVigil(clock)
        # Outlives a connection: a broadcast goes on while OBS is out of reach.
        self._roll = Roll(roll_after_s, clock)
        # For the thread alone: the latest try failed.
        self._away = False

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
        recording: bool | None = None,
        volume_db: float | None = None,
        audio_offset_ms: int | None = None,
    ) -> None:
        """Say what is wanted from now on; what is None stays as it was wanted before.

        Args:
            scene: the scene on program.
            now: text of the source that tells what plays.
            next: text of the source that tells what comes.
            streaming: whether OBS streams; False stops it.
            recording: whether OBS records; False stops it.
            volume_db: of the programme in OBS's mixer, -100 to 26.
            audio_offset_ms: delay of the programme's sound, -950 to 20000.
        """
        said: dict[str, Any] = {
            "scene": scene,
            "now": now,
            "next": next,
            "streaming": streaming,
            "recording": recording,
            "volume_db": volume_db,
            "audio_offset_ms": audio_offset_ms,
        }
        with self._changed:
            wanted = replace(self._wanted, **{name: value for name, value in said.items() if value is not None})
            if wanted != self._wanted:
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
            if self._readers_missing >= 2:
                self._changed.notify()

    def played(self, peak_db: float) -> None:
        """Tell the peak of the programme since the last call, dBFS: silence in OBS is a fault only where this is not.

        Args:
            peak_db: -120 to 0; several times a second.
        """
        self._sound.played(peak_db)

    def seam(self) -> None:
        """Tell that a piece has ended: a broadcast that is old enough is rolled now."""
        with self._changed:
            self._seam = True
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
                self._tell(f"{error}; OBS is left alone until the show is started again", False)
                self._report(ObsState(reason=str(error), version=self.state.version))
                return
            except ObsError as error:
                self._lost(str(error))
            except Exception as error:
                # The show must not learn of a fault in here by a dead thread; the log has it whole.
                log.exception("driving OBS failed")
                self._lost(f"driving OBS failed: {type(error).__name__}")
            with self._changed:
                self._changed.wait_for(lambda: self._closing, self._backoff.after_loss())

    def _serve(self, link: ObsLink) -> None:
        """Keep OBS as wanted until the link breaks or the show ends."""
        version = version_of(link)
        meters = Meters(self._url, self._password, (FEED_INPUT,), clock=self._clock)
        keeper = Keeper(link, version, meters, self._sound, self._roll, self._tell, self._clock)
        connected = False
        try:
            while True:
                with self._changed:
                    wanted, revision, closing = self._wanted, self._revision, self._closing
                keeper.reconcile(wanted)
                if not connected:
                    # It has only now been told where to read.
                    with self._changed:
                        self._readers_missing = -CONNECTING_LOOKS
                    self._tell(f"OBS {version} at {self._url} shows the programme", True)
                connected, self._away = True, False
                self._backoff.reset()
                if closing:
                    self._report(keeper.look(wanted))
                    return
                self._watch(keeper, wanted, revision)
        finally:
            meters.close()

    def _watch(self, keeper: Keeper, wanted: Wanted, revision: int) -> None:
        """Look after OBS, until there is something to do or a pulse is over."""

        def due() -> bool:
            return self._revision != revision or self._closing or self._seam or self._unread

        until_s = time.monotonic() + PULSE_S
        while (rest_s := until_s - time.monotonic()) > 0:
            with self._changed:
                unread, seam, self._seam = self._unread, self._seam, False
                if unread:
                    self._readers_missing = 0
            if seam:
                self._roll.seam()
            if unread:
                keeper.set_anew(wanted, "OBS does not read the programme")
            was_rolling = self._roll.rolling
            state = keeper.look(wanted)
            self._report(state)
            if self._roll.rolling != was_rolling:
                return
            # A stream begins and ends in its own time; whoever waits for it should not wait for the next look.
            settled = wanted.streaming is None or state.streaming == wanted.streaming
            with self._changed:
                if self._changed.wait_for(due, min(rest_s, LOOK_S if settled else SETTLING_S)) and (
                    self._revision != revision or self._closing
                ):
                    return

    @property
    def _unread(self) -> bool:
        return self._readers_missing >= 2

    def _lost(self, reason: str) -> None:
        # Once when it goes, not at every try. An OBS that was never there may not be meant to be.
        if not self._away:
            never = not self.state.version
            self._tell(f"{reason}; the show goes on, OBS may come later (feed: {self._wanted.feed_url})", never)
        self._away = True
        self._report(ObsState(reason=reason, version=self.state.version))

    def _tell(self, text: str, good: bool) -> None:
        if self.on_news is None or not self._in_loop(self.on_news, text, good):
            log.log(logging.INFO if good else logging.WARNING, "%s", text)

    def _report(self, state: ObsState) -> None:
        with self._changed:
            changed, self._state = state != self._state, state
        self._in_loop(self._tried.set)
        if changed and self._on_change is not None:
            self._in_loop(self._on_change, state)

    def _in_loop(self, call: Callable[..., None], *args: Any) -> bool:
        """Have something called in the show's event loop; return whether the loop is still there."""
        if self._loop is None:
            return False
        try:
            self._loop.call_soon_threadsafe(call, *args)
        except RuntimeError:
            # The loop is closed: nobody is left to be told.
            return False
        return True
