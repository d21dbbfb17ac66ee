"""An orchestra measured: each instrument plays some notes, and what the meter says of them is kept.

It takes a second or two and is kept in the user's cache, for as long as nothing about the sound changes.
"""

from __future__ import annotations

import hashlib
import logging
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from model.instruments import BY_NAME
from model.notes import Note
from streaming.cache import cache_folder, keep_arrays
from streaming.mixing.levels import Levels, PatchLevels
from streaming.mixing.loudness import K_WEIGHTING, STEP_BLOCKS, BlockFilter
from streaming.mixing.room import DRY, ROOMS, impulse
from streaming.mixing.stage import mix_matrix
from streaming.patches import BY_INSTRUMENT, Library, Patch
from streaming.synthesis.synth import Orchestra, Strike
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
_PITCHES = 6
_VELOCITIES = (20, 50, 110, 127)
_AT_VELOCITY = 80
_SHAPE_MOMENTS = 20
_HELD_SLOT, _SHORT_SLOT, _DRUM_SLOT = 27, 10, 9
_HEAD_MOMENTS = 3
_DRUM_KEYS = range(35, 82)
_DRUM_CURVE = (36, 38, 42, 45)
_KEPT = 4


class Plays(Protocol):
    """What can be measured: an orchestra."""

    def process(self, strikes: Sequence[Strike] = ()) -> NDArray[np.float32]:
        """Make the next block of stems."""

    def reset(self) -> None:
        """Start again at sample 0."""


class _Part:
    """The notes one instrument plays for the measurement, by the moment at which they begin."""

    def __init__(self, name: str, *, plays: bool) -> None:
        instrument = BY_NAME[name]
        self.name = name
        self.drums = not instrument.sustains
        self.strikes: dict[int, Note] = {}
        self.held: list[tuple[int, int]] = []
        self.short: list[tuple[int, int, int]] = []
        at = self.moments = 1
        if not plays:
            return
        if self.drums:
            for key in _DRUM_KEYS:
                self.held.append((at, key))
                self.strikes[at] = Note(0.0, key, name, 0.1, _AT_VELOCITY)
                at += _DRUM_SLOT
            pitches: Sequence[int] = _DRUM_CURVE
        else:
            pitches = np.linspace(instrument.low + 2, instrument.high - 2, _PITCHES).round().astype(int).tolist()
            for pitch in pitches:
                self.held.append((at, pitch))
                self.strikes[at] = Note(0.0, pitch, name, _SHAPE_MOMENTS, _AT_VELOCITY)
                at += _HELD_SLOT
        for pitch in pitches:
            for velocity in _VELOCITIES:
                self.short.append((at, pitch, velocity))
                self.strikes[at] = Note(0.0, pitch, name, _HEAD_MOMENTS, velocity)
                at += _DRUM_SLOT if self.drums else _SHORT_SLOT
        self.moments = at


def levels_of(orchestra: Plays, name: str) -> Levels:
    """Return what an orchestra's notes measure, from the cache where it is known.

    Args:
        orchestra: is reset before and after.
        name: of its sound: the file of a bank.
    """
    path = cache_folder() / f"levels-{_key(name)}.npz"
    found = _load(path)
    if found is None:
        found = PatchLevels(tuple(BY_INSTRUMENT), measured(orchestra))
        _save(path, found)
    return found.rows


def levels_of_patches(synth: Orchestra, patches: Library, name: str) -> PatchLevels:
    """Return what the notes of every patch of a synth measure, from the cache where it is known.

    Args:
        synth: is reset before and after.
        patches: that it has.
        name: of its sound besides: its seed.
    """
    path = cache_folder() / f"levels-{_key(f'{name} {patches.patches!r}')}.npz"
    found = _load(path)
    if found is None:
        found = _measured_patches(synth, patches)
        _save(path, found)
    return found


class _Lineup:
    """The synth with chosen players, also after a reset."""

    def __init__(self, synth: Orchestra, variants: Mapping[str, str]) -> None:
        self._synth, self._variants = synth, variants
        self.process = synth.process

    def reset(self) -> None:
        self._synth.reset()
        self._synth.choose(0, variants=self._variants)


def _measured_patches(synth: Orchestra, patches: Library) -> PatchLevels:
    """Measure all patches: an instrument's first ones together, then its second ones, and so on."""
    waiting = {name: patches.variants(name) for name in BY_INSTRUMENT}
    rows: dict[str, Levels] = {}
    while variants := {name: found.pop() for name, found in waiting.items() if found}:
        players = patches.ensemble(variants=variants)
        levels = measured(_Lineup(synth, variants), players, among=variants)
        for index, patch in enumerate(players.values()):
            if patch.name in variants:
                rows[patch.key] = levels.taken([index])
    synth.reset()
    return PatchLevels(tuple(rows), _stacked(list(rows.values())))


def _stacked(rows: Sequence[Levels]) -> Levels:
    """Return rows of one patch each as one table."""
    nodes = max(row.shape.shape[1] for row in rows)

    def whole(slot: str) -> NDArray[Any]:
        parts = [getattr(row, slot) for row in rows]
        if slot == "mono":
            return np.concatenate(parts, axis=1)
        # The drums have more nodes than the others.
        wide = [nodes - part.shape[1] if slot in ("shape", "fall", "release") else 0 for part in parts]
        return np.concatenate(
            [
                np.pad(part, [(0, 0), (0, more), *[(0, 0)] * (part.ndim - 2)], mode="edge") if more else part
                for part, more in zip(parts, wide, strict=True)
            ]
        )

    return Levels(**{slot: whole(slot) for slot in Levels.__slots__})


def measured(
    orchestra: Plays, players: Mapping[str, Patch] = BY_INSTRUMENT, among: Collection[str] = tuple(BY_INSTRUMENT)
) -> Levels:
    """Return what an orchestra's notes measure, without the cache.

    Args:
        orchestra: is reset before and after.
        players: where it stands, the patch of every instrument in its order.
        among: instruments that are measured; of the others there is nothing.
    """
    parts = [_Part(name, plays=name in among) for name in players]
    orchestra.reset()
    powers = _powers(orchestra, parts, players)
    orchestra.reset()
    count, most = len(players), max(1, *(len(part.held) for part in parts))
    levels = Levels(
        power=np.zeros((count, 128, 128)),
        mono=np.zeros((len(ROOMS), count, 128)),
        node=np.zeros((count, 128), np.int64),
        shape=np.zeros((count, most, _SHAPE_MOMENTS)),
        fall=np.ones((count, most)),
        release=np.zeros((count, most)),
        room_db=np.array([patch.room_db for patch in players.values()]),
    )
    for index, part in enumerate(parts):
        if part.held:
            _fill(levels, index, part, powers[:, :, index], decays=players[part.name].decays)
    return levels


def _powers(orchestra: Plays, parts: Sequence[_Part], players: Mapping[str, Patch]) -> Array:
    """Return K-weighted powers [moments, 1 + rooms, instruments]: of both ears, and of what each room gives back.

    The room's is for a send of 1 from both ears.
    """
    count = len(parts)
    place = mix_matrix(DRY, players)[:, :2].reshape(count, 2, 2)
    weighting = BlockFilter(K_WEIGHTING, channels=2 * count)
    moments = max(part.moments for part in parts) + 1
    powers = np.zeros((moments, 1 + len(ROOMS), count))
    blocks = np.zeros((STEP_BLOCKS, BLOCK_SAMPLES, 2, count))
    answers = _answers(STEP_BLOCKS * BLOCK_SAMPLES)
    for moment in range(moments):
        notes = [note for part in parts if (note := part.strikes.get(moment)) is not None]
        for block in range(STEP_BLOCKS):
            length = STEP_BLOCKS * BLOCK_SAMPLES
            strikes = [Strike(0, round(n.duration_s * length), n) for n in notes] if block == 0 else []
            stems = orchestra.process(strikes).reshape(BLOCK_SAMPLES, count, 2)
            for ear in (0, 1):
                blocks[block, :, ear] = stems[:, :, 0] * place[:, 0, ear] + stems[:, :, 1] * place[:, 1, ear]
        weighted = weighting.process_many(blocks.reshape(STEP_BLOCKS, BLOCK_SAMPLES, -1))
        powers[moment, 0] = np.square(weighted).mean(axis=(0, 1)).reshape(2, count).sum(axis=0)
        sent = np.fft.rfft(blocks.sum(axis=2).reshape(-1, count), axis=0)
        powers[moment, 1:] = answers @ np.square(np.abs(sent))
    return powers


def _answers(size: int) -> Array:
    """Return what each frequency of a spectrum of this many samples gives in each room, K-weighted, both ears."""
    at_hz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    z = np.exp(-2j * np.pi * at_hz / SAMPLE_RATE)
    weight = np.ones(len(z))
    for b, a in K_WEIGHTING:
        weight *= np.square(np.abs(np.polyval(b[::-1], z) / np.polyval(a[::-1], z)))
    rows = []
    for shape in ROOMS:
        answer = impulse(shape, seed=0).mean(axis=0)
        power = np.square(np.abs(np.fft.rfft(answer, axis=1))).sum(axis=0)
        # The mean over two thirds of an octave: what single notes meet in a room is chance.
        bins = at_hz * answer.shape[1] / SAMPLE_RATE
        first, last = (bins / 1.26).astype(int), np.minimum((bins * 1.26).astype(int) + 1, len(power))
        sums = np.concatenate([[0.0], np.cumsum(power)])
        rows.append((sums[last] - sums[first]) / (last - first) * weight)
    # Both halves of the spectrum, and the mean over the samples.
    return np.stack(rows) * (2.0 / size**2)


def _fill(levels: Levels, index: int, part: _Part, powers: Array, *, decays: bool) -> None:
    """Write one instrument's figures."""
    every = np.arange(128)
    pitches = [pitch for _, pitch in part.held]
    levels.node[index] = np.abs(every[:, None] - np.array(pitches)[None]).argmin(axis=1)
    length = _DRUM_SLOT if part.drums else _SHAPE_MOMENTS
    courses = np.stack([powers[at : at + length, 0] for at, _ in part.held]) + 1e-15
    ratios = np.stack([powers[at : at + length, 1:].sum(axis=0) for at, _ in part.held]) / courses.sum(axis=1)[:, None]
    heads = courses[:, :_HEAD_MOMENTS].mean(axis=1)
    if decays:
        base = heads
        levels.shape[index, : len(base), :length] = courses / base[:, None]
        if not part.drums:
            ends = courses[:, -10:-5].mean(axis=1), courses[:, -5:].mean(axis=1)
            levels.fall[index, : len(base)] = np.minimum(1.0, (ends[1] / ends[0]) ** 0.2)
    else:
        # A held tone wavers; what counts is its mean, and the rise that is common to all pitches.
        base = courses[:, _HEAD_MOMENTS:].mean(axis=1)
        levels.shape[index] = 1.0
        rise = np.median(courses[:, :_HEAD_MOMENTS] / base[:, None], axis=0)
        levels.shape[index, :, :_HEAD_MOMENTS] = rise
    if not part.drums:
        after = np.array([powers[at + length : at + _HELD_SLOT, 0].sum() for at, _ in part.held])
        last = courses[:, -3:].mean(axis=1)
        # A string that has died away has nothing to let go.
        left = np.where(last > 1e-4 * heads, after / last, 0.0)
        levels.release[index, : len(base)] = left if decays else np.median(left)
    for room, ratio in enumerate(ratios.T):
        levels.mono[room, index] = np.interp(every, pitches, ratio)
    # How velocity makes louder, in dB against the middle one, at the pitches where it was measured.
    curves: dict[int, list[tuple[int, float]]] = {}
    for at, pitch, velocity in part.short:
        head = float(powers[at : at + _HEAD_MOMENTS, 0].mean()) + 1e-15
        db = 10 * float(np.log10(head / heads[pitches.index(pitch)]))
        curves.setdefault(pitch, [(_AT_VELOCITY, 0.0)]).append((velocity, db))
    base_db = 10 * np.log10(base)
    # Evenly between the logarithms of velocities.
    steps = np.log2(np.maximum(every, 1))
    by_velocity = np.stack(
        [np.interp(steps, np.log2([v for v, _ in sorted(c)]), [db for _, db in sorted(c)]) for c in curves.values()]
    )
    measured_at = np.array(list(curves))
    curve_db = np.stack([np.interp(every, measured_at, by_velocity[:, v]) for v in range(128)], axis=1)
    if part.drums:
        curve_db[:] = by_velocity.mean(axis=0)
        base_db = base_db[levels.node[index]]
    else:
        base_db = np.interp(every, pitches, base_db)
    levels.power[index] = 10 ** ((base_db[:, None] + curve_db) / 10)


def _key(name: str) -> str:
    """Return a name that changes whenever anything about the sound might."""
    digest = hashlib.sha256(f"{name} {np.__version__}".encode())
    streaming = Path(__file__).parents[1]
    for folder in ("patches", "synthesis", "mixing"):
        for path in sorted((streaming / folder).rglob("*")):
            if path.suffix in (".py", ".yaml"):
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _load(path: Path) -> PatchLevels | None:
    try:
        with path.open("rb") as raw, np.load(raw) as file:
            rows = Levels(**{name: file[name] for name in Levels.__slots__})
            return PatchLevels(tuple(file["keys"].tolist()), rows)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def _save(path: Path, levels: PatchLevels) -> None:
    arrays = {slot: getattr(levels.rows, slot) for slot in Levels.__slots__} | {"keys": np.array(levels.keys)}
    keep_arrays(path, arrays, among="levels-*.npz", kept=_KEPT, what="what the instruments measure", log=log)
