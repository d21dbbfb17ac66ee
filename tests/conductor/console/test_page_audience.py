"""The console's page shows a poll with its counts, and an operator opens and closes one."""

from __future__ import annotations

from pathlib import Path

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from tests.conductor.console.browsing import needs_chromium, page_of
from tests.conductor.console.stage import consoled

pytestmark = needs_chromium

DRAWN = "endless: {styles: {bach: 1, jazz: 1, chopin: 1}, seed: 2, duration: 3m}"


class Room:
    """A chat that is there, and hears what is said in it."""

    def __init__(self) -> None:
        self.there = True
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


async def test_an_operator_asks_the_audience_and_sees_who_wins(tmp_path: Path) -> None:
    async with consoled(tmp_path, DRAWN, player="--speed 1") as it, page_of(it) as page:
        panel, room = page.locator("#poll"), Room()
        await expect(panel).to_be_hidden()
        it.show.polls.rooms.append(room)
        it.show.polls.tell()
        await expect(panel).to_contain_text("no poll is open")
        await page.locator("#poll-open").click()
        await expect(panel).to_contain_text("the audience votes")
        second = it.show.polls.choices[1]
        for person, place in (("ann", 1), ("ben", 1), ("eve", 0)):
            it.show.polls.vote(person, place)
        await expect(panel.locator("li").nth(1)).to_contain_text(f"{second}2")
        await expect(page.locator("#poll-open")).to_be_disabled()
        assert (await Axe().run(page, context="#poll")).response["violations"] == []
        await page.locator("#poll-close").click()
        await expect(panel.locator("li.won")).to_contain_text(f"{second}2 wins")
        await it.until(lambda: any(slot.cue.style == second and slot.drawn > 2 for slot in it.show.state.slots))
        assert [line.detail for line in it.library.as_run(1000) if line.event == "close-poll"]
        assert f"{second} wins with 2 of 3 votes. It is composed now." in room.said
