"""Loudness of a stretch of the programme, of its momentary values ten times a second.

A momentary value is the loudness of 400 ms, taken every 100 ms: the very blocks of which integrated loudness is made,
so that it can be reckoned here without the sound.

Source: ITU-R BS.1770-5, annex 1 (gating); EBU Tech 3341 (momentary, integrated).
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from streaming.timeline import SAMPLE_RATE

SILENCE_LUFS = -120.0
_ABSOLUTE_LUFS = -70.0
_RELATIVE_LU = -10.0
_BINS = 10
# A value is told about so often.
_STEP_S = 0.1


class Loudness:
    """Adds up momentary values; takes the same room however many there are.

    Attributes:
        peak_dbtp: the highest true peak so far.
        blocks: how many values there were.
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self.peak_dbtp = SILENCE_LUFS
        self.blocks = 0
        self._first = self._last = 0

    def add(self, momentary_lufs: float, peak_dbtp: float = SILENCE_LUFS, sample: int = 0) -> None:
        """Take in 400 ms.

        Args:
            momentary_lufs: its loudness.
            peak_dbtp: true peak since the last one.
            sample: of the programme, at its end.
        """
        self._first, self._last = (self._first if self.blocks else sample), sample
        self.blocks += 1
        self.peak_dbtp = max(self.peak_dbtp, peak_dbtp)
        if momentary_lufs > _ABSOLUTE_LUFS:
            self._counts[round(momentary_lufs * _BINS)] += 1

    @property
    def seconds(self) -> float:
        """How long the stretch is."""
        return max(0, self._last - self._first) / SAMPLE_RATE + _STEP_S

    @property
    def integrated_lufs(self) -> float:
        """Gated loudness, to 0.1 LU; -120 where nothing was above the absolute gate."""
        if not self._counts:
            return SILENCE_LUFS
        levels = np.array(sorted(self._counts)) / _BINS
        counts = np.array([self._counts[level] for level in sorted(self._counts)], float)
        power = 10.0 ** (levels / 10.0)
        above = levels > 10.0 * np.log10((power * counts).sum() / counts.sum()) + _RELATIVE_LU
        mean = (power * counts)[above].sum() / counts[above].sum()
        return round(float(10.0 * np.log10(mean)), 2)
