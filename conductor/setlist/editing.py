"""Cues changed key by key: the same keys as in a setlist, checked by the same parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from conductor.setlist.banks import bank_trouble
from conductor.setlist.building import build
from conductor.setlist.parts import CuePart, SetlistPart
from conductor.setlist.plan import Controls, Cue
from conductor.setlist.yamlfile import did_you_mean, explain
from model.composing.opening import opening_of
from model.errors import ModelError

# Names of fields of a cue (`controls.key` is one of its controls) and their values.
Fields = tuple[tuple[str, Any], ...]

# Which fields of a cue a key of the setlist sets.
KEYS: dict[str, tuple[str, ...]] = {
    "number": ("number",),
    "name": ("name",),
    "style": ("style",),
    "instruments": ("instruments",),
    "prompt": ("opening", "opening_notes", "opening_s", "opening_tokens"),
    "seed": ("seed",),
    "duration": ("duration_s",),
    "candidates": ("candidates",),
    "follow": ("follow",),
    "obs": ("scene",),
    "sound": ("bank", "variants"),
    "expression": ("expression",),
    "notes": ("notes",),
    "key": ("controls.key",),
    "density": ("controls.density",),
    "energy": ("controls.energy",),
    "tempo": ("controls.tempo_bpm",),
    "form": ("controls.form",),
    "silence": ("controls.silence_s",),
}
# What a piece is composed from; all else may change and the music stays.
MUSIC = frozenset(
    {
        *("style", "instruments", "controls", "opening", "opening_notes", "opening_s", "opening_tokens"),
        *("seed", "duration_s", "candidates"),
    }
)
# What player and feed are told of a piece beside its music.
SHOWN = frozenset({"name", "bank", "variants", "expression"})


def template_of(parts: SetlistPart, path: Path) -> Cue:
    """Return what a cue is that says nothing: all from the setlist's defaults; without an id, a number, a name."""
    alone = parts.model_copy(update={"cues": [CuePart(id="before"), CuePart(id="template")], "endless": None})
    return replace(build(alone, path).cues[1], id="", number="", name="", seed=0)


def fields_of(values: Mapping[str, Any], path: Path) -> Fields:
    """Return what the keys of a cue say.

    Args:
        values: keys and values as in a setlist, but for `id`.
        path: of the setlist; other files are named from its folder.

    Raises:
        ValueError: one of them is unknown or wrong; one line.
    """
    if not values:
        raise ValueError(f"nothing is to be different; say one of {', '.join(KEYS)}")
    unknown = next((name for name in values if name not in KEYS), None)
    if unknown is not None:
        raise ValueError(f'a cue has no "{unknown}" that can be set{did_you_mean(unknown, KEYS)}')
    try:
        part = CuePart.model_validate({**values})
    except ValidationError as error:
        details = error.errors()[0]
        if details["type"] == "extra_forbidden":
            raise ValueError(f'{details["loc"][0]}: unknown key "{details["loc"][-1]}"') from None
        raise ValueError(explain(details)) from None
    if part.sound and part.sound.bank and (wrong := bank_trouble(part.sound.bank, path.parent)):
        raise ValueError(wrong)
    # As second of two: what is said of a first cue alone does not hold for it.
    built = build(SetlistPart(version=1, cues=[CuePart(id="before"), part]), path).cues[1]
    return tuple((name, field_of(built, name)) for key in values for name in KEYS[key])


def field_of(cue: Cue, name: str) -> Any:
    """Return a field of a cue, or one of its controls."""
    head, _, control = name.partition(".")
    return getattr(cue.controls, control) if control else getattr(cue, head)


def with_fields(cue: Cue, fields: Fields) -> Cue:
    """Return a cue with other fields."""
    controls = {name.removeprefix("controls."): value for name, value in fields if name.startswith("controls.")}
    own = {name: value for name, value in fields if "." not in name}
    if controls:
        own["controls"] = replace(cue.controls, **controls)
    return replace(cue, **own)


def differing(one: Cue, other: Cue) -> tuple[str, ...]:
    """Return the names of the fields, controls one by one, in which two cues differ."""
    own = [n for n in Cue.__dataclass_fields__ if n not in ("id", "drawn", "ident", "controls")]
    names = (*own, *(f"controls.{n}" for n in Controls.__dataclass_fields__))
    return tuple(n for n in names if field_of(one, n) != field_of(other, n))


def touches_music(names: tuple[str, ...]) -> bool:
    """Return whether one of some fields is of what a piece is composed from."""
    return any(name.partition(".")[0] in MUSIC for name in names)


def check_cue(cue: Cue) -> None:
    """Look whether a cue can be composed at all.

    Raises:
        ValueError: it cannot; one line.
    """
    try:
        prompt = cue.prompt(cue.seed)
        prompt.check()
        opening_of(prompt)
    except ModelError as error:
        raise ValueError(str(error)) from None
    if cue.follow.kind == "morph" and (cue.opening or cue.opening_tokens):
        raise ValueError(f"{cue.name} has a prompt and cannot be a morph, too; write follow: auto")
