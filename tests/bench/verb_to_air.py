"""From an order over HTTP to the first sample that is another: the real player, the real ring, composing left out.

Run by `tests.bench.operators`. A player that keeps its own diary stands in a show of stand-ins: for each order it
notes when it was heard, and when the first block after it lay in the ring. That this block is the first that differs,
and how many samples into it, is measured apart, with two orchestras of which one alone gets the order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import ClientSession

from conductor import player, wire
from conductor.cues import Phase
from streaming.playing.playout import Playout
from tests.conductor.console.stage import consoled
from tests.conductor.show.test_show import Running
from tests.fakes import fake_commands, fake_piece

DIARY = "heard.jsonl"
CUES = "cues: [" + ", ".join(f"{{id: c{n}, style: bach, duration: 60s, follow: hold}}" for n in range(1, 200)) + "]"
AHEAD_MS = player.AHEAD_S * 1000


def first_difference() -> dict[str, int]:
    """Return how many samples after the block in hand an order is first heard."""
    found = {}
    for name in ("go", "fade"):
        sounds = []
        for given in (False, True):
            playout = Playout(bed=False, patient=True)
            piece = fake_piece(1, 20.0, ["piano"])
            playout.load(1, piece.notes, piece.duration_s)
            playout.load(2, fake_piece(2, 20.0, ["organ"]).notes, 20.0)
            playout.go(1)
            for _ in range(400):
                playout.step()
            if given:
                playout.go(2) if name == "go" else playout.fade(1.0)
            sounds.append(np.concatenate([playout.step() for _ in range(100)]))
        found[name] = int(np.flatnonzero(np.any(sounds[0] != sounds[1], axis=1))[0])
    return found


class Watched(player.Player):
    """The player, which writes down what it hears and when it lay in the ring."""

    diary: Path = Path()
    _heard: list[tuple[str, int]]

    def _obey(self, message: wire.Message) -> None:
        super()._obey(message)
        if isinstance(message, wire.Go | wire.Fade | wire.Revise):
            self._heard = [*getattr(self, "_heard", []), (type(message).__name__, time.monotonic_ns())]

    def _step(self) -> None:
        super()._step()
        if heard := getattr(self, "_heard", []):
            self._heard = []
            with self.diary.open("a") as file:
                for kind, at_ns in heard:
                    line = {"kind": kind, "heard_ns": at_ns, "written_ns": time.monotonic_ns()}
                    file.write(json.dumps(line) + "\n")


async def _said(it: Running, browser: ClientSession, diary: Path, verb: str, kind: str, body: Any = None) -> float:
    """Give an order; return how long it took to lie in the ring, in ms."""
    before = diary.read_text().count("\n") if diary.exists() else 0
    began_ns = time.monotonic_ns()
    async with browser.post(f"{it.url}/api/{verb}", json=body or {}) as answer:
        assert answer.status == 200, await answer.text()
    async with asyncio.timeout(10.0):
        while True:
            lines = diary.read_text().splitlines()[before:] if diary.exists() else []
            for line in map(json.loads, lines):
                if line["kind"] == kind:
                    return float(line["written_ns"] - began_ns) / 1e6
            await asyncio.sleep(0.002)


async def measured(folder: Path, rounds: int) -> dict[str, Any]:
    """Return what was measured.

    Args:
        folder: of the show.
        rounds: of GO, change, skip, GO, fade.
    """
    found: dict[str, list[float]] = {"go": [], "change": [], "change_at_bar": [], "skip": [], "fade": []}

    runs: list[Path] = []

    def commands(run: Path) -> Any:
        fakes = fake_commands(run)
        runs.append(run)
        own = [sys.executable, "-m", "tests.bench.verb_to_air", "--run", str(run)]
        return lambda name: own if name == "player" else fakes(name)

    async with consoled(folder, CUES, commands=commands) as it, ClientSession() as browser:
        diary = runs[0] / DIARY
        await it.until(lambda: it.show.crew.workers["player"].up)

        async def go() -> None:
            await it.until(lambda: (s := it.show.state.standby) is not None and s.phase is Phase.ARMED)
            found["go"].append(await _said(it, browser, diary, "go", "Go"))
            await it.until(lambda: it.show.state.live is not None)
            await asyncio.sleep(0.5)

        async def over() -> None:
            await it.until(lambda: it.show.state.live is None)
            await asyncio.sleep(0.2)

        for number in range(rounds):
            await go()
            wish = {"style": "jazz" if number % 2 else "folk"}
            levels = it.show.crew.heard.levels
            found["change"].append(await _said(it, browser, diary, "change", "Revise", wish))
            live = it.show.state.live
            if live and live.changing and levels:
                # From what is written now to the bar line from which the music is another.
                found["change_at_bar"].append((live.changing.at_s - levels.position_s) * 1000)
            await it.until(lambda: (s := it.show.state.live) is not None and not s.changing)
            found["skip"].append(await _said(it, browser, diary, "skip", "Fade"))
            await over()
            await go()
            found["fade"].append(await _said(it, browser, diary, "fade", "Fade", {"seconds": 0.5}))
            await over()
            async with browser.post(f"{it.url}/api/release", json={}) as answer:
                assert answer.status == 200
    return {name: values for name, values in found.items() if values}


def main() -> None:
    """Be the player of a run folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", type=Path, required=True)
    options = parser.parse_args()
    Watched.diary = options.run / DIARY
    player.Player = Watched  # type: ignore[misc]
    sys.exit(player.main(["--run", str(options.run)]))


if __name__ == "__main__":
    main()
