"""All tables of the orchestra, computed once and kept in the user's cache.

Computing takes a few seconds; a player that was killed has to be back sooner.
The cache is a convenience: without it, or with a damaged one, they are computed anew.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import model.instruments
import streaming.patches
import streaming.percussion
import streaming.wavetables
from streaming.patches import PATCHES, tables_of
from streaming.percussion import KIT, make
from streaming.wavetables import Table

log = logging.getLogger(__name__)

_KEPT = 2
Bank = dict[str, list[Table]]


def tables(*, seed: int) -> Bank:
    """Return every instrument's tables by name, float32, the lowest zone first; for drums as in `KIT`.

    Args:
        seed: of noise and wavering.
    """
    path = _folder() / f"tables-{_key(seed)}.npz"
    bank = _load(path)
    if bank is None:
        bank = compute(seed=seed)
        _save(path, bank)
    return bank


def compute(*, seed: int) -> Bank:
    """Return the tables without the cache."""
    bank = {}
    for patch in PATCHES:
        made = [make(sound, seed=seed) for sound in KIT] if patch.build is None else tables_of(patch, seed=seed)
        bank[patch.name] = [Table(t.samples.astype(np.float32), t.hz, t.loops) for t in made]
    return bank


def _folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "conductor-live"


def _key(seed: int) -> str:
    """Return a name that changes whenever the tables would."""
    digest = hashlib.sha256(f"{seed} {np.__version__}".encode())
    for module in (model.instruments, streaming.patches, streaming.percussion, streaming.wavetables):
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:16]


def _load(path: Path) -> Bank | None:
    bank: Bank = {patch.name: [] for patch in PATCHES}
    try:
        with path.open("rb") as raw, np.load(raw) as file:
            names, shapes, pitches = file["names"], file["shapes"], file["hz"]
            loops, samples = file["loops"], file["samples"]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    at = 0
    for name, (channels, length), hz, loop in zip(names, shapes, pitches, loops, strict=True):
        size = int(channels) * int(length)
        bank[str(name)].append(Table(samples[at : at + size].reshape(channels, length), float(hz), bool(loop)))
        at += size
    return bank


def _save(path: Path, bank: Bank) -> None:
    rows = [(name, table) for name, made in bank.items() for table in made]
    columns: dict[str, NDArray[np.generic]] = {
        "names": np.array([name for name, _ in rows]),
        "shapes": np.array([t.samples.shape for _, t in rows]),
        "hz": np.array([t.hz for _, t in rows]),
        "loops": np.array([t.loops for _, t in rows]),
        "samples": np.concatenate([t.samples.reshape(-1) for _, t in rows]),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="new-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, allow_pickle=False, **columns)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        # Tables of older versions would pile up.
        old = sorted(path.parent.glob("tables-*.npz"), key=lambda p: p.stat().st_mtime, reverse=True)
        for stale in old[_KEPT:]:
            stale.unlink(missing_ok=True)
    except OSError as error:
        log.info("the instruments' tables are not kept: %s", error)
