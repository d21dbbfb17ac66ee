"""Every state of a cue has its word on the console's page, to the last."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import expect

from conductor.cues import Phase
from tests.conductor.console.browsing import cue, needs_chromium, page_of
from tests.conductor.show.test_show import running

pytestmark = needs_chromium

# Notes in each frame which colour the countdown has with which word: a busy machine may look too late from outside.
WATCH = """() => {
    window.colours = {};
    const look = () => {
        const word = document.querySelector("#air-word").textContent;
        window.colours[word] = getComputedStyle(document.querySelector("#air-left")).color;
        requestAnimationFrame(look);
    };
    look();
}"""


async def test_the_end_of_a_piece_and_of_the_list_is_told_in_words_and_colour(tmp_path: Path) -> None:
    text = "cues: [{id: one, name: Dawn, style: bach, duration: 48s, follow: hold}]"
    async with running(tmp_path, text, player="--speed 6") as it, page_of(it) as page:
        await expect(page.locator("#go-why")).to_have_text("start Dawn")
        await page.keyboard.press("Space")
        await page.evaluate(WATCH)
        await expect(cue(page, "one").locator(".badge")).to_have_text("– aired")
        colours = await page.evaluate("colours")
        assert len({colours[word] for word in ("left", "ends soon", "ends")}) == 3
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


# What the list says of a cue in each of its states, and what GO says of it while it is next.
WORDS = {
    Phase.PLANNED: ("○ planned", "waits to be composed"),
    Phase.COMPOSING: ("◔ 40 %", "is being composed"),
    Phase.RECALLING: ("◔ fetched", "is being fetched"),
    Phase.CHECKED: ("◔ loaded", "is being loaded"),
    Phase.READY: ("▶ standby", "start Dawn"),
    Phase.ARMED: ("▶ standby", "start Dawn"),
    Phase.LIVE: ("● on air", ""),
    Phase.AIRED: ("– aired", ""),
    Phase.FAILED: ("✕ failed", ""),
    Phase.SKIPPED: ("⤼ left out", ""),
}
PUT = """async phase => {
    const { show, changed } = await import("/store.js");
    const over = ["live", "aired", "failed", "skipped"].includes(phase);
    Object.assign(show.state.cues[0], { phase, fraction: 0.4 });
    Object.assign(show.state, { standby: over ? null : "one", live: phase === "live" ? "one" : null });
    changed();
}"""


async def test_every_state_has_its_word_and_go_tells_what_it_waits_for(tmp_path: Path) -> None:
    assert WORDS.keys() == set(Phase)
    text = "cues: [{id: one, name: Dawn, style: bach, duration: 40s, follow: hold}]"
    # Some last for a moment only: they are put into the page, which nothing else changes meanwhile.
    async with running(tmp_path, text) as it, page_of(it) as page:
        await expect(page.locator("#go-why")).to_have_text("start Dawn")
        for phase, (badge, why) in WORDS.items():
            await page.evaluate(PUT, str(phase))
            await expect(cue(page, "one").locator(".badge")).to_have_text(badge)
            assert str(phase) in (await cue(page, "one").get_attribute("class") or "")
            await expect(page.locator("#go-why")).to_contain_text(why or "nothing to start")
            waits = "wait" in (await page.locator("#go").get_attribute("class") or "")
            assert waits == (not why.startswith("start"))


async def test_a_slate_is_an_alert_and_a_morph_tells_why_it_has_no_candidates(tmp_path: Path) -> None:
    text = (
        "cues: [{id: one, name: Dawn, style: bach, duration: 3m},"
        " {id: two, name: Dusk, style: jazz, duration: 60s, follow: {morph: 10s}}]"
    )
    show = running(tmp_path, text, player="--speed 1", feed="--slate", composer="--candidates")
    async with show as it, page_of(it) as page:
        await expect(page.locator("#alert-list")).to_contain_text("the feed shows the slate")
        await expect(page.locator("#outputs")).to_contain_text("the slate is shown")
        await expect(page.locator("#next-name")).to_contain_text("Dusk")
        await expect(page.locator("#takes li")).to_have_count(1)
        await expect(page.locator("#takes-hint")).to_contain_text("A morph grows out of the piece before")
        assert it.phase("two") is Phase.ARMED
