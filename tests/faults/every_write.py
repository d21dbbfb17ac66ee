"""`python -m tests.faults.every_write FOLDER`: a show is killed at every moment of writing, and taken up again.

Each time all its processes are gone, as after a power cut. Prints a line of JSON with what did not hold.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import os
import shutil
import sqlite3
import sys
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from conductor.cues import OVER
from conductor.library import Library
from conductor.logs import Terminal
from conductor.observing.lookout import Lookout
from conductor.setlist import load_setlist
from conductor.show.show import Show
from conductor.show.stage import RunFolder, ShowOptions
from tests.faults.database import dying_at
from tests.faults.simulated import simulated
from tests.faults.simworkers import Machine, SimComposer, SimFeed, SimPlayer, SimWorker
from tests.faults.virtual import VirtualClock, VirtualLoop

SETLIST = """\
version: 1
show: {title: Written, ahead: 2}
defaults: {duration: 20s, candidates: 1}
cues: [{id: one, style: bach, seed: 1}, {id: two, style: chopin, seed: 2}, {id: three, style: jazz, seed: 3}]
"""
# All of it is over by then.
PATIENCE_S = 900.0


async def play(folder: Path, loop: VirtualLoop) -> None:
    """Run the show until its last cue is over."""
    import random

    player, composer = SimPlayer(lambda *_: None), SimComposer(random.Random(1))
    machines: tuple[Machine, ...] = (player, composer, SimFeed(player))
    SimWorker.machines = {machine.name: machine for machine in machines}
    options = ShowOptions(data=folder / "data", port=0, nut_port=0, obs_url="")
    run, library = RunFolder(options.data), Library(options.data)
    show = Show(
        load_setlist(folder / "show.yaml"), options, library, run, Terminal(io.StringIO()), clock=VirtualClock(loop)
    )
    show.beside(Lookout(show).follow)
    task = loop.create_task(show.run())
    async with asyncio.timeout(PATIENCE_S):
        while not all(slot.phase in OVER for slot in show.state.slots):
            assert not task.done(), task
            await asyncio.sleep(1.0)
    phases = {slot.cue.id: str(slot.phase) for slot in show.state.slots}
    assert phases == {"one": "aired", "two": "aired", "three": "aired"}, phases
    show.end()
    show.end()
    await task
    library.close()
    run.close()


def child(folder: Path, moment: int) -> int:
    """Play in a process of its own; return its exit status, or the signal that ended it, below 0."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 1
    try:
        with simulated() as loop, dying_at(moment) as moments:
            loop.run_until_complete(play(folder, loop))
            (folder / "moments").write_text(str(moments()))
        status = 0
    except BaseException:
        (folder / "trouble").write_text(traceback.format_exc())
    finally:
        os._exit(status)


def trouble(folder: Path) -> list[str]:
    """Return what is wrong with what a show left, a line each."""
    wrong = []
    if (folder / "trouble").exists():
        wrong.append((folder / "trouble").read_text().strip().splitlines()[-1])
    with contextlib.closing(sqlite3.connect(folder / "data" / "show.db")) as database:
        (sound,) = database.execute("PRAGMA integrity_check").fetchone()
        if sound != "ok":
            wrong.append(f"integrity: {sound}")
        rows = database.execute("SELECT id, event, cue_id FROM as_run ORDER BY id").fetchall()
        for (midi,) in database.execute("SELECT midi FROM pieces").fetchall():
            if (folder / "data" / midi).read_bytes()[:4] != b"MThd":
                wrong.append(f"{midi} is no MIDI file")
    if [row[0] for row in rows] != list(range(1, len(rows) + 1)):
        wrong.append("the log has holes")
    live = Counter(cue for _, event, cue in rows if event == "live")
    # What was on air at the cut may be on air again; nothing else.
    again = sum(times - 1 for times in live.values())
    if again > 1 or max(live.values(), default=0) > 2:
        wrong.append(f"on air again: {dict(live)}")
    return wrong


def main() -> int:
    """Kill it everywhere."""
    logging.disable(logging.CRITICAL)
    root, step = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    found: dict[str, Any] = {"moments": 0, "killed": 0, "wrong": {}}

    def anew(name: str) -> Path:
        folder = root / name
        folder.mkdir()
        (folder / "show.yaml").write_text(SETLIST)
        return folder

    whole = anew("whole")
    assert child(whole, 0) == 0, (whole / "trouble").read_text()
    assert not trouble(whole), trouble(whole)
    found["moments"] = moments = int((whole / "moments").read_text())
    # At the last one the show is over: what is played after it is another.
    for moment in range(1, moments, step):
        folder = anew(f"m{moment}")
        status = child(folder, moment)
        found["killed"] += status == -9
        second = child(folder, 0)
        if wrong := [*([] if second == 0 else [f"ended with {second}"]), *trouble(folder)]:
            found["wrong"][moment] = wrong
        shutil.rmtree(folder)
    print(json.dumps(found))
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
