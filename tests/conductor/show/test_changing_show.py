"""A piece that is changed on air, through the whole show with stand-ins for the workers."""

from __future__ import annotations

import itertools
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from conductor.cues import Phase
from conductor.show.take import SEAM_S, Take
from model.midi import read_midi
from tests.conductor.show.test_show import Running, running

LONG = "cues: [{id: one, style: bach, instruments: [piano], duration: 60s}, {id: two, style: jazz, duration: 6s}]"
WISH = {"style": "jazz", "instruments": ["flute"], "energy": "high"}


async def post(it: Running, body: dict[str, Any], verb: str = "change") -> tuple[int, str]:
    async with ClientSession() as browser, browser.post(f"{it.url}/api/{verb}", json=body) as answer:
        return answer.status, (await answer.json()).get("reason", "")


async def state(it: Running) -> dict[str, Any]:
    async with ClientSession() as browser, browser.get(f"{it.url}/api/state") as answer:
        found: dict[str, Any] = (await answer.json())["state"]
        return found


def events(it: Running, event: str) -> list[str]:
    return [line.detail for line in it.library.as_run(1000) if line.event == event]


def take(it: Running, cue_id: str = "one") -> Take:
    return it.show.commissions.takes[cue_id]


async def on_air(it: Running) -> Take:
    await it.until(lambda: it.phase("one") is Phase.LIVE)
    await it.until(lambda: bool(it.show.crew.heard.levels and it.show.crew.heard.levels.position_s > 1.0))
    return take(it)


async def test_a_change_from_the_console_is_played_drawn_logged_and_kept_as_it_was_heard(tmp_path: Path) -> None:
    async with running(tmp_path, LONG, player="--speed 2", composer="--seconds 0.3") as it:
        before = await on_air(it)
        assert await post(it, WISH) == (200, "")
        cue = (await state(it))["cues"][0]
        assert cue["changing"]["text"] == f"changing from bar {cue['changing']['bar']}"
        await it.until(lambda: bool(events(it, "changed")))
        after = take(it)
        bar = cue["changing"]
        assert (bar["at_s"] / 2.0) % 1.0 == pytest.approx(0.0, abs=1e-6)
        early = [row for row in after.notes if row[0] < bar["at_s"] - SEAM_S]
        assert [row[:3] for row in early] == [row[:3] for row in before.notes if row[0] < bar["at_s"] - SEAM_S]
        assert {row[2] for row in after.notes if row[0] > bar["at_s"]} == {"flute"}
        assert {row[2] for row in early} == {"piano"}
        assert after.marks[-1] == (bar["at_s"], "style jazz, instruments flute, energy 100")
        # What is kept is what was heard, with its story; the piece as it was composed is kept, too.
        assert after.piece_id not in (None, before.piece_id)
        kept = it.library.piece(after.piece_id or 0)
        assert kept is not None
        written = read_midi(kept.midi).piece
        assert [(n.pitch, n.instrument) for n in written.notes] == [(row[1], row[2]) for row in after.notes]
        [told] = kept.provenance["changes"]
        assert (told["bar"], told["whole"], told["of_piece"]) == (bar["bar"], True, before.piece_id)
        assert told["prompt"]["style"] == "jazz"
        assert kept.style == "jazz"
        assert f"bar {bar['bar']}" in events(it, "replaced")[0]
        assert f"changing     1  Bach from bar {bar['bar']}: style jazz" in it.output.getvalue()
        assert (await state(it))["cues"][0]["changing"] is None
        # Nobody waits for its end.
        assert await post(it, {}, "skip") == (200, "")
        await it.until(lambda: it.phase("two") is Phase.LIVE)
        aired = [line.piece_id for line in it.library.as_run(1000) if line.event == "aired"]
        assert aired == [after.piece_id]


async def test_a_change_that_cannot_be_is_refused_by_the_console_with_its_reason(tmp_path: Path) -> None:
    text = "cues: [{id: one, style: bach, duration: 14s, follow: hold}]"
    async with running(tmp_path, text, player="--speed 1") as it:
        await it.until(lambda: it.phase("one") is Phase.ARMED and it.show.crew.workers["player"].up)
        assert await post(it, WISH) == (409, "nothing is on air that could be changed")
        assert (await post(it, {"style": "chopan"}))[0] == 400
        assert "did you mean chopin" in (await post(it, {"style": "chopan"}))[1]
        assert (await post(it, {}))[0] == 400
        assert await post(it, {}, "go") == (200, "")
        await it.until(lambda: it.phase("one") is Phase.LIVE)
        status, reason = await post(it, WISH)
        assert status == 409
        assert "nearly over" in reason


@pytest.mark.parametrize("breaks", ["--break-after 1", "--die-after 1"])
async def test_a_composer_that_fails_half_way_leaves_the_old_rest_playing(tmp_path: Path, breaks: str) -> None:
    async with running(tmp_path, LONG, player="--speed 1", composer=f"--seconds 0.3 {breaks}") as it:
        before = await on_air(it)
        assert (await post(it, WISH))[0] == 200
        at_s = (await state(it))["cues"][0]["changing"]["at_s"]
        await it.until(lambda: bool(events(it, "changed")))
        after = take(it)
        new = [row for row in after.notes if row[2] == "flute"]
        assert at_s - SEAM_S <= min(row[0] for row in new)
        assert max(row[0] for row in new) < at_s + 8.0
        rest = [row for row in before.notes if row[0] >= at_s + 8.0]
        assert rest
        assert after.notes[-len(rest) :] == rest
        # No hole at either seam.
        onsets = sorted(row[0] for row in after.notes)
        assert max(b - a for a, b in itertools.pairwise(onsets)) < 1.0
        assert after.duration_s == before.duration_s
        assert it.phase("one") is Phase.LIVE
        assert not it.show.state.slots[0].changing


async def test_a_change_that_makes_a_piece_longer_and_breaks_ends_it_where_its_notes_end(tmp_path: Path) -> None:
    text = "cues: [{id: one, style: bach, duration: 20s}, {id: two, style: jazz, duration: 6s}]"
    async with running(tmp_path, text, player="--speed 2", composer="--seconds 0.2 --break-after 2") as it:
        await on_air(it)
        assert (await post(it, {"style": "jazz", "duration_s": 30.0}))[0] == 200
        await it.until(lambda: bool(events(it, "changed")))
        after = take(it)
        assert 20.0 < after.duration_s <= 30.0
        await it.until(lambda: it.phase("two") is Phase.LIVE)
        assert it.phase("one") is Phase.AIRED


async def test_a_second_change_goes_on_from_the_first(tmp_path: Path) -> None:
    async with running(tmp_path, LONG, player="--speed 1", composer="--seconds 0.3") as it:
        await on_air(it)
        await post(it, {"instruments": ["flute"]})
        await it.until(lambda: bool(events(it, "replaced")))
        assert (await post(it, {"instruments": ["organ"]}))[0] == 200
        second_s = (await state(it))["cues"][0]["changing"]["at_s"]
        await it.until(lambda: len(events(it, "changed")) == 2 and not it.show.state.slots[0].changing)
        after = take(it)
        assert {row[2] for row in after.notes if row[0] >= second_s} == {"organ"}
        assert len(after.provenance["changes"]) == 2


async def test_a_killed_player_ends_the_change_with_the_piece(tmp_path: Path) -> None:
    async with running(tmp_path, LONG, player="--speed 1", composer="--seconds 1.5") as it:
        await on_air(it)
        await post(it, WISH)
        os.kill(it.show.crew.workers["player"].pid, signal.SIGKILL)
        await it.until(lambda: it.phase("one") is Phase.AIRED)
        await it.until(lambda: it.phase("two") is Phase.LIVE)
        assert not it.show.state.slots[0].changing


async def test_a_cue_that_morphs_goes_on_from_the_piece_before_and_takes_its_place(tmp_path: Path) -> None:
    text = (
        "cues: [{id: one, style: bach, instruments: [piano], duration: 24s},"
        " {id: two, style: jazz, instruments: [flute], duration: 20s, follow: {morph: 10s}}]"
    )
    async with running(tmp_path, text, player="--speed 4", composer="--seconds 0.1") as it:
        await it.until(lambda: it.phase("two") is Phase.LIVE)
        second = take(it, "two")
        goes_on = second.provenance["goes_on_from"]
        assert goes_on["cue"] == "one"
        assert 10.0 <= goes_on["at_s"] <= 14.0
        assert second.notes[0][0] == pytest.approx(0.0, abs=SEAM_S)
        assert {row[2] for row in second.notes} == {"flute"}
        assert second.duration_s == pytest.approx(20.0, abs=1.0)
        assert [n.instrument for n in read_midi(second.midi).piece.notes] == ["flute"] * len(second.notes)
        prompt = second.provenance["prompt"]
        assert prompt["style"] == {"from": "bach", "to": "jazz", "over": 10.0}
        lines = {(line.event, line.cue_id): line.sample for line in it.library.as_run(1000)}
        played_s = (lines["live", "two"] - lines["live", "one"]) / 48_000
        assert played_s == pytest.approx(goes_on["at_s"], abs=0.3)
