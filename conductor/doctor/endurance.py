"""What lets a show run for months: limits, memory, who starts it again, what would stop the machine."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

from conductor.doctor.finding import Finding

ROOT = Path("/")
# Sockets, pipes and files of a conductor with many viewers.
_LEAST_FILES = 1024
_LEAST_SHARED_MB = 64
_LEAST_INODES = 10_000
_LEAST_MEMORY_MB = 3_000
_UNITS = ("etc/systemd/system/conductor.service", "usr/lib/systemd/system/conductor.service")
_SLEEP = ("sleep.target", "suspend.target")
_SLOW = frozenset({"powersave", "conservative"})


def limits() -> Iterator[Finding]:
    """What the system lets a process do."""
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY and files < _LEAST_FILES:
        yield Finding("open files", "note", f"{files} at most, of {most}", f"ulimit -n {_LEAST_FILES}")
    else:
        yield Finding("open files", "good", "without limit" if files == resource.RLIM_INFINITY else f"{files} at most")
    highest = resource.getrlimit(resource.RLIMIT_NICE)[0]
    if os.geteuid() == 0 or highest == resource.RLIM_INFINITY or highest > 20:
        yield Finding("priority", "good", "the sound may come before other programs")
    else:
        text = "the sound cannot come before other programs"
        yield Finding("priority", "note", text, "Nice=-5 in a systemd unit, as in deploy/systemd/conductor.service")


def shared_memory() -> Iterator[Finding]:
    """Where the sound lies between player and feed."""
    folder = Path(os.environ.get("XDG_RUNTIME_DIR") or "/dev/shm")
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        text = f"{folder} is none that can be written; the sound goes through a folder on disk"
        yield Finding("shared memory", "note", text, "mount -t tmpfs tmpfs /dev/shm")
        return
    stat = os.statvfs(folder)
    free_mb = stat.f_bavail * stat.f_frsize / 1e6
    text = f"{free_mb:.0f} MB free in {folder}"
    if free_mb < _LEAST_SHARED_MB:
        yield Finding("shared memory", "note", text, "in a container: --shm-size=128m")
    else:
        yield Finding("shared memory", "good", text)


def files_left(folder: Path) -> Iterator[Finding]:
    """How many files can be made: a piece is several, and months are many pieces."""
    stat = os.statvfs(folder)
    # File systems without inodes count none.
    if stat.f_files and stat.f_favail < _LEAST_INODES:
        text = f"room for {stat.f_favail} files in {folder.resolve()}"
        yield Finding("files", "note", text, "remove old shows: each piece is a file or more")


def allowance(root: Path = ROOT) -> Iterator[Finding]:
    """What a container or a slice lets the show have."""
    memory = _text(root / "sys/fs/cgroup/memory.max")
    if memory.isdecimal():
        memory_mb = int(memory) / 1e6
        text = f"{memory_mb / 1000:.1f} GB for this group of processes"
        if memory_mb < _LEAST_MEMORY_MB:
            yield Finding("memory limit", "note", text, f"a show takes about {_LEAST_MEMORY_MB / 1000:.0f} GB")
        else:
            yield Finding("memory limit", "good", text)
    quota, _, period = _text(root / "sys/fs/cgroup/cpu.max").partition(" ")
    if quota.isdecimal() and period.isdecimal():
        cores = int(quota) / int(period)
        advice = "" if cores >= 2 else "player and feed want a core each"
        yield Finding("CPU limit", "good" if cores >= 2 else "note", f"{cores:.1f} cores", advice)


def governor(root: Path = ROOT) -> Iterator[Finding]:
    """Whether the processor is kept slow."""
    folder = root / "sys/devices/system/cpu/cpu0/cpufreq"
    name, driver = _text(folder / "scaling_governor"), _text(folder / "scaling_driver")
    # There, powersave is what others call ondemand.
    if name in _SLOW and not driver.startswith(("intel_pstate", "amd-pstate")):
        yield Finding(
            "CPU governor", "note", f"{name}: the processor is kept slow", "cpupower frequency-set -g schedutil"
        )
    elif name:
        yield Finding("CPU governor", "good", name)


def supervision(root: Path = ROOT) -> Iterator[Finding]:
    """Who starts a show again, and what would stop the machine under it."""
    if not (root / "run/systemd/system").is_dir():
        text = "systemd does not run here; a show that ends is not started again"
        yield Finding("supervision", "note", text, "a container: --restart=always; see docs/deploying.md")
        return
    own = Path.home() / ".config/systemd/user/conductor.service"
    unit = next((path for path in (*(root / name for name in _UNITS), own) if path.exists()), None)
    if unit is None:
        text = "no service; a show that ends is not started again"
        yield Finding("supervision", "note", text, "deploy/systemd, for shows that run for days: see docs/deploying.md")
    else:
        yield Finding("supervision", "good", f"systemd has {unit}")
    if not (root / "dev/watchdog").exists():
        yield Finding("watchdog", "note", "the machine has none; if it hangs, a person has to reset it")
    elif "RuntimeWatchdogSec=" not in _set(root / "etc/systemd/system.conf"):
        text = "there, and nobody feeds it: a machine that hangs is not reset"
        yield Finding("watchdog", "note", text, "RuntimeWatchdogSec=30 in /etc/systemd/system.conf")
    else:
        yield Finding("watchdog", "good", "resets the machine when it hangs")
    awake = [name for name in _SLEEP if (root / "etc/systemd/system" / name).is_symlink()]
    if len(awake) < len(_SLEEP) and _may_sleep(root):
        advice = f"systemctl mask {' '.join(_SLEEP)}"
        yield Finding("sleep", "note", "the machine may go to sleep, and the show with it", advice)


def _may_sleep(root: Path) -> bool:
    """Whether somebody sits at the machine: with a lid or a battery, or a desktop."""
    supplies = root / "sys/class/power_supply"
    return (root / "usr/share/xsessions").is_dir() or any(supplies.glob("BAT*"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _set(path: Path) -> str:
    """Return the lines of a file that are no comments."""
    return "\n".join(line for line in _text(path).splitlines() if not line.lstrip().startswith("#"))
