"""A show with an audience: a real IRC server, people who vote, one who moderates, and ten thousand commands."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.air.irc import CHANNEL, IrcServer, Person
from tests.air.processes import free_port, wait_for
from tests.air.show import Show

pytestmark = [pytest.mark.air, pytest.mark.timeout(240)]

SETLIST = """\
version: 1
show: {{title: Asked}}
defaults: {{duration: 60s, candidates: 1}}
endless:
  styles: {{bach: 1, chopin: 1, mozart: 1}}
  seed: 3
  poll: {{every: 1, choices: 3, seconds: 15}}
chat: {{channel: "{channel}", server: 127.0.0.1:{port}, nick: conductor, mods: [maria], blocked: [mallory]}}
"""
# Of the conductor, after ten thousand commands.
MOST_GROWN_MB = 12.0
FLOOD, FLOODERS = 1000, 10


class Asked(Show):
    """The show, and what its console tells."""

    def __init__(self, folder: Path, server: IrcServer) -> None:
        self._port = free_port()
        options = ["--port", str(self._port), "--nut", "0", "--obs", "", "--size", "320x180", "--fps", "24"]
        text = SETLIST.format(channel=CHANNEL, port=server.port)
        super().__init__(folder, *options, setlist=text)

    @property
    def whole(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api/state", timeout=10.0) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.whole["state"]
        return state

    def memory_mb(self) -> float:
        return int(psutil.Process(self.conductor.pid).memory_info().rss) / 2**20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IrcServer]:
    server = IrcServer(tmp_path_factory.mktemp("irc"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def show(server: IrcServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    show = Asked(tmp_path_factory.mktemp("asked"), server)
    yield show
    show.close()


def test_three_people_vote_and_what_wins_is_composed_and_next(server: IrcServer, show: Asked) -> None:
    people = [Person(server, name) for name in ("maria", "ben", "carla", "mallory")]
    show.on_air()
    told = people[0].wait_for("Vote for the next style", 90.0)
    second = told.split("2 ")[1].split(",")[0]
    people[0].say("!vote 1")
    people[0].say("!vote 2")
    people[1].say("2")
    people[2].say("!vote 3")
    people[3].say("!vote 3")
    people[1].say("!skip")
    wait_for(lambda: show.state["poll"]["choices"][2]["votes"] == 1, "votes", 5.0)
    poll = show.state["poll"]
    assert [choice["votes"] for choice in poll["choices"]] == [0, 2, 1], "the last vote counts, and no blocked one"
    people[0].wait_for(f"{second} wins with 2 of 3 votes", 30.0)

    def is_next() -> bool:
        state = show.state
        standby = next(cue for cue in state["cues"] if cue["id"] == state["standby"])
        return bool(standby["style"] == second and standby["phase"] == "armed")

    wait_for(is_next, "winner that is next", 60.0)
    for person in people:
        person.close()


def test_a_server_that_is_killed_is_read_again_when_it_is_back(server: IrcServer, show: Asked) -> None:
    server.kill()
    wait_for(lambda: show.says("is away"), "word of the loss")
    sample = show.whole["meters"]["sample"]
    time.sleep(1.0)
    assert show.whole["meters"]["sample"] > sample, "the show goes on"
    server.start()
    # Whoever was asked is heard: the connection is there.
    maria = Person(server, "maria")

    def answered() -> bool:
        maria.say("!now")
        time.sleep(0.5)
        return "Now: " in maria.hear()

    wait_for(answered, "answer", 60.0)
    maria.close()


def test_ten_thousand_commands_harm_nothing_and_a_moderator_is_heard_among_them(server: IrcServer, show: Asked) -> None:
    maria = Person(server, "maria")
    flooders = [Person(server, f"flood{n}") for n in range(FLOODERS)]
    before_mb, before = show.memory_mb(), show.whole["meters"]
    started_s = time.monotonic()
    for number, flooder in enumerate(flooders):
        flooder.flood(("!now", "!vote 1", "!skip", "!panic", "!styles")[number % 5], FLOOD)
    maria.say("!hold")
    wait_for(lambda: show.state["held"], "hold of a moderator", 10.0)
    wait_for(lambda: time.monotonic() - started_s > 2.0, "two seconds")
    after = show.whole["meters"]
    lasted_s = time.monotonic() - started_s
    grown_mb = show.memory_mb() - before_mb
    sound_s = (after["sample"] - before["sample"]) / 48000
    print(f"\n{FLOOD * FLOODERS} commands: {grown_mb:.1f} MB more, {sound_s:.1f} s of sound in {lasted_s:.1f} s")
    assert grown_mb < MOST_GROWN_MB
    assert sound_s > lasted_s - 1.0, "the sound went on"
    lines = [line for line in show.state["as_run"] if line["event"] == "hold"]
    assert [line["detail"] for line in lines] == ["maria via chat: hold"]
    assert not [line for line in show.state["as_run"] if line["event"] in ("skip", "panic")]
    maria.say("!release")
    wait_for(lambda: not show.state["held"], "release", 10.0)
    for person in (maria, *flooders):
        person.close()
