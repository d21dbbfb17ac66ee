"""Which instruments a setlist asks for: the synth, or a SoundFont by its path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conductor.setlist.yamlfile import Mistake, YamlFile, nearest
from streaming.errors import SynthError
from streaming.soundfonts import fluid
from streaming.soundfonts.sf2 import SYNTH, instruments_of

_ENDINGS = (".sf2", ".sf3")


def bank_of(said: str, folder: Path) -> str:
    """Return `synth` or the whole path of a SoundFont.

    Args:
        said: as in the setlist, from whose folder a path counts.
        folder: of the setlist.
    """
    return SYNTH if said == SYNTH else str((folder / Path(said).expanduser()).resolve())


def bank_mistakes(file: YamlFile, raw: dict[str, Any]) -> list[Mistake]:
    """Return the banks of a setlist that cannot be played, each where it is asked for."""
    cues = raw.get("cues")
    places: list[tuple[str | int, ...]] = [("sound",), ("endless", "sound")]
    places += [("cues", index, "sound") for index in range(len(cues) if isinstance(cues, list) else 0)]
    mistakes = []
    for place in places:
        part: Any = raw
        for step in place:
            if isinstance(part, list) and isinstance(step, int):
                part = part[step]
            else:
                part = part.get(step) if isinstance(part, dict) else None
        said = part.get("bank") if isinstance(part, dict) else None
        if isinstance(said, str) and (wrong := bank_trouble(said, file.path.parent)):
            mistakes.append(file.mistake((*place, "bank"), wrong))
    return mistakes


def bank_trouble(said: str, folder: Path) -> str | None:
    """Return why a bank cannot be played, None where it can."""
    if said == SYNTH:
        return None
    path = Path(bank_of(said, folder))
    try:
        instruments_of(path)
        fluid.library()
    except SynthError as error:
        there = [p.name for p in path.parent.glob("*") if p.suffix.lower() in _ENDINGS]
        near = nearest(path.name, there) if not path.exists() else []
        return f'{error} - did you mean "{near[0]}"?' if near else str(error)
    return None
