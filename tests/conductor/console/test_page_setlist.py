"""The setlist's editor on the console's page: mistakes where they are, and nothing is played before it is taken up."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import expect

from conductor.cues import Phase
from tests.conductor.console.browsing import cue, needs_chromium, page_of
from tests.conductor.show.test_show import running

pytestmark = needs_chromium

TWO = """cues:
  - {id: one, name: Dawn, style: bach, duration: 3m}
  - {id: two, name: Dusk, style: jazz, duration: 40s}"""


async def test_a_mistake_is_shown_in_its_line_and_cannot_be_saved(tmp_path: Path) -> None:
    async with running(tmp_path, TWO, player="--speed 1") as it, page_of(it) as page:
        await it.until(lambda: it.phase("one") is Phase.LIVE)
        text = it.show.setlist.path.read_text()
        column = text.splitlines()[4].index("jazz") + 1
        await page.keyboard.press("o")
        await expect(page.locator("#setlist-head")).to_have_text("show.yaml")
        await expect(page.locator("#setlist-text")).to_have_value(text)
        await expect(page.locator("#setlist-state")).to_have_text("As it is played.")
        await page.fill("#setlist-text", text.replace("jazz", "jaz"))
        await expect(page.locator("#setlist-mistakes li")).to_have_count(1)
        await expect(page.locator("#setlist-mistakes li")).to_contain_text(
            f'5:{column} style: the style "jaz" is unknown'
        )
        wrong = page.locator("#setlist-under .bad")
        await expect(wrong).to_contain_text("id: two")
        await expect(wrong.locator("mark")).to_have_text("jaz,")
        await expect(page.locator("#setlist-save")).to_be_disabled()
        # The mistake leads to its place.
        await page.click("#setlist-mistakes button")
        assert await page.evaluate("document.activeElement.selectionStart") == text.index("jazz")
        await page.keyboard.press("Control+s")
        assert it.show.setlist.path.read_text() == text


async def test_what_is_saved_waits_until_it_is_taken_up_and_can_be_undone(tmp_path: Path) -> None:
    async with running(tmp_path, TWO, player="--speed 1") as it, page_of(it) as page:
        await it.until(lambda: it.phase("two") is Phase.ARMED)
        text = it.show.setlist.path.read_text()
        await page.keyboard.press("o")
        await expect(page.locator("#setlist-text")).to_have_value(text)
        await page.fill("#setlist-text", text + "  - {id: three, name: Night, style: chopin}\n")
        await expect(page.locator("#setlist-news li")).to_have_text("+ 3 Night")
        await page.keyboard.press("Control+s")
        await expect(page.locator("#setlist-state")).to_have_text("Saved; taken up it would be different:")
        assert "Night" in it.show.setlist.path.read_text()
        await expect(page.locator("#cues li")).to_have_count(2)
        await expect(page.locator("#editor")).to_have_text("Setlist: 1 new")
        await page.keyboard.press("Control+Enter")
        await expect(page.locator("#setlist-sheet")).to_be_hidden()
        await expect(cue(page, "three")).to_contain_text("Night")
        await expect(page.locator("#editor")).to_have_text("Setlist")
        await page.keyboard.press("z")
        await expect(cue(page, "three")).to_have_count(0)


async def test_a_file_that_was_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    async with running(tmp_path, TWO, player="--speed 1") as it, page_of(it) as page:
        await it.until(lambda: it.phase("one") is Phase.LIVE)
        path = it.show.setlist.path
        text = path.read_text()
        await page.keyboard.press("o")
        await expect(page.locator("#setlist-text")).to_have_value(text)
        theirs = text.replace("Dusk", "Twilight")
        path.write_text(theirs)
        await page.fill("#setlist-text", text.replace("Dusk", "Evening"))
        await expect(page.locator("#setlist-save")).to_be_enabled()
        await page.click("#setlist-save")
        await expect(page.locator("#setlist-state")).to_have_text("show.yaml is another by now: read it again")
        assert path.read_text() == theirs
        await page.click("#setlist-again")
        await expect(page.locator("#setlist-text")).to_have_value(theirs)
