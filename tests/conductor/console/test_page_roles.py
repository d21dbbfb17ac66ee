"""The console's page for operators who log in: what they may not do cannot be pressed, and is refused by the server."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Page, expect

from conductor.cues import Phase
from tests.conductor.console.browsing import needs_chromium, page_of
from tests.conductor.console.stage import PASSWORD, consoled, operators_file

pytestmark = needs_chromium


async def log_in(page: Page, name: str) -> None:
    await page.fill("#name", name)
    await page.fill("#password", PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator("#title")).to_have_text("Trial")


async def test_who_may_only_look_cannot_press_go(tmp_path: Path) -> None:
    operators = operators_file(tmp_path, vera="view", carl="control")
    async with consoled(tmp_path, operators=operators) as it, page_of(it, log_in=False) as page:
        await it.until(lambda: it.phase("one") is Phase.ARMED)
        await log_in(page, "vera")
        await expect(page.locator("#who")).to_have_text("vera (view): log out")
        assert await page.locator("#go").evaluate("button => button.inert")
        assert not await page.locator("#editor").evaluate("button => button.inert")
        await page.keyboard.press("Space")
        await expect(page.locator("#say")).to_contain_text("GO refused: ")
        assert it.phase("one") is Phase.ARMED

        await page.click("#who")
        await log_in(page, "carl")
        await expect(page.locator("#who")).to_have_text("carl (control): log out")
        assert await page.locator("#cue-insert").evaluate("button => button.inert")
        await page.keyboard.press("Space")
        await expect(page.locator("#lamp-text")).to_have_text("On air")
        await expect(page.locator("#run")).to_contain_text("go carl via console")
