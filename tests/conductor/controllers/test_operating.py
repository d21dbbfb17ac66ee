"""What lights and faders go by is told from the state of the show."""

from __future__ import annotations

from dataclasses import replace

from conductor import cues as c
from conductor.controllers.operating import scene_of
from conductor.controllers.scene import STATES, state_of
from conductor.controllers.table import VERBS
from conductor.cues import Phase
from conductor.setlist import Cue, Setlist
from conductor.setlist.plan import Controls
from model.composing.course import energy_of


def cue(name: str, number: str, energy: object = None) -> Cue:
    return Cue(id=name, number=number, name=name.title(), controls=Controls(energy=energy_of(energy)))


def state(*phases: Phase, energy: object = 80) -> c.State:
    names = ("dawn", "noon", "dusk")
    begun = c.begin(Setlist("Trial", tuple(cue(name, str(n), energy) for n, name in enumerate(names, 1))))
    slots = tuple(
        replace(slot, phase=phase, number=n) for n, (slot, phase) in enumerate(zip(begun.slots, phases, strict=True), 1)
    )
    return replace(begun, slots=slots, player=True, composer=True)


PLAYING = state(Phase.LIVE, Phase.ARMED, Phase.COMPOSING)


def test_cues_are_known_by_id_and_by_number_and_which_is_live_and_next() -> None:
    scene = scene_of(PLAYING)
    assert (scene.live, scene.standby, scene.playing) == ("dawn", "noon", True)
    assert scene.phases == {"dawn": "live", "noon": "armed", "dusk": "composing"}
    assert scene.numbers == {"1": "dawn", "2": "noon", "3": "dusk"}


def test_a_number_that_two_cues_have_means_the_one_to_come() -> None:
    aired = state(Phase.AIRED, Phase.LIVE, Phase.ARMED)
    again = replace(aired.slots[0], cue=cue("dawn-2", "1"), phase=Phase.READY)
    assert scene_of(replace(aired, slots=(*aired.slots, again))).numbers["1"] == "dawn-2"
    assert scene_of(replace(aired, slots=(again, *aired.slots))).numbers["1"] == "dawn-2"


def test_switches_of_the_show_light_their_keys() -> None:
    assert scene_of(PLAYING).lit == frozenset()
    switched = scene_of(replace(PLAYING, held=True, locked=True, panicked=True))
    assert switched.lit == {"hold", "lock", "panic"}
    assert [state_of(verb, {}, switched) for verb in ("hold", "release", "lock", "panic", "endless")] == [
        "on", "on", "on", "on", "off",
    ]  # fmt: skip
    assert state_of("undo", {}, switched) == "off", "there is nothing to undo"


def test_a_change_begins_from_what_the_live_piece_was_asked_for_or_changed_to() -> None:
    assert scene_of(PLAYING).values == {("change", "energy"): 80}
    wished = replace(PLAYING.slots[0], wish=(("energy", energy_of(40)),))
    assert scene_of(PLAYING.put(wished)).values == {("change", "energy"): 40}
    # What goes from one value to another is at no place of a fader.
    assert scene_of(state(Phase.LIVE, Phase.READY, Phase.READY, energy="0s:low,60s:high")).values == {}
    assert scene_of(state(Phase.AIRED, Phase.READY, Phase.READY)).values == {}


def test_every_verb_has_a_light_in_every_state() -> None:
    shown = {state_of(verb, arguments, scene_of(PLAYING)) for verb in VERBS for arguments in ({}, {"cue": "2"})}
    assert shown <= STATES.keys()
    assert {"live", "armed", "off", "ready", "standby"} <= shown
