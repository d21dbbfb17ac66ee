"""What is beyond the feed breaks: OBS, an ingest, the line between. The programme does not care, and all comes back."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.air.ingest import MODULE, Ingest
from tests.air.studio import PASSWORD, Studio
from tests.faults.house import House
from tests.faults.network import can_lose, lose, own_network
from tests.faults.proxy import Proxy

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not MODULE.exists(), reason="nginx's RTMP module is not installed (make test-obs)"),
]

NO_GAP = 1
# What is said of an OBS that was away and is there again.
BACK = r"OBS did not[\s\S]*OBS .* shows the programme"


@dataclass
class Line:
    """A show that publishes, and the line to its ingest."""

    house: House
    ingest: Ingest
    proxy: Proxy


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("p")
    ingest = Ingest(folder / "ingest")
    proxy = Proxy(ingest.port)
    url = f"rtmp://127.0.0.1:{proxy.port}/live"
    with House(folder, "--publish", url, env={"STREAM_KEY": "faults"}) as house:
        yield Line(house, ingest, proxy)
    proxy.close()
    ingest.close()


def test_an_ingest_that_dies_is_found_again(line: Line) -> None:
    def harm() -> None:
        line.ingest.kill()
        time.sleep(3.0)
        line.ingest.start()

    row, _ = line.house.suffer(
        "ingest killed for 3 s", harm, hears="viewers of that ingest: its own gap; all others: nothing",
        says=r"(?i)lost|broke|refused|closed|gone|again", patience_s=90.0,
        healed=lambda _: len(line.ingest.recordings()) >= 2,
    )  # fmt: skip
    assert row.gap is not None
    assert row.gap <= NO_GAP


def test_a_line_that_is_half_open_is_given_up(line: Line) -> None:
    before = len(line.ingest.recordings())

    def harm() -> None:
        line.proxy.held = True
        time.sleep(15.0)
        line.proxy.held = False

    row, _ = line.house.suffer(
        "line to the ingest half open for 15 s", harm, hears="viewers of that ingest: its own gap; all others: nothing",
        says=r"(?i)lost|broke|stall|stands|again|too slow|takes nothing", patience_s=90.0,
        healed=lambda _: len(line.ingest.recordings()) > before,
    )  # fmt: skip
    assert row.gap is not None
    assert row.gap <= NO_GAP


def test_packets_that_are_lost_cost_nothing_but_their_repetition(folder: Path) -> None:
    # Where the kernel cannot lose any, the line does what a loss comes to: it stands still until they are sent again.
    real = can_lose()
    with own_network() if real else contextlib.nullcontext():
        ingest = Ingest(folder / "ingest")
        proxy = Proxy(ingest.port)

        def lossy() -> None:
            if real:
                lose(5.0, ingest.port)
            proxy.stalls = 0.0 if real else 0.05
            time.sleep(15.0)
            proxy.stalls = 0.0
            if real:
                lose(0.0, ingest.port)

        try:
            url = f"rtmp://127.0.0.1:{proxy.port}/live"
            with House(folder, "--publish", url, env={"STREAM_KEY": "faults"}) as house:
                row, _ = house.suffer(
                    "5 % of the packets to the ingest lost for 15 s", lossy, hears="all plays on", says="",
                    healed=lambda _: True,
                )  # fmt: skip
                assert len(ingest.recordings()) == 1, "the connection held"
        finally:
            proxy.close()
            ingest.close()
    assert row.gap is not None
    assert row.gap <= NO_GAP


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Studio, Proxy]]:
    """A show that drives a real OBS, by a line that can be held."""
    folder = tmp_path_factory.mktemp("o")
    obs = Studio(folder / "studio", "rtmp://127.0.0.1:9/live", "concert")
    obs.start_obs()
    proxy = Proxy(int(obs.url.rpartition(":")[2]))
    try:
        with House(folder, "--obs", f"ws://127.0.0.1:{proxy.port}", env={"OBS_PASSWORD": PASSWORD}) as house:
            yield house, obs, proxy
    finally:
        proxy.close()
        obs.close()


@pytest.mark.air
def test_an_obs_that_is_killed_is_found_again(studio: tuple[House, Studio, Proxy]) -> None:
    house, obs, _ = studio

    def harm() -> None:
        assert obs.obs is not None
        obs.obs.kill()
        time.sleep(3.0)
        obs.start_obs()

    row, _ = house.suffer(
        "OBS killed for 3 s", harm, hears="OBS's viewers: its own start; all others: nothing", says=r"OBS",
        healed=lambda mark: house.says(BACK, mark), patience_s=90.0,
    )  # fmt: skip
    assert row.gap is not None
    assert row.gap <= NO_GAP


@pytest.mark.air
def test_an_obs_that_is_half_open_is_noticed(studio: tuple[House, Studio, Proxy]) -> None:
    house, _, proxy = studio

    def harm() -> None:
        proxy.held = True

    def healed(mark: int) -> bool:
        # It was noticed: the line is let go, and what hangs on it is cut.
        if proxy.held:
            proxy.held = False
            proxy.cut()
        return house.says(BACK, mark)

    row, _ = house.suffer(
        "line to OBS half open", harm, hears="all plays on", says=r"OBS did not", healed=healed, patience_s=90.0
    )
    assert row.gap is not None
    assert row.gap <= NO_GAP


@pytest.mark.air
def test_an_obs_that_stands_still_is_noticed(studio: tuple[House, Studio, Proxy]) -> None:
    house, obs, _ = studio
    assert obs.obs is not None
    pid = obs.obs.pid

    def healed(mark: int) -> bool:
        os.kill(pid, signal.SIGCONT)
        return house.says(BACK, mark)

    try:
        row, _ = house.suffer(
            "OBS SIGSTOP until it is noticed", lambda: os.kill(pid, signal.SIGSTOP),
            hears="OBS's viewers: nothing new; all others: nothing", says=r"OBS did not", healed=healed,
            patience_s=90.0,
        )  # fmt: skip
    finally:
        os.kill(pid, signal.SIGCONT)
    assert row.gap is not None
    assert row.gap <= NO_GAP
