"""Whatever is sent to the console is answered, and none of it does harm."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from conductor.console.rates import Limits, Rate
from conductor.cues import Phase
from tests.conductor.console.stage import UNLIMITED, consoled
from tests.conductor.show.test_show import Running

JSON = {"Content-Type": "application/json"}
# Composed, and not on air.
DONE = (Phase.READY, Phase.ARMED)


async def ask(it: Running, path: str, method: str = "POST", **more: Any) -> tuple[int, dict[str, Any], dict[str, str]]:
    async with ClientSession() as browser, browser.request(method, f"{it.url}{path}", **more) as answer:
        return answer.status, await answer.json(), dict(answer.headers)


def said(it: Running) -> list[str]:
    """Return who said what, as the log has it."""
    return [line.detail for line in it.library.as_run(1000) if " via " in line.detail]


async def test_a_verb_is_carried_out_and_it_is_written_down_who_said_it(tmp_path: Path) -> None:
    async with consoled(tmp_path) as it:
        status, body, _ = await ask(it, "/api/standby", json={"cue": "three"}, headers={"X-Conductor": "ctl"})
        assert (status, body["ok"]) == (200, True)
        assert it.show.state.upcoming[0].cue.id == "three"
        assert said(it) == ['console via ctl: standby {"cue": "three"}']


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not understood"),
        (b"[]", "a JSON object is expected"),
        (b'"go"', "a JSON object is expected"),
        (b"\xff\xfe", "no UTF-8"),
        (b'{"cue": "\\ud800"}', "no UTF-8"),
        (b'{"seconds": NaN}', "NaN is no number"),
        (b'{"seconds": 1e999}', "not understood"),
        (b'{"seconds": 3' + b"0" * 5000 + b"}", "not understood"),
        (b'{"a":' * 5000, "not understood"),
        (b'{"seconds": "long"}', "should be a number"),
        (b'{"seconds": -1}', "seconds"),
        (b'{"second": 3}', 'did you mean "seconds"'),
        (b'{"revision": "new"}', "revision"),
        (b'{"request_id": 3}', "request_id"),
    ],
)
async def test_what_is_not_understood_is_refused_with_the_reason(tmp_path: Path, body: bytes, reason: str) -> None:
    async with consoled(tmp_path) as it:
        status, told, _ = await ask(it, "/api/fade", data=body, headers=JSON)
        assert (status, told["ok"]) == (400, False)
        assert reason in told["reason"]
        assert "\n" not in told["reason"]
        assert said(it) == []


async def test_the_argument_that_is_wrong_is_named(tmp_path: Path) -> None:
    async with consoled(tmp_path) as it:
        for body, field in (
            ({"seconds": "long"}, "seconds"),
            ({"sconds": 3}, "sconds"),
            ({"revision": 0.5}, "revision"),
        ):
            assert (await ask(it, "/api/fade", json=body))[1]["field"] == field


async def test_what_there_is_not_is_told_with_what_is_near(tmp_path: Path) -> None:
    async with consoled(tmp_path) as it:
        for method, path, near in (
            ("POST", "/api/gO", '"go"'), ("POST", "/api/relese", '"release"'), ("GET", "/api/stat", "there is no verb"),
            ("DELETE", "/api/nothing", "no verb"), ("GET", "/api/pieces/99", "no such piece"),
            ("GET", "/api/pieces/99.mid", "no such piece"), ("GET", "/api/candidates?cue=99", "no such cue"),
            ("GET", "/nothing", "there is nothing at /nothing"),
        ):  # fmt: skip
            status, told, _ = await ask(it, path, method)
            assert status == 404
            assert near in told["reason"]


async def test_the_wrong_method_is_told_with_the_right_one(tmp_path: Path) -> None:
    async with consoled(tmp_path) as it:
        for method, path, allowed in (
            ("GET", "/api/go", "POST"),
            ("PUT", "/api/go", "POST"),
            ("POST", "/", "GET,HEAD"),
        ):
            status, told, headers = await ask(it, path, method)
            assert (status, headers["Allow"]) == (405, allowed)
            assert allowed in told["reason"]


async def test_a_body_is_json_and_says_so(tmp_path: Path) -> None:
    async with consoled(tmp_path) as it:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            assert (await ask(it, "/api/hold", data=b"{}", headers={"Content-Type": kind}))[0] == 415
        assert not it.show.state.held


@pytest.mark.parametrize("told", [True, False], ids=["by its length", "by its bytes"])
async def test_ten_megabytes_are_refused_and_the_show_goes_on(tmp_path: Path, told: bool) -> None:
    body = b'{"cue": "' + b"x" * 10_000_000 + b'"}'

    async def drops() -> Any:
        for at in range(0, len(body), 65536):
            yield body[at : at + 65536]

    async with consoled(tmp_path) as it:
        status, answer, _ = await ask(it, "/api/standby", data=io.BytesIO(body) if told else drops(), headers=JSON)
        assert status == 413
        assert "too large" in answer["reason"]
        assert (await ask(it, "/api/hold"))[0] == 200


async def test_an_order_by_what_is_no_longer_so_is_refused(tmp_path: Path) -> None:
    async with consoled(tmp_path) as it:
        revision = it.show.revision
        assert (await ask(it, "/api/hold", json={"revision": revision}))[0] == 200
        status, body, _ = await ask(it, "/api/release", json={"revision": revision})
        assert (status, body["revision"]) == (409, it.show.revision)
        assert it.show.state.held
        status, body, _ = await ask(it, "/api/standby", json={"cue": "two", "expect_standby": "three"})
        assert (status, body["reason"]) == (409, "next is Bach by now")


async def test_two_operators_who_give_the_same_go_start_one_cue(tmp_path: Path) -> None:
    async with consoled(tmp_path) as it:
        await it.until(lambda: it.phase("one") is Phase.ARMED and it.phase("two") in DONE)
        order = {"expect_standby": "one"}
        answers = await asyncio.gather(*(ask(it, "/api/go", json=order) for _ in range(8)))
        assert sorted(status for status, *_ in answers) == [200] + [409] * 7
        await it.until(lambda: it.phase("one") is Phase.LIVE)
        assert it.phase("two") in DONE


async def test_an_order_that_comes_twice_is_carried_out_once(tmp_path: Path) -> None:
    async with consoled(tmp_path) as it:
        order = {"cue": {"style": "jazz"}, "request_id": "a-1"}
        answers = await asyncio.gather(*(ask(it, "/api/insert", json=order) for _ in range(5)))
        assert {json.dumps(body) for _, body, _ in answers} == {json.dumps(answers[0][1])}
        assert len(it.show.state.slots) == 4


async def test_a_flood_is_told_to_wait_and_panic_is_still_heard(tmp_path: Path) -> None:
    limits = Limits(UNLIMITED.reading, Rate(5, 0.01), Rate(5, 0.01), UNLIMITED.login)
    async with consoled(tmp_path, limits=limits) as it:
        answers = [await ask(it, "/api/redo") for _ in range(8)]
        assert [status for status, *_ in answers] == [409] * 5 + [429] * 3
        assert int(answers[-1][2]["Retry-After"]) > 0
        assert (await ask(it, "/api/panic"))[0] == 200


async def test_reading_has_a_limit_too(tmp_path: Path) -> None:
    async with consoled(tmp_path, limits=Limits(reading=Rate(3, 0.01))) as it:
        assert [(await ask(it, "/api/me", "GET"))[0] for _ in range(4)] == [200, 200, 200, 429]
