"""What goes out: the feed and OBS are told what is on and what comes, and looked after."""

from __future__ import annotations

from conductor import wire
from conductor.chronicle import Chronicle
from conductor.crew import Crew
from conductor.cues import State
from conductor.stage import Obs, ShowOptions


class OnAir:
    """Keeps everything that the audience sees and hears as the show wants it.

    Nothing here may hold up the show: what is not there is told of, and may come later.

    Args:
        options: how the show is run.
        crew: whose feed it is.
        chronicle: told what a person should know.
        obs: who drives OBS; None: nobody.
    """

    def __init__(self, options: ShowOptions, crew: Crew, chronicle: Chronicle, obs: Obs | None) -> None:
        self._options, self._crew, self._chronicle, self._obs = options, crew, chronicle, obs

    async def start(self) -> None:
        """Reach for OBS; it may come later, too."""
        if self._obs is None:
            return
        if self._options.stream:
            self._obs.wanted(streaming=True)
        there = await self._obs.start()
        feed = f"tcp://127.0.0.1:{self._options.nut_port}"
        self._chronicle.say(
            f"OBS at {self._options.obs_url} shows the programme"
            if there
            else f"OBS is not at {self._options.obs_url}; the show goes on, OBS may come later (feed: {feed})"
        )

    def tell(self, state: State) -> None:
        """Tell the feed and OBS what is on and what is next."""
        live, standby = state.live, state.standby
        waits = standby and standby.cue.follow.kind == "hold" and not state.unattended
        coming = f"{standby.cue.name}{' (on cue)' if waits else ''}" if standby else ""
        self._crew.tell_next(coming)
        if self._obs:
            self._obs.wanted(scene=live.cue.scene if live else None, now=live.cue.name if live else "", next=coming)

    def hear(self, status: wire.FeedStatus) -> None:
        """Take in how the feed is, once a second."""
        if self._obs:
            self._obs.feed_readers(status.readers)

    async def close(self) -> None:
        """End what the show began, and let go of OBS."""
        if self._obs is None:
            return
        if self._options.stream:
            self._obs.wanted(streaming=False)
        await self._obs.close()
