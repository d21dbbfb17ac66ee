"""What a show wants of OBS, and what it knows of OBS."""

from __future__ import annotations

from dataclasses import dataclass

# OBS 29 shows the picture 13 to 41 ms late, another amount at every start; this is the middle of it.
AUDIO_OFFSET_MS = 20
# Twitch ends a broadcast after 48 hours.
ROLL_AFTER_S = 47 * 3600.0


@dataclass(frozen=True, slots=True)
class ObsPlan:
    """What a setlist says of OBS, for the whole show.

    Attributes:
        scene: for cues that name none; None: the one that a person picks in OBS.
        roll_after_s: age at which a broadcast is ended and begun anew; None: never.
        volume_db: of the programme in OBS's mixer; None: as a person sets it.
        offset_ms: delay of the programme's sound; None: as it was calibrated.
        record: whether OBS records from the show's start to its end.
    """

    scene: str | None = None
    roll_after_s: float | None = ROLL_AFTER_S
    volume_db: float | None = None
    offset_ms: int | None = None
    record: bool = False


NO_WISH = ObsPlan()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the show wants of OBS; None where it has no wish.

    Attributes:
        feed_url: where OBS reads the programme.
        audio_offset_ms: delay of the programme's sound, -950 to 20000.
        volume_db: of the programme in OBS's mixer, -100 to 26; a wish for it unmutes it, too.
        scene: on program.
        now, next: the texts.
        streaming: whether OBS streams.
        recording: whether OBS records.
        keyed: whether the programme is drawn on plain green, which OBS is to take away.
    """

    feed_url: str
    audio_offset_ms: int = AUDIO_OFFSET_MS
    volume_db: float | None = None
    scene: str | None = None
    now: str | None = None
    next: str | None = None
    streaming: bool | None = None
    recording: bool | None = None
    keyed: bool = False


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
        recording: whether OBS records now.
        skipped_frames, total_frames: of the stream, by OBS's count.
        level_db: highest level of the programme in OBS's mixer within the last seconds, dBFS behind its fader;
            None: OBS has not told.
        alert: what is wrong though OBS is connected, in one line for a person; empty when all is well.
    """

    available: bool = False
    reason: str = "not started"
    version: str = ""
    scene: str = ""
    streaming: bool = False
    reconnecting: bool = False
    recording: bool = False
    skipped_frames: int = 0
    total_frames: int = 0
    level_db: float | None = None
    alert: str = ""
