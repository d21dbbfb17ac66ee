"""What is beyond the feed breaks: OBS, an ingest, the line between. The programme does not care, and all comes back."""

from __future__ import annotations

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


@pytest.mark.skipif(not can_lose(), reason="only root may have a network of his own")
def test_packets_that_are_lost_cost_nothing_but_their_repetition(folder: Path) -> None:
    with own_network():
        ingest = Ingest(folder / "ingest")

        def lossy() -> None:
            lose(5.0, ingest.port)
            time.sleep(15.0)
            lose(0.0, ingest.port)

        try:
            with House(folder, "--publish", ingest.url, env={"STREAM_KEY": "faults"}) as house:
                row, _ = house.suffer(
                    "5 % of the packets to the ingest lost for 15 s",
                    lossy,
                    hears="all plays on", says="", healed=lambda _: True,
                )  # fmt: skip
                assert len(ingest.recordings()) == 1, "the connection held"
        finally:
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
        healed=lambda mark: house.says(r"OBS[\s\S]*OBS.*(there|back|again|connected)", mark), patience_s=90.0,
    )  # fmt: skip
    assert row.gap is not None
    assert row.gap <= NO_GAP


@pytest.mark.air
def test_an_obs_that_is_half_open_is_noticed(studio: tuple[House, Studio, Proxy]) -> None:
    house, _, proxy = studio
    proxy.held = True
    row, _ = house.suffer(
        "line to OBS half open", lambda: None, hears="all plays on", says=r"OBS",
        healed=lambda _: True, patience_s=90.0,
    )  # fmt: skip
    proxy.held = False
    proxy.cut()
    assert row.gap is not None
    assert row.gap <= NO_GAP


@pytest.mark.air
def test_an_obs_that_stands_still_is_noticed(studio: tuple[House, Studio, Proxy]) -> None:
    house, obs, _ = studio
    assert obs.obs is not None
    os.kill(obs.obs.pid, signal.SIGSTOP)
    row, _ = house.suffer(
        "OBS SIGSTOP", lambda: None, hears="OBS's viewers: nothing new; all others: nothing", says=r"OBS",
        healed=lambda _: True, patience_s=90.0,
    )  # fmt: skip
    os.kill(obs.obs.pid, signal.SIGCONT)
    assert row.gap is not None
    assert row.gap <= NO_GAP
