"""One OBS, kept as the show wants it for as long as the connection lasts; belongs to the director's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from streaming.obs import sources
from streaming.obs.link import NOT_FOUND, ObsLink, ObsRefusedError
from streaming.obs.meters import Meters
from streaming.obs.outputs import Output, Roll
from streaming.obs.vigil import SILENT_FOR_S, PictureVigil, Remedy, Sound, SoundVigil
from streaming.obs.wanted import ObsState, Wanted

# A transition is under way for a moment; a scene that lacks the programme for longer is one that lacks it.
LACKING_FOR_S = 2.0

Tell = Callable[[str, bool], None]


class Keeper:
    """Makes OBS as wanted, and watches over what comes of it.

    Args:
        link: to OBS.
        version: of OBS.
        meters: OBS's level meters.
        sound: told what is played.
        roll: when the broadcast is to end and begin anew.
        tell: called with a line for a person, and whether it is good news.
        clock: in seconds.
    """

    def __init__(
        self,
        link: ObsLink,
        version: str,
        meters: Meters,
        sound: SoundVigil,
        roll: Roll,
        tell: Tell,
        clock: Callable[[], float],
    ) -> None:
        self._link, self._version, self._meters = link, version, meters
        self._sound, self._roll, self._tell, self._clock = sound, roll, tell, clock
        self._picture = PictureVigil(clock)
        self._stream, self._record = Output("Stream", clock), Output("Record", clock)
        self._set_anew, self._unmute = Remedy(clock), Remedy(clock)
        self._unmuted_in_vain = 0
        self._done: Wanted | None = None
        self._refused: dict[str, str] = {}
        self._ailments: dict[str, str] = {}
        self._lacking_since_s: float | None = None

    def reconcile(self, wanted: Wanted) -> None:
        """Make OBS as wanted, only what has changed since the last time; one refusal does not stop the rest.

        Raises:
            ObsError: the connection is lost.
        """
        done = self._done

        def changed(what: str, *fields: str) -> bool:
            return (
                done is None
                or what in self._refused
                or any(getattr(wanted, field) != getattr(done, field) for field in fields)
            )

        if changed("scene", "scene"):
            self._attempt("scene", sources.apply_scene, wanted)
        # An input that is made again has no filter.
        made = changed("feed", "feed_url", "audio_offset_ms")
        if made:
            self._attempt("feed", sources.ensure_feed, wanted)
        if made or changed("key", "keyed"):
            self._attempt("key", sources.apply_key, wanted.keyed)
        if wanted.volume_db is not None and changed("volume", "volume_db"):
            self._attempt("volume", sources.apply_volume, wanted.volume_db)
        for what in ("now", "next"):
            text = getattr(wanted, what)
            if text is not None and changed(what, what):
                self._attempt(what, sources.apply_text, what, text)
        if wanted.streaming is not None:
            self._attempt("stream", self._stream.apply, wanted.streaming and not self._roll.rolling)
        if wanted.recording is not None:
            self._attempt("recording", self._record.apply, wanted.recording)
        self._done = wanted

    def look(self, wanted: Wanted) -> ObsState:
        """Look at OBS, heal what can be healed, and return how it is.

        Raises:
            ObsError: the connection is lost.
        """
        stream, _ = self._stream.look(self._link), self._record.look(self._link)
        for name, output in (("streams", self._stream), ("records", self._record)):
            self._ail(name, output.alert, f"OBS {name} now" if output.active else "")
        # A stream that a person began is a person's to end.
        if wanted.streaming and self._roll.watch(self._stream.active, float(stream.get("outputDuration", 0)) / 1000.0):
            self._tell("the broadcast is old enough: OBS ends it, and begins the next in a moment", True)
            self._attempt("stream", self._stream.apply, False)
        scene = sources.program_scene(self._link)
        level_db = None
        if "feed" not in self._refused:
            try:
                self._look_at_scene(scene)
                self._look_at_picture(wanted)
                level_db = self._look_at_sound(wanted)
            except ObsRefusedError as error:
                if error.code != NOT_FOUND:
                    raise
                # Somebody removed it, or went to another scene collection: the next reconciling makes it.
                self._refuse("feed", "the programme's input is gone from OBS: it is made again")
        return ObsState(
            available=True,
            reason="",
            version=self._version,
            scene=scene,
            streaming=self._stream.active,
            reconnecting=bool(stream.get("outputReconnecting")),
            recording=self._record.active,
            skipped_frames=int(stream.get("outputSkippedFrames", 0)),
            total_frames=int(stream.get("outputTotalFrames", 0)),
            level_db=level_db,
            alert="; ".join([*self._refused.values(), *self._ailments.values()]),
        )

    def set_anew(self, wanted: Wanted, why: str) -> None:
        """Have OBS connect to the programme anew, if it is not doing so just now."""
        if self._set_anew.due():
            self._tell(f"{why}: its input is set anew", False)
            self._attempt("feed", sources.restart_feed, wanted)
            self._picture.begin()

    def _look_at_scene(self, scene: str) -> None:
        if sources.feed_on_program(self._link):
            self._lacking_since_s = None
            self._ail("scene", "", "")
            return
        now_s = self._clock()
        self._lacking_since_s = now_s if self._lacking_since_s is None else self._lacking_since_s
        if now_s - self._lacking_since_s >= LACKING_FOR_S:
            self._ail("scene", f"OBS shows the scene {scene!r}, in which {sources.FEED_INPUT!r} is not: unheard", "")

    def _look_at_picture(self, wanted: Wanted) -> None:
        if self._picture.stands_still(sources.feed_cursor_ms(self._link)):
            self._ail("picture", "the programme's picture stands still in OBS", "the picture moves in OBS again")
            self.set_anew(wanted, "the programme's picture stands still in OBS")
        else:
            self._ail("picture", "", "the programme's picture moves in OBS again")

    def _look_at_sound(self, wanted: Wanted) -> float | None:
        """Return the programme's level behind its fader, dBFS; None: not known."""
        readings = self._meters.recent(sources.FEED_INPUT, SILENT_FOR_S)
        level_db = max((reading.leaving_db for reading in readings), default=None) if readings else None
        match self._sound.judge(readings):
            case Sound.HEARD:
                self._ail("sound", "", "the programme is heard in OBS again")
            case Sound.HELD_BACK:
                self._ail("sound", "OBS is silent: the programme is muted, or its fader is down", "")
                self._let_through(wanted)
            case Sound.ABSENT:
                self._ail("sound", "OBS is silent: the programme's sound does not reach it", "")
                self.set_anew(wanted, "OBS does not hear the programme")
            case Sound.UNKNOWN:
                pass
        return level_db

    def _let_through(self, wanted: Wanted) -> None:
        # Whoever mutes it a third time means it.
        if self._unmuted_in_vain >= 2 or not self._unmute.due():
            return
        self._unmuted_in_vain += 1
        self._attempt("volume", sources.unmute, wanted.volume_db)
        self._tell("the programme's input in OBS was muted or its fader down: opened", True)

    def _ail(self, what: str, text: str, healed: str) -> None:
        """Keep what is wrong; tell when it begins, and when it is over."""
        before = self._ailments.get(what, "")
        if text:
            self._ailments[what] = text
            if text != before:
                self._tell(text, False)
        elif before:
            del self._ailments[what]
            if healed:
                self._tell(healed, True)

    def _attempt(self, what: str, action: Callable[..., Any], *args: Any) -> None:
        try:
            action(self._link, *args)
            self._refused.pop(what, None)
        except ObsRefusedError as error:
            self._refuse(what, str(error))

    def _refuse(self, what: str, text: str) -> None:
        if self._refused.get(what) != text:
            self._tell(text, False)
        self._refused[what] = text
