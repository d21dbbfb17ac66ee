"""The console's page in a real browser, beside a show with stand-ins for its workers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import ConsoleMessage, Locator, Page, async_playwright, expect

from tests.conductor.show.test_show import PATIENCE_S, Running

CHROMIUM = Path("/usr/bin/chromium")
needs_chromium = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium")
DESK, PHONE = (1440, 900), (390, 844)
Scheme = Literal["dark", "light"]


@contextlib.asynccontextmanager
async def page_of(
    it: Running, size: tuple[int, int] = DESK, scheme: Scheme = "dark", log_in: bool = True, **context: Any
) -> AsyncIterator[Page]:
    """Open the page of a show; in the end nothing must have gone wrong in it, and nothing been against its policy."""
    wrong: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # The stand-in of the feed has no picture, and some tests stop the server: Chromium writes both down.
        expected = message.text.startswith("Failed to load resource") or "WebSocket connection" in message.text
        if message.type == "error" and not expected:
            wrong.append(message.text)

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        opened = await browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, **context
        )
        page = await opened.new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        expect.set_options(timeout=PATIENCE_S * 1000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", note)
        await page.goto(it.url)
        if log_in:
            await expect(page.locator("#title")).to_have_text(it.show.setlist.title)
        yield page
        await browser.close()
    assert wrong == []


def cue(page: Page, cue_id: str) -> Locator:
    """Return a cue's row in the list."""
    return page.locator(f'#cues li[data-id="{cue_id}"]')


async def order_of(page: Page) -> list[str]:
    """Return the ids of the cues as they are listed."""
    found: list[str] = await page.locator("#cues li").evaluate_all("rows => rows.map(row => row.dataset.id)")
    return found
