from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from streaming.errors import PublishError
from streaming.publishing.destination import (
    SERVICES,
    Destination,
    KeySource,
    destination_of,
    key_inside,
    named_apart,
    redact,
    shown,
)

SECRET = "live_4711_dontshowthis"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_an_address_by_tls_and_a_variable_for_its_key(service: str) -> None:
    found = destination_of(service)
    assert found.name == service
    assert found.url.startswith(("rtmps://", "https://"))
    assert found.key.env.endswith("_KEY")
    assert destination_of(service, key=KeySource(env="MINE")).key.env == "MINE"


@pytest.mark.parametrize(
    ("url", "method"),
    [
        (f"rtmp://host/app/{SECRET}", "rtmp"),
        (f"rtmps://host:4443/app/instance/{SECRET}?auth=x", "rtmp"),
        (f"https://host/whip/{SECRET}", "whip"),
        ("http://[::1]:8080/whip", "whip"),
        ("mpegts://0.0.0.0:9100", "mpegts"),
    ],
)
def test_an_address_tells_how_it_is_sent(url: str, method: str) -> None:
    found = destination_of(url)
    assert found.method == method
    assert found.url == url
    assert SECRET not in repr(found)
    assert SECRET not in found.place
    assert SECRET not in found.name


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("twich", "should be one of twitch"),
        (f"ftp://host/{SECRET}", "not spoken here"),
        (f"srt://host:9000?streamid={SECRET}", "srt is not spoken"),
        (f"rtmp:///app/{SECRET}", "no host"),
        (f"rtmp://host:port/app/{SECRET}", "cannot be read"),
        ("rtmp://host", "no application"),
        ("rtmp://host/app", "there is no key"),
        (f"mpegts://host:1/{SECRET}", "neither path nor key"),
    ],
)
def test_an_address_that_cannot_be_is_refused_without_being_repeated(url: str, told: str) -> None:
    with pytest.raises(PublishError, match=told) as refused:
        destination_of(url)
    assert SECRET not in str(refused.value)
    assert url not in str(refused.value)


def test_a_key_is_read_where_it_lies_at_that_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key.txt"
    file.write_text(f"{SECRET}\n")
    assert KeySource(file=str(file)).read() == SECRET
    file.write_text("another\n")
    assert KeySource(file=str(file)).read() == "another"
    monkeypatch.setenv("A_KEY", f" {SECRET} ")
    assert KeySource(env="A_KEY").read() == SECRET
    assert KeySource().read() == ""


@pytest.mark.parametrize("content", [b"", b" \n", b"two words", b"\xff\xfe\x00", b"k" * 5000, "schlüssel".encode()])
def test_a_file_that_holds_no_key_is_told_of_without_what_it_holds(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key.txt"
    file.write_bytes(content)
    with pytest.raises(PublishError, match=r"key\.txt") as refused:
        KeySource(file=str(file)).read()
    assert "words" not in str(refused.value)
    assert "schl" not in str(refused.value)


def test_a_key_that_is_missing_is_told_of_by_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_THERE", raising=False)
    with pytest.raises(PublishError, match="NOT_THERE, which is not set"):
        KeySource(env="NOT_THERE").read()
    with pytest.raises(PublishError, match="no such file"):
        KeySource(file=str(tmp_path / "none")).read()


def test_a_file_that_others_may_read_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "key.txt"
    file.write_text(SECRET)
    file.chmod(0o600)
    assert KeySource(file=str(file)).exposed() == ""
    file.chmod(0o644)
    assert "chmod 600" in KeySource(file=str(file)).exposed()
    assert SECRET not in KeySource(file=str(file)).exposed()


def test_what_a_library_tells_is_cleared_of_address_and_key() -> None:
    destination = Destination("x", f"rtmps://user:pass-word@host/app/{SECRET}?token=abcdef", KeySource(env="K"))
    text = f"cannot open {destination.url}: stream {SECRET} with token=abcdef of pass-word is no KEY5678"
    cleared = redact(text, destination.secrets("KEY5678"))
    for secret in (SECRET, "abcdef", "pass-word", "KEY5678"):
        assert secret not in cleared
    assert cleared.startswith("cannot open ***")


def test_an_address_is_shown_without_path_query_and_user() -> None:
    assert shown(f"rtmps://me:{SECRET}@host:443/app/{SECRET}?key={SECRET}") == "rtmps://host:443"
    assert shown(f"rtmp://host:x{SECRET}/") == "***"


@pytest.mark.parametrize(
    ("url", "inside"),
    [
        ("rtmp://host/app", False),
        ("rtmp://host/app/", False),
        ("rtmp://host/app/key", True),
        ("rtmps://host/app?key=1", True),
        ("rtmps://me:key@host/app", True),
        ("https://host/whip/room", False),
        ("mpegts://0.0.0.0:9100", False),
    ],
)
def test_an_address_with_a_key_inside_is_known(url: str, inside: bool) -> None:
    assert key_inside(url) is inside


def test_destinations_of_the_same_name_get_numbers() -> None:
    first = destination_of("twitch")
    second = named_apart(destination_of("twitch"), [first])
    third = named_apart(destination_of("twitch"), [first, second])
    assert [d.name for d in (first, second, third)] == ["twitch", "twitch-2", "twitch-3"]
    assert asdict(third)["url"] == first.url
