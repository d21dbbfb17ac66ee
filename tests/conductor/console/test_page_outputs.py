"""The console's page tells where the show goes: OBS, ingests, MIDI, the recording; and what is wrong there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.async_api import Route, expect

from conductor.cues import Phase
from streaming.obs.wanted import ObsState
from streaming.publishing.destination import Destination
from tests.conductor.console.browsing import needs_chromium, page_of
from tests.conductor.show.test_show import running

pytestmark = needs_chromium

ONE = "cues: [{id: one, name: Dawn, style: bach, duration: 3m}]\nmidi: {port: organ}"
INGESTS = (Destination("hall", "rtmp://hall.example/live"), Destination("web", "rtmp://web.example/live"))


class Studio:
    """An OBS that is there, streams, and does nothing by itself."""

    def __init__(self) -> None:
        self.on_news: Callable[[str, bool], None] | None = None
        self.state = ObsState(available=True, reason="", version="31", scene="Stage", streaming=True)

    async def start(self) -> bool:
        return True

    def wanted(self, **_: Any) -> None:
        """All is as it is wanted."""

    def feed_readers(self, readers: int) -> None:
        """It is told, and has no use for it."""

    def played(self, peak_db: float) -> None:
        """The same."""

    def seam(self) -> None:
        """The same."""

    async def close(self) -> None:
        """Nothing is held."""


async def test_outputs_have_a_word_each_and_what_is_wrong_is_an_alert(tmp_path: Path) -> None:
    studio = Studio()
    show = running(
        tmp_path, ONE, player="--speed 1", feed="--refuse web", record=True, obs=studio, publish=INGESTS
    )  # fmt: skip
    async with show as it, page_of(it) as page:
        await it.until(lambda: it.phase("one") is Phase.LIVE)
        outputs = page.locator("#outputs")
        for text in ("notes go to organ", "scene Stage, streaming", "live, ingest", "refused, ingest", "out.mp4"):
            await expect(outputs).to_contain_text(text)
        lamp = page.locator("#lamps li")
        await expect(lamp.filter(has_text="hall")).to_have_attribute("data-kind", "up")
        await expect(lamp.filter(has_text="web")).to_have_attribute("data-kind", "down")
        await expect(lamp.filter(has_text="record")).to_have_attribute("data-kind", "rec")
        alerts = page.locator("#alert-list li")
        await expect(alerts).to_have_count(1)
        await expect(alerts).to_contain_text("web: refused, the key is wrong")

        studio.state = replace(studio.state, alert="OBS hears nothing of the programme")
        await expect(alerts.filter(has_text="OBS hears nothing")).to_be_visible()
        await expect(lamp.filter(has_text="OBS")).to_have_attribute("data-kind", "busy")
        await page.keyboard.press("c")
        await expect(page.locator("#alerts")).to_be_hidden()
        # Seen is not mended: its lamp tells on, and once it was well it is news again.
        await expect(outputs).to_contain_text("OBS hears nothing of the programme")
        studio.state = replace(studio.state, alert="")
        await expect(outputs).not_to_contain_text("OBS hears nothing")
        studio.state = replace(studio.state, alert="OBS hears nothing of the programme")
        await expect(alerts.filter(has_text="OBS hears nothing")).to_be_visible()


async def test_pieces_that_were_on_air_are_downloaded(tmp_path: Path) -> None:
    async with running(tmp_path, ONE, player="--speed 1") as it, page_of(it) as page:
        await it.until(lambda: it.phase("one") is Phase.LIVE)
        async with page.expect_download() as coming:
            await page.get_by_label("MIDI file of Dawn").click()
        download = await coming.value
        assert download.suggested_filename.endswith(".mid")
        assert Path(await download.path()).read_bytes().startswith(b"MThd")
        # A press that is wanted of the show is told with who said it.
        await page.keyboard.press("h")
        await expect(page.locator("#run tr").first).to_contain_text("hold")
        await expect(page.locator("#run tr").first).to_contain_text("console via")


async def test_a_sound_file_is_waited_for_and_offered_only_where_there_is_one(tmp_path: Path) -> None:
    asked: list[str] = []

    async def description(route: Route) -> None:
        await route.fulfill(json={"paths": {"/api/pieces/{piece}.wav": {}}})

    async def sound(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            await route.fulfill(status=202, json={"fraction": 0.5}, headers={"Retry-After": "1"})
        else:
            await route.fulfill(body=b"RIFF", content_type="audio/wav")

    async with running(tmp_path, ONE, player="--speed 1") as it, page_of(it) as page:
        # What a server answers that plays pieces into files.
        await page.route("**/api/openapi.json", description)
        await page.route("**/api/pieces/*.wav", sound)
        await page.reload()
        button = page.get_by_label("Sound file of Dawn")
        async with page.expect_download() as coming:
            await button.click()
            await expect(button).to_have_text("50 %")
        download = await coming.value
        assert download.suggested_filename == "Dawn.wav"
        assert Path(await download.path()).read_bytes() == b"RIFF"
        assert len(asked) == 2
        await expect(button).to_have_text("WAV")
