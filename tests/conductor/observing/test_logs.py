"""The log: of bounded size, one vocabulary, and no secrets."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conductor.logs import AS_RUN, KEPT_FILES, log_to, stop_logging
from conductor.observing.redaction import Redactor, secrets_of
from streaming.publishing.destination import HIDDEN, Destination, KeySource


@contextmanager
def logged(path: Path, **options: Any) -> Iterator[logging.Logger]:
    handler = log_to(path, **options)
    try:
        yield logging.getLogger("conductor.trial")
    finally:
        stop_logging(handler)


def test_json_lines_share_one_vocabulary(tmp_path: Path) -> None:
    path = tmp_path / "show.log"
    with logged(path, form="json") as log:
        logging.getLogger("player").warning("late")
        AS_RUN.info("live Dawn", extra={"event": "live", "cue": "dawn", "piece": 7, "sample": 48_000})
        try:
            raise ValueError("broken")
        except ValueError:
            log.exception("it went wrong")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(each["worker"], each["level"], each["text"]) for each in lines] == [
        ("player", "warning", "late"),
        ("conductor", "info", "live Dawn"),
        ("conductor", "error", "it went wrong"),
    ]
    assert all(each["time"].endswith("+00:00") for each in lines)
    assert {name: lines[1][name] for name in ("event", "cue", "piece", "sample")} == {
        "event": "live", "cue": "dawn", "piece": 7, "sample": 48_000,
    }  # fmt: skip
    assert "event" not in lines[0], "what is not known is not told"
    assert "ValueError: broken" in lines[2]["trace"]


def test_people_read_the_as_run_log_in_words_and_once(tmp_path: Path) -> None:
    path = tmp_path / "show.log"
    with logged(path) as log:
        log.info("live       1  Dawn")
        AS_RUN.info("live Dawn", extra={"event": "live"})
    assert path.read_text().count("Dawn") == 1


def test_a_log_never_grows_beyond_its_bounds(tmp_path: Path) -> None:
    with logged(tmp_path / "show.log", most_bytes=2000) as log:
        for number in range(1000):
            log.info("line %d of a long night", number)
    files = sorted(tmp_path.iterdir())
    assert len(files) == KEPT_FILES + 1
    assert all(path.stat().st_size <= 2000 for path in files)
    assert "line 999 of" in (tmp_path / "show.log").read_text()


SECRET = "live_123456_AbCdEf"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"rtmps://live.twitch.tv/app/{SECRET} failed", "rtmps://live.twitch.tv/app/"),
        (f"GET https://ingest.example/whip?token={SECRET}&x=1", "&x=1"),
        (f"Authorization: Bearer {SECRET}", "Authorization: Bearer"),
        (f"PASS oauth:{SECRET.replace('_', '')}", "PASS oauth:"),
        (f"ws://user:{SECRET}@127.0.0.1:4455 refused", "@127.0.0.1:4455 refused"),
        (f"stream_key: '{SECRET}'", "stream_key: '"),
        (f'{{"password": "{SECRET}"}}', '{"password": "'),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, kept: str) -> None:
    shown = Redactor()(text)
    assert "123456" not in shown
    assert HIDDEN in shown
    assert kept in shown


def test_ordinary_lines_are_left_as_they_are() -> None:
    for text in (
        "the key of C minor; 120 tokens a second, 3 tokens left",
        "console  http://127.0.0.1:8080",
        "streams  to twitch (rtmps://ingest.global-contribute.live-video.net:443)",
        "live       1  Dawn (chopin, 3:05)",
    ):
        assert Redactor()(text) == text


def test_secrets_that_the_show_knows_are_hidden_wherever_they_turn_up(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("from-a-file-99\n")
    to = [
        Destination("one", "rtmps://host/app", KeySource(file=str(key))),
        Destination("two", "rtmp://host/app/within"),
    ]
    environment = {"TWITCH_KEY": "from-the-env-1", "HOME": "/home/ann", "KEYBOARD": "qwertz-layout"}
    secrets = secrets_of(to, "obs-password", environment=environment)
    path = tmp_path / "show.log"
    with logged(path, redact=Redactor(secrets)) as log:
        log.info("said from-a-file-99, from-the-env-1, obs-password, app/within; /home/ann and qwertz-layout stay")
        try:
            raise OSError("connecting with from-a-file-99")
        except OSError:
            log.exception("refused")
    text = path.read_text()
    for secret in ("from-a-file", "from-the-env", "obs-password", "within"):
        assert secret not in text
    assert "/home/ann" in text
    assert "qwertz-layout" in text
    assert "connecting with ***" in text
