"""How loud a piece will be, from its notes, before it sounds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from model.notes import Note
from streaming.patches import BY_INSTRUMENT
from streaming.percussion import sound_of

# What one note of a patch at velocity 80 measures, as a loudness; set with the patches.
_NOTE_LUFS = -24.0
# A drum is over soon but counts by its peak.
_DRUM_DB = 6.0
_WANTED_LUFS = -15.5
_RANGE_DB = (-9.0, 9.0)
_WINDOW_S = 1.0


def expected_lufs(notes: Sequence[Note]) -> float:
    """Return about how loud notes will sound together, pauses left out (-120: nothing sounds)."""
    powers: dict[int, float] = {}
    for note in notes:
        patch = BY_INSTRUMENT.get(note.instrument)
        if patch is None:
            continue
        rings_s = 0.25 if note.instrument == "drums" else note.duration_s + 0.5 * patch.release_s
        level_db = 0.5 * patch.touch * math.log2(max(1, note.velocity) / 80)
        if note.instrument == "drums":
            level_db += sound_of(note.pitch).level_db + _DRUM_DB
        power = 10 ** (level_db / 10)
        # A plucked note fades by itself; a held one does not.
        first, last = note.onset_s, note.onset_s + min(rings_s, 2.0 if patch.decays else rings_s)
        for window in range(int(first / _WINDOW_S), int(last / _WINDOW_S) + 1):
            inside = min(last, (window + 1) * _WINDOW_S) - max(first, window * _WINDOW_S)
            powers[window] = powers.get(window, 0.0) + power * max(0.0, inside) / _WINDOW_S
    loud = [p for p in powers.values() if p > 0.05 * max(powers.values())] if powers else []
    return _NOTE_LUFS + 10 * math.log10(sum(loud) / len(loud)) if loud and sum(loud) > 0 else -120.0


def piece_gain_db(notes: Sequence[Note]) -> float:
    """Return the gain that brings a piece near the programme's loudness, so that nothing has to ride it far."""
    expected = expected_lufs(notes)
    if expected <= -120.0:
        return 0.0
    low, high = _RANGE_DB
    return min(high, max(low, _WANTED_LUFS - expected))
