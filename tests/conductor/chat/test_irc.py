"""The connection to a chat: as Twitch wants it, back after every loss, and silent about its token."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from conductor.chat import irc
from conductor.chat.irc import MOST_WAITING, Irc
from conductor.chat.limits import SPOKEN
from conductor.chat.line import Said
from conductor.chat.plan import ChatPlan
from streaming.backoff import Backoff
from streaming.publishing.destination import KeySource

TOKEN = "oauth-abcdef123456"
WELCOME = b":tmi.twitch.tv 001 x :Welcome\r\n"
JOINED = b":x.tmi.twitch.tv 366 x #music :End of /NAMES list\r\n"


@dataclass
class Server:
    """A server that says what a test tells it to, line by line.

    Attributes:
        answers: what it says to a line that begins so.
        heard: what was said to it, a list for each connection.
    """

    answers: dict[str, bytes] = field(default_factory=lambda: {"USER": WELCOME, "JOIN": JOINED})
    heard: list[list[str]] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    port: int = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines: list[str] = []
        self.heard.append(lines)
        self.writers.append(writer)
        while line := (await reader.readline()).decode().strip():
            lines.append(line)
            for beginning, answer in self.answers.items():
                if line.startswith(beginning):
                    writer.write(answer)
        writer.close()

    def say(self, line: bytes) -> None:
        self.writers[-1].write(line + b"\r\n")


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[Server]:
    async with await asyncio.start_server(server.talk, "127.0.0.1", 0) as listening:
        server.port = listening.sockets[0].getsockname()[1]
        yield server
        for writer in server.writers:
            writer.close()


class Listener:
    """A chat that is read, with all that came of it."""

    def __init__(self, plan: ChatPlan, quiet_s: float = 60.0) -> None:
        self.said: list[Said] = []
        self.news: list[tuple[str, bool]] = []
        backoff = Backoff(random.Random(1), first_s=0.02, longest_s=0.05, refused_s=0.02)
        self.irc = Irc(
            plan, self.said.append, lambda text, good: self.news.append((text, good)), backoff=backoff, quiet_s=quiet_s
        )

    async def __aenter__(self) -> Listener:
        self.irc.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.irc.stop()


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(10.0):
        while not holds():
            await asyncio.sleep(0.005)


class TwitchPlan(ChatPlan):
    """As on Twitch, on this machine."""

    @property
    def is_twitch(self) -> bool:
        return True


def twitch(server: Server, *, token: bool = True) -> ChatPlan:
    source = KeySource(env="CHAT_TOKEN") if token else KeySource()
    return TwitchPlan("#music", "127.0.0.1", server.port, False, "conductor" if token else "", source)


async def test_with_a_token_it_says_who_it_is_and_asks_for_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_TOKEN", TOKEN)
    async with serving(Server()) as server, Listener(twitch(server)) as listener:
        await until(lambda: listener.irc.there)
        assert server.heard[0] == [
            "CAP REQ :twitch.tv/tags twitch.tv/commands",
            f"PASS oauth:{TOKEN}",
            "NICK conductor",
            "USER conductor 0 * conductor",
            "JOIN #music",
        ]
        listener.irc.say("hello\r\nQUIT")
        await until(lambda: len(server.heard[0]) > 5)
        assert server.heard[0][5] == "PRIVMSG #music :hello  QUIT"


async def test_without_a_token_it_reads_anonymously_and_says_nothing() -> None:
    async with serving(Server()) as server, Listener(twitch(server, token=False)) as listener:
        await until(lambda: listener.irc.there)
        assert server.heard[0][1].startswith("NICK justinfan")
        listener.irc.say("hello")
        server.say(b"PING :tmi.twitch.tv")
        await until(lambda: server.heard[0][-1] == "PONG tmi.twitch.tv")
        assert not [line for line in server.heard[0] if line.startswith(("PRIVMSG", "PASS"))]


async def test_a_token_that_is_refused_is_told_once_not_shown_and_leaves_it_reading(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CHAT_TOKEN", TOKEN)
    monkeypatch.setattr(irc, "REFUSED_WAIT_S", 0.01)
    refused = b":tmi.twitch.tv NOTICE * :Login authentication failed\r\n"
    with caplog.at_level(logging.DEBUG):
        async with serving(Server({"PASS": refused, "USER": b"", "JOIN": JOINED})) as server:
            async with Listener(twitch(server)) as listener:
                await until(lambda: len(server.heard) > 1 and len(server.heard[1]) > 2)
                server.say(WELCOME.rstrip())
                await until(lambda: listener.irc.there)
            assert not [line for line in server.heard[1] if line.startswith("PASS")]
    bad = [text for text, good in listener.news if not good]
    assert len(bad) == 1
    assert "token is not taken" in bad[0]
    assert TOKEN not in caplog.text + str(listener.news)


async def test_moderators_are_known_by_tags_of_a_server_that_grants_them() -> None:
    line = b"@badges=moderator/1;mod=1;user-id=7 :eve!e@h PRIVMSG #music :!skip"
    for answer, moderates in ((b"ACK", True), (b"NAK", False)):
        granted = b":s CAP * " + answer + b" :twitch.tv/tags twitch.tv/commands\r\n"
        server = Server({"CAP REQ": granted, "CAP END": WELCOME, "JOIN": JOINED})
        async with serving(server), Listener(twitch(server, token=False)) as listener:
            await until(lambda: listener.irc.there)
            server.say(line)
            await until(lambda: listener.said)
            assert [said.moderates for said in listener.said] == [moderates]


async def test_a_lost_server_is_told_once_and_read_again_when_it_is_back() -> None:
    async with serving(Server()) as server, Listener(twitch(server, token=False)) as listener:
        await until(lambda: listener.irc.there)
        for count in range(2, 5):
            server.writers[-1].close()
            await until(lambda count=count: len(server.heard) >= count and listener.irc.there)  # type: ignore[misc]
    assert [good for _, good in listener.news] == [True, False, True, False, True, False, True]
    assert "goes on without it" in listener.news[1][0]


@pytest.mark.parametrize("answers", [True, False])
async def test_a_server_that_falls_silent_is_asked_and_given_up(monkeypatch: pytest.MonkeyPatch, answers: bool) -> None:
    monkeypatch.setattr(irc, "ANSWER_S", 0.05)
    said = {"USER": WELCOME, "JOIN": JOINED} | ({"PING": b"PONG\r\n"} if answers else {})
    async with serving(Server(said)) as server:
        async with Listener(twitch(server, token=False), quiet_s=0.05) as listener:
            await until(lambda: sum(line == "PING conductor" for lines in server.heard for line in lines) >= 3)
        assert (len(server.heard) == 1) is answers
        assert any(not good for _, good in listener.news) is not answers


async def test_it_says_no_more_than_twitch_allows_and_drops_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_TOKEN", TOKEN)
    async with serving(Server()) as server, Listener(twitch(server)) as listener:
        await until(lambda: listener.irc.there)
        told = 0
        for number in range(200):
            listener.irc.say(f"line {number}")
            listener.irc.say(f"line {number}")
            await asyncio.sleep(0)
        server.say(b"PING :end")
        await until(lambda: server.heard[0][-1] == "PONG end")
        told = sum(line.startswith("PRIVMSG") for line in server.heard[0])
        assert 0 < told <= SPOKEN
        assert told + listener.irc.dropped + MOST_WAITING == 200, "each text once, the rest waits or is dropped"


async def test_noise_of_a_server_ends_in_nothing_but_another_try() -> None:
    noise = bytes(random.Random(3).randbytes(50_000)) + b"\r\n"
    async with serving(Server()) as server, Listener(twitch(server, token=False)) as listener:
        await until(lambda: listener.irc.there)
        server.say(noise)
        server.say(b":eve!e@h PRIVMSG #music :!now")
        await until(lambda: listener.said)
        server.say(b":tmi.twitch.tv RECONNECT")
        await until(lambda: len(server.heard) > 1 and listener.irc.there)


def certificate(folder: Path) -> tuple[Path, Path]:
    """Return the files of a certificate that vouches for itself, as localhost, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


async def test_an_encrypted_server_is_read_where_it_is_vouched_for_and_given_no_token_where_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAT_TOKEN", TOKEN)
    cert, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = Server()
    async with await asyncio.start_server(server.talk, "localhost", 0, ssl=context) as listening:
        port = listening.sockets[0].getsockname()[1]
        plan = TwitchPlan("#music", "localhost", port, True, "conductor", KeySource(env="CHAT_TOKEN"))
        async with Listener(plan) as listener:
            await until(lambda: listener.news)
            assert "certificate" in listener.news[0][0].lower()
        assert server.heard == []
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        async with Listener(plan) as listener:
            await until(lambda: listener.irc.there)
        assert f"PASS oauth:{TOKEN}" in server.heard[-1]
