"""What is shipped for servers starts what the program understands, and watches what it tells."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from conductor.cli import make_parser
from conductor.doctor import endurance
from conductor.observing import metrics, tally
from conductor.observing.afterwards import CRASHED, end_what_is_left
from conductor.show.stage import run_folder_of

DEPLOY = Path(__file__).parents[3] / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def settings(unit: Path) -> dict[str, str]:
    lines = unit.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def understood(words: list[str]) -> None:
    """Fail where the program does not know a command or an option."""
    make_parser(words[0]).parse_args(words)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_starts_a_show_and_ends_what_is_left_of_it(unit: Path, tmp_path: Path) -> None:
    said = settings(unit)
    program, *words = shlex.split(said["ExecStart"])
    assert program.endswith("/.venv/bin/conductor")
    understood(words)
    stop = shlex.split(said["ExecStopPost"].removeprefix("-"))
    assert stop[1:3] == ["-m", "conductor.observing.afterwards"]
    assert stop[3:] == ["--data", words[words.index("--data") + 1]], "of the same show"
    assert (said["Type"], said["KillMode"], said["Restart"]) == ("notify", "process", "always")
    if analyze := shutil.which("systemd-analyze"):
        # systemd looks whether the program is there: this Python is.
        own = tmp_path / "conductor.service"
        own.write_text(re.sub(r"(?<=[=-])\S+/\.venv/bin/\w+", sys.executable, unit.read_text()))
        done = subprocess.run([analyze, "verify", str(own)], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_there_is_a_unit_for_the_system_and_one_for_a_person() -> None:
    assert [unit.stem for unit in UNITS] == ["conductor-user", "conductor"]


def test_a_container_starts_a_show_and_is_healthy_while_it_is_heard() -> None:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    understood(json.loads(re.search(r"^CMD (\[.*\])$", text, re.MULTILINE)[1]))  # type: ignore[index]
    health = json.loads(re.search(r"^HEALTHCHECK .* CMD (\[.*\])$", text, re.MULTILINE)[1])  # type: ignore[index]
    assert health[0] == "conductor"
    understood(health[1:])
    compose = YAML(typ="safe").load(DEPLOY / "compose.yaml")
    understood(shlex.split(compose["services"]["radio"]["command"]))
    for volume in compose["services"]["prometheus"]["volumes"]:
        if volume.startswith("./"):
            assert (DEPLOY / volume.split(":")[0]).is_file()


def told() -> set[str]:
    """Return the names of all metrics, as Prometheus reads them."""
    source = "".join(Path(str(module.__file__)).read_text(encoding="utf-8") for module in (metrics, tally))
    names = {f"conductor_{name}" for name in re.findall(r'_gauges?\("(\w+)"', source)}
    names |= {f"conductor_{name}_total" for name in re.findall(r'_counts?\("(\w+)"', source)}
    return names | {f"{name}_total" for name in re.findall(r'Counter\(\s*"(\w+)"', source)}


def test_alerts_speak_of_metrics_that_are_told() -> None:
    rules = YAML(typ="safe").load(DEPLOY / "prometheus" / "alerts.yml")["groups"][0]["rules"]
    used = {name for rule in rules for name in re.findall(r"conductor_\w+", rule["expr"])}
    assert len(used) > 5
    assert used <= told()


def test_what_a_crash_leaves_is_for_the_next_conductor_and_what_an_end_leaves_is_ended(tmp_path: Path) -> None:
    run = run_folder_of(tmp_path)
    # As a worker's command line is; it waits for nothing.
    line = [sys.executable, "-c", "import time; time.sleep(60)", "conductor.player", "--run", str(run)]
    with subprocess.Popen(line) as worker:
        for result in CRASHED:
            assert end_what_is_left(tmp_path, {"SERVICE_RESULT": result}) == []
        assert end_what_is_left(tmp_path / "another", {"SERVICE_RESULT": "success"}) == []
        assert worker.poll() is None
        assert end_what_is_left(tmp_path, {"SERVICE_RESULT": "success"}) == [worker.pid]
        worker.wait(10)


def made(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_the_doctor_tells_what_would_end_a_show_of_many_days(tmp_path: Path) -> None:
    def states(*checks: object) -> dict[str, str]:
        return {finding.name: finding.state for check in checks for finding in check(tmp_path)}  # type: ignore[operator]

    checks = (endurance.allowance, endurance.governor, endurance.supervision)
    assert states(*checks) == {"supervision": "note"}
    made(tmp_path, {
        "sys/fs/cgroup/memory.max": "1000000000\n", "sys/fs/cgroup/cpu.max": "100000 100000\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n", "run/systemd/system/x": "",
        "dev/watchdog": "", "etc/systemd/system.conf": "#RuntimeWatchdogSec=0\n",
        "sys/class/power_supply/BAT0/status": "Full\n",
    })  # fmt: skip
    names = ("memory limit", "CPU limit", "CPU governor", "supervision", "watchdog", "sleep")
    assert states(*checks) == dict.fromkeys(names, "note")
    assert all(finding.advice for check in checks for finding in check(tmp_path))
    made(tmp_path, {
        "sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/cpu.max": "400000 100000\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_driver": "intel_pstate\n",
        "etc/systemd/system/conductor.service": "", "etc/systemd/system.conf": "RuntimeWatchdogSec=30\n",
    })  # fmt: skip
    for name in ("sleep.target", "suspend.target"):
        (tmp_path / "etc/systemd/system" / name).symlink_to("/dev/null")
    good = ("CPU limit", "CPU governor", "supervision", "watchdog")
    assert states(*checks) == dict.fromkeys(good, "good")
