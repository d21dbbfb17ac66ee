"""A recording of a show laid beside what was played: which picture and which sample is heard when, and what is missing.

Pictures carry their number (`conductor run --stamp`); sound is found on the player's tape by correlation. Both lead to
the one clock of the programme, so that music does what flashes and beeps would.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from streaming.picture.stamp import BITS, read_stamp
from streaming.timeline import SAMPLE_RATE
from tests.air.tape import Sound, Tape, find

# What is looked for at once, and how far apart.
WINDOW, STEP = 24_000, 6_000
# First where the window before was, then where the picture says.
_NEAR, _FAR = 2_400, 48_000
_SILENT_DB = -65.0
# What must be heard: a fade-in or a release below this may be lost in the codec.
_HEARD_DB = -55.0
# A sample index that is off by this much is the codec's rounding of time stamps to milliseconds.
_STEADY = 96


@dataclass(frozen=True, slots=True)
class Aired:
    """What a recording holds of a programme.

    Attributes:
        times_s: when each picture is shown, [pictures].
        stamps: its number, wrapping at 65536, [pictures].
        begins_s: when the sound begins.
        samples: of sound.
        lags: for each window of sound, what to add to its first sample for the index in the programme; nan: not the
            player's sound.
        levels_db: of each window.
        played_db: of what the player played then.
        breaks: how often the time stamps of the sound jump.
    """

    times_s: NDArray[np.float64]
    stamps: NDArray[np.int64]
    begins_s: float
    samples: int
    lags: NDArray[np.float64]
    levels_db: NDArray[np.float64]
    played_db: NDArray[np.float64]
    breaks: int
    fps: int

    @property
    def duration_s(self) -> float:
        """Of the sound."""
        return self.samples / SAMPLE_RATE

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The pictures' numbers, not wrapping, [pictures]."""
        return np.asarray(self.stamps[0] + np.concatenate(([0], np.cumsum(self.steps))), np.int64)

    def strange_between_s(self, since: int, until: int) -> float:
        """Return for how long, between two samples of the programme, something else than the player was heard."""
        strange = np.isnan(self.lags) & (self.levels_db >= _SILENT_DB)
        at_s = self.begins_s + (np.arange(len(self.lags)) * STEP + WINDOW / 2) / SAMPLE_RATE
        picture = np.clip(np.searchsorted(self.times_s, at_s), 0, len(self.times_s) - 1)
        number = self.numbers[picture]
        among = (number >= since * self.fps // SAMPLE_RATE) & (number < until * self.fps // SAMPLE_RATE)
        return float((strange & among).sum()) * STEP / SAMPLE_RATE

    @property
    def steps(self) -> NDArray[np.int64]:
        """How far the number goes on from each picture to the next."""
        return np.asarray((np.diff(self.stamps) + 2 ** (BITS - 1)) % 2**BITS - 2 ** (BITS - 1), np.int64)

    @property
    def lost_samples(self) -> int:
        """Samples of the player's that are left out between two windows of its sound."""
        jumps = self._jumps
        return int(jumps[jumps > 0].sum())

    @property
    def added_samples(self) -> int:
        """Samples that were put in between: OBS does that when it is short of time, and never takes it back."""
        jumps = self._jumps
        return -int(jumps[jumps < 0].sum())

    @property
    def _jumps(self) -> NDArray[np.float64]:
        jumps = np.diff(self.lags[~np.isnan(self.lags)])
        return np.asarray(jumps[np.abs(jumps) > _STEADY], np.float64)

    @property
    def frozen_s(self) -> float:
        """The longest time that no new picture was shown."""
        moved = self.times_s[1:][self.steps != 0]
        return float(np.diff(moved).max(initial=0.0))

    @property
    def silent_s(self) -> float:
        """The longest time without any sound while the player played."""
        return _longest((self.levels_db < _SILENT_DB) & (self.played_db >= _HEARD_DB))

    @property
    def unplayed_s(self) -> float:
        """The longest time that the player itself was silent."""
        return _longest(self.played_db < _HEARD_DB)

    @property
    def strange_s(self) -> float:
        """The longest time that something else than the player was heard."""
        return _longest(np.isnan(self.lags) & (self.levels_db >= _SILENT_DB) & (self.played_db >= _HEARD_DB))

    @property
    def offsets_ms(self) -> NDArray[np.float64]:
        """How late each picture is behind its own sound, milliseconds; of those whose sound is the player's."""
        window = np.clip(((self.times_s - self.begins_s) * SAMPLE_RATE - WINDOW / 2) // STEP, 0, len(self.lags) - 1)
        heard = (self.times_s - self.begins_s) * SAMPLE_RATE + self.lags[window.astype(int)]
        late = (heard * self.fps / SAMPLE_RATE - self.stamps + 2 ** (BITS - 1)) % 2**BITS - 2 ** (BITS - 1)
        return np.asarray(late[~np.isnan(late)] * 1000.0 / self.fps, np.float64)

    def report(self, what: str, **more: float) -> None:
        """Print the figures as one line of JSON (pytest -s shows it)."""
        offsets, steps = self.offsets_ms, self.steps
        figures = {
            "seconds": self.duration_s,
            "pictures": len(self.times_s),
            "shown_twice": int((steps == 0).sum()),
            "left_out": int((steps[steps > 1] - 1).sum()),
            "frozen_s": self.frozen_s,
            "offset_ms": float(np.median(offsets)) if len(offsets) else float("nan"),
            "offset_ms_1_99": np.percentile(offsets, [1, 99]).round(1).tolist() if len(offsets) else [],
            "windows": len(self.lags),
            "not_the_players": int((np.isnan(self.lags) & (self.played_db >= _HEARD_DB)).sum()),
            "lost_samples": self.lost_samples,
            "added_samples": self.added_samples,
            "breaks": self.breaks,
            "silent_s": self.silent_s,
            "strange_s": self.strange_s,
            "unplayed_s": self.unplayed_s,
            **more,
        }
        told = {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}
        print(json.dumps({"measured": what, **told}))


def read(path: Path, tape: Tape, fps: int, *, since: int = 0, until: int | None = None) -> Aired:
    """Decode a recording and find its sound on a tape.

    Args:
        path: of the recording.
        tape: of the show.
        fps: pictures per second of the show.
        since: sample of the programme; what was on air before its picture does not count.
        until: sample of the programme; what was on air from its picture on does not count.
    """
    first = since * fps // SAMPLE_RATE
    most = 2 ** (BITS - 1) if until is None else until * fps // SAMPLE_RATE - first
    begun_s: float | None = None
    times_s, stamps, sound, sound_s = [], [], [], []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0, audio=0):
            assert isinstance(frame, av.VideoFrame | av.AudioFrame)
            assert frame.time is not None
            if isinstance(frame, av.VideoFrame):
                stamp = read_stamp(_luma(frame))
                after = (stamp - first) % 2**BITS
                if begun_s is None and after < 2 ** (BITS - 1):
                    begun_s = frame.time
                if begun_s is not None and after >= most:
                    break
                if begun_s is not None:
                    times_s.append(frame.time)
                    stamps.append(stamp)
            elif begun_s is not None and frame.time >= begun_s:
                assert frame.sample_rate == SAMPLE_RATE
                sound.append(frame.to_ndarray()[0])
                sound_s.append(frame.time)
    assert sound, f"{path.name}: nothing of the programme since picture {first}"
    heard: Sound = np.concatenate(sound).astype(np.float32)
    lengths = np.array([len(part) for part in sound])
    breaks = np.abs(np.diff(sound_s) - lengths[:-1] / SAMPLE_RATE) > 0.01
    at_s, numbers = np.array(times_s), np.array(stamps, np.int64)
    lags, levels_db, played_db = _places(heard, tape, at_s - sound_s[0], numbers, fps)
    return Aired(at_s, numbers, sound_s[0], len(heard), lags, levels_db, played_db, int(breaks.sum()), fps)


def _luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Return the luma of a planar picture without converting the rest."""
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
    return np.asarray(rows[: frame.height, : frame.width], np.uint8)


def _places(
    heard: Sound, tape: Tape, times_s: NDArray[np.float64], stamps: NDArray[np.int64], fps: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return lag, level and the player's level of each window; where to look pictures tell, or the window before."""
    played = tape.sound()
    lags, levels_db, played_db = [], [], []
    lag: float = np.nan
    for at in range(0, max(0, len(heard) - WINDOW), STEP):
        window = heard[at : at + WINDOW]
        picture = min(int(np.searchsorted(times_s, at / SAMPLE_RATE)), len(times_s) - 1)
        index = int(stamps[picture]) * SAMPLE_RATE // fps + at - int(times_s[picture] * SAMPLE_RATE) - tape.first
        found = None
        if (level_db := _level_db(window)) >= _SILENT_DB:
            if not np.isnan(lag):
                found = find(window, played, at + int(lag) - tape.first, _NEAR)
            if found is None:
                found = find(window, played, index, _FAR)
        lag = np.nan if found is None else found + tape.first - at
        lags.append(lag)
        levels_db.append(level_db)
        # The softest half: where it begins or ends, less is owed.
        halves = np.array_split(played[max(0, index) : max(0, index) + WINDOW], 2)
        played_db.append(min(_level_db(half) for half in halves))
    return np.array(lags), np.array(levels_db), np.array(played_db)


def _level_db(sound: Sound) -> float:
    """Return the RMS level of a sound in dBFS."""
    return 20.0 * float(np.log10(np.sqrt(np.sum(np.square(sound, dtype=np.float64)) / max(1, len(sound))) + 1e-9))


def _longest(where: NDArray[np.bool_]) -> float:
    """Return for how many seconds, at the longest, windows in a row are so."""
    longest = run = 0
    for true in where:
        run = run + 1 if true else 0
        longest = max(longest, run)
    return longest * STEP / SAMPLE_RATE
