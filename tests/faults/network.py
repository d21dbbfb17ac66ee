"""A loopback of one's own, on which packets are lost: for who may make one (root, on Linux)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_HERE = Path("/proc/thread-self/ns/net")


def can_lose() -> bool:
    """Return whether this user may have a network of his own, and the kernel loses packets."""
    if not (shutil.which("tc") or Path("/usr/sbin/tc").exists()) or not shutil.which("unshare"):
        return False
    make = "tc qdisc add dev lo root"
    trial = ["unshare", "--net", "sh", "-ec", f"{make} prio; tc qdisc del dev lo root; {make} netem loss 1%"]
    try:
        return subprocess.run(trial, capture_output=True, check=False, env=_env()).returncode == 0
    except OSError:
        return False


def _env() -> dict[str, str]:
    return {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}


@contextlib.contextmanager
def own_network() -> Iterator[None]:
    """Be on a loopback of one's own; so are the processes and threads that this thread starts meanwhile."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open(_HERE, os.O_RDONLY)
    try:
        if libc.unshare(_CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "no network of one's own")
        try:
            _run("ip", "link", "set", "lo", "up")
            yield
        finally:
            assert libc.setns(before, _CLONE_NEWNET) == 0
    finally:
        os.close(before)


def lose(percent: float, port: int, delay_ms: int = 20) -> None:
    """Lose packets from and to a port of this network, and delay the others; 0 %: no more."""
    with contextlib.suppress(subprocess.CalledProcessError):
        _run("tc", "qdisc", "del", "dev", "lo", "root")
    if not percent:
        return
    _run("tc", "qdisc", "add", "dev", "lo", "root", "handle", "1:", "prio")
    harm = ("netem", "loss", f"{percent}%", "delay", f"{delay_ms}ms")
    _run("tc", "qdisc", "add", "dev", "lo", "parent", "1:3", "handle", "30:", *harm)
    for side in ("dport", "sport"):
        match = ("match", "ip", side, str(port), "0xffff")
        _run("tc", "filter", "add", "dev", "lo", "protocol", "ip", "parent", "1:0", "u32", *match, "flowid", "1:3")


def _run(name: str, *arguments: str) -> None:
    path = shutil.which(name, path=_env()["PATH"])
    assert path, f"{name} is not installed"
    subprocess.run([path, *arguments], check=True, capture_output=True)
