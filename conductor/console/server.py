"""The console's server: one address for the page, what can be read, the verbs, events, and the programme.

`reading`, `acting`, `setlistfile`, `sounds`, `events` and `login` are what it serves; `guard` looks at every request
before they do; `static` holds the page, `whep` the programme.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from aiohttp import web

from conductor.clock import Clock, SystemClock
from conductor.console.acting import Acting
from conductor.console.events import Events
from conductor.console.finding import RECORD, Place
from conductor.console.guard import MAX_BYTES, Guard
from conductor.console.login import Login
from conductor.console.rates import Limits
from conductor.console.reading import Reading
from conductor.console.sessions import Sessions
from conductor.console.setlistfile import SetlistFile
from conductor.console.sounds import Sounds
from conductor.console.static import page_routes
from conductor.console.whep import Whep
from conductor.errors import UsageError
from conductor.observing.serving import Serving, read_token
from conductor.show.show import Show

LOG = logging.getLogger("conductor.console")


class Console:
    """Serves the console of a show.

    Args:
        show: whose state is shown and whose verbs are given.
        limits: how often a client may ask.
        clock: for sessions and limits.
        run: folder in which programs of the same user find the console; None: they are told where it is.

    Raises:
        UsageError: the operators' file is none.
    """

    def __init__(
        self, show: Show, *, limits: Limits | None = None, clock: Clock | None = None, run: Path | None = None
    ) -> None:
        options = show.options
        self._host, self._port, self._run = options.host, options.port, run
        now_s = (clock or SystemClock()).monotonic_s
        sessions = Sessions(options.operators, now_s) if options.operators else None
        self._whep = Whep(show.crew.audience)
        self._guard = Guard(self._host, self._port, sessions, self._whep, limits or Limits(), now_s)
        if options.metrics_token:
            self._guard.reader = read_token(options.metrics_token)
        self._events = Events(show, self._guard)
        self._sounds = Sounds(show)
        self._rooms = (
            Login(self._guard, show.chronicle),
            Reading(show, self._events.stream),
            Serving(show),
            SetlistFile(show, show.chronicle),
            self._sounds,
            self._events,
            self._whep,
            # Last: any other name is a verb, or an unknown one.
            Acting(show),
        )
        self._title = show.setlist.title
        self._data = options.data
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Begin to serve; return the address for a browser.

        Raises:
            UsageError: the port cannot be used.
        """
        app = web.Application(middlewares=[self._guard.middleware], client_max_size=MAX_BYTES)
        app.add_routes([*page_routes(), *(route for room in self._rooms for route in room.routes())])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise UsageError(
                f"port {self._port} cannot be served ({error.strerror}) - choose another: --port"
            ) from None
        self._events.start()
        host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(self._host, self._host)
        url = f"http://{f'[{host}]' if ':' in host else host}:{self._port}"
        self._tell(url)
        return url

    def _tell(self, url: str) -> None:
        """Leave word where the console is, and a token, for programs of the same user."""
        if self._run is None:
            return
        try:
            Place(url, self._guard.token, os.getpid(), self._title, str(self._data.resolve())).write(self._run / RECORD)
        except OSError as error:
            LOG.warning("%s: cannot be written (%s); conductor ctl needs --port", self._run / RECORD, error.strerror)

    async def stop(self) -> None:
        """Let all clients go and stop serving."""
        await self._events.stop()
        await self._sounds.stop()
        if self._runner:
            await self._runner.cleanup()
        if self._run:
            (self._run / RECORD).unlink(missing_ok=True)
