"""What becomes of a publication when the ingest, the process, or the way between them fails."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import numpy as np
import psutil
import pytest

from streaming.backoff import Backoff
from streaming.publishing import publisher
from streaming.publishing.destination import Destination, KeySource
from streaming.publishing.parcels import Parcel
from streaming.publishing.publisher import News, Publisher
from tests.air.ingest import Ingest
from tests.air.recording import read
from tests.streaming.publishing.onair import PROGRAMME
from tests.streaming.publishing.peers import Show, on_air


@pytest.fixture
def ingest(tmp_path: Path) -> Iterator[Ingest]:
    made = Ingest(tmp_path / "ingest")
    yield made
    made.close()


def to(ingest: Ingest, name: str = "home") -> Destination:
    return Destination(name, f"{ingest.url}/{name}")


def children() -> list[psutil.Process]:
    """Return the processes that publish."""
    mine = psutil.Process().children(recursive=True)
    return [child for child in mine if "streaming.publishing.child" in child.cmdline()]


def in_step(path: Path) -> None:
    """Check that a recording begins anew, sound and picture together."""
    recording = read(path)
    assert recording.frames[0][0] == 0.0
    assert set(recording.steps) == {1}
    assert len(recording.offsets_ms) >= 1
    # The first flash or beep may be cut: a recording begins anywhere.
    assert np.abs(recording.offsets_ms[1:]).max(initial=0.0) < 5.0


async def lost_and_back(show: Show, *, harm: Callable[[], None], mend: Callable[[], None]) -> tuple[float, float]:
    """Do harm, wait until it is noticed, mend it, wait for the return; return both times in seconds."""
    harm()
    noticed_s = await show.until(lambda: show.status("home").state == "retrying", "notice", 10)
    mend()
    return noticed_s, await show.live("home", 60)


async def test_a_frozen_ingest_is_noticed_within_three_seconds_and_the_others_do_not_care(
    ingest: Ingest, tmp_path: Path
) -> None:
    other = Ingest(tmp_path / "other")
    try:
        async with on_air(to(ingest), to(other, "other")) as show:
            await show.live("home")
            await show.live("other")
            await asyncio.sleep(3)
            noticed_s, _ = await lost_and_back(show, harm=ingest.freeze, mend=ingest.thaw)
            assert noticed_s < 3.0
            await asyncio.sleep(3)
            assert show.status("home").reconnects == 1
            assert show.told("home") == [True, False, True], "told once at loss and once at return"
            assert show.told("other") == [True]
            assert show.air.slowest_s < 0.1, "the programme waits for nobody"
    finally:
        other.close()
    in_step(ingest.recordings()[-1])
    (undisturbed,) = other.recordings()
    assert set(read(undisturbed).steps) == {1}


async def test_an_ingest_that_is_killed_is_noticed_at_once_and_found_again_when_it_is_back(ingest: Ingest) -> None:
    async with on_air(to(ingest)) as show:
        await show.live("home")
        await asyncio.sleep(1)
        before = len(ingest.recordings())
        noticed_s, _ = await lost_and_back(show, harm=ingest.kill, mend=ingest.start)
        assert noticed_s < 1.0
        await asyncio.sleep(2.5)
        assert show.told("home") == [True, False, True]
    assert len(ingest.recordings()) == before + 1
    in_step(ingest.recordings()[-1])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_process_that_dies_or_hangs_is_replaced(ingest: Ingest, number: signal.Signals) -> None:
    async with on_air(to(ingest)) as show:
        await show.live("home")
        (child,) = children()
        noticed_s, _ = await lost_and_back(show, harm=lambda: os.kill(child.pid, number), mend=lambda: None)
        assert noticed_s < 3.0
        assert not child.is_running()
        assert len(children()) == 1
    assert children() == []


async def test_nothing_is_left_of_a_show_that_ends_in_the_middle_of_a_fault(ingest: Ingest) -> None:
    async with on_air(to(ingest)) as show:
        await show.live("home")
        ingest.freeze()
        begun_s = time.monotonic()
    assert time.monotonic() - begun_s < 6.0
    assert children() == []
    ingest.thaw()


async def test_destinations_come_and_go_while_another_goes_on_undisturbed(ingest: Ingest) -> None:
    async with on_air(to(ingest, "stays"), to(ingest, "goes")) as show:
        await show.live("stays")
        await show.live("goes")
        await asyncio.sleep(1)
        show.publishers.set([to(ingest, "stays"), to(ingest, "comes")])
        await show.live("comes")
        await asyncio.sleep(1.5)
        assert [status.name for status in show.publishers.statuses] == ["stays", "comes"]
        assert len(children()) == 2
    paths = {path.name.split("-")[0]: path for path in ingest.recordings()}
    assert sorted(paths) == ["comes", "goes", "stays"], "one recording each"
    for path in paths.values():
        assert set(read(path).steps) == {1}


# --- with a process of the test's own ---

HEAR = "import sys, json; size = int.from_bytes(sys.stdin.buffer.read(4), 'big'); sys.stdin.buffer.read(size)\n"
TELL = "say = lambda **more: print(json.dumps(more), flush=True)\n"


class Harness:
    """A publisher with a process that does as it is told, and a fast back-off."""

    def __init__(self, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in (("STALL_S", 0.4), ("CONNECT_S", 3.0), ("GOODBYE_S", 0.3)):
            monkeypatch.setattr(publisher, name, value)
        self.news: list[News] = []
        self.keyframes = 0
        self.publisher = Publisher(
            Destination("x", "rtmp://host/app/SECRETKEY", KeySource()),
            PROGRAMME,
            want_keyframe=self._want_keyframe,
            on_news=self.news.append,
            command=(sys.executable, "-c", HEAR + TELL + code),
            backoff=Backoff(Random(1), first_s=0.05, longest_s=0.2, refused_s=0.4),
        )

    def _want_keyframe(self) -> None:
        self.keyframes += 1

    async def play(self, seconds: float, size: int = 1000) -> None:
        """Hand on pictures faster than in real time."""
        for index in range(int(seconds * 100)):
            self.publisher.put(Parcel("video", index, index % 60 == 0, bytes(size)))
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("sys.exit(3)", "its process ended (3)"),
        ("import time; time.sleep(60)", "no word from its process"),
        ("say(ready=True); import time; time.sleep(60)", "no word from its process"),
        ("say(ready=True)\nwhile True: say(ready=True, delivered=0)", "it has not read for"),
        ("say(end='lost', text='gone with rtmp://host/app/SECRETKEY')", "gone with ***"),
        ("print('rubbish'); print('[1]'); print('{\"no\": 1}'); sys.exit(0)", "its process ended (0)"),
        ("print('x' * 200_000)", "its process ended"),
    ],
)
async def test_whatever_its_process_does_it_is_told_once_and_tried_for_ever(
    code: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = Harness(code, monkeypatch)
    until_s = time.monotonic() + 20
    while not harness.news and time.monotonic() < until_s:
        await harness.play(0.2)
    await harness.play(1.5)
    assert told in harness.news[0].text
    assert "SECRETKEY" not in repr(harness.news) + repr(harness.publisher.status)
    assert len(harness.news) == 1, "told once"
    assert harness.publisher.status.state == "retrying"
    await harness.publisher.close()
    assert children() == []


async def test_what_a_slow_process_does_not_take_is_bounded_and_dropped_to_a_keyframe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # It reads a little, so that it is not thought dead.
    code = (
        "import time\ncount = 0\nwhile sys.stdin.buffer.read(500):\n"
        "  count += 500; say(ready=True, delivered=count); time.sleep(0.02)"
    )
    harness = Harness("say(ready=True)\n" + code, monkeypatch)
    await asyncio.sleep(0.3)
    begun = harness.keyframes
    await harness.play(6, size=20_000)
    status = harness.publisher.status
    assert status.state == "live"
    assert begun == 1
    assert status.dropped > 200
    await harness.publisher.close()


async def test_a_refusal_is_told_and_tried_seldom_and_a_return_from_it_told(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = Harness("say(end='refused', text='no such key')", monkeypatch)
    await asyncio.sleep(2.5)
    assert harness.publisher.status.state == "refused"
    assert harness.publisher.status.last_error == "no such key"
    assert [news.there for news in harness.news] == [False]
    assert "refuses us: no such key; trying again every minute" in harness.news[0].text
    await harness.publisher.close()


async def test_whoever_ends_the_connection_at_once_and_again_refuses_us(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = Harness("say(end='closed', text='it ended the connection')", monkeypatch)
    until_s = time.monotonic() + 20
    while harness.publisher.status.state != "refused" and time.monotonic() < until_s:
        await asyncio.sleep(0.05)
    assert [news.there for news in harness.news] == [False, False]
    assert "is not reached" in harness.news[0].text
    assert "2 times: is the key right?" in harness.news[1].text
    await harness.publisher.close()
