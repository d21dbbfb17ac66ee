"""What goes out: the feed and OBS are told what is on and what comes, and looked after."""

from __future__ import annotations

from conductor import wire
from conductor.cues import State
from conductor.show.chronicle import Chronicle
from conductor.show.coming import next_of
from conductor.show.crew import Crew
from conductor.show.stage import Obs, ShowOptions
from streaming.obs.wanted import NO_WISH, ObsPlan, ObsState


class OnAir:
    """Keeps everything that the audience sees and hears as the show wants it.

    Nothing here may hold up the show: what is not there is told of, and may come later.

    Args:
        options: how the show is run.
        crew: whose feed it is.
        chronicle: told what a person should know.
        obs: who drives OBS; None: nobody.
        plan: what the setlist says of OBS.
    """

    def __init__(
        self, options: ShowOptions, crew: Crew, chronicle: Chronicle, obs: Obs | None, plan: ObsPlan = NO_WISH
    ) -> None:
        self._options, self._crew, self._chronicle, self._obs = options, crew, chronicle, obs
        self._plan = plan
        self._live = ""

    @property
    def obs(self) -> ObsState | None:
        """What is known of OBS; None: nobody drives it."""
        return self._obs.state if self._obs else None

    async def start(self) -> None:
        """Reach for OBS; it may come later, too."""
        if self._obs is None:
            return
        self._obs.on_news = self._news
        self._obs.wanted(
            streaming=True if self._options.stream else None,
            recording=True if self._plan.record else None,
            volume_db=self._plan.volume_db,
        )
        await self._obs.start()

    def tell(self, state: State, title: str = "") -> None:
        """Tell the feed and OBS what is on and what is next.

        Args:
            state: of the show.
            title: of the show, for the audience.
        """
        live, standby = state.live, state.standby
        waits = standby and standby.cue.follow.kind == "hold" and not state.unattended
        coming = f"{standby.cue.name}{' (on cue)' if waits else ''}" if standby else ""
        self._crew.tell_next(next_of(state, title))
        if self._obs is None:
            return
        scene = live.cue.scene or self._plan.scene if live else None
        self._obs.wanted(scene=scene, now=live.cue.name if live else "", next=coming)
        before, self._live = self._live, live.cue.id if live else ""
        if before and self._live != before:
            self._obs.seam()

    def hear(self, message: wire.FeedStatus | wire.Levels) -> None:
        """Take in how the feed is, once a second, and how loud the programme, ten times."""
        if self._obs is None:
            return
        match message:
            case wire.FeedStatus(readers=readers, emergency=emergency, level_db=level_db):
                self._obs.feed_readers(readers)
                if emergency:
                    # With no player heard it is this that has to be heard in OBS.
                    self._obs.played(level_db)
            case wire.Levels(peak_dbtp=peak_db):
                self._obs.played(peak_db)

    async def close(self) -> None:
        """End what the show began, and let go of OBS."""
        if self._obs is None:
            return
        self._obs.wanted(
            streaming=False if self._options.stream else None, recording=False if self._plan.record else None
        )
        await self._obs.close()

    def _news(self, text: str, good: bool) -> None:
        (self._chronicle.say if good else self._chronicle.warn)(text)
        self._chronicle.log("obs" if good else "obs trouble", detail=text)
