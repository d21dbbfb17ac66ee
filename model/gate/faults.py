"""What can be wrong with a piece as it stands, without any other beside it. Torch-free.

Every limit lies beyond what real pieces of the held-out splits do, whole or in
excerpts of half a minute to four minutes (`tests.bench.gate` measures it). Each
fault is a function of the notes that returns what is wrong in words for a
person, or None.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from model.composing.quality import LENGTH_TOLERANCE
from model.gate.columns import Columns
from model.gate.repeats import longest_loop


class LoopLimit(NamedTuple):
    """What is a loop: share of notes said again, periods looked back, window; how often, and how long."""

    share: float
    back: int
    window_s: int
    times: float
    seconds: float


# Silence: real music pauses for 9 s at the longest, between two movements.
LONGEST_GAP_S = 9.5
# Breaths are no silence: what counts is gaps of a second and more.
GAP_S, MOST_GAPS = 1.0, 0.25

# Exact loops are looked for window by window, note for note against one period before; near loops over longer
# windows and three periods, so that a slip is a slip and not a new beginning.
EXACT_LOOPS = (LoopLimit(0.95, 1, 4, 3.5, 9.5), LoopLimit(0.9, 1, 4, 4.0, 12.0))
NEAR_LOOPS = (LoopLimit(0.85, 3, 12, 5.0, 28.0), LoopLimit(0.8, 3, 12, 5.0, 34.0))
# A beat is a loop: drums alone are looped where no drummer would be.
DRUM_LOOPS = (LoopLimit(0.95, 1, 4, 3.5, 24.0),)
# In a long piece a long passage may: a loop takes this share of it, too.
LOOP_SHARE = 0.05

# Stuck harmony: seconds in which no more than so many pitch classes are struck.
STUCK = ((3, 20.0), (5, 40.0))

# Density collapse: notes a second over a third of the piece, 10 to 20 s of it: always too few, and too few beside its
# own median, which a lively piece may fall under in a slow movement.
THINNEST, THINNEST_SHARE, THIN = 0.2, 0.1, 1.0
# Nothing begins for so long, whether something sounds or not.
LONGEST_STANDSTILL_S = 12.0

# Clipping: notes that sound at once, and that begin within 1 s and within 5 s.
MOST_AT_ONCE = 48
MOST_STRUCK = ((1.0, 130), (5.0, 450))

# Too short, where no length was asked for.
SHORTEST_S, FEWEST_NOTES = 5.0, 16

# Hanging notes; the last ones may ring on.
LONGEST_NOTE_S = 20.0
LONGEST_TAIL_S = 12.0


def silence(notes: Columns) -> str | None:
    """Return where nothing sounds for too long, or too often."""
    if not len(notes.pitch):
        return "there is not one note in it"
    ends = np.concatenate([[0.0], np.maximum.accumulate(notes.offset_s)[:-1]])
    gaps = notes.onset_s - ends
    at = int(gaps.argmax())
    if gaps[at] > LONGEST_GAP_S:
        return f"is silent for {gaps[at]:.0f} s from {clock(ends[at])} on"
    share = float(gaps[gaps > GAP_S].sum()) / max(notes.end_s, GAP_S)
    if share > MOST_GAPS:
        return f"is silent for {share:.0%} of the time"
    return None


def loop(notes: Columns) -> str | None:
    """Return what goes round and round; of drums beside others nobody minds."""
    tuned = notes.where(notes.tuned)
    some = tuned if len(tuned.pitch) else notes
    for limit in (*EXACT_LOOPS, *NEAR_LOOPS) if some is tuned else DRUM_LOOPS:
        found = longest_loop(
            some,
            limit.share,
            back=limit.back,
            window_s=limit.window_s,
            least_s=max(limit.seconds, LOOP_SHARE * notes.end_s),
            least_times=limit.times,
        )
        if found.seconds:
            nearly = "nearly " if limit in NEAR_LOOPS else ""
            again = f"{found.period_s:.1f} s of music {found.times:.0f} times"
            return f"{nearly}repeats {again} from {clock(found.start_s)} on"
    return None


def stuck(notes: Columns) -> str | None:
    """Return where the harmony does not move."""
    tuned = notes.where(notes.tuned)
    for classes, seconds in STUCK:
        start, stop = _longest_on(tuned, classes)
        if stop - start > seconds:
            return f"stays on {classes} pitch classes for {stop - start:.0f} s from {clock(start)} on"
    return None


def _longest_on(notes: Columns, classes: int) -> tuple[float, float]:
    """Return the longest time in which so many pitch classes are struck at most, from first to last note."""
    said, onsets = (notes.pitch % 12).tolist(), notes.onset_s.tolist()
    counts = [0] * 12
    different = first = 0
    best = (0.0, 0.0)
    for last, pitch_class in enumerate(said):
        different += counts[pitch_class] == 0
        counts[pitch_class] += 1
        while different > classes:
            counts[said[first]] -= 1
            different -= counts[said[first]] == 0
            first += 1
        if onsets[last] - onsets[first] > best[1] - best[0]:
            best = (onsets[first], onsets[last])
    return best


def collapse(notes: Columns) -> str | None:
    """Return where hardly anything happens any more."""
    if not len(notes.pitch):
        return None
    starts = np.concatenate([[0.0], notes.onset_s])
    still = np.diff(starts)
    at = int(still.argmax())
    if still[at] > LONGEST_STANDSTILL_S:
        return f"nothing begins for {still[at]:.0f} s from {clock(starts[at])} on"
    width = float(np.clip(notes.end_s / 3, 10.0, 20.0))
    if notes.end_s < 2 * width:
        return None
    begins = np.arange(0.0, notes.end_s - width, 1.0)
    density = (np.searchsorted(notes.onset_s, begins + width) - np.searchsorted(notes.onset_s, begins)) / width
    thinnest, usual = int(density.argmin()), float(np.median(density))
    if density[thinnest] < max(THINNEST, min(THIN, THINNEST_SHARE * usual)):
        return f"thins out to {density[thinnest]:.1f} notes a second ({usual:.1f} mostly) at {clock(begins[thinnest])}"
    return None


def clipping(notes: Columns) -> str | None:
    """Return where more sounds than an orchestra can play without clipping."""
    if not len(notes.pitch):
        return None
    ends = np.sort(notes.offset_s)
    # Those that end as it begins are over.
    sounding = np.arange(1, len(notes.pitch) + 1) - np.searchsorted(ends, notes.onset_s, side="right")
    at = int(sounding.argmax())
    if sounding[at] > MOST_AT_ONCE:
        return f"{sounding[at]} notes sound at once at {clock(notes.onset_s[at])}"
    for seconds, most in MOST_STRUCK:
        struck = np.searchsorted(notes.onset_s, notes.onset_s + seconds) - np.arange(len(notes.pitch))
        at = int(struck.argmax())
        if struck[at] > most:
            return f"{struck[at]} notes begin within {seconds:.0f} s at {clock(notes.onset_s[at])}"
    return None


def too_short(notes: Columns, length_s: float | None) -> str | None:
    """Return how much is missing.

    Args:
        notes: of the piece.
        length_s: the length asked for; None: whatever came.
    """
    if length_s is not None and notes.end_s < (1 - LENGTH_TOLERANCE) * length_s:
        return f"ends after {notes.end_s:.1f} s, {length_s:.1f} s were asked for"
    if notes.end_s < SHORTEST_S and length_s is None:
        return f"is {notes.end_s:.1f} s long, {SHORTEST_S:.0f} s is the least"
    if len(notes.pitch) < FEWEST_NOTES:
        return f"has {len(notes.pitch)} notes, {FEWEST_NOTES} is the least"
    return None


def hanging(notes: Columns) -> str | None:
    """Return which note is not let go."""
    tuned = notes.where(notes.tuned)
    if not len(tuned.pitch):
        return None
    lengths = tuned.offset_s - tuned.onset_s
    at = int(lengths.argmax())
    if lengths[at] > LONGEST_NOTE_S:
        return f"a note hangs for {lengths[at]:.0f} s from {clock(tuned.onset_s[at])} on"
    tail = notes.end_s - float(notes.onset_s[-1])
    if tail > LONGEST_TAIL_S:
        return f"its last notes hang for {tail:.0f} s"
    return None


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds, such as 1:07."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02}"
