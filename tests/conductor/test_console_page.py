"""The console's page in a real browser: what it shows, and one press is one GO."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from conductor.cues import Phase
from tests.conductor.test_show import PATIENCE_S, running

CHROMIUM = Path("/usr/bin/chromium")
HOLDS = (
    "cues: [{id: one, name: Dawn, style: bach, duration: 30s, follow: hold, notes: after the bell},"
    " {id: two, name: Dusk, style: jazz, duration: 30s, follow: hold}]"
)


@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium")
async def test_the_page_shows_the_show_and_space_is_go(tmp_path: Path) -> None:
    async with running(tmp_path, HOLDS, player="--speed 1") as it, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 390, "height": 844})
        page.set_default_timeout(PATIENCE_S * 1000)
        expect.set_options(timeout=PATIENCE_S * 1000)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(it.url)
        await expect(page.locator("#title")).to_have_text("Trial")
        await expect(page.locator("#next-name")).to_have_text("1 Dawn")
        await expect(page.locator("#next-notes")).to_have_text("after the bell")
        await it.until(lambda: it.phase("two") is Phase.READY)
        await expect(page.locator("#go-why")).to_have_text("start Dawn")

        # Two presses in the time of a slip of the finger: one piece starts, the other press is told why not.
        await page.keyboard.press("Space")
        await page.keyboard.press("Space")
        await expect(page.locator("#air-name")).to_have_text("Dawn")
        await expect(page.locator("#say")).to_contain_text("go: ")
        assert it.phase("two") is Phase.ARMED
        await expect(page.locator("#air-left")).to_contain_text("of 0:30")
        await expect(page.locator("#lufs")).to_contain_text("LUFS")
        await expect(page.locator("#log a")).to_have_count(1)

        await page.click("#hold")
        await expect(page.locator("#hold")).to_have_text("Release")
        await page.click("#fade")
        await expect(page.locator("#air-head")).to_have_text("On air, fading")
        # Nothing is wider than a phone.
        assert await page.evaluate("document.documentElement.scrollWidth") == 390
        assert errors == []
        await browser.close()


@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium")
async def test_what_is_on_air_is_changed_from_the_page(tmp_path: Path) -> None:
    text = "cues: [{id: one, name: Dawn, style: bach, duration: 3m}]"
    show = running(tmp_path, text, player="--speed 1", composer="--seconds 1")
    async with show as it, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = await browser.new_page()
        expect.set_options(timeout=PATIENCE_S * 1000)
        await page.goto(it.url)
        await expect(page.locator("#air-name")).to_have_text("Dawn")
        await page.fill("#change-style", "chopan")
        await page.click("#change button")
        await expect(page.locator("#say")).to_contain_text("did you mean chopin?")
        await page.fill("#change-style", "jazz")
        await page.fill("#change-with", "piano, bass")
        await page.select_option("#change-energy", "high")
        await page.click("#change button")
        await expect(page.locator("#air-about")).to_contain_text("changing from bar")
        await expect(page.locator("#change-style")).to_have_value("")
        await expect(page.locator("#log")).to_contain_text("style jazz, instruments piano bass, energy 100")
        await expect(page.locator("#air-about")).not_to_contain_text("from bar")
        await browser.close()
