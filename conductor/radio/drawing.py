"""What the radio plays: a pure function of what is wanted, the seed, the place, what was before, and when."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

from conductor.radio.arcs import energy_at, next_key, tempo_at
from conductor.radio.plan import Daypart, JoinKind
from conductor.radio.variety import pick
from conductor.setlist.plan import Controls, Cue, Endless
from conductor.setlist.values import AUTO, MAX_SEED, Follow
from model.composing.blend import main_style
from model.composing.course import Course

GAP_S = 1.0
# A plan of moments holds while the show keeps to it so closely: then it says the same at every run.
KEEPS_S = 120.0
_NO_PART = Daypart(0, 0)


def draw(
    endless: Endless,
    seed: int,
    index: int,
    before: Sequence[Cue] = (),
    moment_s: float = 0.0,
    prefer: str | None = None,
) -> Cue:
    """Return the cue that is drawn at a place; the same for the same arguments.

    Args:
        endless: what is drawn from.
        seed: of the drawing.
        index: the place, 1 and up.
        before: cues that are played before it, the latest last.
        moment_s: when it is expected on air, in seconds since 1970.
        prefer: a style in place of the one drawn; all else stays as it was drawn.
    """
    radio = endless.radio
    part = radio.daypart(moment_s) or _NO_PART
    styles = part.styles or endless.styles
    earlier = [main_style(cue.style) for cue in before]
    style = prefer or pick(_rng(seed, index, "style"), styles, earlier, most_running=radio.variety.style)
    ensembles = part.ensembles or radio.ensembles
    instruments = endless.instruments
    if ensembles:
        instruments = pick(_rng(seed, index, "ensemble"), ensembles, [cue.instruments for cue in before])
    return Cue(
        id=f"endless-{index}",
        number=f"E{index}",
        name=f"{style.replace('_', ' ').title()} No. {index}",
        style=style,
        instruments=instruments,
        seed=_rng(seed, index, "seed").randint(0, MAX_SEED),
        duration_s=endless.duration_s,
        candidates=endless.candidates,
        controls=_controls(endless, part, seed, index, before),
        follow=follow_of(endless, seed, index),
        bank=endless.bank,
        variants=endless.variants,
        expression=endless.expression,
        drawn=True,
        ident=_ident(endless, index),
    )


def follow_of(endless: Endless, seed: int, index: int) -> Follow:
    """Return how the piece at a place comes after the one before; whatever else is drawn, and when."""
    radio = endless.radio
    kinds: list[JoinKind] = [kind for kind, _ in radio.joins]
    kind = _rng(seed, index, "join").choices(kinds, [weight for _, weight in radio.joins])[0]
    if kind == "crossfade":
        return Follow("hang", min(radio.crossfade_s, endless.duration_s / 2))
    if kind == "morph" and radio.morph_s <= endless.duration_s / 2:
        return Follow("morph", morph_s=radio.morph_s)
    return AUTO


def elapsed_s(endless: Endless, index: int) -> float:
    """Return about how many seconds of music were drawn before a place (1 and up)."""
    radio = endless.radio
    gaps = {"gap": GAP_S, "crossfade": -radio.crossfade_s, "morph": -radio.morph_s}
    whole = math.fsum(weight for _, weight in radio.joins)
    gap_s = math.fsum(gaps[kind] * weight / whole for kind, weight in radio.joins)
    return (index - 1) * max(1.0, endless.duration_s + gap_s)


def gap_of(follow: Follow) -> float:
    """Return the seconds between a piece and the one before it; negative where it begins earlier than that ends."""
    return {"hang": -follow.hang_s, "morph": -follow.morph_s}.get(follow.kind, GAP_S)


def kept_to(planned_s: float | None, estimated_s: float) -> float:
    """Return when what is to come will be over: as planned, where the show keeps to its plan; else as it is now.

    Args:
        planned_s: when what was drawn last was planned to end, in seconds since 1970; None: nothing was drawn.
        estimated_s: from what is to be played still.
    """
    return planned_s if planned_s is not None and abs(planned_s - estimated_s) <= KEEPS_S else estimated_s


def _rng(seed: int, index: int, of: str) -> random.Random:
    # A text seeds it, so that neighbouring seeds and places have nothing in common; and each thing is drawn by itself,
    # so that what is written of one does not change the others.
    return random.Random(f"{seed}/{index}/{of}")


def _controls(endless: Endless, part: Daypart, seed: int, index: int, before: Sequence[Cue]) -> Controls:
    controls, variety, arc = endless.controls, endless.radio.variety, endless.radio.arc
    earlier = [cue.controls.key for cue in before if cue.controls.key]
    key = controls.key
    if key is None and variety.keys != "model":
        key = next_key(_rng(seed, index, "key"), earlier, near=variety.keys == "near", mode=part.mode or variety.mode)
    energy = part.energy or controls.energy
    tempo_bpm = part.tempo_bpm or controls.tempo_bpm
    since_s = elapsed_s(endless, index)
    # What changes within a piece has an arc of its own.
    if arc and arc.energy and (energy is None or len(energy.points) == 1):
        usual = energy.points[0][1] if energy else None
        energy = Course(((0.0, energy_at(_rng(seed, index, "energy"), arc, since_s, usual)),))
    if arc and arc.tempo:
        tempo_bpm = tempo_at(_rng(seed, index, "tempo"), arc, since_s, tempo_bpm)
    return replace(controls, key=key, energy=energy, density=part.density or controls.density, tempo_bpm=tempo_bpm)


def _ident(endless: Endless, index: int) -> str:
    ident = endless.radio.ident
    if ident is None:
        return ""
    if ident.every:
        return ident.text if (index - 1) % ident.every == 0 else ""
    here, there = (math.floor(elapsed_s(endless, place) / ident.every_s) for place in (index, index - 1))
    return ident.text if here != there else ""
