"""Operators, viewers and the machine itself misbehave: two say GO at once, one never reads, the clock is wrong."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.air.processes import wait_for
from tests.faults.house import House

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

NO_GAP = 1


def post(house: House, verb: str, **body: object) -> int:
    """Say a verb to the console; return the status it answers with."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{house.port}/api/{verb}", json.dumps(body).encode(),
        {"Content-Type": "application/json"}, method="POST",
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def standby(house: House) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{house.port}/api/state", timeout=10) as answer:
        cues = json.load(answer)["state"]["cues"]
    return str(next((cue["id"] for cue in cues if cue["phase"] == "armed"), ""))


def test_two_operators_say_go_at_once_and_one_of_them_is_refused(house: House) -> None:
    wait_for(lambda: bool(standby(house)), "standby")
    answers: list[int] = []

    def harm() -> None:
        expected = standby(house)
        threads = [
            threading.Thread(target=lambda: answers.append(post(house, "go", expect_standby=expected)))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    row, _ = house.suffer(
        "GO by two operators at once", harm, hears="one piece begins, once", says=r"live  ", healed=lambda _: True
    )
    assert sorted(answers) == [200, 409]
    live = [cue for event, cue, _ in house.as_run() if event == "live"]
    assert len(live) == len(set(live))
    assert row.gap is not None
    assert row.gap <= NO_GAP


@pytest.mark.parametrize("hours", [1, -1])
def test_a_wall_clock_that_jumps_is_not_heard(house: House, hours: int) -> None:
    wall = house.faults / "wall"
    row, _ = house.suffer(
        f"wall clock {hours:+d} h", lambda: wall.write_text(str(3600 * hours)), hears="all plays on",
        says=r"live  ", healed=lambda mark: house.says(r"live  [\s\S]*(ready|armed)  ", mark),
    )  # fmt: skip
    wall.unlink()
    assert row.gap is not None
    assert row.gap <= NO_GAP


@contextlib.contextmanager
def busy(count: int, nice: int) -> Iterator[None]:
    """Keep the processors busy."""
    loops = [
        subprocess.Popen([sys.executable, "-c", f"import os\nos.nice({nice})\nwhile True: pass"]) for _ in range(count)
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@pytest.mark.parametrize("nice", [19, 0])
def test_a_machine_that_is_busy_with_something_else(house: House, nice: int) -> None:
    with busy(os.cpu_count() or 2, nice):
        row, _ = house.suffer(
            f"CPU starved: a busy loop on each core for 10 s, nice {nice}", lambda: time.sleep(10.0),
            hears="all plays on", says="", healed=lambda _: True, calm_s=0.5,
        )  # fmt: skip
    assert row.gap is not None
    # Beside equals, half of a core is not enough for sound and picture on a machine of two: it is bridged.
    assert row.gap <= NO_GAP


def test_a_reader_of_the_programme_that_never_reads_is_sent_away(house: House) -> None:
    with socket.create_connection(("127.0.0.1", house.nut)) as deaf:
        row, heard = house.suffer(
            "a reader of the feed never reads", lambda: None, hears="all plays on", says=r"stalled for",
            healed=lambda _: True, logged=True,
        )  # fmt: skip
        assert deaf.fileno() >= 0
    assert row.gap is not None
    assert row.gap <= NO_GAP
    assert heard.missing == 0


def test_a_console_that_never_reads_is_sent_away_or_left_alone(house: House) -> None:
    with socket.create_connection(("127.0.0.1", house.port)) as deaf:
        deaf.sendall(
            b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % house.port
        )
        row, _ = house.suffer(
            "a preview in the console never reads", lambda: time.sleep(10.0), hears="all plays on", says="",
            healed=lambda _: True,
        )  # fmt: skip
    assert row.gap is not None
    assert row.gap <= NO_GAP


def test_a_conductor_that_stood_still_takes_orders_again(house: House) -> None:
    house.signal("conductor", signal.SIGSTOP)
    time.sleep(3.0)
    house.signal("conductor", signal.SIGCONT)
    assert post(house, "hold") == 200
    assert post(house, "release") == 200
