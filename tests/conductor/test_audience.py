"""What a setlist says of its audience: read, defaulted, and refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor.chat.plan import ChatPlan, PollPlan
from conductor.chat.poll import Asking
from conductor.errors import SetlistError
from conductor.setlist import Setlist, load_setlist
from streaming.publishing.destination import KeySource

HEAD = "version: 1\ncues: [{style: chopin, name: A}, {style: jazz, name: B}]\n"


def read(tmp_path: Path, text: str) -> Setlist:
    path = tmp_path / "setlist.yaml"
    path.write_text(text, encoding="utf-8")
    return load_setlist(path)


def test_a_channel_alone_is_twitch_encrypted_read_anonymously(tmp_path: Path) -> None:
    chat = read(tmp_path, HEAD + 'chat: {channel: "#MyChannel"}\n').chat
    assert chat == ChatPlan("#mychannel")
    assert chat.is_twitch
    assert not chat.may_speak
    assert chat.place == "#mychannel at irc.chat.twitch.tv:6697"


@pytest.mark.parametrize(
    ("server", "found"),
    [
        ("127.0.0.1:6667", ("127.0.0.1", 6667, False)),
        ("localhost", ("localhost", 6667, False)),
        ("irc.example.org", ("irc.example.org", 6697, True)),
        ("irc://irc.example.org", ("irc.example.org", 6667, False)),
        ("ircs://[::1]:7000", ("::1", 7000, True)),
    ],
)
def test_a_server_is_spoken_to_encrypted_but_on_this_machine(
    tmp_path: Path, server: str, found: tuple[str, int, bool]
) -> None:
    chat = read(tmp_path, HEAD + f'chat: {{channel: x, server: "{server}", nick: n}}\n').chat
    assert chat is not None
    assert (chat.host, chat.port, chat.tls) == found


def test_names_are_lower_case_and_a_token_lies_elsewhere(tmp_path: Path) -> None:
    text = "chat: {channel: x, nick: N, token: {file: t.txt}, mods: ['@Eve'], blocked: [Mallory], commands: [vote]}\n"
    chat = read(tmp_path, HEAD + text).chat
    assert chat is not None
    assert (chat.mods, chat.blocked, chat.commands) == (("eve",), ("mallory",), ("vote",))
    assert chat.token == KeySource(file=str(tmp_path / "t.txt"))
    assert chat.may_speak


def test_polls_are_for_what_is_drawn_and_for_cues(tmp_path: Path) -> None:
    text = "version: 1\ncues: [{style: chopin, name: A}, {style: jazz, name: B, poll: [jazz, bach]}]\n"
    setlist = read(tmp_path, text + "endless: {styles: {chopin: 1, jazz: 1}, poll: {every: 2, seconds: 30}}\n")
    assert setlist.endless is not None
    assert setlist.endless.poll == PollPlan(2, 3, 30.0)
    assert setlist.polls == (Asking("b", ("jazz", "bach"), 60.0),)
    assert load_setlist(setlist.path) == setlist


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("chat: {nick: x}", "3:7", '"channel" is missing'),
        ("chat: {channel: '#a b'}", "3:17", "should name a channel"),
        ("chat: {channel: x, server: 'http://x'}", "3:28", "should be an address such as irc.example.org"),
        ("chat: {channel: x, server: 'a:b'}", "3:28", "should be an address such as irc.example.org"),
        ("chat: {channel: x, nick: n, token: oauth:secret}", "3:36", "no password is written here"),
        ("chat: {channel: x, token: {env: T}}", "3:7", "a token belongs to a name"),
        ("chat: {channel: x, nick: n, server: 'irc://a.org', token: {env: T}}", "3:7", "write server: ircs://a.org"),
        ("chat: {channel: x, commands: [voet]}", "3:30", 'the command "voet" is unknown - did you mean "vote"?'),
        ("chat: {channel: x, chanel: y}", "3:20", 'unknown key "chanel" - did you mean "channel"?'),
        ("endless: {styles: {jazz: 1}, poll: {}}", "3:30", "a poll takes two styles or more"),
        ("endless: {styles: {jazz: 1, bach: 1}, poll: {seconds: 5}}", "3:55", "greater than or equal to 15"),
        (
            "endless: {styles: {jazz: 1, bach: 1}, poll: {evry: 5}}",
            "3:46",
            'unknown key "evry" - did you mean "every"?',
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_no_token(tmp_path: Path, text: str, where: str, what: str) -> None:
    with pytest.raises(SetlistError) as told:
        read(tmp_path, HEAD + text + "\n")
    assert f"setlist.yaml:{where}: " in str(told.value)
    assert what in str(told.value)
    assert "secret" not in str(told.value)


def test_a_poll_of_a_cue_takes_known_styles_each_once(tmp_path: Path) -> None:
    for styles, what in (("[jazz, jazz]", "each style once"), ("[jazz, jaz]", "unknown"), ("[jazz]", "at least 2")):
        with pytest.raises(SetlistError, match=what):
            read(tmp_path, f"version: 1\ncues: [{{style: chopin, name: A, poll: {styles}}}]\n")
