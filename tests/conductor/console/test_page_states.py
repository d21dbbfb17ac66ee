"""Every state of a cue has its word on the console's page, to the last."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import expect

from conductor.cues import Phase
from tests.conductor.console.browsing import cue, needs_chromium, page_of
from tests.conductor.show.test_show import running

pytestmark = needs_chromium


async def test_the_end_of_a_piece_and_of_the_list_is_told_in_words_and_colour(tmp_path: Path) -> None:
    text = "cues: [{id: one, name: Dawn, style: bach, duration: 48s, follow: hold}]"
    async with running(tmp_path, text, player="--speed 6") as it, page_of(it) as page:
        await expect(page.locator("#go-why")).to_have_text("start Dawn")
        await page.keyboard.press("Space")
        left, word = page.locator("#air-left"), page.locator("#air-word")
        await expect(word).to_have_text("left")
        calm = await left.evaluate("node => getComputedStyle(node).color")
        await expect(word).to_have_text("ends soon")
        soon = await left.evaluate("node => getComputedStyle(node).color")
        await expect(word).to_have_text("ends")
        last = await left.evaluate("node => getComputedStyle(node).color")
        assert len({calm, soon, last}) == 3
        await expect(cue(page, "one").locator(".badge")).to_have_text("– aired")
        await expect(page.locator("#air-name")).to_have_text("The setlist is over")
        await expect(page.locator("#next-name")).to_have_text("Nothing to come")
        await expect(page.locator("#safe-word")).to_have_text("Nothing to GO to")
        await page.keyboard.press("Space")
        await expect(page.locator("#say")).to_have_text("GO refused: nothing is to come")


async def test_a_cue_that_cannot_be_composed_tells_why(tmp_path: Path) -> None:
    text = "cues: [{id: one, name: Dawn, style: bach, duration: 20s, follow: hold}]"
    async with running(tmp_path, text, composer="--fail 99 --seconds 1") as it, page_of(it) as page:
        await expect(page.locator("#next-about")).to_contain_text(re.compile(r"\(try [23]\)"))
        await expect(cue(page, "one").locator(".badge")).to_have_text("✕ failed")
        await expect(cue(page, "one")).to_contain_text("the muse is silent")
        await expect(page.locator("#alert-list")).to_contain_text("Dawn: the muse is silent")
        assert it.phase("one") is Phase.FAILED


async def test_what_was_on_air_comes_back_and_what_plays_is_skipped(tmp_path: Path) -> None:
    text = (
        "cues: [{id: one, name: Dawn, style: bach, duration: 60s}, {id: two, name: Dusk, style: jazz, duration: 60s}]"
    )
    async with running(tmp_path, text, player="--speed 1") as it, page_of(it) as page:
        await it.until(lambda: it.phase("two") is Phase.ARMED)
        # A key counts from when the page knows of the show.
        await expect(page.locator("#lamp-text")).to_have_text("On air")
        await expect(page.locator("#next-name")).to_contain_text("Dusk")
        await page.keyboard.press("s")
        await expect(cue(page, "one").locator(".badge")).to_have_text("– aired")
        await expect(page.locator("#air-name")).to_have_text("Dusk")
        await page.keyboard.press("b")
        await expect(page.locator("#next-name")).to_contain_text("Dawn")
        await page.keyboard.press("f")
        await expect(page.locator("#lamp-text")).to_have_text("Fading")
        await expect(page.locator("#lamp-text")).to_have_text("The bed")
        await expect(page.locator("#air-about")).to_have_text("on hold: nothing starts by itself")
