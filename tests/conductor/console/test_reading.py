"""What can be read of a show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, WSMsgType

from conductor.console.openapi import document
from conductor.cues import Phase
from conductor.operating.vocabulary import VERBS
from tests.conductor.console.stage import consoled
from tests.conductor.console.test_acting import DONE, ask
from tests.conductor.console.test_deltas import applied
from tests.conductor.show.test_show import PATIENCE_S, Running


async def read(it: Running, path: str) -> dict[str, Any]:
    status, body, _ = await ask(it, path, "GET")
    assert status == 200, body
    return body


async def test_pieces_are_told_with_their_notes_and_where_they_come_from(tmp_path: Path) -> None:
    async with consoled(tmp_path, composer="--candidates") as it:
        await it.until(lambda: it.phase("one") is Phase.ARMED)
        found = await read(it, "/api/candidates")
        assert found["cue"] == "one"
        assert [take["piece"] for take in found["takes"] if take["chosen"]] == [found["piece"]]
        assert [take["take"] for take in found["takes"]] == list(range(1, len(found["takes"]) + 1))
        assert len(found["takes"]) > 1
        assert await read(it, "/api/candidates?cue=1") == found
        number = found["piece"]
        piece = await read(it, f"/api/pieces/{number}")
        assert (piece["cue"], piece["provenance"]["checkpoint"]) == ("one", "fake")
        assert number in [each["piece"] for each in (await read(it, "/api/pieces"))["pieces"]]
        notes = await read(it, f"/api/pieces/{number}/notes")
        onset_s, duration_s, pitch, velocity, instrument = notes["notes"][0]
        assert onset_s >= 0 < duration_s <= notes["duration_s"]
        assert 0 <= pitch <= 127
        assert 1 <= velocity <= 127
        assert notes["instruments"][instrument] == "piano"
        async with ClientSession() as browser, browser.get(f"{it.url}{piece['midi']}") as answer:
            assert answer.headers["Content-Type"] == "audio/midi"
            assert answer.headers["Content-Disposition"].startswith("attachment")
            assert (await answer.read()).startswith(b"MThd")


async def test_cues_and_the_log_can_be_read_apart_from_the_state(tmp_path: Path) -> None:
    async with consoled(tmp_path) as it:
        await ask(it, "/api/hold")
        state = (await read(it, "/api/state"))["state"]
        cues = await read(it, "/api/cues")
        assert [cue["id"] for cue in cues["cues"]] == [cue["id"] for cue in state["cues"]] == ["one", "two", "three"]
        assert [line["event"] for line in (await read(it, "/api/as-run?last=1"))["lines"]]
        for wrong in ("0", "-1", "x", "1e3", "99999999999", "²"):
            assert (await ask(it, f"/api/as-run?last={wrong}", "GET"))[0] == 400


async def test_the_document_knows_every_verb_and_every_path_that_is_served(tmp_path: Path) -> None:
    async with consoled(tmp_path) as it:
        served = await read(it, "/api/openapi.json")
        assert served == json.loads(json.dumps(document()))
        assert served["openapi"] == "3.1.0"
        assert {f"/api/{verb}" for verb in VERBS} <= served["paths"].keys()
        for path, operations in served["paths"].items():
            for method in operations:
                status, _, _ = (
                    await ask(it, path.replace("{piece}", "99"), method.upper()) if "login" not in path else (400, 0, 0)
                )
                assert status not in (405, 500, 501), path
        verbs = (await read(it, "/api/verbs"))["verbs"]
        assert [verb["name"] for verb in verbs] == list(VERBS)
        assert {verb["role"] for verb in verbs} == {"view", "control", "edit"}


async def test_events_add_up_to_the_state_and_go_on_where_they_broke_off(tmp_path: Path) -> None:
    async with consoled(tmp_path) as it, ClientSession() as browser:
        await it.until(lambda: all(it.phase(cue) in DONE for cue in ("one", "two")))
        async with browser.ws_connect(f"{it.url}/api/events") as socket:
            first = await socket.receive_json(timeout=PATIENCE_S)
            state, number = first["state"], first["number"]
            await ask(it, "/api/hold")
            while not state["held"]:
                message = await socket.receive_json(timeout=PATIENCE_S)
                if message["kind"] == "delta":
                    state, number = applied(state, message["patch"]), message["number"]
        assert (await ask(it, "/api/standby", json={"cue": "two"}))[0] == 200
        assert (await ask(it, "/api/lock"))[0] == 200
        async with browser.ws_connect(f"{it.url}/api/events?run={first['run']}&since={number}") as socket:
            while not state["locked"]:
                message = await socket.receive_json(timeout=PATIENCE_S)
                assert message["kind"] != "state"
                if message["kind"] == "delta":
                    assert message["number"] == number + 1
                    state, number = applied(state, message["patch"]), message["number"]
        assert state["standby"] == "two"
        now = await read(it, "/api/state")
        assert (now["number"], now["state"]) == (number, state)


async def test_events_are_a_websocket_and_nothing_else(tmp_path: Path) -> None:
    async with consoled(tmp_path) as it:
        status, body, headers = await ask(it, "/api/events", "GET")
        assert (status, headers["Upgrade"]) == (426, "websocket")
        assert "WebSocket" in body["reason"]


@pytest.mark.parametrize("query", ["since=x", "since=-1", "since=99999999999999", "run=%00&since=1", "since=1"])
async def test_who_asks_for_what_never_was_begins_anew(tmp_path: Path, query: str) -> None:
    async with (
        consoled(tmp_path) as it, ClientSession() as browser,
        browser.ws_connect(f"{it.url}/api/events?{query}") as socket,
    ):  # fmt: skip
        assert (await socket.receive_json(timeout=PATIENCE_S))["kind"] == "state"


async def test_a_client_that_talks_too_much_is_let_go_and_the_others_stay(tmp_path: Path) -> None:
    async with (
        consoled(tmp_path) as it,
        ClientSession() as browser,
        browser.ws_connect(f"{it.url}/api/events") as quiet,
        browser.ws_connect(f"{it.url}/api/events") as loud,
    ):
        await loud.send_str("x" * 100_000)
        while (message := await loud.receive(timeout=PATIENCE_S)).type is WSMsgType.TEXT:
            pass
        assert message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED)
        await ask(it, "/api/hold")
        assert (await quiet.receive(timeout=PATIENCE_S)).type is WSMsgType.TEXT


async def test_more_consoles_than_there_is_room_for_are_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conductor.console.events.MOST", 1)
    async with consoled(tmp_path) as it, ClientSession() as browser, browser.ws_connect(f"{it.url}/api/events") as one:
        await one.receive(timeout=PATIENCE_S)
        async with browser.get(
            f"{it.url}/api/events",
            headers={"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                     "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="},
        ) as answer:  # fmt: skip
            assert answer.status == 503
            assert "open already" in (await answer.json())["reason"]
