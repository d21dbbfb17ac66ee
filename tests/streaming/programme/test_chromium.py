"""A real browser watches the feed: pictures are decoded, sound is heard on the right side, and it may leave."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, async_playwright

from conductor import wire
from streaming.ring import Ring
from tests.fakes_feed import Conversation, RingPlayer, feed_process

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

PAGE = """<!doctype html><video id=v autoplay playsinline></video><script>
async function watch() {
  const peer = window.peer = new RTCPeerConnection();
  const stream = new MediaStream();
  peer.ontrack = event => { stream.addTrack(event.track); v.srcObject = stream; };
  for (const kind of ['video', 'audio']) peer.addTransceiver(kind, {direction: 'recvonly'});
  const offer = await peer.createOffer();
  // Without stereo=1 the left hand is heard in both ears.
  offer.sdp = offer.sdp.replace('useinbandfec=1', 'useinbandfec=1;stereo=1');
  await peer.setLocalDescription(offer);
  while (peer.iceGatheringState !== 'complete') await new Promise(done => setTimeout(done, 5));
  const began = performance.now();
  window.first = new Promise(done => v.requestVideoFrameCallback(() => done(performance.now() - began)));
  const answer = await (await fetch('/offer', {method: 'POST', body: peer.localDescription.sdp})).json();
  if (answer.error) throw new Error(answer.error);
  await peer.setRemoteDescription({type: 'answer', sdp: answer.sdp});
}
async function stats() {
  const found = {};
  for (const report of (await peer.getStats()).values())
    if (report.type === 'inbound-rtp') found[report.kind] = report;
  return found;
}
async function sides() {
  const context = new AudioContext();
  const splitter = context.createChannelSplitter(2);
  context.createMediaStreamSource(v.srcObject).connect(splitter);
  const meters = [0, 1].map(side => {
    const meter = context.createAnalyser(); meter.fftSize = 8192; splitter.connect(meter, side); return meter; });
  const peaks = [0, 0], samples = new Float32Array(8192);
  for (let i = 0; i < 30; i++) {
    await new Promise(done => setTimeout(done, 50));
    meters.forEach((meter, side) => { meter.getFloatTimeDomainData(samples);
      peaks[side] = Math.max(peaks[side], ...samples.map(Math.abs)); });
  }
  return peaks;
}
</script>"""


@pytest.fixture
def run() -> Iterator[Path]:
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="feed") as folder:
        ring = Ring.create(Path(folder) / "programme.ring")
        with feed_process(Path(folder), "--stamp"), RingPlayer(ring):
            yield Path(folder)
        ring.close()


@pytest.fixture
async def talk(run: Path) -> AsyncIterator[Conversation]:
    conversation = await Conversation.begin(run)
    yield conversation
    await conversation.end()


@pytest.fixture
async def site(talk: Conversation) -> AsyncIterator[str]:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def offer(request: web.Request) -> web.Response:
        talk.link.send(wire.Offer("1", await request.text()))
        answer = await talk.next(wire.Answer)
        return web.json_response({"sdp": answer.sdp, "error": answer.error})

    app = web.Application()
    app.add_routes([web.get("/", page), web.post("/offer", offer)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        yield launched
        await launched.close()


async def watch(browser: Browser, site: str) -> Page:
    page = await browser.new_page()
    await page.goto(site)
    await page.evaluate("watch()")
    return page


async def test_chromium_decodes_pictures_and_hears_both_sides(browser: Browser, site: str, talk: Conversation) -> None:
    page = await watch(browser, site)
    first_ms = await asyncio.wait_for(page.evaluate("first"), 15)
    before = await page.evaluate("stats()")
    left, right = await page.evaluate("sides()")
    await asyncio.sleep(1.0)
    after = await page.evaluate("stats()")
    print(f"first picture after {first_ms:.0f} ms; {after['video']}")
    assert after["video"]["framesDecoded"] - before["video"]["framesDecoded"] > 30
    assert (after["video"]["frameWidth"], after["video"]["frameHeight"]) == (640, 360)
    assert after["video"]["packetsLost"] == after["audio"]["packetsLost"] == 0
    assert after["audio"]["totalAudioEnergy"] > before["audio"]["totalAudioEnergy"]
    assert left > 0.2
    assert right < 0.1 * left
    await talk.next(wire.FeedStatus, lambda status: status.viewers == 1)


async def test_viewers_come_and_go(browser: Browser, site: str, talk: Conversation) -> None:
    pages = [await watch(browser, site) for _ in range(2)]
    for page in pages:
        await asyncio.wait_for(page.evaluate("first"), 15)
    await talk.next(wire.FeedStatus, lambda status: status.viewers == 2, 3)
    await pages[0].evaluate("peer.close()")
    await talk.next(wire.FeedStatus, lambda status: status.viewers == 1, 10)
    before = (await pages[1].evaluate("stats()"))["video"]["framesDecoded"]
    await asyncio.sleep(0.5)
    assert (await pages[1].evaluate("stats()"))["video"]["framesDecoded"] > before


async def test_a_viewer_that_vanishes_without_a_word_is_forgotten(
    browser: Browser, site: str, talk: Conversation
) -> None:
    page = await watch(browser, site)
    await asyncio.wait_for(page.evaluate("first"), 15)
    session = await browser.new_browser_cdp_session()
    processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
    # The network of Chromium is in a process of its own; stopped, it falls silent without closing anything.
    stopped = [int(process["id"]) for process in processes if process["type"] in ("utility", "renderer")]
    assert stopped
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        await talk.next(wire.FeedStatus, lambda status: status.viewers == 0, 10)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


async def test_an_offer_that_is_none_gets_a_reason(talk: Conversation) -> None:
    talk.link.send(wire.Offer("7", "v=0\r\nnonsense"))
    answer = await talk.next(wire.Answer)
    assert (answer.request_id, answer.sdp) == ("7", "")
    assert "offer" in answer.error
    assert (await talk.next(wire.FeedStatus)).viewers == 0
