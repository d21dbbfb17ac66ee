"""The setlist edited over HTTP: nothing wrong is ever written, nothing of somebody else's is ever lost."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

from tests.conductor.console.stage import HELD, consoled
from tests.conductor.console.test_acting import JSON, ask

HEAD = "version: 1\nshow: {title: Trial, ahead: 2}\n"
NEW = HEAD + HELD.replace("style: folk, duration: 60s", "style: folk, duration: 90s") + "\n"
BROKEN = HEAD + "cues:\n  - {id: one, style: barch}\n  - {id: one, stile: jazz}\n"


async def test_a_setlist_that_is_written_waits_until_it_is_taken_up(tmp_path: Path) -> None:
    async with consoled(tmp_path) as it:
        path = it.show.setlist.path
        path.chmod(0o640)
        _, before, _ = await ask(it, "/api/setlist", "GET")
        assert (before["name"], before["text"], before["mistakes"]) == ("show.yaml", path.read_text(), [])
        status, body, _ = await ask(it, "/api/setlist", "PUT", json={"text": NEW, "version": before["version"]})
        assert status == 200
        assert body["news"] == ["~ 3 Folk: duration 60 -> 90"]
        assert path.read_text() == NEW
        assert path.stat().st_mode & 0o777 == 0o640
        assert [slot.cue.duration_s for slot in it.show.state.slots] == [60, 60, 60]
        assert (await ask(it, "/api/preview"))[1]["told"] == body["news"]
        assert (await ask(it, "/api/reload"))[0] == 200
        assert [slot.cue.duration_s for slot in it.show.state.slots] == [60, 60, 90]
        assert (await ask(it, "/api/undo"))[0] == 200
        assert [slot.cue.duration_s for slot in it.show.state.slots] == [60, 60, 60]


async def test_mistakes_are_told_each_with_its_place_and_nothing_is_written(tmp_path: Path) -> None:
    async with consoled(tmp_path) as it:
        path = it.show.setlist.path
        before, version = path.read_text(), (await ask(it, "/api/setlist", "GET"))[1]["version"]
        status, body, _ = await ask(it, "/api/setlist", "PUT", json={"text": BROKEN, "version": version})
        assert status == 400
        places = [(mistake["line"], mistake["column"]) for mistake in body["mistakes"]]
        assert places == [(4, 22), (5, 10), (5, 15)]
        assert "stile" in body["mistakes"][2]["text"]
        assert "line 4" in body["reason"]
        assert path.read_text() == before
        status, checked, _ = await ask(it, "/api/setlist/check", json={"text": BROKEN})
        assert (status, checked["ok"], checked["mistakes"]) == (200, False, body["mistakes"])
        assert [entry.name for entry in path.parent.iterdir() if "show.yaml" in entry.name] == ["show.yaml"]


async def test_a_file_that_is_broken_is_told_as_it_is(tmp_path: Path) -> None:
    async with consoled(tmp_path) as it:
        for text, line in ((BROKEN, 4), ("", 1), ("a: [", 1), ("\x00", 1)):
            it.show.setlist.path.write_text(text)
            status, body, _ = await ask(it, "/api/setlist", "GET")
            assert (status, body["text"]) == (200, text)
            assert body["mistakes"][0]["line"] >= line
            assert str(tmp_path) not in body["mistakes"][0]["text"]


async def test_of_two_who_write_at_once_the_second_is_told(tmp_path: Path) -> None:
    async with consoled(tmp_path) as it:
        version = (await ask(it, "/api/setlist", "GET"))[1]["version"]
        order: dict[str, Any] = {"text": NEW, "version": version}
        other = {"text": NEW.replace("90s", "80s"), "version": version}
        answers = await asyncio.gather(*(ask(it, "/api/setlist", "PUT", json=body) for body in (order, other)))
        assert sorted(status for status, *_ in answers) == [200, 409]


async def test_a_setlist_has_a_size(tmp_path: Path) -> None:
    async with consoled(tmp_path) as it:
        before = it.show.setlist.path.read_text()
        large = io.BytesIO(json.dumps({"text": "#" * 1_150_000, "version": ""}).encode())
        status, _, _ = await ask(it, "/api/setlist", "PUT", data=large, headers=JSON)
        assert status == 413
        assert it.show.setlist.path.read_text() == before


async def test_what_would_take_for_ever_to_read_is_refused_at_once_and_the_show_goes_on(tmp_path: Path) -> None:
    laughs = (
        HEAD
        + "a: &a [x]\n"
        + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9))
    )
    many = HEAD + "cues: [" + "{stile: bach}," * 300 + "]\n"
    async with consoled(tmp_path) as it:
        path = it.show.setlist.path
        before, version = path.read_text(), (await ask(it, "/api/setlist", "GET"))[1]["version"]
        for text, reason in ((laughs, "counting each *alias"), (HEAD + "cues: " + "[" * 5000, "nested deeper than")):
            status, body, _ = await ask(it, "/api/setlist", "PUT", json={"text": text, "version": version})
            assert status == 400
            assert reason in body["reason"]
            assert body["mistakes"][0]["line"] > 2
        status, body, _ = await ask(it, "/api/setlist/check", json={"text": many})
        assert (status, len(body["mistakes"])) == (200, 101)
        assert body["mistakes"][-1]["text"] == "and 200 mistakes more"
        assert path.read_text() == before
        assert (await ask(it, "/api/hold"))[0] == 200
