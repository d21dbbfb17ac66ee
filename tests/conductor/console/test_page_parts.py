"""Parts of the console's page by themselves: whether GO is safe, patches of the state, what a roll tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import sync_playwright

from conductor.console.deltas import patch
from conductor.console.static import page_files
from tests.conductor.console.browsing import CHROMIUM, needs_chromium, page_of
from tests.conductor.show.test_show import running

pytestmark = needs_chromium


def cue(name: str, phase: str, duration_s: float = 60.0, **about: Any) -> dict[str, Any]:
    plain = {"id": name, "name": name, "phase": phase, "duration_s": duration_s, "fraction": 0.0, "composing_s": None}
    return {**plain, "piece": None, **about}


def state(*cues: dict[str, Any], player: bool = True) -> dict[str, Any]:
    coming = [c["id"] for c in cues if c["phase"] not in ("live", "aired")]
    return {
        "cues": list(cues),
        "standby": coming[0] if coming else None,
        "over": not coming,
        "workers": {"player": {"up": player}},
    }


# A second of music takes half a second to compose.
KNOWN = cue("known", "aired", 100.0, composing_s=50.0, piece=1)
CASES = [
    ([cue("a", "armed"), cue("b", "composing", 60.0, fraction=0.5)], "safe", "b needs about 15 s, and 60 s are ready"),
    (
        [cue("a", "armed", 20.0), cue("b", "planned", 100.0)],
        "risk",
        "after 20 s it plays for about 30 s, until b is composed",
    ),
    ([cue("a", "armed"), cue("b", "ready")], "safe", "all that is to come is ready"),
    ([cue("a", "composing", 60.0, fraction=0.5)], "no", "a is being composed (50 %, about 15 s more)"),
    ([cue("a", "planned")], "no", "a waits to be composed"),
    ([], "no", "the setlist is over"),
]


async def test_go_is_safe_while_more_is_ready_than_composing_takes(tmp_path: Path) -> None:
    async with running(tmp_path, "cues: [{id: one, style: bach, duration: 6s}]") as it, page_of(it) as page:
        told = "async ([state, left]) => (await import('/safety.js')).safety(state, left)"
        # Nothing was composed yet, so that nobody knows how long it takes.
        said = await page.evaluate(told, [state(cue("a", "armed"), cue("b", "planned")), 0])
        assert (said["kind"], said["need_s"]) == ("unknown", None)
        for cues, kind, text in CASES:
            said = await page.evaluate(told, [state(KNOWN, *cues), 10])
            assert (said["kind"], said["text"]) == (kind, text)
        said = await page.evaluate(told, [state(KNOWN, cue("a", "armed"), player=False), 10])
        assert (said["kind"], said["text"]) == ("no", "the player is not there")
        # What is on air counts as ahead, and not as what is left after a GO.
        said = await page.evaluate(
            told, [state(KNOWN, cue("x", "live"), cue("a", "armed", 20.0), cue("b", "planned")), 45]
        )
        assert (said["buffer_s"], said["kind"]) == (65, "risk")


KEYS = st.sampled_from(["a", "b/c", "d~e", "~1", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("xy/~", max_size=2),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
STATES = st.dictionaries(KEYS, VALUES, max_size=4)


def test_the_page_makes_the_same_of_a_patch_as_the_server_meant() -> None:
    source = page_files()["/link.js"].plain.decode()
    applied = "export function patch" + source.split("export function patch")[1].split("\nfunction hear")[0]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page()
        page.evaluate(
            f"() => {{ {applied.removeprefix('export ')}\n"
            "globalThis.patched = (state, told) => (patch(state, told), state); }"
        )

        @settings(max_examples=100, deadline=None, database=None)
        @given(STATES, STATES)
        def check(old: dict[str, Any], new: dict[str, Any]) -> None:
            assert page.evaluate("([state, told]) => patched(state, told)", [old, patch(old, new)]) == new

        check()
        browser.close()
