"""What a viewer costs the feed: its processor time with 0, 1, 5 and 20 WebRTC viewers in another process.

    python -m tests.bench.viewers [--viewers 0 1 5 20] [--seconds 15] [--size 1280x720]

The viewers connect by WHEP, decrypt and count, and do not decode: twenty decoders do not fit on the machine. Once the
whole feed is measured, which on a busy machine leaves pictures out; then sending alone, with packets made before, our
way and by aiortc's senders. Beside it a packet alone: a header, the cipher and the system call, in a loop. Prints
tables and one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
from aiortc.rtp import RtcpReceiverInfo, RtcpRrPacket
from pylibsrtp import Policy, Session

from streaming.programme.ice import Watching
from streaming.ring import Ring
from tests.bench.hardware import described, facts, green
from tests.fakes_feed import RingPlayer
from tests.streaming.programme.house import House, Viewer

TESTS = ("tests/streaming/programme/test_webrtc.py",)
SETTLE_S = 4.0
REPORT_EVERY_S = 1.0


class Counter:
    """A viewer that counts its packets in place of decoding them."""

    def __init__(self, url: str) -> None:
        self.viewer = Viewer(url, decode=False)
        self.octets = 0
        # By stream: first and highest sequence number (the latter not wrapped), and how many came.
        self.streams: dict[int, list[int]] = {}

    async def connect(self) -> None:
        """Connect, and take every packet from now on."""
        await self.viewer.connect()
        transport: Any = self.viewer.peer.getReceivers()[0].transport
        transport._handle_rtp_data = self._count
        self._report = asyncio.get_running_loop().create_task(self._reports(transport))

    async def _count(self, data: bytes, **_: int) -> None:
        self.octets += len(data)
        sequence, ssrc = int.from_bytes(data[2:4], "big"), int.from_bytes(data[8:12], "big")
        stream = self.streams.setdefault(ssrc, [sequence, sequence, 0])
        stream[1] += (sequence - stream[1] + 0x8000) % 0x10000 - 0x8000 if sequence != stream[1] & 0xFFFF else 0
        stream[2] += 1

    @property
    def sent(self) -> int:
        """Packets that were sent to it, as far as it can tell."""
        return sum(highest - first + 1 for first, highest, _ in self.streams.values())

    @property
    def lost(self) -> int:
        """Packets that were sent and did not come."""
        return sum(highest - first + 1 - count for first, highest, count in self.streams.values())

    async def _reports(self, transport: Any) -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            reports = [
                RtcpReceiverInfo(
                    ssrc=ssrc, fraction_lost=0, packets_lost=0, highest_sequence=stream[1], jitter=0, lsr=0, dlsr=0
                )
                for ssrc, stream in self.streams.items()
            ]
            with contextlib.suppress(ConnectionError):
                await transport._send_rtp(bytes(RtcpRrPacket(ssrc=1, reports=reports)))


async def watch(url: str, count: int) -> None:
    """Be so many viewers until a line comes, then say what they saw."""
    counters = [Counter(url) for _ in range(count)]
    for counter in counters:
        await counter.connect()
    loop = asyncio.get_running_loop()
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    begun = [(counter.sent, counter.octets) for counter in counters]
    began_s = time.monotonic()
    await loop.run_in_executor(None, sys.stdin.readline)
    seconds = time.monotonic() - began_s
    # Sent, that is: a viewer that gets too little time loses some.
    packets = sum(counter.sent - before for counter, (before, _) in zip(counters, begun, strict=True))
    octets = sum(counter.octets - before for counter, (_, before) in zip(counters, begun, strict=True))
    lost = sum(counter.lost for counter in counters)
    print(json.dumps({"packets_s": packets / seconds, "mbit_s": octets * 8e-6 / seconds, "lost": lost}), flush=True)
    os._exit(0)


async def measure(url: str, pid: int, count: int, seconds: float) -> dict[str, float]:
    """Return what a process takes while so many watch it."""
    sender = psutil.Process(pid)
    command = [sys.executable, "-m", "tests.bench.viewers", "--watch", url, str(count)]
    child = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    assert (await child.stdout.readline()).strip() == b"ready"
    await asyncio.sleep(SETTLE_S)
    child.stdin.write(b"\n")
    await child.stdin.drain()
    before, began_s = sender.cpu_times(), time.monotonic()
    await asyncio.sleep(seconds)
    after, spent_s = sender.cpu_times(), time.monotonic() - began_s
    child.stdin.write(b"\n")
    await child.stdin.drain()
    seen = json.loads(await child.stdout.readline())
    await child.wait()
    cpu = (after.user + after.system - before.user - before.system) / spent_s
    return {"viewers": count, "cpu": cpu, **seen}


async def fan_out(way: str, counts: list[int], seconds: float, size: str) -> list[dict[str, float]]:
    """Return the figures of sending alone: packets made before go out in real time, to each number of viewers."""
    rows = []
    for count in counts:
        command = [sys.executable, "-m", "tests.bench.fanout", way, "--size", size]
        server = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        assert server.stdout is not None
        url = (await server.stdout.readline()).decode().strip()
        rows.append(await measure(url, server.pid, count, seconds))
        server.kill()
        await server.wait()
    return rows


def packet_alone(size: int = 1150, count: int = 20000) -> float:
    """Return the microseconds that one packet takes by itself: header, cipher, system call."""
    # The key is of no matter, its length is: AES-256-GCM, as aiortc and Chromium agree on.
    policy = Policy(
        key=bytes(44), ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_256_GCM
    )
    session = Session(policy)
    receiver, sender = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    receiver.bind(("127.0.0.1", 0))
    address, payload = receiver.getsockname(), bytes(size)
    sender.setblocking(False)
    began_s = time.process_time()
    for number in range(count):
        header = bytes([0x80, 96]) + number.to_bytes(2, "big") + bytes(4) + b"\0\0\0\1"
        sender.sendto(session.protect(header + payload), address)
    spent_s = time.process_time() - began_s
    receiver.close()
    sender.close()
    return spent_s / count * 1e6


@contextlib.asynccontextmanager
async def opened(size: str, most: int) -> AsyncIterator[House]:
    """A feed in real time beside a player of beeps."""
    with tempfile.TemporaryDirectory(prefix="feed") as folder:
        ring = Ring.create(Path(folder) / "programme.ring")
        with RingPlayer(ring):
            async with House(Path(folder), Watching(viewers=max(1, most)), "--stamp", "--size", size).open() as house:
                yield house
        ring.close()


async def on_air(counts: list[int], seconds: float, size: str) -> list[dict[str, float]]:
    """Return the figures of the whole feed, which draws and encodes as soon as somebody watches."""
    rows = []
    async with opened(size, max(counts)) as house:
        for count in counts:
            frames = house.status.dropped if house.status else 0
            row = await measure(house.url, house.worker.pid, count, seconds)
            status = await house.until(lambda status: status.viewers == 0, 15)
            rows.append({**row, "dropped": status.dropped - frames})
    return rows


def table(name: str, rows: list[dict[str, float]]) -> None:
    """Print figures, and what each viewer and each packet adds to the row before the first viewers."""
    first = rows[0]
    print(f"\n{name}")
    print(f"{'viewers':>8} {'CPU':>7} {'packets/s':>10} {'Mbit/s':>7} {'lost':>5} {'% each':>7} {'us/packet':>10}")
    for row in rows:
        more, packets = row["viewers"] - first["viewers"], row["packets_s"] - first["packets_s"]
        row["cpu_each"] = (row["cpu"] - first["cpu"]) / more if more else 0.0
        row["us_per_packet"] = (row["cpu"] - first["cpu"]) / packets * 1e6 if packets else 0.0
        print(
            f"{row['viewers']:>8.0f} {row['cpu']:>7.1%} {row['packets_s']:>10.0f} {row['mbit_s']:>7.1f} "
            f"{row['lost']:>5.0f} {row['cpu_each']:>7.2%} {row['us_per_packet']:>10.1f}"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, nargs="+", default=[0, 1, 5, 20])
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--watch", nargs=2, metavar=("URL", "N"), help=argparse.SUPPRESS)
    got = parser.parse_args()
    if got.watch:
        asyncio.run(watch(got.watch[0], int(got.watch[1])))
        return
    if not green(TESTS):
        raise SystemExit(f"{', '.join(TESTS)} fail: nothing is measured")
    tables = {
        "the feed, drawing and encoding": asyncio.run(on_air(got.viewers, got.seconds, got.size)),
        "sending alone, our way": asyncio.run(fan_out("ours", got.viewers, got.seconds, got.size)),
        "sending alone, aiortc's senders": asyncio.run(fan_out("aiortc", got.viewers, got.seconds, got.size)),
    }
    alone_us = packet_alone()
    print(described(1))
    for name, rows in tables.items():
        table(name, rows)
    print(f"\na packet alone (header, AES-256-GCM, sendto): {alone_us:.1f} us")
    print(json.dumps({"bench": "viewers", "size": got.size, **tables, "packet_alone_us": alone_us, **facts(1)}))


if __name__ == "__main__":
    main()
