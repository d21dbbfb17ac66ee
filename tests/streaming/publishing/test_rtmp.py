"""RTMP and RTMPS, against nginx's RTMP module and ffmpeg as ingests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from streaming.publishing.destination import Destination, KeySource
from tests.air.ingest import Ingest
from tests.air.processes import free_port, program
from tests.air.recording import Recording, read
from tests.streaming.publishing.certificate import Certificate
from tests.streaming.publishing.onair import PROGRAMME
from tests.streaming.publishing.peers import Show, on_air

KEY = "live_4711_secret"


@pytest.fixture
def ingest(tmp_path: Path) -> Iterator[Ingest]:
    made = Ingest(tmp_path / "ingest")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", KEY)


def to(url: str, **more: Any) -> Destination:
    return Destination("home", url, KeySource(env="A_KEY"), **more)


def probe(path: Path) -> dict[str, Any]:
    """Return what ffprobe tells of a file: its streams, and the packets of its pictures."""
    command = [program("ffprobe"), "-v", "error", "-of", "json", "-show_streams", "-show_packets", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def recorded(show: Show, ingest: Ingest, seconds: float) -> None:
    """Wait until an ingest has so much of the programme: a busy machine brings it late."""
    # The rate is kept to a sixth.
    enough = seconds * (PROGRAMME.video_bitrate + PROGRAMME.audio_bitrate) / 8 * 7 / 6

    def is_there() -> bool:
        return sum(path.stat().st_size for path in ingest.recordings()) > enough

    await show.until(is_there, f"recording of {seconds} s", 10 * seconds)


def whole(recording: Recording, seconds: float) -> None:
    """Check that nothing is lost or shifted between the programme and a recording."""
    assert len(recording.frames) > seconds * PROGRAMME.fps
    assert set(recording.steps) == {1}, "every picture, once"
    assert recording.frames[0][0] == 0.0, "it begins at 0"
    # The first flash or beep may be cut: a recording begins anywhere.
    assert np.abs(recording.offsets_ms[1:]).max() < 5.0
    assert len(recording.offsets_ms) >= seconds - 1
    # Sound from the first keyframe to the last picture, in packets of 21 ms.
    pictures_s = len(recording.frames) / PROGRAMME.fps
    assert abs(recording.duration_s - pictures_s) < 0.15
    assert np.abs(np.diff(recording.beeps_s[1:]) - 1.0).max(initial=0.0) < 0.001, "no sample is lost between the beeps"


async def test_an_ingest_records_all_of_the_programme_in_time_and_as_ingests_want_it(ingest: Ingest) -> None:
    async with on_air(to(ingest.url)) as show:
        await show.live("home")
        await recorded(show, ingest, 6.2)
        status = show.status("home")
    assert show.told("home") == [True]
    assert status.sent_bytes > 6 * PROGRAMME.video_bitrate / 8 * 0.8
    assert (status.dropped, status.reconnects, status.last_error) == (0, 0, "")
    (path,) = ingest.recordings()
    assert path.name.startswith(KEY), "the key is the stream's name"
    whole(read(path), 6.0)

    told = probe(path)
    video, audio = (next(s for s in told["streams"] if s["codec_type"] == kind) for kind in ("video", "audio"))
    assert (video["codec_name"], video["has_b_frames"], video["width"], video["height"]) == ("h264", 0, 320, 180)
    assert (audio["codec_name"], audio["profile"], audio["sample_rate"], audio["channels"]) == ("aac", "LC", "48000", 2)
    pictures = [packet for packet in told["packets"] if packet["codec_type"] == "video"]
    keyframes_s = [float(packet["pts_time"]) for packet in pictures if "K" in packet["flags"]]
    assert np.allclose(np.diff(keyframes_s), 2.0, atol=0.002)
    sizes = np.array([int(packet["size"]) for packet in pictures])
    rates = [sizes[at : at + 60].sum() * 8 / 2 for at in range(0, len(sizes) - 60, 15)]
    # The encoder may empty its bucket, a second of the rate, at once: over two seconds a half more, over six a sixth.
    assert np.ptp(rates) < PROGRAMME.video_bitrate / 2, "the rate is constant from keyframe to keyframe"
    assert abs(np.mean(rates) - PROGRAMME.video_bitrate) < PROGRAMME.video_bitrate / 6


async def test_a_broadcast_that_has_run_for_days_begins_at_0_for_a_new_connection(ingest: Ingest) -> None:
    async with on_air(to(ingest.url), first=47 * 3600 * PROGRAMME.fps) as show:
        await show.live("home")
        await recorded(show, ingest, 2.7)
    (path,) = ingest.recordings()
    whole(read(path), 2.5)


async def test_the_stream_may_be_named_in_the_address(ingest: Ingest) -> None:
    async with on_air(Destination("home", f"{ingest.url}/{KEY}")) as show:
        await show.live("home")
        await asyncio.sleep(1)
    assert ingest.recordings()[0].name.startswith(KEY)
    assert KEY not in repr(show.publishers.statuses) + repr(show.news)


async def test_ffmpeg_as_an_ingest_takes_it_too(tmp_path: Path) -> None:
    port, out = free_port(), tmp_path / "out.flv"
    command = ["-v", "warning", "-listen", "1", "-i", f"rtmp://127.0.0.1:{port}/app/{KEY}", "-c", "copy", str(out)]
    ffmpeg = await asyncio.create_subprocess_exec(program("ffmpeg"), *command)
    async with on_air(to(f"rtmp://127.0.0.1:{port}/app")) as show:
        await show.live("home")
        await asyncio.sleep(4)
    await asyncio.wait_for(ffmpeg.wait(), 10)
    recording = read(out)
    assert len(recording.frames) > 3 * PROGRAMME.fps
    assert set(recording.steps) == {1}
    assert np.abs(recording.offsets_ms[1:]).max() < 5.0


@contextlib.asynccontextmanager
async def tls(ingest: Ingest, certificate: Certificate) -> AsyncIterator[int]:
    """Serve an ingest by TLS, as the services do; yield the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward = await asyncio.open_connection("127.0.0.1", ingest.port)
        await asyncio.gather(copy(reader, onward[1]), copy(onward[0], writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_rtmps_is_encrypted_to_an_ingest_whose_certificate_is_trusted(ingest: Ingest, tmp_path: Path) -> None:
    certificate = Certificate(tmp_path)
    async with tls(ingest, certificate) as port:
        url = f"rtmps://localhost:{port}/live"
        async with on_air(to(url, ca_file=str(certificate.certificate))) as show:
            await show.live("home")
            await asyncio.sleep(3)
        whole(read(ingest.recordings()[0]), 2.5)
        async with on_air(to(url)) as show:
            await show.until(lambda: show.news != [], "word")
            assert "certificate is not trusted" in show.news[0][1].text
            await asyncio.sleep(1)
    assert len(ingest.recordings()) == 1, "the key went to nobody else"


async def test_a_key_that_the_ingest_does_not_take_is_told_once_and_tried_seldom(tmp_path: Path) -> None:
    asked: list[str] = []

    async def judge(request: web.Request) -> web.Response:
        name = str((await request.post())["name"])
        asked.append(name)
        return web.Response(status=200 if name == KEY else 403)

    app = web.Application()
    app.router.add_post("/", judge)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    file = tmp_path / "key.txt"
    file.write_text("live_wrong_key")
    ingest = Ingest(tmp_path / "ingest", on_publish=f"http://127.0.0.1:{port}/")
    try:
        async with on_air(Destination("home", ingest.url, KeySource(file=str(file)))) as show:
            await show.until(lambda: show.status("home").state == "refused", "refusal", 10)
            await asyncio.sleep(3)
            assert asked == ["live_wrong_key"] * 2, "again once, since it may have been a fault, then seldom"
            assert show.told("home")[-1] is False
            assert "is the key right?" in show.news[-1][1].text
            assert "wrong_key" not in repr(show.news) + repr(show.publishers.statuses)
        file.write_text(KEY)
        async with on_air(Destination("home", ingest.url, KeySource(file=str(file)))) as show:
            await show.live("home")
    finally:
        ingest.close()
        await runner.cleanup()


async def test_a_key_that_is_not_there_is_told_of_as_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A_KEY")
    async with on_air(to("rtmp://127.0.0.1:1/live")) as show:
        await show.until(lambda: show.status("home").state == "refused", "refusal", 5)
        assert "A_KEY, which is not set" in show.news[0][1].text


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 4000, "speaks no RTMP"),
        (b"", "ended the connection"),
        (b"\x03" + bytes(1536 * 2) + b"\xff" * 5000, "no RTMP"),
        (b"\x03" + bytes(1536 * 2), "ended the connection"),
    ],
)
async def test_what_listens_there_and_is_no_ingest_is_told_of(answer: bytes, told: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.write_eof()
        # Closed with something unread, the connection would be reset instead of ended.
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with on_air(to(f"rtmp://127.0.0.1:{port}/live")) as show:
        await show.until(lambda: show.news != [], "word")
        assert told in show.news[0][1].text
    server.close()


async def test_an_ingest_that_never_answers_is_told_of() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with on_air(to(f"rtmp://127.0.0.1:{silent.getsockname()[1]}/live")) as show:
            took_s = await show.until(lambda: show.news != [], "word")
            assert "does not answer within 5 s" in show.news[0][1].text
            assert took_s < 10


@pytest.mark.parametrize(
    ("url", "told"),
    [("rtmp://127.0.0.1:{port}/live", "connection refused"), ("rtmp://no-such-host.invalid/live", "no such host")],
)
async def test_an_ingest_that_is_not_there_is_told_of(url: str, told: str) -> None:
    async with on_air(to(url.format(port=free_port()))) as show:
        await show.until(lambda: show.news != [], "word")
        assert told in show.news[0][1].text
        assert show.status("home").state == "retrying"
