"""A controller as a whole: messages and times in, orders and lights out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from conductor.controllers.flood import CALM_S
from conductor.controllers.lamps import FLASH_S
from conductor.controllers.reading import read_map
from conductor.controllers.scene import Scene
from conductor.controllers.shelf import shipped
from conductor.controllers.surface import Press, Surface
from conductor.controllers.table import VERBS
from tests.conductor.controllers.making import cc, made, off, on

SHOW = Scene(
    live="dawn",
    standby="noon",
    phases={"dawn": "live", "noon": "armed", "dusk": "composing", "night": "planned"},
    numbers={"1": "dawn", "2": "noon", "3": "dusk", "4": "night"},
)


def orders(presses: list[Press]) -> list[tuple[str, dict[str, object]]]:
    return [(press.verb, press.arguments) for press in presses]


def test_a_key_gives_its_order_for_the_cue_that_its_light_showed(tmp_path: Path) -> None:
    surface = Surface(made(tmp_path, "{note: 36, does: go}\n{note: 37, does: {fade: {seconds: 6}}}"))
    surface.show(SHOW)
    assert surface.hear([on(36)], 5.0) == [Press("go", {}, 5.0, 0, "noon")]
    assert surface.hear([off(36), on(37), on(99), on(36, channel=2)], 6.0) == [Press("fade", {"seconds": 6}, 6.0, 1)]


def test_a_key_that_undoes_does_so_while_its_light_is_on_whoever_made_it_so(tmp_path: Path) -> None:
    surface = Surface(made(tmp_path, "{note: 36, does: hold, undoes: release}"))
    surface.show(SHOW)
    assert orders(surface.hear([on(36), off(36)], 0.0)) == [("hold", {})]
    # It was refused, and the show is as before.
    assert orders(surface.hear([on(36), off(36)], 1.0)) == [("hold", {})]
    surface.show(replace(SHOW, lit=frozenset({"hold"})))
    assert orders(surface.hear([on(36), off(36)], 2.0)) == [("release", {})]


def test_go_is_not_given_again_while_another_key_of_it_is_down(tmp_path: Path) -> None:
    surface = Surface(made(tmp_path, "{name: left, note: 36, does: go}\n{name: right, note: 37, does: go}"))
    assert orders(surface.hear([on(36)], 0.0)) == [("go", {})]
    assert surface.hear([on(37), off(37)], 1.0) == []
    assert surface.news == ["map: right: GO is still held down by another key - let it go first"]
    assert orders(surface.hear([off(36), on(37)], 2.0)) == [("go", {})]


def test_go_held_down_does_not_block_others_nor_panic(tmp_path: Path) -> None:
    surface = Surface(made(tmp_path, "{note: 36, does: go}\n{note: 37, does: panic}"))
    surface.hear([on(36)], 0.0)
    assert orders(surface.hear([on(37), off(37)], 0.1)) == [("panic", {})]
    assert orders(surface.hear([on(37), off(37)], 0.4)) == [("panic", {})]


def test_a_controller_pulled_out_with_go_down_gives_go_when_it_is_back(tmp_path: Path) -> None:
    surface = Surface(made(tmp_path, "{note: 36, does: go}\n{note: 37, does: go}"))
    surface.hear([on(36)], 0.0)
    surface.unplugged()
    assert orders(surface.hear([on(37)], 1.0)) == [("go", {})]


def test_faders_set_what_the_next_order_says_and_keys_say_more(tmp_path: Path) -> None:
    surface = Surface(
        made(
            tmp_path,
            """
            {cc: 0, sets: change.energy, range: [20, 110]}
            {cc: 1, sets: change.density, range: [1, 5]}
            {note: 1, does: change}
            {note: 2, does: {change: {energy: 50}}}
            """,
        )
    )
    assert surface.hear([cc(0, 3), cc(0, 60), cc(0, 127), cc(1, 0)], 0.0) == []
    assert orders(surface.hear([on(1)], 1.0)) == [("change", {"energy": 110, "density": 1})]
    assert orders(surface.hear([on(2)], 2.0)) == [("change", {"energy": 50, "density": 1})]


def test_a_fader_follows_what_is_live_and_is_picked_up_again(tmp_path: Path) -> None:
    surface = Surface(made(tmp_path, "{cc: 0, sets: change.energy, range: [1, 127]}\n{note: 1, does: change}"))
    surface.hear([cc(0, 127)], 0.0)
    surface.show(replace(SHOW, values={("change", "energy"): 40}))
    assert orders(surface.hear([cc(0, 120), on(1), off(1)], 1.0)) == [("change", {})], "for another piece"
    assert orders(surface.hear([cc(0, 10), on(1), off(1)], 2.0)) == [("change", {"energy": 11})], "it came past"
    surface.show(replace(SHOW, values={("change", "energy"): 40}))
    assert orders(surface.hear([on(1)], 3.0)) == [("change", {"energy": 11})], "nothing has changed"


def test_a_fader_swept_while_nobody_had_time_to_look_is_picked_up_on_its_way(tmp_path: Path) -> None:
    surface = Surface(made(tmp_path, "{cc: 7, sets: fade.seconds, range: [1, 20], start: 4}\n{note: 1, does: fade}"))
    assert orders(surface.hear([cc(7, 0), cc(7, 127), on(1)], 0.0)) == [("fade", {"seconds": 20})]


def test_a_fader_may_give_its_order_by_itself_once_it_rests(tmp_path: Path) -> None:
    surface = Surface(made(tmp_path, "{cc: 0, sets: change.energy, range: [20, 110], after: 500ms}"))
    surface.hear([cc(0, 0)], 0.0)
    assert surface.tick(0.4) == []
    surface.hear([cc(0, 127)], 0.4)
    assert surface.tick(0.8) == []
    assert surface.tick(0.9) == [Press("change", {"energy": 110}, 0.9)]
    assert surface.tick(5.0) == []


def test_two_encoders_of_one_value_know_of_each_other(tmp_path: Path) -> None:
    surface = Surface(
        made(
            tmp_path,
            """
            {cc: 0, turns: fade.seconds, range: [1, 20], start: 4}
            {cc: 1, turns: fade.seconds, range: [1, 20], start: 4, step: 5}
            {note: 1, does: fade}
            """,
        )
    )
    surface.hear([cc(0, 1), cc(0, 1), cc(1, 1), cc(0, 127)], 0.0)
    assert orders(surface.hear([on(1)], 0.0)) == [("fade", {"seconds": 10})]


# --- lights ---------------------------------------------------------------------------


def shown(surface: Surface, scene: Scene, now_s: float = 0.0) -> list[bytes]:
    surface.show(scene)
    return surface.lights(now_s)


def test_lights_show_the_show_and_only_what_differs_is_sent(tmp_path: Path) -> None:
    cues = "\n".join(
        f'{{note: {n}, does: {{standby: {{cue: "{n}"}}}}, light: {{planned: 1, ready: 2, standby: 3, live: 4}}}}'
        for n in (1, 2, 3, 4, 5)
    )
    surface = Surface(made(tmp_path, f"{cues}\n{{note: 36, does: go, light: {{ready: 21}}}}"))
    first = shown(surface, SHOW)
    # Composing shows as planned, a cue that is not there as nothing.
    assert first == [on(1, 4), on(2, 3), on(3, 1), on(4, 1), on(5, 0), on(36, 21)]
    assert shown(surface, SHOW) == []
    assert shown(surface, replace(SHOW, standby="dusk")) == [on(2, 2), on(36, 0)]
    assert surface.plugged_in() == []
    assert len(surface.lights(0.0)) == 6, "all of them after it was plugged in"
    assert surface.dark() == [on(n, 0) for n in (1, 2, 3, 4, 5, 36)]


def test_go_does_not_shine_while_there_is_nobody_to_play(tmp_path: Path) -> None:
    surface = Surface(made(tmp_path, "{note: 1, does: go, light: {ready: 21}}"))
    assert shown(surface, replace(SHOW, playing=False)) == [on(1, 0)]
    assert shown(surface, SHOW) == [on(1, 21)]


def test_a_light_blinks_while_a_piece_is_composed(tmp_path: Path) -> None:
    surface = Surface(
        made(tmp_path, "{cc: 41, does: go, light: {ready: 9, composing: {blink: [127, 5], every: 500ms}}}")
    )
    surface.show(replace(SHOW, standby="dusk"))
    sent = [surface.lights(n / 8) for n in range(9)]
    assert [each[0][2] for each in sent if each] == [127, 5, 127, 5, 127]
    assert [bool(each) for each in sent] == [True, False, True, False, True, False, True, False, True]


def test_a_light_may_blink_by_its_channel(tmp_path: Path) -> None:
    surface = Surface(made(tmp_path, "{note: 1, does: hold, light: {on: {value: 9, channel: 2}, off: 1}}"))
    assert shown(surface, replace(SHOW, lit=frozenset({"hold"}))) == [on(1, 9, channel=2)]
    assert shown(surface, SHOW) == [on(1, 1)]


def test_a_key_that_is_refused_flashes_and_says_why(tmp_path: Path) -> None:
    surface = Surface(made(tmp_path, "{note: 1, does: go, light: {ready: 21, refused: 5}}"))
    shown(surface, SHOW)
    [press] = surface.hear([on(1)], 1.0)
    surface.answered(press, "Noon is not ready yet", 1.0)
    assert surface.news == ["map: go refused: Noon is not ready yet"]
    flashes = [surface.lights(1.0 + n * 0.05) for n in range(round(FLASH_S / 0.05) + 2)]
    assert [each[0][2] for each in flashes if each] == [5, 0, 5, 0, 5, 0, 21]
    assert surface.lights(9.0) == []


def test_an_order_that_is_obeyed_flashes_nothing(tmp_path: Path) -> None:
    surface = Surface(made(tmp_path, "{note: 1, does: go, light: {ready: 21, refused: 5}}"))
    shown(surface, SHOW)
    [press] = surface.hear([on(1)], 1.0)
    surface.answered(press, "", 1.0)
    assert surface.news == []
    assert surface.lights(1.0) == []


def test_the_light_of_a_toggle_shows_whether_it_is_in_force(tmp_path: Path) -> None:
    plan = made(tmp_path, "{note: 1, does: {endless: {on: true}}, undoes: {endless: {on: false}}, light: {on: 7}}")
    surface = Surface(plan)
    assert shown(surface, replace(SHOW, lit=frozenset({"endless"}))) == [on(1, 7)]
    assert surface.hear([on(1)], 0.0)[0].arguments == {"on": False}


def test_two_keys_may_share_a_light_and_the_one_that_shines_wins(tmp_path: Path) -> None:
    plan = made(
        tmp_path,
        """
        {note: 1, does: hold, light: {on: 7, at: {note: 9}}}
        {note: 2, does: skip, light: {live: 8, at: {note: 9}}}
        """,
    )
    assert shown(Surface(plan), SHOW) == [on(9, 8)]
    assert shown(Surface(plan), replace(SHOW, live=None, lit=frozenset({"hold"}))) == [on(9, 7)]


# --- noise ----------------------------------------------------------------------------


def test_noise_on_its_keys_gives_no_order_is_told_once_and_ends(tmp_path: Path) -> None:
    surface = Surface(made(tmp_path, "{note: 36, does: go}\n{note: 37, does: panic}\n{cc: 1, does: skip}"))
    noise = [message for _ in range(5) for message in (on(36), off(36), on(37), off(37), cc(1, 127), cc(1, 0))]
    given = [press for n in range(1000) for press in surface.hear(noise, n * 0.002)]
    assert given == []
    assert surface.news == ["map presses keys faster than any hand: they are not obeyed until it is calm"]
    surface.hear([], 2.0 + CALM_S)
    assert surface.news[1:] == ["map is calm again: its keys are obeyed"]
    assert orders(surface.hear([on(36)], 5.0)) == [("go", {})]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.binary(max_size=4), max_size=60), max_size=40))
def test_whatever_bytes_come_nothing_breaks_and_every_order_is_one_of_the_map(noise: list[list[bytes]]) -> None:
    plan = read_map(shipped()["nanokontrol2"], VERBS)
    known = {button.does.verb for button in plan.buttons} | {"release"}
    surface = Surface(plan)
    for n, messages in enumerate(noise):
        for press in [*surface.hear(messages, n * 0.002), *surface.tick(n * 0.002)]:
            assert press.verb in known
        assert len(surface.news) <= n + 1
        surface.lights(n * 0.002)
