"""Which patches a setlist asks for: variants of instruments, and a folder of one's own; checked before a show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conductor.setlist.yamlfile import Loc, Mistake, YamlFile
from streaming.errors import PatchError
from streaming.patches import library

# (instrument, variant), sorted.
Variants = tuple[tuple[str, str], ...]


def folder_of(said: str | None, folder: Path) -> Path | None:
    """Return the whole path of a folder of patches, as a setlist in a folder says it."""
    return None if said is None else (folder / Path(said).expanduser()).resolve()


def variants_of(*said: dict[str, str] | None) -> Variants:
    """Return the variants that are asked for; later ones come before earlier ones."""
    found: dict[str, str] = {}
    for each in said:
        found |= each or {}
    return tuple(sorted(found.items()))


def player_mistakes(file: YamlFile, raw: dict[str, Any]) -> list[Mistake]:
    """Return the variants and the patches of a setlist that cannot be played, each where it is asked for."""
    cues = raw.get("cues")
    places: list[tuple[Loc, Any]] = [((), raw), (("endless",), raw.get("endless"))]
    places += [(("cues", index), cue) for index, cue in enumerate(cues if isinstance(cues, list) else [])]
    sounds = [((*loc, "sound"), part["sound"]) for loc, part in places if isinstance(part, dict) and "sound" in part]
    sounds = [(loc, sound) for loc, sound in sounds if isinstance(sound, dict)]
    said = next((sound.get("patches") for loc, sound in sounds if loc == ("sound",)), None)
    try:
        patches = library(folder_of(said, file.path.parent) if isinstance(said, str) else None)
    except PatchError as error:
        return [file.mistake(("sound", "patches"), line) for line in str(error).splitlines()]
    mistakes = []
    for loc, sound in sounds:
        variants = sound.get("variants")
        for name, variant in variants.items() if isinstance(variants, dict) else ():
            try:
                patches.ensemble(variants={str(name): str(variant)})
            except PatchError as error:
                of_key = not patches.variants(str(name))
                mistakes.append(file.mistake((*loc, "variants", name), str(error), of_key=of_key))
    return mistakes
