"""The map of styles as a picture and as a page that answers the pointer."""

from __future__ import annotations

import re
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from model.styles.stylemap import Known, Spot
from model.styles.stylepage import COLOURS, HEIGHT, WIDTH, arrange, families_of, make_page, radius_of, write_map

CHROMIUM = shutil.which("chromium")


def spots(count: int = 20, seed: int = 0) -> list[Spot]:
    rng = np.random.default_rng(seed)
    genres = ["piano", "lied", "rock", None]
    names = [f"style{n}" for n in range(count)]
    return [
        Spot(
            Known(name, int(rng.integers(1, 2000)), genres[n % 4], None),
            float(rng.uniform(-0.7, 0.7)),
            float(rng.uniform(-0.7, 0.7)),
            tuple((other, 0.9 - 0.1 * k) for k, other in enumerate(o for o in names if o != name) if k < 5),
        )
        for n, name in enumerate(names)
    ]


def test_no_name_is_over_another_or_off_the_sheet() -> None:
    drawn = arrange(spots(48))
    assert len(drawn) == 48
    for a, b in combinations(drawn, 2):
        assert a.label.overlap(b.label) == 0
    assert all(d.label.within(WIDTH, HEIGHT) for d in drawn)


def test_more_pieces_make_a_larger_dot() -> None:
    radii = [radius_of(n) for n in (1, 16, 100, 1800)]
    assert radii == sorted(radii)
    assert radii[0] > 2
    assert radii[-1] < 30


def test_a_picture_and_a_page_are_written(tmp_path: Path) -> None:
    picture, page = write_map(spots(), tmp_path / "new" / "map", "some.safetensors")
    assert {p.name for p in (tmp_path / "new" / "map").iterdir()} == {"styles.png", "styles.html"}
    image = imread(picture)
    assert image.shape[:2] == (2 * HEIGHT, 2 * WIDTH)
    # The colour of every family that occurs is in it.
    seen = {tuple(round(float(c) * 255) for c in pixel[:3]) for pixel in image[::3, ::3].reshape(-1, image.shape[2])}
    for family in families_of(spots()):
        assert tuple(int(COLOURS[family][0][n : n + 2], 16) for n in (1, 3, 5)) in seen, family
    assert "20 styles some.safetensors knows" in page.read_text()


def test_the_page_needs_nothing_but_itself() -> None:
    page = make_page(arrange(spots()), "x")
    assert not re.findall(r"@[A-Z]+@", page), "every word was filled in"
    assert not re.findall(r"(?:src|href)\s*=", page)
    assert set(re.findall(r"https?://[^\"' ]+", page)) == {"http://www.w3.org/2000/svg"}


def test_a_name_of_a_file_is_no_markup() -> None:
    page = make_page(arrange(spots(3)), "</title><script>alert(1)</script>")
    assert "<script>alert" not in page


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_styles_are_drawn_too(count: int, tmp_path: Path) -> None:
    picture, _ = write_map(spots(count), tmp_path, "x")
    assert picture.stat().st_size > 1000


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        write_map(spots(2), tmp_path / "file", "x")


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
async def test_the_pointer_finds_pieces_and_neighbours(tmp_path: Path) -> None:
    from playwright.async_api import async_playwright

    _, page_path = write_map(spots(), tmp_path, "x")
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 1280, "height": 1000})
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        await page.goto(page_path.as_uri())
        card = page.locator("#card")
        assert not await card.is_visible()
        await page.hover('[data-name="style3"] .dot')
        assert await card.is_visible()
        said = await card.inner_text()
        known = spots()[3].known
        assert f"{known.pieces:,} pieces" in said
        for name, cosine in spots()[3].nearest:
            assert name in said
            assert f"{cosine:.2f}" in said
        assert await page.locator("#ties line").count() == 5
        assert await page.locator(".style.near").count() == 5
        # Away from it, it is gone; the keyboard brings it back.
        await page.mouse.move(2, 2)
        assert not await card.is_visible()
        await page.locator('[data-name="style7"]').focus()
        assert "style7" in await card.inner_text()
        await page.click('.legend [data-family="band"]')
        assert await page.locator(".style.near").count() == 5
        await page.click("summary")
        assert await page.locator("tbody tr").count() == 20
        await browser.close()
    assert complaints == []
