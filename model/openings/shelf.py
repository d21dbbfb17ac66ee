"""The openings that come with the program: what each is, and where. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

from model.errors import PromptError

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Shipped:
    """An opening that comes with the program.

    Attributes:
        name: as a prompt says it.
        title: of the music.
        composer: of the music.
        style: of the vocabulary.
        instruments: that play.
        licence: of the edition or recording it was cut from.
        source: repository and path of that.
        key: such as `Eb major`; empty for drums.
    """

    name: str
    title: str
    composer: str
    style: str
    instruments: tuple[str, ...]
    licence: str
    source: str
    key: str = ""

    @property
    def path(self) -> Path:
        """Where its MIDI file lies."""
        return FOLDER / f"{self.name}.mid"


@cache
def shipped() -> dict[str, Shipped]:
    """Return all shipped openings by name."""
    rows = YAML(typ="safe").load(FOLDER / "index.yaml")
    return {name: Shipped(name, **{**row, "instruments": tuple(row["instruments"])}) for name, row in rows.items()}


def find(name: str) -> Shipped:
    """Return a shipped opening.

    Raises:
        PromptError: there is none of that name; says the nearest.
    """
    known = shipped()
    if name not in known:
        near = get_close_matches(name.lower(), known, 3, cutoff=0.6)
        hint = f"did you mean {' or '.join(near)}?" if near else "`conductor openings` lists them"
        raise PromptError(f"opening {name!r} is unknown; {hint}")
    return known[name]
