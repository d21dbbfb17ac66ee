"""A browser that plays a show by its console's player and keeps count, so that a gap is seen afterwards."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from playwright.async_api import Browser, Page, async_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

# Time in s, samples of sound that came (not what was made up for them), pictures decoded; a new connection begins at 0.
_COUNT = """() => {
  window.counts = [];
  setInterval(async () => {
    let sound = 0, pictures = 0;
    for (const report of (await player.peer.getStats()).values()) if (report.type === 'inbound-rtp') {
      if (report.kind === 'audio') sound = report.totalSamplesReceived - report.concealedSamples;
      else pictures = report.framesDecoded || 0;
    }
    counts.push([Date.now() / 1000, sound, pictures]);
  }, 50);
}"""


_PLAY = """() => {
  const video = document.createElement("video");
  document.body.append(video);
  window.player = new Player(video);
  player.start();
}"""


async def play(browser: Browser, url: str) -> Page:
    """Have the console's player play a show, aloud: what is not heard is not counted.

    Args:
        browser: that plays it.
        url: of the console.
    """
    page = await browser.new_page()
    # A page of the console's own, without all that is on its first one.
    await page.goto(f"{url}/player.js")
    await page.add_script_tag(url=f"{url}/player.js")
    await page.evaluate(_PLAY)
    return page


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start headless Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        yield browser
        await browser.close()


@dataclass(frozen=True, slots=True)
class Counts:
    """What a browser counted.

    Attributes:
        times_s: of the wall clock, [n].
        sound, pictures: counted until then, [n].
    """

    times_s: NDArray[np.float64]
    sound: NDArray[np.float64]
    pictures: NDArray[np.float64]

    def gap_s(self, what: NDArray[np.float64], begin_s: float, end_s: float) -> float:
        """Return the longest time without anything new, of all that reach into a span of the wall clock."""
        came = self.times_s[1:][np.diff(what) != 0]
        gaps = [b - a for a, b in pairwise(came) if b > begin_s and a < end_s]
        return max(gaps, default=end_s - begin_s)


class Watcher:
    """A page at a console."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def counts(self) -> Counts:
        """Return all that was counted so far."""
        return Counts(*np.array(await self._page.evaluate("counts")).T)

    async def plays(self) -> bool:
        """Return whether pictures came in the last second."""
        pictures = [row[2] for row in await self._page.evaluate("counts.slice(-20)")]
        return len(pictures) == 20 and pictures[-1] > pictures[0]


@asynccontextmanager
async def watching(url: str) -> AsyncIterator[Watcher]:
    """Play a show in headless Chromium, from its console."""
    async with chromium() as browser:
        page = await play(browser, url)
        await page.evaluate(_COUNT)
        yield Watcher(page)
