"""Verbs of operators through the whole show, with stand-ins for the workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from conductor.cues import Phase
from conductor.library import Library
from conductor.show.resume import KEY, restore, save
from tests.conductor.show.test_show import Running, running

HOLDS = (
    "cues: [{id: one, style: bach, duration: 60s}, {id: two, style: jazz, duration: 60s, follow: hold},"
    " {id: three, style: folk, duration: 60s, follow: hold}]"
)


async def post(it: Running, verb: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    async with ClientSession() as browser, browser.post(f"{it.url}/api/{verb}", json=body or {}) as answer:
        return answer.status, await answer.json()


async def on_air(it: Running) -> None:
    await it.until(lambda: it.phase("one") is Phase.LIVE and it.phase("two") is Phase.ARMED)
    await it.until(lambda: bool((levels := it.show.crew.heard.levels) and levels.number and levels.position_s > 0.5))


async def test_a_go_is_undone_and_what_it_cut_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    async with running(tmp_path, HOLDS, player="--speed 1") as it:
        await on_air(it)
        assert (await post(it, "go", {"expect_standby": "two", "request_id": "1"}))[0] == 200
        # The same press once more, as a phone in a tunnel sends it.
        assert (await post(it, "go", {"expect_standby": "two", "request_id": "1"}))[0] == 200
        await it.until(lambda: it.phase("two") is Phase.LIVE)
        [started] = [plan.started for plan in it.show.state.undo if plan.started]
        assert started.from_s > 0.5
        assert (await post(it, "undo"))[0] == 200
        await it.until(lambda: it.phase("one") is Phase.LIVE)
        assert it.phase("two") is Phase.ARMED
        one = it.show.state.find("one")
        await it.until(lambda: bool((heard := it.show.crew.heard.levels) and one and heard.number == one.number))
        levels = it.show.crew.heard.levels
        assert levels
        assert levels.position_s >= started.from_s
        said = [(line.event, line.detail) for line in it.library.as_run(100) if line.event in ("go", "undo")]
        assert said == [("go", "console via http: go"), ("undo", "console via http: undo")]


async def test_another_candidate_is_taken_and_kept_ones_lie_beside_it(tmp_path: Path) -> None:
    async with running(tmp_path, HOLDS, player="--speed 1", composer="--candidates") as it:
        await on_air(it)
        slot = it.show.state.find("two")
        assert slot
        assert [bool(take.refused) for take in slot.takes] == [False, False, True]
        assert slot.piece == slot.takes[1].piece
        status, answer = await post(it, "take", {"cue": "two", "take": 3})
        assert (status, answer["reason"]) == (
            409, "candidate 3 must not be played: 12 bars are those of a training piece",
        )  # fmt: skip
        assert (await post(it, "take", {"cue": "2", "take": 1}))[0] == 200
        await it.until(lambda: it.phase("two") is Phase.ARMED)
        take = it.show.commissions.takes["two"]
        assert take.piece_id == slot.takes[0].piece
        assert {row[2] for row in take.notes} == {"flute"}
        # What must not be played stands in for nothing.
        assert slot.takes[2].piece not in {piece.id for piece in it.library.substitutes("jazz")}


async def test_a_changed_setlist_is_shown_then_taken_up_and_a_broken_one_is_told_with_its_place(
    tmp_path: Path,
) -> None:
    path = tmp_path / "show.yaml"
    async with running(tmp_path, HOLDS, player="--speed 1") as it:
        await on_air(it)
        text = path.read_text()
        path.write_text(text.replace("style: folk", "style: falk"))
        await it.until(lambda: bool(it.show.pending.trouble))
        assert "show.yaml:3:" in it.show.pending.trouble
        assert (await post(it, "preview"))[1]["told"] == it.show.pending.trouble.splitlines()
        assert (await post(it, "reload"))[0] == 409
        path.write_text(text.replace("{id: three", "{id: extra, style: bach, duration: 9s}, {id: three"))
        await it.until(lambda: it.show.pending.diff is not None)
        assert not it.show.pending.trouble
        assert (await post(it, "preview"))[1]["told"] == ["+ 3 Bach"]
        assert it.show.state.find("extra") is None, "shown before it is taken up"
        piece = it.show.commissions.takes["two"].piece_id
        assert (await post(it, "reload"))[0] == 200
        assert [slot.cue.id for slot in it.show.state.upcoming] == ["two", "extra", "three"]
        assert it.show.commissions.takes["two"].piece_id == piece
        assert len(it.show.setlist.cues) == 4
        assert (await post(it, "undo"))[0] == 200
        assert it.show.state.find("extra") is None


async def test_panic_fades_to_the_bed_and_a_release_goes_on(tmp_path: Path) -> None:
    text = "cues: [{id: one, style: bach, duration: 60s}, {id: two, style: jazz, duration: 60s}]"
    async with running(tmp_path, text, player="--speed 1") as it:
        await on_air(it)
        assert (await post(it, "panic"))[0] == 200
        assert (await post(it, "panic"))[0] == 200
        await it.until(lambda: it.phase("one") is Phase.AIRED)
        assert it.show.state.live is None
        assert (await post(it, "release"))[0] == 200
        await it.until(lambda: it.phase("two") is Phase.LIVE)


async def test_edits_undo_and_candidates_are_taken_over_by_the_next_conductor(tmp_path: Path) -> None:
    async with running(tmp_path, HOLDS, player="--speed 1", composer="--candidates") as it:
        await on_air(it)
        for verb, body in (
            ("insert", {"cue": {"id": "extra", "style": "bach", "duration": "9s"}, "at": 2}),
            ("edit", {"cue": "two", "changes": {"name": "Dusk", "follow": "auto"}}),
            ("lock", {"on": True}),
        ):
            assert (await post(it, verb, body))[0] == 200, verb
        state, show = it.show.state, it.show
        saved = save(state, show.commissions.takes, show.setlist, show.revision)
        # As it lies in the database when the conductor is killed.
        assert it.library.recall(KEY)["slots"] == saved["slots"]
        library = Library(it.library.folder)
        fresh = type(state)(slots=tuple(type(slot)(slot.cue) for slot in state.slots if not slot.inserted))
        found, takes = restore(fresh, saved, library)
        library.close()
    assert [(s.cue, s.piece, s.takes, s.number) for s in found.slots if s.cue.id != "extra"] == [
        (s.cue, s.piece, s.takes, s.number) for s in state.slots if s.cue.id != "extra"
    ]
    extra = found.find("extra")
    assert extra
    assert extra.inserted
    assert (found.locked, found.undo, found.redo) == (True, state.undo, state.redo)
    assert takes["two"].title == "Dusk"


async def test_an_unknown_verb_is_answered_with_what_may_be_meant(tmp_path: Path) -> None:
    async with running(tmp_path, HOLDS) as it:
        status, answer = await post(it, "godo")
        assert status == 404
        assert 'did you mean "go"?' in answer["reason"]
        status, answer = await post(it, "hold", {"revision": 10**6})
        assert status == 409
        assert "has changed" in answer["reason"]
