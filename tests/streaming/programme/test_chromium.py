"""A real browser watches by the console's own player: pictures, sound on the right side, and again after a fall."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.async_api import Browser, Page, async_playwright

from streaming.programme.ice import Watching
from streaming.ring import Ring
from tests.streaming.programme.house import House

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

TOOLS = """
const stats = async () => {
  const found = {};
  for (const report of (await player.peer.getStats()).values())
    if (report.type === 'inbound-rtp') found[report.kind] = report;
  return found;
};
const sides = async () => {
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
};
const until = holds => new Promise(done => {
  const timer = setInterval(() => holds() && (clearInterval(timer), done()), 20); });
// So many pictures: when each is on the screen, in ms, and its number.
const shown = async wanted => {
  const canvas = document.createElement("canvas"), found = [];
  canvas.width = v.videoWidth; canvas.height = v.videoHeight;
  const draw = canvas.getContext("2d", { willReadFrequently: true });
  const square = Math.floor(canvas.width / 16), bottom = Math.max(8, Math.floor(canvas.height / 18) & ~1);
  const look = (_, about) => {
    draw.drawImage(v, 0, 0);
    let index = 0;
    for (let bit = 0; bit < 16; bit++)
      index |= (draw.getImageData(bit * square + square / 2, canvas.height - bottom / 2, 1, 1).data[1] > 128) << bit;
    found.push([performance.timeOrigin + about.expectedDisplayTime, index]);
    v.requestVideoFrameCallback(look);
  };
  v.requestVideoFrameCallback(look);
  await until(() => found.length >= wanted);
  return found;
};
const picture = () => new Promise(done => v.requestVideoFrameCallback(() => done(performance.now())));
"""


@pytest.fixture
async def house(run: Path) -> AsyncIterator[House]:
    async with House(run, Watching(viewers=2), "--stamp").open() as house:
        yield house


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        yield launched
        await launched.close()


async def watch(browser: Browser, house: House) -> Page:
    page = await browser.new_page()
    await page.goto(house.url)
    await page.add_script_tag(content=TOOLS)
    await page.evaluate("player.start()")
    return page


async def seen(page: Page, script: str = "picture()", seconds: float = 15) -> Any:
    return await asyncio.wait_for(page.evaluate(script), seconds)


async def test_thirty_pictures_a_second_and_both_sides_are_heard(browser: Browser, house: House) -> None:
    page = await watch(browser, house)
    await seen(page)
    # The first second is the decoder's.
    await asyncio.sleep(1.0)
    before = await seen(page, "stats()")
    left, right = await page.evaluate("sides()")
    await asyncio.sleep(1.5)
    after = await seen(page, "stats()")
    grown = {key: after["video"][key] - before["video"][key] for key in ("framesDecoded", "timestamp")}
    assert grown["framesDecoded"] / grown["timestamp"] * 1000 == pytest.approx(30, abs=1.5)
    assert (after["video"]["frameWidth"], after["video"]["frameHeight"]) == (640, 360)
    assert after["video"]["packetsLost"] == after["audio"]["packetsLost"] == 0
    assert after["audio"]["totalAudioEnergy"] > before["audio"]["totalAudioEnergy"]
    assert left > 0.2
    assert right < 0.1 * left
    for side in ("localDescription", "remoteDescription"):
        assert "stereo=1" in await page.evaluate(f"player.peer.{side}.sdp"), side
    await house.until(lambda status: status.viewers == 1)


async def test_sound_and_picture_are_played_together_and_soon(browser: Browser, house: House, run: Path) -> None:
    page = await watch(browser, house)
    await seen(page)
    found = await seen(page, "shown(180)", 30)
    stats = await seen(page, "stats()")
    with Ring.open(run / "programme.ring") as ring:
        # The programme's clock on the wall's, as the browser has it.
        zero_s = ring.air_ns / 1e9 + time.time() - time.monotonic()
    late_ms = np.median([at_ms - 1000 * (zero_s + index / 30) for at_ms, index in found])
    # When what is played now was on air, by our reports on both streams.
    apart_ms = stats["video"]["estimatedPlayoutTimestamp"] - stats["audio"]["estimatedPlayoutTimestamp"]
    print(f"Chromium: {late_ms:.0f} ms from index to the screen; sound {apart_ms:+.0f} ms after picture")
    numbers = [index for _, index in found]
    assert numbers == sorted(numbers)
    # Chromium holds the picture back until the sound is there; without our reports it would not know.
    assert abs(apart_ms) < 250


async def test_viewers_come_and_go_and_one_too_many_waits_for_a_place(browser: Browser, house: House) -> None:
    pages = [await watch(browser, house) for _ in range(2)]
    for page in pages:
        await seen(page)
    third = await watch(browser, house)
    await seen(third, "until(() => told.length)")
    assert "2 viewers watch already" in (await third.evaluate("told"))[0][1]
    await house.until(lambda status: status.viewers == 2)
    await pages[0].evaluate("player.stop()")
    await seen(third)
    assert (await house.until(lambda status: status.viewers == 2)).viewers == 2
    before = (await pages[1].evaluate("stats()"))["video"]["framesDecoded"]
    # Whoever stays goes on seeing pictures, however busy the machine is.
    async with asyncio.timeout(15):
        while (await pages[1].evaluate("stats()"))["video"]["framesDecoded"] <= before:
            await seen(pages[1])


async def test_the_picture_moves_again_by_itself_after_the_feed_was_killed(browser: Browser, house: House) -> None:
    page = await watch(browser, house)
    await seen(page)
    killed, began_s = house.worker.pid, time.monotonic()
    os.kill(killed, signal.SIGKILL)
    await seen(page, "until(() => told.some(([, text]) => text))")
    await page.evaluate("told.length = 0")
    await seen(page, "until(() => told.some(([, text]) => !text))")
    await seen(page)
    print(f"the picture moves again after {time.monotonic() - began_s:.1f} s")
    assert house.worker.pid not in (0, killed)
    assert house.worker.restarts == 1
    await house.until(lambda status: status.viewers == 1)


async def test_a_viewer_that_vanishes_without_a_word_is_forgotten(browser: Browser, house: House) -> None:
    page = await watch(browser, house)
    await seen(page)
    session = await browser.new_browser_cdp_session()
    processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
    # The network of Chromium is in a process of its own; stopped, it falls silent without closing anything.
    stopped = [int(process["id"]) for process in processes if process["type"] in ("utility", "renderer")]
    assert stopped
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        await house.until(lambda status: status.viewers == 0, 10)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
