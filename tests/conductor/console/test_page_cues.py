"""The list of cues on the console's page: selecting is not standby, and every edit is a key away."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Page, expect

from conductor.cues import Phase
from tests.conductor.console.browsing import cue, needs_chromium, order_of, page_of
from tests.conductor.show.test_show import Running, running

pytestmark = needs_chromium

LIST = (
    "cues: [{id: one, name: Dawn, style: bach, duration: 30s, follow: hold},"
    " {id: two, name: Dusk, style: jazz, duration: 40s, follow: hold},"
    " {id: three, name: Night, style: jazz, duration: 50s}]\n"
    "endless: {styles: {jazz: 1}}"
)


async def picked(page: Page) -> str | None:
    return await page.locator("#cues li.picked").get_attribute("data-id")


async def test_arrows_select_and_enter_makes_standby(tmp_path: Path) -> None:
    async with running(tmp_path, LIST) as it, page_of(it) as page:
        await it.until(lambda: it.phase("one") is Phase.ARMED)
        await expect(cue(page, "one").locator(".badge")).to_have_text("▶ standby")
        assert await picked(page) == "one"
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("ArrowDown")
        assert await picked(page) == "three"
        assert it.show.state.standby is not None
        assert it.show.state.standby.cue.id == "one"
        await page.keyboard.press("ArrowUp")
        await page.keyboard.press("Enter")
        await expect(page.locator("#next-name")).to_contain_text("Dusk")
        await expect(page.locator("#cues li.standby")).to_have_attribute("data-id", "two")
        await expect(page.locator("#undo")).to_be_enabled()
        await page.keyboard.press("z")
        await expect(page.locator("#next-name")).to_contain_text("Dawn")
        await page.keyboard.press("Shift+Z")
        await expect(page.locator("#next-name")).to_contain_text("Dusk")


async def test_cues_are_moved_left_out_and_locked_by_keys(tmp_path: Path) -> None:
    async with running(tmp_path, LIST) as it, page_of(it) as page:
        await it.until(lambda: it.phase("two") is Phase.READY)
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Alt+ArrowDown")
        await expect(page.locator("#cues li").nth(1)).to_have_attribute("data-id", "three")
        assert (await order_of(page))[:3] == ["one", "three", "two"]
        # The selection went with the cue.
        assert await picked(page) == "two"
        await page.keyboard.press("Alt+ArrowUp")
        await expect(page.locator("#cues li").nth(1)).to_have_attribute("data-id", "two")
        await page.keyboard.press("x")
        await expect(cue(page, "two").locator(".badge")).to_have_text("⤼ left out")

        await page.keyboard.press("l")
        await expect(page.locator("#lock")).to_have_text("Locked")
        await expect(page.locator("#cue-insert")).to_be_disabled()
        await page.keyboard.press("Alt+ArrowDown")
        await page.keyboard.press("l")
        await expect(page.locator("#lock")).to_have_text("Lock")
        await expect(page.locator("#endless")).to_have_attribute("aria-pressed", "true")
        await page.keyboard.press("n")
        await expect(page.locator("#endless")).to_have_attribute("aria-pressed", "false")
        assert it.show.state.endless_on is False


async def fill(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        await page.fill(f"#cue-form [name={name}]", value)


async def test_cues_are_put_in_changed_and_repeated_in_a_sheet(tmp_path: Path) -> None:
    async with running(tmp_path, LIST) as it, page_of(it) as page:
        await it.until(lambda: it.phase("one") is Phase.ARMED)
        await page.keyboard.press("i")
        # The first field has the focus: by keyboard alone.
        await page.keyboard.type("Interlude")
        await page.keyboard.press("Tab")
        await page.keyboard.type("jaz")
        await page.keyboard.press("Enter")
        await expect(page.locator("#cue-error")).to_contain_text('"jaz" is unknown')
        await fill(page, style="jazz", duration="20s", at="2")
        await page.keyboard.press("Enter")
        await expect(page.locator("#cue-sheet")).to_be_hidden()
        await expect(page.locator("#cues li").nth(1)).to_contain_text("Interlude")

        await page.keyboard.press("e")
        await expect(page.locator("#cue-head")).to_have_text("Edit: Dawn")
        await expect(page.locator("#cue-form [name=duration]")).to_have_value("30s")
        await fill(page, name="Daybreak", notes="slowly")
        await page.click("#cue-save")
        await expect(page.locator("#next-name")).to_have_text("1  Daybreak")
        await expect(page.locator("#next-notes")).to_have_text("slowly")
        # Its music is the same: nothing of it was touched.
        assert it.phase("one") is Phase.ARMED

        await page.keyboard.press("a")
        await fill(page, style="chopin")
        await page.click("#cue-save")
        await expect(page.locator("#next-about")).to_contain_text("chopin")
        await expect(page.locator("#next-name")).to_contain_text("Daybreak")
        await page.keyboard.press("Control+z")
        await expect(page.locator("#next-about")).to_contain_text("bach")
        seed = slot_seed(it)
        await page.keyboard.press("r")
        await it.until(lambda: slot_seed(it) != seed)


def slot_seed(it: Running) -> int:
    slot = it.show.state.find("one")
    assert slot is not None
    return slot.cue.seed


async def test_candidates_are_heard_in_the_browser_and_taken(tmp_path: Path) -> None:
    async with running(tmp_path, LIST, composer="--candidates") as it, page_of(it) as page:
        await it.until(lambda: it.phase("one") is Phase.ARMED)
        takes = page.locator("#takes li")
        await expect(takes).to_have_count(3)
        await expect(takes.nth(1)).to_contain_text("score 0.50 · chosen")
        # One that must not be played can be listened to, and not taken.
        await expect(takes.nth(2)).to_contain_text("12 bars are those of a training piece")
        await expect(takes.nth(2).get_by_label("Take candidate 3")).to_be_disabled()

        await page.keyboard.press("1")
        await expect(takes.nth(0).get_by_label("Listen to candidate 1")).to_have_text("Stop")
        synth = "async () => (await import('/synth.js')).state()"
        assert await page.evaluate(synth) == {"playing": True, "running": True}
        await expect(page.locator("#roll")).to_have_attribute(
            "aria-label", "candidate 1 of Dawn: 118 notes for flute, 0:30"
        )
        await page.keyboard.press("t")
        await expect(takes.nth(0)).to_contain_text("score 0.40 · chosen")
        await page.keyboard.press("1")
        assert await page.evaluate(synth) == {"playing": False, "running": True}
        slot = it.show.state.find("one")
        assert slot is not None
        assert slot.piece == slot.takes[0].piece
