"""All tables of the orchestra, computed once and kept in the user's cache.

Computing takes a few seconds; a player that was killed has to be back sooner.
The cache is a convenience: without it, or with a damaged one, they are computed anew.
"""

from __future__ import annotations

import hashlib
import logging
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model import instruments
from streaming.cache import cache_folder, keep_arrays
from streaming.patches import Library, Patch, library, recipe, zones
from streaming.patches.recipe import MIDDLE_VELOCITY, StringSound, ToneSound
from streaming.synthesis import percussion, strings, wavetables
from streaming.synthesis.percussion import make
from streaming.synthesis.strings import struck
from streaming.synthesis.wavetables import Sound, Table, burst, halo, held

log = logging.getLogger(__name__)

_KEPT = 2
_LAYERS = ("body", "edge", "extra", "let_go")


@dataclass(frozen=True, slots=True)
class Made:
    """A patch as tables.

    Attributes:
        sounds: by zone, the lowest first; of a kit, as its sounds.
        let_go: noise when a key is let go.
    """

    sounds: tuple[Sound, ...]
    let_go: Table | None = None


Bank = dict[str, Made]


def tables(*, seed: int, patches: Library | None = None) -> Bank:
    """Return every patch's tables by its key, float32.

    Args:
        seed: of noise and wavering.
        patches: whose; by default those that come with the program.
    """
    patches = patches or library()
    path = cache_folder() / f"tables-{_key(seed, patches)}.npz"
    bank = _load(path)
    if bank is None:
        bank = compute(seed=seed, patches=patches)
        _save(path, bank)
    return bank


def compute(*, seed: int, patches: Library | None = None) -> Bank:
    """Return the tables without the cache."""
    return {key: made_of(patch, seed=seed) for key, patch in (patches or library()).patches.items()}


def made_of(patch: Patch, *, seed: int) -> Made:
    """Return the tables of one patch, float32."""
    middle = patch.played.edge_at(MIDDLE_VELOCITY)
    if patch.kit:
        return Made(tuple(_light(make(drum, middle=middle, seed=seed)) for drum in patch.kit))
    sounds = []
    for pitch in zones(patch):
        own = seed * 1000 + pitch
        if patch.string is not None:
            hard = patch.loud if isinstance(patch.loud, StringSound) else None
            sound = struck(pitch, patch.string, hard, middle=middle, seed=own)
        else:
            assert patch.tone is not None
            louder = patch.loud if isinstance(patch.loud, ToneSound) else None
            sound = held(pitch, patch.tone, louder, middle=middle, seed=own)
        extra = None
        if patch.halo is not None:
            extra = halo(pitch, patch.halo, seed=own)
        elif patch.onset is not None:
            extra = burst(pitch, patch.onset, seed=own)
        sounds.append(_light(Sound(sound.body, sound.edge, extra)))
    let_go = None if patch.let_go is None else burst(60, patch.let_go, seed=seed)
    return Made(tuple(sounds), None if let_go is None else _single(let_go))


def _light(sound: Sound) -> Sound:
    edge, extra = sound.edge, sound.extra
    return Sound(_single(sound.body), edge and _single(edge), extra and _single(extra))


def _single(table: Table) -> Table:
    return Table(table.samples.astype(np.float32), table.hz, table.loops)


def _key(seed: int, patches: Library) -> str:
    """Return a name that changes whenever the tables would."""
    digest = hashlib.sha256(f"{seed} {np.__version__} {patches.patches!r}".encode())
    rooms = (instruments, recipe, percussion, strings, wavetables)
    for module in rooms:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:16]


def _load(path: Path) -> Bank | None:
    try:
        with path.open("rb") as raw, np.load(raw) as file:
            names, layers, shapes = file["names"], file["layers"], file["shapes"]
            pitches, loops, samples = file["hz"], file["loops"], file["samples"]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    sounds: dict[str, list[dict[str, Table]]] = {}
    let_go: dict[str, Table] = {}
    at = 0
    for name, layer, (channels, length), hz, loop in zip(names, layers, shapes, pitches, loops, strict=True):
        size = int(channels) * int(length)
        table = Table(samples[at : at + size].reshape(channels, length), float(hz), bool(loop))
        at += size
        of_patch = sounds.setdefault(str(name), [])
        if layer == "let_go":
            let_go[str(name)] = table
        elif layer == "body":
            of_patch.append({"body": table})
        else:
            of_patch[-1][str(layer)] = table
    return {key: Made(tuple(Sound(**each) for each in found), let_go.get(key)) for key, found in sounds.items()}


def _rows(bank: Bank) -> Iterator[tuple[str, str, Table]]:
    for key, made in bank.items():
        for sound in made.sounds:
            for layer in _LAYERS[:3]:
                table = getattr(sound, layer)
                if table is not None:
                    yield key, layer, table
        if made.let_go is not None:
            yield key, "let_go", made.let_go


def _save(path: Path, bank: Bank) -> None:
    rows = list(_rows(bank))
    columns: dict[str, NDArray[np.generic]] = {
        "names": np.array([key for key, _, _ in rows]),
        "layers": np.array([layer for _, layer, _ in rows]),
        "shapes": np.array([t.samples.shape for _, _, t in rows]),
        "hz": np.array([t.hz for _, _, t in rows]),
        "loops": np.array([t.loops for _, _, t in rows]),
        "samples": np.concatenate([t.samples.reshape(-1) for _, _, t in rows]),
    }
    keep_arrays(path, columns, among="tables-*.npz", kept=_KEPT, what="the instruments' tables", log=log)
