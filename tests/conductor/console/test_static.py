"""The files of the console's page: small, never stale, and under a policy that runs nothing but them."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

from aiohttp import ClientSession

from conductor.console.static import page_files
from tests.conductor.show.test_show import running

ONE = "cues: [{id: one, style: bach, duration: 6s}]"
# What a browser loads before the page can be used, compressed.
MOST_BYTES = 40_000


def test_the_whole_page_is_small() -> None:
    files = page_files()
    assert {"/", "/main.js", "/style.css", "/player.js", "/icon.svg"} <= files.keys()
    loaded = {path: file for path, file in files.items() if not path.startswith("/login")}
    assert len(loaded) == len(files) - 3
    assert sum(len(file.packed) for file in loaded.values()) < MOST_BYTES


def test_a_browser_is_told_of_all_modules_at_once() -> None:
    files = page_files()
    loaded = {path for path, file in files.items() if path.endswith(".js") and b'from "/' in file.plain}
    sources = [file.plain.decode() for file in files.values()]
    imported = {f"/{name}.js" for source in sources for name in re.findall(r'from "/(\w+)\.js"', source)}
    index = files["/"].plain.decode()
    assert len(imported) > 10
    assert set(re.findall(r'rel="modulepreload" href="([^"]+)"', index)) == imported
    assert loaded - imported == {"/main.js"}


def test_the_page_has_nothing_inline_and_nothing_from_elsewhere() -> None:
    for path, file in page_files().items():
        text = file.plain.decode()
        assert " style=" not in text, path
        assert "<style" not in text, path
        assert "<script>" not in text, path
        if path != "/icon.svg":
            assert "http" + "://" not in text, path
            assert "https://" not in text, path


async def test_a_file_is_sent_compressed_once_and_then_only_looked_at(tmp_path: Path) -> None:
    async with running(tmp_path, ONE) as it, ClientSession(auto_decompress=False) as browser:
        async with browser.get(f"{it.url}/main.js", headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Encoding"] == "gzip"
            assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
            assert answer.headers["Cache-Control"] == "no-cache"
            policy = answer.headers["Content-Security-Policy"]
            tag, packed = answer.headers["ETag"], await answer.read()
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        async with browser.get(f"{it.url}/main.js", headers={"Accept-Encoding": "identity"}) as answer:
            assert "Content-Encoding" not in answer.headers
            assert await answer.read() == gzip.decompress(packed)
        async with browser.get(f"{it.url}/main.js", headers={"If-None-Match": tag}) as answer:
            assert answer.status == 304
            assert await answer.read() == b""


async def test_no_path_leads_out_of_the_page(tmp_path: Path) -> None:
    async with running(tmp_path, ONE) as it, ClientSession() as browser:
        for path in ("/../server.py", "/%2e%2e/server.py", "/server.py", "/page/main.js", "/index.html"):
            async with browser.get(f"{it.url}{path}") as answer:
                assert answer.status == 404, path


async def test_one_policy_holds_for_all_pages_and_none_for_what_programs_read(tmp_path: Path) -> None:
    async with running(tmp_path, ONE) as it, ClientSession() as browser:
        found = {}
        for path in ("/", "/login", "/login.css", "/main.js", "/nothing", "/api/state", "/api/nothing"):
            async with browser.get(f"{it.url}{path}") as answer:
                found[path] = answer.headers.getall("Content-Security-Policy")
        pages = {path: policy for path, policy in found.items() if not path.startswith("/api/")}
        assert len({tuple(policy) for policy in pages.values()}) == 1
        assert "unsafe" not in found["/login"][0]
        assert found["/api/state"] == found["/api/nothing"] == ["default-src 'none'; frame-ancestors 'none'"]
