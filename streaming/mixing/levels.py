"""How loud a piece will be, from its notes, before it sounds.

Every instrument has been measured at some pitches and velocities (`streaming.mixing.calibration`).
The loudness of a piece is the sum of what its notes give at each moment: no note knows the
phase of another, so their powers add.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from model.instruments import BY_NAME, INSTRUMENTS
from model.notes import Note
from streaming.mixing.loudness import SILENCE_LUFS, STEP_BLOCKS, to_lufs
from streaming.mixing.room import ROOMS
from streaming.mixing.stage import send_gain
from streaming.patches import Patch
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE

Array = NDArray[np.float64]
# A moment is what the meter weighs at a time; four of them are a gating window.
MOMENT_S = STEP_BLOCKS * BLOCK_SAMPLES / SAMPLE_RATE
_WINDOW = 4
_GATE = 10 ** (-10.0 / 10)
_ABSOLUTE_GATE = 10 ** ((-70.0 + 0.691) / 10)
# Piano notes are cut to this many moments (80 s); a longer one has died away, or is told by the steering.
_LONGEST = 800
_ROOM = {shape.name: index for index, shape in enumerate(ROOMS)}
_INDEX = {instrument.name: index for index, instrument in enumerate(INSTRUMENTS)}


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """What the notes of an orchestra measure, as K-weighted powers, both ears added.

    Attributes:
        power: [instruments, 128 pitches, 128 velocities] of a note's first 0.3 s, without a room.
        mono: [rooms, instruments, 128 pitches] what a room gives back, against `power`, for a send of 1.
        node: [instruments, 128 pitches] index of the measured pitch that is nearest.
        shape: [instruments, nodes, moments] course of a held note, against `power`.
        fall: [instruments, nodes] factor from moment to moment after the last of `shape`.
        release: [instruments, nodes] what sounds after the key is let go, in moments of its last power.
        room_db: [instruments] what goes to the room, against what is heard directly.
    """

    power: Array
    mono: Array
    node: NDArray[np.int64]
    shape: Array
    fall: Array
    release: Array
    room_db: Array

    def standing(self, players: Mapping[str, Patch]) -> Levels:
        """Return the same notes from where other players stand, those being in the order of the instruments."""
        return replace(self, room_db=np.array([patch.room_db for patch in players.values()]))

    def taken(self, places: Sequence[int]) -> Levels:
        """Return some of the rows, in the order given."""
        taken = {slot: getattr(self, slot)[list(places)] for slot in Levels.__slots__ if slot != "mono"}
        return Levels(mono=self.mono[:, list(places)], **taken)

    def course(
        self, notes: Sequence[Note], room: str, duration_s: float = 0.0, gains_db: Sequence[float] | None = None
    ) -> Array:
        """Return the power of each moment of a piece, at the instruments' own levels.

        Args:
            notes: of the piece, in any order.
            room: of `streaming.mixing.room.ROOMS`, or `dry`.
            duration_s: the course is at least this long.
            gains_db: added to the level of each note; None: nothing.

        Returns:
            float64 [moments].
        """
        known = [n for n in notes if n.instrument in _INDEX]
        end_s = max((n.offset_s for n in known), default=0.0)
        size = int(max(end_s, duration_s) / MOMENT_S) + 3
        if not known:
            return np.zeros(size)
        own = np.ones(len(known))
        name = np.array([_INDEX[n.instrument] for n in known])
        pitch = np.array([min(127, max(0, n.pitch)) for n in known])
        velocity = np.array([min(127, max(1, n.velocity)) for n in known])
        if gains_db is not None:
            turned = [gain_db for note, gain_db in zip(notes, gains_db, strict=True) if note.instrument in _INDEX]
            own = 10 ** (np.array(turned) / 10)
        onset = np.array([max(0.0, n.onset_s) for n in known]) / MOMENT_S
        rings = np.array([not BY_NAME[n.instrument].sustains for n in known])
        moments = self.shape.shape[2]
        length = np.array([max(0.01, n.duration_s) for n in known]) / MOMENT_S
        length = np.minimum(np.where(rings, moments, length), _LONGEST)
        node = self.node[name, pitch]
        sends = np.array([send_gain(room_db, room) for room_db in self.room_db.tolist()])[name]
        level = (
            self.power[name, pitch, velocity]
            * own
            * (1 + np.square(sends) * self.mono[_ROOM.get(room, 0), name, pitch])
        )
        first = onset.astype(np.int64)
        late = onset - first
        total = np.zeros(size + _LONGEST + 2)

        def add(which: NDArray[np.int64], at: NDArray[np.int64], power: Array) -> None:
            total[:] += np.bincount(at, power * (1 - late[which]), len(total))
            total[:] += np.bincount(at + 1, power * late[which], len(total))

        which = np.arange(len(known))
        held = np.ones(len(known))
        for moment in range(int(np.ceil(length.max()))):
            which = which[length[which] > moment]
            if moment < moments:
                held[which] = self.shape[name[which], node[which], moment]
            else:
                held[which] *= self.fall[name[which], node[which]]
            part = np.minimum(1.0, length[which] - moment)
            add(which, first[which] + moment, level[which] * held[which] * part)
        which = np.flatnonzero(~rings)
        after = self.release[name[which], node[which]] * held[which] * level[which]
        add(which, first[which] + length[which].astype(np.int64), after)
        return total[:size]


@dataclass(frozen=True, slots=True, eq=False)
class PatchLevels:
    """What the notes of every patch measure.

    Attributes:
        keys: of the patches.
        rows: as of `Levels`, but a row for each patch.
    """

    keys: tuple[str, ...]
    rows: Levels
    _found: dict[tuple[str, ...], Levels] = field(default_factory=dict, repr=False)

    def of(self, players: Mapping[str, Patch]) -> Levels:
        """Return what the notes of some players measure, the patch of every instrument in its order."""
        chosen = tuple(patch.key for patch in players.values())
        if chosen not in self._found:
            places = [self.keys.index(key) for key in chosen]
            self._found[chosen] = self.rows.taken(places)
        return self._found[chosen]


def windows(course: Array) -> Array:
    """Return the power of each 400 ms, one a moment."""
    if len(course) < _WINDOW:
        return np.zeros(0)
    sums = np.concatenate([[0.0], np.cumsum(course)])
    return np.asarray(np.maximum(0.0, sums[_WINDOW:] - sums[:-_WINDOW]) / _WINDOW)


def gated(course: Array) -> NDArray[np.bool_]:
    """Return which 400 ms of a course count for its integrated loudness.

    Source: ITU-R BS.1770-5, the two gates.
    """
    power = windows(course)
    loud = power > _ABSOLUTE_GATE
    if not loud.any():
        return loud
    return np.asarray(power > max(_ABSOLUTE_GATE, float(power[loud].mean()) * _GATE))


def gain_db_to(course: Array, target_lufs: float, cap: float) -> float:
    """Return the gain that brings a course to an integrated loudness, when no moment can be louder than a cap.

    Args:
        course: float64 [moments], powers.
        target_lufs: wanted of the whole.
        cap: power that the limiter lets through, at most.
    """
    gain_db = 0.0
    for _ in range(8):
        reached = integrated_lufs(np.minimum(cap, course * 10 ** (gain_db / 10)))
        if reached <= SILENCE_LUFS:
            return 0.0
        gain_db += target_lufs - reached
    return gain_db


def integrated_lufs(course: Array) -> float:
    """Return the gated loudness of a course (-120: nothing sounds)."""
    counts = gated(course)
    return to_lufs(float(windows(course)[counts].mean())) if counts.any() else SILENCE_LUFS
