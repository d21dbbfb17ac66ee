"""`webrtc:` of a setlist: who may watch, by which servers, and where passwords lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor.errors import SetlistError
from conductor.setlist import load_setlist
from streaming.programme.ice import ANYBODY, Relay, Watching
from streaming.publishing.destination import KeySource

CUES = "cues: [{style: bach}]\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "show.yaml"
    path.write_text(f"version: 1\n{CUES}{text}")
    return path


def test_a_setlist_that_says_nothing_admits_a_few_from_this_network(tmp_path: Path) -> None:
    assert load_setlist(written(tmp_path, "")).watching == ANYBODY == Watching(viewers=8)


def test_servers_limits_and_pages_reach_the_plan_and_no_password_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURN_PASSWORD", "hush")
    text = """
webrtc:
  viewers: 20
  stun: ["stun:stun.example.org"]
  turn:
    - {url: "turn:turn.example.org:3478?transport=udp", username: eve, password: {env: TURN_PASSWORD}}
    - {url: "turns:turn.example.org", username: eve, password: {file: turn.key}}
  origins: ["https://hall.example"]
"""
    watching = load_setlist(written(tmp_path, text)).watching
    assert watching == Watching(
        viewers=20,
        stun=("stun:stun.example.org",),
        turn=(
            Relay("turn:turn.example.org:3478?transport=udp", "eve", KeySource(env="TURN_PASSWORD")),
            Relay("turns:turn.example.org", "eve", KeySource(file=str(tmp_path / "turn.key"))),
        ),
        origins=("https://hall.example",),
    )
    assert "hush" not in repr(watching)
    ways, missing = watching.ways()
    assert ways.turn == (("turn:turn.example.org:3478?transport=udp", "eve", "hush"),)
    assert "hush" not in repr(ways)
    assert len(missing) == 1
    assert "turn.key" in missing[0]
    (tmp_path / "turn.key").write_text("quiet\n")
    ways, missing = watching.ways()
    assert (ways.turn[1][2], missing) == ("quiet", [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("webrtc: {viewers: 0}", "viewers"),
        ("webrtc: {viewer: 3}", 'unknown key "viewer" - did you mean "viewers"?'),
        ("webrtc: {stun: ['stun.example.org']}", '"stun.example.org" is no STUN server; write it as stun:'),
        ("webrtc: {stun: ['stuns:stun.example.org']}", "is no STUN server"),
        ("webrtc: {turn: [{url: 'stun:a', username: b, password: {env: C}}]}", '"stun:a" is no TURN server'),
        ("webrtc: {turn: [{url: 'turn:a', username: b, password: secret}]}", "no password is written here"),
        ("webrtc: {turn: [{url: 'turn:a', username: b, password: {}}]}", "say where the password lies"),
        ("webrtc: {turn: [{url: 'turn:a', username: b}]}", "3:"),
        ("webrtc: {origins: ['https://hall.example/stage']}", "without a path"),
        ("webrtc: {origins: ['hall.example']}", "is no origin of a web page"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SetlistError) as refused:
        load_setlist(written(tmp_path, text))
    (line,) = str(refused.value).splitlines()
    assert said in line
    assert line.startswith(f"{tmp_path / 'show.yaml'}:3:")
    assert "secret" not in line
