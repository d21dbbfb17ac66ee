"""The setlist in force, kept beside the show's state: a show goes on by it though its file is spoilt meanwhile."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from pathlib import Path

from conductor.errors import SetlistError
from conductor.setlist.plan import Setlist
from conductor.setlist.reading import load_setlist
from model.whole import write_whole

LOG = logging.getLogger(__name__)

NAME = "setlist-in-force.json"


def keep(setlist: Setlist, folder: Path) -> None:
    """Keep a setlist as it is in force; where that cannot be done, the show goes on without.

    Args:
        setlist: with the text it was read from.
        folder: of the show.
    """
    kept = {"path": str(setlist.path.resolve()), "text": setlist.text.decode()}
    try:
        write_whole(folder / NAME, json.dumps(kept).encode())
    except OSError as error:
        LOG.warning("the setlist in force is not kept: %s", error.strerror)


def forget(folder: Path) -> None:
    """Forget it: the show is over, and the next one is what its file says."""
    try:
        (folder / NAME).unlink(missing_ok=True)
    except OSError as error:
        LOG.warning("the setlist in force is not forgotten: %s", error.strerror)


def in_force(path: Path, folders: Iterable[Path]) -> Setlist | None:
    """Return a setlist as it was in force in a show that broke off; None: there is no such show, or nothing to read.

    Args:
        path: of the setlist's file.
        folders: of shows that it may have been.
    """
    for folder in folders:
        try:
            kept = json.loads((folder / NAME).read_bytes())
            if kept["path"] == str(path.resolve()):
                return load_setlist(path, kept["text"].encode())
        except (OSError, ValueError, KeyError, TypeError, AttributeError, SetlistError):
            continue
    return None
