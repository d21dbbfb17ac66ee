"""Reads back what was on air: frame stamps, flashes and beeps of a recorded file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from streaming.picture.stamp import read_flash, read_stamp

# Above the quiet tone by 30 dB, below the beep by 10.
_BEEP_LEVEL = 0.15


@dataclass(frozen=True, slots=True)
class Recording:
    """What a file shows and sounds.

    Attributes:
        frames: (time_s, stamp) of every picture, in order.
        flashes_s: when each flash begins.
        beeps_s: when each beep begins.
        duration_s: of the sound.
        rms_db: level of the sound, dBFS.
    """

    frames: tuple[tuple[float, int], ...]
    flashes_s: tuple[float, ...]
    beeps_s: tuple[float, ...]
    duration_s: float
    rms_db: float

    @property
    def steps(self) -> NDArray[np.int64]:
        """How far the stamp goes on from each picture to the next: 1 where nothing is lost or shown twice."""
        return np.diff([stamp for _, stamp in self.frames])

    @property
    def offsets_ms(self) -> NDArray[np.float64]:
        """Flash minus beep of every second that has both, milliseconds: above 0 the picture is late."""
        if not self.beeps_s:
            return np.zeros(0)
        beeps = np.asarray(self.beeps_s)
        nearest = [flash - beeps[np.argmin(np.abs(beeps - flash))] for flash in self.flashes_s]
        # Half a second and more is the neighbour's, at the ends of the file.
        return np.array([offset * 1000.0 for offset in nearest if abs(offset) < 0.5])


def read(path: Path) -> Recording:
    """Decode a recording; its start, before the picture arrived, has neither stamp nor beep and does not count."""
    frames: list[tuple[float, int]] = []
    flashes: list[float] = []
    sound: list[NDArray[np.float32]] = []
    sound_start_s, rate, lit = None, 48000, False
    with av.open(str(path)) as container:
        for frame in container.decode(video=0, audio=0):
            assert isinstance(frame, av.VideoFrame | av.AudioFrame)
            assert frame.time is not None
            if isinstance(frame, av.VideoFrame):
                luma = frame.to_ndarray(format="gray").astype(np.uint8, copy=False)
                frames.append((frame.time, read_stamp(luma)))
                flash = read_flash(luma)
                if flash and not lit:
                    flashes.append(frame.time)
                lit = flash
            else:
                sound_start_s = frame.time if sound_start_s is None else sound_start_s
                rate = frame.sample_rate
                sound.append(frame.to_ndarray()[0])
    audio = np.concatenate(sound) if sound else np.zeros(1, np.float32)
    onsets = [(sound_start_s or 0.0) + sample / rate for sample in _onsets(audio, rate)]
    rms = float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))
    return Recording(tuple(frames), tuple(flashes), tuple(onsets), len(audio) / rate, 20 * float(np.log10(rms + 1e-9)))


def _onsets(audio: NDArray[np.float32], rate: int) -> list[int]:
    """Return the first sample of every beep."""
    loud = np.flatnonzero(np.abs(audio) > _BEEP_LEVEL)
    if not len(loud):
        return []
    # Waves of one beep are a millisecond apart, beeps a second.
    first = np.flatnonzero(np.diff(loud, prepend=-rate) > rate // 4)
    return [int(loud[i]) for i in first]
