"""`conductor status`: told in a glance, and by the exit status."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from conductor.cli import main
from conductor.commands.report import leave
from conductor.commands.status import AUDIBLE, INAUDIBLE, NO_SHOW, shown
from conductor.cues import Phase
from conductor.observing.lookout import Lookout
from conductor.observing.notify import Notifier
from conductor.observing.pulse import HEALING_S, Verdict
from tests.conductor.console.stage import consoled


async def status(*options: str) -> tuple[int, str]:
    """Run the command in a process of its own; return its exit status and what it prints."""
    command = [sys.executable, "-m", "conductor.cli", "status", *options]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


class Told(Notifier):
    """Writes down what systemd would be told."""

    def __init__(self) -> None:
        super().__init__({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "1"})
        self.said: list[str] = []

    def _send(self, text: str) -> None:
        self.said.append(text)


async def test_a_show_is_found_and_told_and_its_end_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    async with consoled(tmp_path) as it:
        await it.until(lambda: it.phase("one") is Phase.ARMED and it.show.observed.judge().audible)
        code, text = await status("--data", str(data))
        assert code == AUDIBLE, text
        first, *lines = text.splitlines()
        assert first == "Trial: heard"
        assert "next     1 Bach (armed)" in lines
        assert {line.split()[0] for line in lines[-4:]} == {"conductor", "feed", "player", "composer"}

        # systemd's watchdog is fed while it is heard ...
        told = Told()
        watch = Lookout(it.show, told)
        watch.look()
        assert told.said[0] == "READY=1"
        assert told.said[1].startswith("STATUS=on air: ")
        assert told.said[2] == "WATCHDOG=1"

        def later(seconds: float) -> Verdict:
            """Return how it would be if nothing came for so long."""
            observed = it.show.observed
            return observed._pulse.judge(observed.begun_s + observed.uptime_s + seconds)

        lost = later(HEALING_S / 2)
        monkeypatch.setattr(it.show.observed, "judge", lambda: lost)
        watch.look()
        assert told.said[-2].startswith("STATUS=NOT HEARD: player:")
        assert told.said[-1] == "WATCHDOG=1", "it may heal"
        code, text = await status("--data", str(data), "--json")
        assert (code, json.loads(text)["audible"]) == (INAUDIBLE, False)

        # ... and no longer when nothing heals it: then the show ends, to be started afresh.
        lost = later(HEALING_S + 1.0)
        watch.look()
        assert told.said[-1].startswith("STATUS=NOT HEARD")
        with pytest.raises(Exception, match="nothing was heard for "):
            await it.task
        report = leave(data)
        assert not report.running
        assert (data / "report.md").read_text().startswith("# Trial")
        assert "</html>" in (data / "report.html").read_text()


def test_without_a_show_the_exit_status_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--data", str(tmp_path)]) == NO_SHOW
    assert "no show is running here" in capsys.readouterr().err


def test_all_outputs_are_told() -> None:
    destination = {
        "name": "twitch", "place": "rtmps://x", "state": "live", "for_s": 61.0, "kbit_s": 6000, "dropped": 3,
        "reconnects": 1, "last_error": "timed out",
    }  # fmt: skip
    told = {
        "title": "Trial", "audible": False, "reasons": ["silence: nothing"], "switches": ["held"], "live": None,
        "next": {"number": "1", "name": "Dawn", "phase": "composing", "fraction": 0.5}, "position_s": 0.0,
        "ahead_s": 90.0, "momentary_lufs": -14.0, "integrated_lufs": -15.0, "inaudible_s": 12.0,
        "outputs": {
            "destinations": [destination, {**destination, "name": "mine", "state": "retrying"}],
            "obs": {"connected": True, "streaming": False, "text": ""}, "viewers": 2, "recording": "/a.mp4",
        },
        "workers": {"player": {"up": False, "restarts": 4, "memory_mb": 0.0, "cpu_s": 0.0, "up_s": 0.0}},
    }  # fmt: skip
    text = shown(told)
    assert text.startswith("Trial: NOT HEARD, held\n! silence: nothing\n")
    for line in (
        "next     1 Dawn (composing 50%)",
        "out      twitch: live for 1:01, 6000 kbit/s, 3 packets dropped, 1 reconnects",
        "         mine: retrying for 1:01, 3 packets dropped, 1 reconnects (timed out)",
        "         OBS: connected",
        "         2 watch in a browser",
    ):
        assert line in text.splitlines()
    assert text.splitlines()[-1].split() == ["player", "DOWN", "4"]
