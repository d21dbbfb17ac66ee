"""Where a show is published: in the setlist, on the command line, to the feed; and never the key with it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from conductor import publication, wire
from conductor.errors import SetlistError, UsageError, WireError
from conductor.setlist import load_setlist
from streaming.publishing.destination import Destination, KeySource, destination_of
from tests.air.ingest import Ingest
from tests.air.processes import wait_for

SECRET = "live_4711_dontshowthis"
HEAD = "version: 1\ncues: [{style: bach}]\n"


def setlist(folder: Path, stream: str) -> Path:
    path = folder / "show.yaml"
    path.write_text(f"{HEAD}stream: {stream}\n")
    return path


def test_a_setlist_names_services_addresses_and_where_the_keys_lie(tmp_path: Path) -> None:
    found = load_setlist(
        setlist(
            tmp_path,
            "[twitch, {to: twitch, key: {env: SECOND}}, {to: 'rtmps://host/app', name: home, key: {file: key.txt}},"
            " {to: 'https://host/whip', key: {env: TOKEN}, ca: own.pem}, {to: 'mpegts://0.0.0.0:9100'}]",
        )
    ).stream
    assert [(to.name, to.method) for to in found] == [
        ("twitch", "rtmp"),
        ("twitch-2", "rtmp"),
        ("home", "rtmp"),
        ("host", "whip"),
        ("0.0.0.0", "mpegts"),
    ]
    assert found[0].key == KeySource(env="TWITCH_KEY")
    assert found[1].key == KeySource(env="SECOND")
    assert found[2].key == KeySource(file=str(tmp_path / "key.txt")), "files are named from the setlist's folder"
    assert found[3].ca_file == str(tmp_path / "own.pem")


@pytest.mark.parametrize("stream", ["twitch", "{to: twitch}", "[twitch]"])
def test_one_destination_may_be_said_in_short(tmp_path: Path, stream: str) -> None:
    assert load_setlist(setlist(tmp_path, stream)).stream == (destination_of("twitch"),)


@pytest.mark.parametrize(
    ("stream", "told"),
    [
        (f"[{{to: twitch, key: {SECRET}}}]", "a key does not belong into a setlist"),
        (f"[{{to: twitch, key: [{SECRET}]}}]", "should say where the key lies"),
        (f"[{{to: twitch, key: {{env: {SECRET}-x}}}}]", "not the key itself"),
        (f"[{{to: twitch, key: {{evn: {SECRET}}}}}]", "should say where the key lies"),
        (f"[{{to: twitch, key: {{env: A, file: {SECRET}}}}}]", "should say where the key lies"),
        (f"[{{to: twitch, kay: {SECRET}}}]", 'unknown key "kay"'),
        (f"[{{to: {SECRET}}}]", "should be one of twitch"),
        ("[{to: twich}]", 'did you mean "twitch"'),
        (f"[{{to: 'rtmp://host:x/app/{SECRET}'}}]", "cannot be read"),
        (f"[{{to: 'srt://host/{SECRET}'}}]", "srt is not spoken here"),
        ("[{to: 'rtmp://host/app'}]", "there is no key"),
        (f"[[{SECRET}]]", "should list destinations"),
        (f"[{{name: {SECRET}}}]", '"to" is missing'),
        (f"[{', '.join(['twitch'] * 9)}]", "at most 8"),
        (f"{{to: 7, name: {SECRET}}}", "should be one of twitch"),
        (f"[{{to: twitch, key: {{env: A}}, key: {SECRET}}}]", "duplicate"),
        (f"[{{to: twitch, key: '{SECRET}}}]", "not YAML"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_without_what_may_be_secret(
    tmp_path: Path, stream: str, told: str
) -> None:
    with pytest.raises(SetlistError) as refused:
        load_setlist(setlist(tmp_path, stream))
    text = str(refused.value)
    assert told in text
    assert re.search(r"show\.yaml:[34]:\d", text)
    assert SECRET not in text


# --- the command line ---


def test_without_a_wish_all_that_is_planned_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWITCH_KEY", SECRET)
    planned = (destination_of("twitch"), destination_of("mpegts://127.0.0.1:9"))
    assert publication.chosen(planned, ()) == planned
    assert publication.chosen(planned, ["127.0.0.1"]) == planned[1:]
    assert publication.chosen(planned, ["none"]) == ()


def test_a_wish_may_be_a_service_or_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWITCH_KEY", SECRET)
    monkeypatch.setenv("STREAM_KEY", SECRET)
    found = publication.chosen((), ["twitch", "rtmp://host/app", "https://host/whip", "mpegts://0.0.0.0:9100"])
    assert [to.key.env for to in found] == ["TWITCH_KEY", "STREAM_KEY", "STREAM_KEY", ""]
    monkeypatch.delenv("STREAM_KEY")
    (open_one,) = publication.chosen((), ["https://host/whip"])
    assert not open_one.key, "WHIP may do without"


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (f"rtmp://host/app/{SECRET}", "a command line can be read by others"),
        (f"rtmps://me:{SECRET}@host/app", "a command line can be read by others"),
        (SECRET, "should be one of home, twitch"),
        ("twitch", "TWITCH_KEY, which is not set"),
        ("rtmp://host/app", "STREAM_KEY, which is not set"),
        (f"ftp://host/{SECRET}", "not spoken here"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_before_the_show_starts(
    wish: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TWITCH_KEY", "STREAM_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match=told) as refused:
        publication.chosen((Destination("home", "rtmp://host/app/x"),), [wish])
    assert SECRET not in str(refused.value)


# --- between the processes ---


def test_destinations_pass_through_a_message_which_does_not_show_them() -> None:
    sent = (Destination("home", f"rtmp://host/app/{SECRET}", KeySource(env="A", file=""), "own.pem"),)
    message = publication.message(sent)
    assert SECRET not in repr(message)
    received = wire.decode(wire.encode(message))
    assert isinstance(received, wire.Publish)
    assert tuple(publication.destinations(received)) == sent


def test_a_message_that_cannot_be_read_is_told_of_without_what_it_says() -> None:
    line = json.dumps({"kind": "Publish", "destinations": [{"name": 7, "url": [f"rtmp://host/app/{SECRET}"]}]})
    with pytest.raises(WireError, match="destinations") as refused:
        wire.decode(line.encode())
    assert SECRET not in str(refused.value)
    assert SECRET not in repr(refused.value.__context__ if not refused.value.__suppress_context__ else "")


async def test_the_feed_publishes_tells_how_it_goes_and_shows_the_key_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key.txt"
    key.write_text(SECRET)
    monkeypatch.setenv("A_KEY", f"{SECRET}_2")
    ingest = Ingest(tmp_path / "ingest")
    with tempfile.TemporaryDirectory(prefix="feed") as folder:
        run, log = Path(folder), tmp_path / "feed.log"
        command = [sys.executable, "-m", "conductor.feed", "--run", folder, "--size", "320x180"]
        with log.open("w") as out:
            feed = await asyncio.create_subprocess_exec(
                *command, stderr=out, env={**os.environ, "OMP_NUM_THREADS": "1"}
            )
        try:
            await asyncio.to_thread(wait_for, (run / "feed.sock").exists, "feed")
            link = await wire.connect(run / "feed.sock")
            link.send(
                publication.message(
                    (
                        Destination("by-file", ingest.url, KeySource(file=str(key))),
                        Destination("by-env", ingest.url, KeySource(env="A_KEY")),
                        Destination("inside", f"{ingest.url}/{SECRET}_3"),
                        Destination("away", f"rtmp://127.0.0.1:1/live/{SECRET}_4"),
                    )
                )
            )
            said: list[str] = []
            states: dict[str, str] = {}
            async with asyncio.timeout(30):
                async for message in link.messages():
                    said.append(repr(message) + wire.encode(message).decode())
                    if isinstance(message, wire.FeedStatus):
                        states = {each.name: each.state for each in message.destinations}
                        live = [each for each in message.destinations if each.state == "live"]
                        if len(live) == 3 and min(each.sent_bytes for each in live) > 100_000:
                            break
            shown = [" ".join(p.cmdline()) for p in psutil.Process(feed.pid).children(recursive=True)]
            assert len(shown) >= 3, "a process for each"
            link.send(wire.Quit())
            await asyncio.wait_for(feed.wait(), 15)
            await link.close()
        finally:
            if feed.returncode is None:
                feed.kill()
                await feed.wait()
            ingest.close()
    assert states == {"by-file": "live", "by-env": "live", "inside": "live", "away": "retrying"}
    assert sorted(path.name.rsplit("-", 2)[0] for path in ingest.recordings()) == [SECRET, f"{SECRET}_2", f"{SECRET}_3"]
    assert "away is not reached: connection refused" in "".join(said)
    for place, text in (("messages", "".join(said)), ("log", log.read_text()), ("processes", " ".join(shown))):
        assert text
        assert SECRET not in text, place
