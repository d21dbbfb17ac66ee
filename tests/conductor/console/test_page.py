"""The console's page: it shows the show, one press is one GO, and what plays can be changed."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import expect

from conductor.cues import Phase
from tests.conductor.console.browsing import PHONE, cue, needs_chromium, page_of
from tests.conductor.show.test_show import running

pytestmark = needs_chromium

HOLDS = (
    "cues: [{id: one, name: Dawn, style: bach, duration: 30s, follow: hold, notes: after the bell},"
    " {id: two, name: Dusk, style: jazz, duration: 30s, follow: hold},"
    " {id: three, name: Night, style: jazz, duration: 30s}]"
)


async def test_the_page_shows_the_show_and_space_is_go(tmp_path: Path) -> None:
    async with running(tmp_path, HOLDS, player="--speed 1") as it, page_of(it, PHONE) as page:
        await expect(page.locator("#next-name")).to_have_text("1  Dawn")
        await expect(page.locator("#next-notes")).to_have_text("after the bell")
        await it.until(lambda: it.phase("one") is Phase.ARMED and it.phase("two") is Phase.READY)
        await expect(page.locator("#go-why")).to_have_text("start Dawn")
        await expect(page.locator("#safe-word")).to_have_text("GO safe")
        await expect(page.locator("#roll")).to_have_attribute("aria-label", "Dawn: 118 notes for piano, 0:30")

        # Two presses in the time of a slip of the finger: one piece starts, the other press is told why not.
        await page.keyboard.press("Space")
        await page.keyboard.press("Space")
        await expect(page.locator("#say")).to_contain_text("GO refused: GO was just given")
        await expect(page.locator("#air-name")).to_have_text("Dawn")
        await expect(page.locator("#lamp")).to_have_text("On air")
        assert it.phase("two") in (Phase.READY, Phase.ARMED)
        await expect(cue(page, "one").locator(".badge")).to_have_text("● on air")
        await expect(cue(page, "two").locator(".badge")).to_have_text("▶ standby")
        await expect(page.locator("#lufs")).to_contain_text("LUFS")
        await expect(page.locator("#run a")).to_have_count(1)

        await page.click("#hold")
        await expect(page.locator("#hold")).to_have_text("Release")
        await page.click("#fade")
        await expect(page.locator("#air-head")).to_have_text("On air, fading")
        # Nothing is wider than a phone.
        assert await page.evaluate("document.documentElement.scrollWidth") == PHONE[0]


async def test_a_held_space_bar_is_one_go(tmp_path: Path) -> None:
    async with running(tmp_path, HOLDS, player="--speed 1") as it, page_of(it) as page:
        await it.until(lambda: it.phase("one") is Phase.ARMED and it.phase("two") is Phase.READY)
        await expect(page.locator("#go-why")).to_have_text("start Dawn")
        # What the keyboard sends while the key stays down.
        for _ in range(8):
            await page.keyboard.down("Space")
            await page.wait_for_timeout(100)
        await expect(page.locator("#air-name")).to_have_text("Dawn")
        await expect(page.locator("#go-why")).to_have_text("start Dusk")
        await page.keyboard.up("Space")
        await page.keyboard.press("Space")
        await expect(page.locator("#air-name")).to_have_text("Dusk")
        assert [e for e in it.events() if e[0] == "go"] == [("go", ""), ("go", "")]


async def test_a_go_that_cannot_be_is_refused_with_its_reason(tmp_path: Path) -> None:
    text = "cues: [{id: one, name: Dawn, style: bach, duration: 30s, follow: hold}]"
    async with running(tmp_path, text, composer="--seconds 20") as it, page_of(it) as page:
        await it.until(lambda: it.phase("one") is Phase.COMPOSING)
        await expect(page.locator("#safe-word")).to_have_text("No GO yet")
        await expect(page.locator("#go-why")).to_have_text("Dawn is being composed")
        await page.keyboard.press("Space")
        await expect(page.locator("#go")).to_have_class("wait no")
        await expect(page.locator("#say")).to_contain_text("GO refused: Dawn is still being composed")
        await expect(page.locator("#next-line")).to_have_attribute("aria-valuenow", re.compile("25|50|75"))
        await expect(cue(page, "one").locator(".badge")).to_have_text(re.compile("◔ (25|50|75) %"))


async def test_what_is_on_air_is_changed_from_the_page(tmp_path: Path) -> None:
    text = "cues: [{id: one, name: Dawn, style: bach, duration: 3m}]"
    show = running(tmp_path, text, player="--speed 1", composer="--seconds 1")
    async with show as it, page_of(it) as page:
        await expect(page.locator("#air-name")).to_have_text("Dawn")
        # By keyboard alone.
        await page.keyboard.press("g")
        await page.keyboard.type("chopan")
        await page.keyboard.press("Enter")
        await expect(page.locator("#say")).to_contain_text("did you mean chopin?")
        await page.fill("#change-style", "jazz")
        await page.fill("#change-with", "piano, bass")
        await page.select_option("#change-energy", "high")
        await page.locator("#change-style").press("Enter")
        await expect(page.locator("#change-state")).to_contain_text("from bar")
        await expect(page.locator("#change-style")).to_have_value("")
        await expect(page.locator("#run")).to_contain_text("style jazz, instruments piano bass, energy 100")
        await expect(page.locator("#change-state")).to_have_text("")
