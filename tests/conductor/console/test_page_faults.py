"""The console's page when something is wrong: panic, alerts that stay, a conductor that is gone."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from playwright.async_api import expect

from conductor.console.server import Console
from conductor.cues import Phase
from tests.conductor.console.browsing import needs_chromium, page_of
from tests.conductor.show.test_show import Running, free_port, running

pytestmark = needs_chromium

LIVE = "cues: [{id: one, name: Dawn, style: bach, duration: 3m}, {id: two, name: Dusk, style: jazz, duration: 40s}]"


async def test_escape_fades_to_the_bed_and_a_second_one_cuts_to_it(tmp_path: Path) -> None:
    async with running(tmp_path, LIVE, player="--speed 1") as it, page_of(it) as page:
        await expect(page.locator("#air-name")).to_have_text("Dawn")
        await page.keyboard.press("Escape")
        await expect(page.locator("#panic")).to_have_text("Cut")
        await expect(page.locator("#hold")).to_have_text("Release")
        await page.keyboard.press("Escape")
        await expect(page.locator("#lamp-text")).to_have_text("Panic: the bed")
        await expect(page.locator("#air-about")).to_have_text("on hold: nothing starts by itself")
        assert [e for e in it.events() if e[0] == "panic"] == [("panic", ""), ("panic", "")]
        await page.keyboard.press("h")
        await expect(page.locator("#panic")).to_have_text("Panic")


async def test_escape_in_a_sheet_or_a_field_is_no_panic(tmp_path: Path) -> None:
    async with running(tmp_path, LIVE, player="--speed 1") as it, page_of(it) as page:
        await expect(page.locator("#air-name")).to_have_text("Dawn")
        await page.keyboard.press("?")
        await expect(page.locator("#help-keys")).to_contain_text("panic: fade to the bed; again: cut to it")
        await page.keyboard.press("Escape")
        await expect(page.locator("#help-sheet")).to_be_hidden()
        await page.keyboard.press("g")
        await page.keyboard.press("Escape")
        # Neither is GO in a field.
        await page.keyboard.press("g")
        await page.keyboard.press("Space")
        await expect(page.locator("#change-style")).to_have_value(" ")
        assert not [e for e in it.events() if e[0] in ("panic", "go")]
        assert not it.show.state.panicked


async def test_what_went_wrong_is_told_until_it_was_seen(tmp_path: Path) -> None:
    async with running(tmp_path, LIVE, player="--speed 1") as it, page_of(it) as page:
        await it.until(lambda: it.phase("two") is Phase.ARMED)
        await expect(page.locator("#alerts")).to_be_hidden()
        pid = it.show.crew.workers["composer"].pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        alert = page.locator("#alert-list li").filter(has_text="composer:")
        await expect(alert).to_contain_text("Restarted")
        await it.until(lambda: it.show.crew.workers["composer"].up)
        await expect(page.locator("#outputs")).to_contain_text("up, restarted 1×")
        # It is there again, and still told; also to a page that is opened only now.
        await page.reload()
        await expect(alert).to_be_visible()
        await page.keyboard.press("c")
        await expect(alert).to_have_count(0)
        await page.reload()
        await expect(page.locator("#run")).to_contain_text("composer")
        await expect(page.locator("#alerts")).to_be_hidden()


@contextlib.asynccontextmanager
async def another(it: Running) -> AsyncIterator[Console]:
    """Serve a second console of a show, which can be stopped; pages are opened there."""
    it.show.options = replace(it.show.options, port=free_port())
    console = Console(it.show)
    it.url = await console.start()
    yield console
    await console.stop()


async def test_a_console_that_is_gone_is_told_and_found_again(tmp_path: Path) -> None:
    async with running(tmp_path, LIVE, player="--speed 1") as it, another(it) as console, page_of(it) as page:
        await expect(page.locator("#air-name")).to_have_text("Dawn")
        await expect(page.locator("#gone")).to_be_hidden()
        await console.stop()
        await expect(page.locator("#gone")).to_contain_text("cannot be reached")
        await page.keyboard.press("h")
        await expect(page.locator("#say")).to_have_text("hold: the conductor cannot be reached")
        # What comes back is another console: its numbers are others.
        again = Console(it.show)
        await again.start()
        try:
            await expect(page.locator("#gone")).to_be_hidden()
            await page.keyboard.press("h")
            await expect(page.locator("#hold")).to_have_text("Release")
        finally:
            await again.stop()


async def test_a_setlist_with_a_mistake_is_told_as_long_as_it_has_it(tmp_path: Path) -> None:
    async with running(tmp_path, LIVE, player="--speed 1") as it, page_of(it) as page:
        await it.until(lambda: it.phase("one") is Phase.LIVE)
        path = it.show.setlist.path
        good = path.read_text()
        path.write_text(good.replace("style: jazz", "stile: jazz"))
        alert = page.locator("#alert-list li")
        await expect(alert).to_contain_text('unknown key "stile"')
        await expect(page.locator("#editor")).to_have_text("Setlist: mistakes")
        await page.keyboard.press("c")
        await expect(alert).to_have_count(0)
        path.write_text(good)
        await expect(page.locator("#editor")).to_have_text("Setlist")
        # The same mistake again is news again.
        path.write_text(good.replace("style: jazz", "stile: jazz"))
        await expect(alert).to_contain_text('unknown key "stile"')
