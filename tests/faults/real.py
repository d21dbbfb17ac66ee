"""An hour on air in real time, with OBS and an ingest, while processes die at random: memory and gaps."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from streaming.timeline import SAMPLE_RATE
from tests.air.ingest import Ingest
from tests.air.studio import PASSWORD, Studio
from tests.faults.ear import Heard
from tests.faults.house import House

# What is drawn overlaps: silence is a fault.
SETLIST = """\
version: 1
show: {title: Soak, ahead: 2}
defaults: {duration: 20s, candidates: 1}
cues:
  - {id: first, name: First, style: bach, instruments: [piano], seed: 1}
  - {id: second, name: Second, style: chopin, instruments: [piano], seed: 2}
endless: {styles: {bach: 1, chopin: 1}, duration: 2m, join: crossfade}
"""
EVERY_S = 5.0
# Caches fill, and a process that has just come takes what it needs.
WARM_S = 180.0
CALM_S = 20.0
RECOVERS_S = 120.0
MIB = 2**20
# Above this an hour's music is loud; a piece's own pause is not that long.
HEARD_DB = -60.0
# A quarter of a second: a rest is shorter, in what is played here.
STRAY_BLOCKS = 47


@dataclass
class Suffered:
    """A fault and what was heard of it: blocks in a row without sound, and how many did not come at all."""

    at_s: float
    fault: str
    gap: int
    missing: int
    recovery_s: float | None


@dataclass
class Outcome:
    """What came of an hour.

    Attributes:
        suffered: the faults.
        memory: (seconds, process id, MiB) by process.
        longest_gap: blocks in a row without sound, of the whole time.
        missing: blocks that did not come.
        strays: (seconds, blocks) of gaps that nothing was done for.
    """

    seconds: float = 0.0
    suffered: list[Suffered] = field(default_factory=list)
    memory: dict[str, list[tuple[float, int, float]]] = field(default_factory=dict)
    longest_gap: int = 0
    missing: int = 0
    strays: list[tuple[float, int]] = field(default_factory=list)

    def slopes(self) -> list[dict[str, Any]]:
        """Return, by process, its memory: median slope of all pairs, MiB an hour (Theil, Sen), and growth."""
        rows = []
        for name, samples in self.memory.items():
            slopes: list[float] = []
            grown = 0.0
            for pid in {pid for _, pid, _ in samples}:
                own = [(at_s, mib) for at_s, each, mib in samples if each == pid]
                own = [(at_s, mib) for at_s, mib in own if at_s >= own[0][0] + WARM_S][:: max(1, len(own) // 120)]
                if own:
                    grown = max(grown, own[-1][1] - own[0][1])
                slopes += [
                    (b[1] - a[1]) / (b[0] - a[0]) * 3600 for n, a in enumerate(own) for b in own[n + 1 :] if b[0] > a[0]
                ]
            mib = [row[2] for row in samples]
            slope = round(median(slopes), 2) if slopes else None
            lives = len({pid for _, pid, _ in samples})
            rows.append(
                {"process": name, "mib_first": round(mib[0], 1), "mib_last": round(mib[-1], 1),
                 "mib_most": round(max(mib), 1), "mib_per_hour": slope, "mib_grown": round(grown, 1), "lives": lives}
            )  # fmt: skip
        return rows


class RealSoak:
    """A show on air, and what befalls it.

    Args:
        house: the show.
        studio: its OBS; None: there is none.
        ingest: where it is published.
        seed: of the misfortune.
    """

    def __init__(self, house: House, studio: Studio | None, ingest: Ingest, seed: int) -> None:
        self._house, self._studio, self._ingest = house, studio, ingest
        self._rng = random.Random(seed)
        self._began_s = time.monotonic()
        self._heard = house.ear.now
        self.outcome = Outcome()
        self._faults: dict[str, Callable[[], None]] = {
            **{f"{name} SIGKILL": lambda name=name: house.signal(name, signal.SIGKILL)  # type: ignore[misc]
               for name in ("player", "feed", "composer")},
            **{f"{name} SIGSTOP": lambda name=name: house.signal(name, signal.SIGSTOP)  # type: ignore[misc]
               for name in ("player", "feed", "composer")},
            "conductor SIGKILL": self._kill_conductor,
            "ingest killed": self._kill_ingest,
            "ingest frozen": self._freeze_ingest,
            "wall clock +1 h": self._set_clock,
            "setlist spoilt": self._spoil_setlist,
        }  # fmt: skip
        if studio:
            self._faults["OBS killed"] = self._kill_obs

    def _set_clock(self) -> None:
        (self._house.faults / "wall").write_text("3600")

    def _kill_conductor(self) -> None:
        self._house.show.kill("conductor")
        time.sleep(3.0)
        self._house.show.start()

    def _kill_ingest(self) -> None:
        self._ingest.kill()
        time.sleep(3.0)
        self._ingest.start()

    def _freeze_ingest(self) -> None:
        self._ingest.freeze()
        time.sleep(10.0)
        self._ingest.thaw()

    def _kill_obs(self) -> None:
        assert self._studio is not None
        assert self._studio.obs is not None
        self._studio.obs.kill()
        time.sleep(3.0)
        self._studio.start_obs()

    def _spoil_setlist(self) -> None:
        path = self._house.data.parent / "setlist.yaml"
        path.write_text(SETLIST.replace("{bach: 1", "{[bach: 1"))
        time.sleep(5.0)
        path.write_text(SETLIST)

    def run(self, seconds: float, *, every_s: float, tell: Callable[[str], None]) -> Outcome:
        """Run for some time.

        Args:
            seconds: how long.
            every_s: how often something goes wrong, on average.
            tell: told how it goes.
        """
        next_s = time.monotonic() + CALM_S
        while (at_s := time.monotonic() - self._began_s) < seconds:
            self._measure(at_s, tell)
            if time.monotonic() >= next_s and at_s < seconds - CALM_S:
                suffered = self._suffer(at_s)
                self.outcome.suffered.append(suffered)
                tell(
                    f"{at_s:6.0f} s  {suffered.fault:<20} gap {suffered.gap} blocks, {suffered.missing} did not come, "
                    f"back after {suffered.recovery_s} s"
                )
                next_s = time.monotonic() + CALM_S + self._rng.expovariate(1.0 / every_s)
            time.sleep(EVERY_S)
        self._listen()
        self.outcome.seconds = seconds
        return self.outcome

    def _listen(self) -> Heard | None:
        """Take in what was heard since the last time."""
        now = self._house.ear.now
        if now <= self._heard:
            return None
        heard = self._house.ear.heard(self._heard, now)
        self.outcome.longest_gap = max(self.outcome.longest_gap, heard.gap)
        self.outcome.missing += heard.missing
        self._heard = now
        self._house.ear.forget(now - 30 * SAMPLE_RATE)
        return heard

    def _suffer(self, at_s: float) -> Suffered:
        self._listen()
        name = self._rng.choice(sorted(self._faults))
        since, began_s = self._house.ear.now, time.monotonic()
        try:
            self._faults[name]()
        except (psutil.Error, ProcessLookupError, AttributeError, KeyError):
            # It was away already.
            return Suffered(at_s, f"{name} (was away)", 0, 0, None)
        recovery_s = None
        while time.monotonic() < began_s + RECOVERS_S:
            time.sleep(0.5)
            workers = all(self._house.there(each) for each in ("player", "feed", "composer"))
            if workers and self._house.ear.peak_db() > HEARD_DB:
                recovery_s = round(time.monotonic() - began_s, 1)
                break
        time.sleep(3.0)
        heard = self._house.ear.heard(since, self._house.ear.now)
        self._listen()
        return Suffered(at_s, name, heard.gap, heard.missing, recovery_s)

    def _measure(self, at_s: float, tell: Callable[[str], None]) -> None:
        """Note what each process has for itself."""
        found: dict[str, psutil.Process] = {}
        with contextlib.suppress(psutil.Error):
            found["conductor"] = psutil.Process(self._house.show.conductor.pid)
        found |= {
            name.rpartition(".")[2].replace("muse", "composer"): p for name, p in self._house.show.workers().items()
        }
        if self._studio and self._studio.obs:
            with contextlib.suppress(psutil.Error):
                found["obs"] = psutil.Process(self._studio.obs.pid)
        for name, process in found.items():
            with contextlib.suppress(psutil.Error):
                row = (at_s, process.pid, process.memory_full_info().uss / MIB)
                self.outcome.memory.setdefault(name, []).append(row)
        heard = self._listen()
        if heard and heard.gap >= STRAY_BLOCKS:
            self.outcome.strays.append((round(at_s, 1), heard.gap))
            tell(f"{at_s:6.0f} s  of itself            gap {heard.gap} blocks, {heard.missing} did not come")


def soak(
    hours: float,
    seed: int,
    *,
    obs: bool,
    every_s: float = 60.0,
    tell: Callable[[str], None] = print,
    log: Path | None = None,
) -> Outcome:
    """Be on air for some hours.

    Args:
        hours: of real time.
        seed: of what goes wrong.
        obs: whether OBS is there, and streams.
        every_s: how often something goes wrong.
        tell: told how it goes.
        log: where to the show's log is copied in the end; None: nowhere.
    """
    with tempfile.TemporaryDirectory(prefix="soak", ignore_cleanup_errors=True) as name, contextlib.ExitStack() as end:
        folder = Path(name)
        ingest = Ingest(folder / "ingest", record=False)
        end.callback(ingest.close)
        options, studio = ["--publish", ingest.url], None
        if obs:
            studio = Studio(folder / "studio", ingest.url, "obs")
            end.callback(studio.close)
            studio.start_obs()
            options += ["--obs", studio.url, "--stream"]
        env = {"STREAM_KEY": "soak", "OBS_PASSWORD": PASSWORD}
        house = end.enter_context(House(folder, *options, setlist=SETLIST, composer=True, env=env))
        try:
            return RealSoak(house, studio, ingest, seed).run(hours * 3600, every_s=every_s, tell=tell)
        finally:
            if log is not None:
                shutil.copy(house.log, log)


def told(outcome: Outcome) -> str:
    """Return the outcome as tables."""
    lines = [f"{'process':<10} {'MiB':>7} {'at last':>8} {'at most':>8} {'MiB/h':>8} {'lives':>6}"]
    for row in outcome.slopes():
        slope = "–" if row["mib_per_hour"] is None else row["mib_per_hour"]
        lines.append(
            f"{row['process']:<10} {row['mib_first']:>7} {row['mib_last']:>8} {row['mib_most']:>8} {slope:>8} "
            f"{row['lives']:>6}"
        )
    lines.append(f"\n{'fault':<24} {'times':>5} {'worst gap':>10} {'missing':>8} {'slowest recovery (s)':>21}")
    counts = Counter(s.fault for s in outcome.suffered)
    for fault, times in sorted(counts.items()):
        own = [s for s in outcome.suffered if s.fault == fault]
        back = [s.recovery_s for s in own]
        slowest = "never" if None in back else max(b for b in back if b is not None)
        lines.append(
            f"{fault:<24} {times:>5} {max(s.gap for s in own):>10} {sum(s.missing for s in own):>8} {slowest:>21}"
        )
    return "\n".join(lines)
