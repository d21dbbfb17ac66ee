"""The console's page for everybody: by axe's rules, in both themes and sizes, and with single keys switched off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from conductor.cues import Phase
from tests.conductor.console.browsing import DESK, PHONE, Scheme, needs_chromium, page_of
from tests.conductor.show.test_show import running

pytestmark = needs_chromium

LIST = (
    "cues: [{id: one, name: Dawn, style: bach, duration: 3m, notes: slowly},"
    " {id: two, name: Dusk, style: jazz, duration: 40s, follow: hold},"
    " {id: three, name: Night, style: jazz, duration: 50s}]\nendless: {styles: {jazz: 1}}"
)


async def findings(page: Page) -> list[str]:
    """Return what axe finds of the page as it is now, each with the places."""
    # Half of a fade is another colour.
    await page.wait_for_timeout(400)
    found: Any = (await Axe().run(page)).response["violations"]
    assert isinstance(found, list)
    return [
        f"{one['impact']} {one['id']}: {', '.join(str(node['target']) for node in one['nodes'][:4])}" for one in found
    ]


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", [DESK, PHONE])
async def test_axe_finds_nothing(tmp_path: Path, size: tuple[int, int], scheme: Scheme) -> None:
    show = running(tmp_path, LIST, player="--speed 1", composer="--candidates --seconds 0.5")
    async with show as it, page_of(it, size, scheme) as page:
        await it.until(lambda: it.phase("two") is Phase.ARMED)
        await expect(page.locator("#takes li")).to_have_count(3)
        assert await findings(page) == []
        # Refused, on hold, selected, with an alert.
        await page.evaluate("document.activeElement.blur()")
        for key in ("h", "ArrowDown", "ArrowDown"):
            await page.keyboard.press(key)
        await page.keyboard.press("b")
        await expect(page.locator("#hold")).to_have_text("Release")
        assert await findings(page) == []
        for key, sheet in (("?", "help"), ("e", "cue"), ("o", "setlist")):
            await page.keyboard.press(key)
            await expect(page.locator(f"#{sheet}-sheet")).to_be_visible()
            assert await findings(page) == []
            await page.keyboard.press("Escape")
            await expect(page.locator(f"#{sheet}-sheet")).to_be_hidden()
        assert await page.evaluate("document.documentElement.scrollWidth") <= size[0]


async def test_the_theme_is_the_systems_until_somebody_chooses(tmp_path: Path) -> None:
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    async with running(tmp_path, LIST) as it, page_of(it, scheme="light") as page:
        light = await page.evaluate(ground)
        await page.keyboard.press("d")
        dark = await page.evaluate(ground)
        assert dark != light
        await page.reload()
        await expect(page.locator("#title")).to_have_text("Trial")
        assert await page.evaluate(ground) == dark


async def test_with_single_keys_off_a_letter_does_nothing_and_space_presses_what_has_the_focus(tmp_path: Path) -> None:
    async with running(tmp_path, LIST, player="--speed 1") as it, page_of(it) as page:
        await it.until(lambda: it.phase("two") is Phase.ARMED)
        await page.keyboard.press("?")
        await page.locator("#keys-on").press("Space")
        await page.keyboard.press("Escape")
        await expect(page.locator("#help-sheet")).to_be_hidden()
        await page.keyboard.press("h")
        await page.locator("#lock").press("Space")
        await expect(page.locator("#lock")).to_have_text("Locked")
        assert not it.show.state.held
        assert not [e for e in it.events() if e[0] == "go"]


async def test_tab_reaches_every_control_that_can_be_used(tmp_path: Path) -> None:
    async with running(tmp_path, LIST, player="--speed 1", composer="--candidates") as it, page_of(it) as page:
        await it.until(lambda: it.phase("two") is Phase.ARMED)
        await expect(page.locator("#takes li")).to_have_count(3)
        seen: set[str] = set()
        for _ in range(80):
            await page.keyboard.press("Tab")
            seen.add(await page.evaluate("document.activeElement.id || document.activeElement.ariaLabel || ''"))
        wanted = {
            "lock",
            "editor",
            "theme",
            "help",
            "change-style",
            "change-do",
            "Take candidate 1",
            "go",
            "hold",
            "skip",
        }
        wanted |= {
            "back",
            "fade",
            "panic",
            "cue-edit",
            "cue-again",
            "cue-regenerate",
            "cue-out",
            "cue-insert",
            "endless",
        }
        assert wanted <= seen
        # The list is one stop; arrows go on from there.
        assert await page.locator("#cues button[tabindex='0']").count() == 1
