"""A token lets Prometheus read from another machine, and lets it do nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

from conductor.console.guard import Guard
from conductor.console.rates import Limits
from conductor.console.roles import Role
from conductor.errors import UsageError
from conductor.observing.serving import LEAST_TOKEN, read_token

TOKEN = "0123456789abcdef0123"


def test_the_token_reads_and_no_other_does() -> None:
    # Whoever brings a token is judged by it alone, so that neither viewers nor sessions matter here.
    guard = Guard("127.0.0.1", 8080, None, None, Limits(), lambda: 0.0)  # type: ignore[arg-type]

    def role(token: str) -> Role | None:
        somebody = guard.who(make_mocked_request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"}))
        return somebody.role if somebody else None

    assert role(TOKEN) is None
    # While there is none, an empty one is none either.
    assert role("") is None
    guard.reader = TOKEN
    assert role(TOKEN) is Role.VIEW
    assert role(TOKEN[:-1]) is role("") is None
    assert role(guard.token) is Role.EDIT


def test_a_file_without_a_good_token_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    assert read_token(path) == TOKEN
    for text in ("", "short", "two words that are long enough", "x" * (LEAST_TOKEN - 1), "é" * 30):
        path.write_text(text)
        with pytest.raises(UsageError, match="openssl rand"):
            read_token(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_token(tmp_path / "none")
