"""Where the console of a running show is: a record in its run folder, which its own user alone can read."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from conductor.show.stage import run_folders
from model.whole import write_whole

RECORD = "console.json"
# A header that names the client; that it is there at all tells that no page of another site has sent the request.
CLIENT = "X-Conductor"


@dataclass(frozen=True, slots=True)
class Place:
    """A console.

    Attributes:
        url: its address.
        token: lets programs of the same user in.
        pid: of the conductor.
        title: of the show.
        data: its folder.
    """

    url: str
    token: str = field(repr=False)
    pid: int
    title: str
    data: str

    def write(self, path: Path) -> None:
        """Write it in one step, for its owner's eyes alone."""
        write_whole(path, json.dumps(asdict(self)).encode(), mode=0o600)


def running() -> list[Place]:
    """Return the consoles of the shows that this user runs on this machine."""
    found = []
    for folder in run_folders():
        try:
            if folder.stat().st_uid != os.getuid():
                continue
            place = Place(**json.loads((folder / RECORD).read_bytes()))
        except (OSError, ValueError, TypeError):
            continue
        if _alive(place.pid):
            found.append(place)
    return sorted(found, key=lambda place: place.data)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError):
        return False
    return True
