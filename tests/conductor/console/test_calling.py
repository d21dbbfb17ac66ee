"""From another program: the console is found by its record, its token lets its own user in, and errors are a line."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from pathlib import Path

import pytest

from conductor.console import calling, finding
from conductor.console.calling import Caller, caller
from conductor.console.finding import RECORD, Place, running
from conductor.errors import UsageError
from tests.conductor.console.stage import PASSWORD, consoled, operators_file


def record(folder: Path, port: int = 8080, *, pid: int | None = None, title: str = "Trial") -> Place:
    folder.mkdir(exist_ok=True)
    place = Place(
        f"http://127.0.0.1:{port}", "secret", os.getpid() if pid is None else pid, title, str(folder / "data")
    )
    place.write(folder / RECORD)
    return place


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where run folders are, in place of the machine's own, in which other shows may run."""
    monkeypatch.setattr(finding, "run_folders", lambda: sorted(tmp_path.glob("conductor-*")))
    return tmp_path


def test_a_record_is_for_its_owners_eyes_and_is_found_while_its_show_lives(folders: Path) -> None:
    assert running() == []
    here = record(folders / "conductor-a")
    assert (folders / "conductor-a" / RECORD).stat().st_mode & 0o077 == 0
    record(folders / "conductor-b", pid=2**22 + 1)
    for name, text in (("c", "{"), ("d", "[]"), ("e", '{"url": 1}'), ("f", "")):
        (folders / f"conductor-{name}").mkdir()
        (folders / f"conductor-{name}" / RECORD).write_text(text)
    (folders / "conductor-g").mkdir()
    assert running() == [here]
    assert "secret" not in repr(here)
    assert "secret" not in repr(caller())


def test_the_show_that_is_meant_is_called_and_which_ones_there_are_is_told(folders: Path) -> None:
    with pytest.raises(UsageError, match="no show is running here - start one: conductor run"):
        caller()
    first = record(folders / "conductor-a", 8080, title="Matinee")
    assert (caller().url, caller().token, caller().title) == (first.url, "secret", "Matinee")
    second = record(folders / "conductor-b", 8081, title="Evening")
    with pytest.raises(UsageError, match=r"2 shows are running here .*Matinee: --port 8080; Evening: --port 8081"):
        caller()
    assert caller(port=8081).url == second.url
    assert caller(data=Path(first.data)).url == first.url
    with pytest.raises(UsageError, match="with its folder in elsewhere"):
        caller(data=Path("elsewhere"))
    # A port without a record is asked without a token.
    assert (caller(port=9).url, caller(port=9).token) == ("http://127.0.0.1:9", "")
    assert caller(url="https://stage.example/").url == "https://stage.example"
    for wrong in ("stage:8080", "ftp://stage", "http://", "x"):
        with pytest.raises(UsageError, match="write it as http://host:8080"):
            caller(url=wrong)


def served(answer: bytes) -> str:
    """Serve one request with these bytes; return the address."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with server, server.accept()[0] as client:
            client.recv(65536)
            client.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
               b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"],
)  # fmt: skip
def test_what_is_no_console_is_told_in_a_line(answer: bytes) -> None:
    with pytest.raises(UsageError, match="this is no console of a show") as error:
        Caller(served(answer)).call("GET", "/api/state")
    assert "\n" not in str(error.value)


def test_nobody_there_and_nobody_who_answers_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(calling, "WAIT_S", 0.05)
        with pytest.raises(UsageError, match=r"no answer within 0\.05 s"):
            Caller(url).call("GET", "/api/state")
    with pytest.raises(UsageError, match="nobody serves there"):
        Caller(url).call("GET", "/api/state")


async def test_the_token_of_the_run_folder_opens_a_console_with_logins(tmp_path: Path) -> None:
    operators = operators_file(tmp_path, vera="view")
    async with consoled(tmp_path, operators=operators) as it:
        [place] = [each for each in running() if each.data == str((tmp_path / "data").resolve())]
        own = Caller(place.url, place.token)
        reply = await asyncio.to_thread(own.call, "GET", "/api/me")
        assert (reply.status, reply.body["role"]) == (200, "edit")
        for token in ("", "x", place.token[:-1], place.token + "x"):
            reply = await asyncio.to_thread(Caller(place.url, token).call, "GET", "/api/me")
            assert (reply.status, "log in" in reply.reason) == (401, True)
        # It is no part of what is told, logged or shown.
        state = await asyncio.to_thread(own.call, "GET", "/api/state")
        assert place.token not in json.dumps(state.body) + it.output.getvalue()
        vera = Caller(it.url)
        await asyncio.to_thread(vera.log_in, "vera", PASSWORD)
        assert (await asyncio.to_thread(vera.call, "GET", "/api/me")).body["who"] == "vera"
        assert (await asyncio.to_thread(vera.call, "POST", "/api/hold", {})).status == 403
        with pytest.raises(UsageError, match="name or password is wrong"):
            await asyncio.to_thread(Caller(it.url).log_in, "vera", "another password")
    assert not [each for each in running() if each.data == place.data], "the record goes with the console"
