"""Who may: logins, roles, and what no page of another site can do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar, WSServerHandshakeError
from yarl import URL

from conductor.console.operators import NOBODY, matches, read_operators, with_operator, write_operators
from conductor.console.rates import Limits, Rate
from conductor.console.roles import Role
from conductor.console.sessions import IDLE_S, LONGEST_S, Sessions
from conductor.errors import UsageError
from conductor.show.stage import ShowOptions, check_options
from tests.conductor.console.stage import PASSWORD, UNLIMITED, consoled, operators_file
from tests.conductor.show.test_show import Running

OURS = {"X-Conductor": "console"}


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.s = 0.0

    def monotonic_s(self) -> float:
        return self.s

    def wall(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


@asynccontextmanager
async def staffed(folder: Path, clock: Clock | None = None, limits: Limits = UNLIMITED) -> AsyncIterator[Running]:
    path = operators_file(folder, vera="view", carl="control", edna="edit")
    async with consoled(folder, operators=path, clock=clock or Clock(), limits=limits) as it:
        yield it


def surfer() -> ClientSession:
    """Return a browser that keeps the cookies of an address without a name, too."""
    return ClientSession(cookie_jar=CookieJar(unsafe=True))


async def send(
    browser: ClientSession, it: Running, path: str, body: Any = None, headers: Mapping[str, str] = OURS,
    method: str = "POST",
) -> tuple[int, str]:  # fmt: skip
    async with browser.request(method, f"{it.url}{path}", json=body, headers=headers, allow_redirects=False) as answer:
        text = await answer.text()
        return answer.status, text


async def log_in(browser: ClientSession, it: Running, name: str, password: str = PASSWORD) -> int:
    return (await send(browser, it, "/api/login", {"name": name, "password": password}))[0]


async def test_without_a_login_nothing_is_told_and_nothing_done(tmp_path: Path) -> None:
    async with staffed(tmp_path) as it, surfer() as browser:
        for path in ("/api/state", "/api/setlist", "/api/as-run", "/api/pieces/1.mid", "/api/openapi.json", "/api/me"):
            assert (await send(browser, it, path, method="GET"))[0] == 401
        for path in ("/api/go", "/api/panic", "/api/nothing"):
            assert (await send(browser, it, path))[0] == 401
        with pytest.raises(WSServerHandshakeError):
            await browser.ws_connect(f"{it.url}/api/events")
        async with browser.get(it.url, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/login")
        async with browser.get(it.url) as answer:
            assert "password" in await answer.text()
        assert not it.show.state.panicked


async def test_each_role_may_what_it_may_and_the_log_tells_who_did(tmp_path: Path) -> None:
    may = {"vera": (200, 403, 403, 403), "carl": (200, 200, 403, 403), "edna": (200, 200, 200, 400)}
    async with staffed(tmp_path) as it:
        for name, expected in may.items():
            async with surfer() as browser:
                assert await log_in(browser, it, name) == 200
                found = [
                    (await send(browser, it, "/api/state", method="GET"))[0],
                    (await send(browser, it, "/api/standby", {"cue": "three" if name == "edna" else "two"}))[0],
                    (await send(browser, it, "/api/edit", {"cue": "three", "changes": {"notes": name}}))[0],
                    (await send(browser, it, "/api/setlist", {"text": 3, "version": ""}, method="PUT"))[0],
                ]
                assert tuple(found) == expected
        did = [line.detail for line in it.library.as_run(1000) if line.event in ("standby", "edit")]
        assert [line.split()[0] for line in did] == ["carl", "edna", "edna"]


async def test_a_wrong_password_and_a_wrong_name_are_told_the_same(tmp_path: Path) -> None:
    async with staffed(tmp_path) as it, surfer() as browser:
        told = {
            await send(browser, it, "/api/login", {"name": name, "password": password})
            for name, password in (("edna", "wrong password"), ("nobody", PASSWORD), ("edna", ""), ("", PASSWORD))
        }
        assert [status for status, _ in told] == [401]
        for body in ({}, {"name": "edna"}, {"name": 3, "password": PASSWORD}, {"name": "edna", "password": "x" * 300}):
            status, text = await send(browser, it, "/api/login", body)
            assert status == 400
            assert "xxx" not in text


async def test_passwords_cannot_be_tried_one_after_another(tmp_path: Path) -> None:
    limits = Limits(UNLIMITED.reading, UNLIMITED.acting, UNLIMITED.panic, Rate(2, 0.1))
    async with staffed(tmp_path, limits=limits) as it, surfer() as browser:
        assert [await log_in(browser, it, "edna", "wrong password") for _ in range(3)] == [401, 401, 429]
        assert await log_in(browser, it, "edna") == 429


async def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(tmp_path: Path) -> None:
    async with staffed(tmp_path) as it, surfer() as browser:
        body = {"name": "edna", "password": PASSWORD}
        async with browser.post(f"{it.url}/api/login", json=body) as answer:
            cookie, told = answer.headers["Set-Cookie"], await answer.json()
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert told == {"ok": True, "who": "edna", "role": "edit"}
        # A cookie alone, as a page of another site might make a browser send it, acts on nothing.
        assert (await send(browser, it, "/api/hold", headers={}))[0] == 403
        assert (await send(browser, it, "/api/hold", headers={**OURS, "Origin": "http://evil.example"}))[0] == 403
        for origin in ("http://evil.example", "null"):
            with pytest.raises(WSServerHandshakeError):
                await browser.ws_connect(f"{it.url}/api/events", origin=origin)
        assert not it.show.state.held
        assert (await send(browser, it, "/api/hold", headers={**OURS, "Origin": it.url}))[0] == 200


async def test_a_token_in_the_address_opens_nothing(tmp_path: Path) -> None:
    async with staffed(tmp_path) as it, surfer() as browser:
        assert await log_in(browser, it, "edna") == 200
        token = next(iter(browser.cookie_jar.filter_cookies(URL(it.url)).values())).value
        async with surfer() as other:
            for query in (f"token={token}", f"conductor={token}", f"access_token={token}"):
                assert (await send(other, it, f"/api/state?{query}", method="GET"))[0] == 401
            for wrong in ("Bearer x", f"Bearer {token}", "Basic eDp4", "Bearer \u00e9"):
                headers = {**OURS, "Authorization": wrong}
                assert (await send(other, it, "/api/state", headers=headers, method="GET"))[0] == 401


async def test_a_session_ends_by_logging_out_by_being_idle_and_after_a_day(tmp_path: Path) -> None:
    clock = Clock()
    async with staffed(tmp_path, clock) as it, surfer() as browser:

        async def there() -> bool:
            return (await send(browser, it, "/api/me", method="GET"))[0] == 200

        assert await log_in(browser, it, "vera") == 200
        assert (await send(browser, it, "/api/logout"))[0] == 200
        assert not await there()
        await log_in(browser, it, "vera")
        clock.s += IDLE_S + 1
        assert not await there()
        await log_in(browser, it, "vera")
        while clock.s < 2 * IDLE_S + LONGEST_S - IDLE_S / 2:
            assert await there()
            clock.s += IDLE_S / 2
        clock.s += IDLE_S / 2
        assert not await there()


async def test_who_is_taken_out_of_the_file_is_out_and_a_broken_file_throws_nobody_out(tmp_path: Path) -> None:
    path = operators_file(tmp_path, ada="edit", bob="view")
    sessions = Sessions(path, lambda: 0.0)
    ada, bob = await sessions.log_in("ada", PASSWORD), await sessions.log_in("bob", PASSWORD)
    assert ada
    assert bob
    path.write_text("{")
    assert sessions.whose(ada)
    known = read_operators(operators_file(tmp_path, ada="edit"))
    write_operators(path, known)
    assert sessions.whose(bob) is None
    assert await sessions.log_in("bob", PASSWORD) is None


@pytest.mark.usefixtures("real_cost")
def test_a_file_of_operators_holds_no_password_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = operators_file(tmp_path, ada="edit")
    assert PASSWORD not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    ada = read_operators(path)["ada"]
    assert matches(ada, PASSWORD)
    assert not matches(ada, PASSWORD + "x")
    assert not matches(None, PASSWORD)
    assert not matches(NOBODY, "")
    again = with_operator({}, "ada", Role.EDIT, PASSWORD)["ada"]
    assert again.hash != ada.hash, "each has a salt of its own"


ROW = '{"version": 1, "operators": {"a": {"role": "%s", "salt": "%s", "hash": "x"}}}'


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"version": 2, "operators": {}}', "\x00", "[" * 5000, ROW % ("god", "eA"), ROW % ("edit", "%")],
)
def test_what_is_no_file_of_operators_is_told_in_a_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "operators.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="no list of operators") as error:
        read_operators(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "password"), [("", PASSWORD), ("a b", PASSWORD), ("../x", PASSWORD), ("ada", "short")]
)
def test_names_and_passwords_that_will_not_do_are_refused(name: str, password: str) -> None:
    with pytest.raises(UsageError):
        with_operator({}, name, Role.VIEW, password)


def test_other_machines_need_a_login(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "stage.example"):
        with pytest.raises(UsageError, match=r"conductor operators add .* --operators"):
            check_options(ShowOptions(data=tmp_path, host=host))
