"""Watches a show from its start to its end, and tells systemd; where nothing heals it any more, the show ends.

A supervisor then starts everything afresh. Without one nothing ends: a show that is silent may still be put right by
the person in front of it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from conductor.observing.notify import Notifier
from conductor.observing.observed import LOOK_EVERY_S
from conductor.observing.state import line

if TYPE_CHECKING:
    from conductor.show.show import Show

LOG = logging.getLogger("conductor.observing")


class Lookout:
    """Looks at a show again and again.

    Args:
        show: that is watched.
        notifier: who is told; systemd by default.
    """

    def __init__(self, show: Show, notifier: Notifier | None = None) -> None:
        self._show = show
        self._notifier = notifier or Notifier()
        self._ready = False

    async def follow(self) -> None:
        """Look until cancelled; then tell that the show ends."""
        self._show.observed.begin(self._show.setlist.title)
        try:
            while True:
                self.look()
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            self._notifier.stopping()
            self._show.observed.close()

    def look(self) -> None:
        """Look once."""
        show, notifier = self._show, self._notifier
        show.observed.look()
        verdict = show.observed.judge()
        if verdict.audible and not self._ready:
            self._ready = True
            notifier.ready()
        notifier.status(line(show, verdict))
        if verdict.healing:
            notifier.alive()
        elif notifier.supervised and not show.options.fast:
            reason = (
                f"nothing was heard for {verdict.lost_s:.0f} s ({'; '.join(verdict.reasons)}); to be started afresh"
            )
            LOG.critical("%s", reason)
            show.give_up(reason)
