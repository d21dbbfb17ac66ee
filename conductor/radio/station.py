"""A station that needs no file: the setlist of a radio, written from a few wishes."""

from __future__ import annotations

import json
from dataclasses import dataclass

from conductor.errors import UsageError
from conductor.radio.plan import Weights
from model.composing.prompt import LONGEST_S, SHORTEST_S

STYLES: Weights = (
    ("chopin", 3.0),
    ("bach", 2.0),
    ("schubert", 2.0),
    ("mozart", 2.0),
    ("debussy", 2.0),
    ("jazz", 1.0),
    ("folk", 1.0),
)
TITLE = "Endless Radio"


@dataclass(frozen=True, slots=True)
class Station:
    """What was said of a radio on the command line; None: as usual.

    Attributes:
        title: of the station.
        styles: and their weights.
        minutes: length of a piece.
        seed: of the drawing.
        join: `gap`, `crossfade` or `morph`.
    """

    title: str | None = None
    styles: Weights | None = None
    minutes: float | None = None
    seed: int | None = None
    join: str | None = None

    @property
    def setlist(self) -> str:
        """The text of its setlist."""
        styles = ", ".join(f"{name}: {weight:g}" for name, weight in self.styles or STYLES)
        minutes = self.minutes or 4.0
        seconds = min(max(round(minutes * 60), SHORTEST_S), LONGEST_S)
        seed = "" if self.seed is None else f"  seed: {self.seed}\n"
        # A morph takes no more than half of a piece.
        morph = "" if seconds >= 60 else f"  morph: {seconds // 3:g}s\n"
        usual = "{crossfade: 3, morph: 1}"
        return f"""# Written by `conductor radio`. While the radio runs, what is changed here can be taken up (reload);
# the next `conductor radio` without wishes of its own goes on with it. All keys: docs/radio.md.
version: 1
show: {{title: {json.dumps(self.title or TITLE, ensure_ascii=False)}, ahead: 3}}
defaults: {{duration: {seconds:g}s, candidates: 4}}
endless:
  styles: {{{styles}}}
  ensembles: {{any: 4, piano: 3, piano strings: 2, strings: 1, piano flute: 1}}
{seed}  variety: {{style: 2, keys: near}}        # two of a style in a row at most; keys go around the circle of fifths
  arc: {{every: 60m, energy: 14, tempo: 15%}}
  dayparts:
    "06:00-09:00": {{energy: mid, mode: major}}
    "22:00-06:00": {{energy: low, tempo: 80}}
  join: {self.join or usual}
{morph}  ident: {{every: 20m, text: "You are listening to {{title}}"}}
  repeat_after: 6h
"""


def weights_of(text: str) -> Weights:
    """Return the weights that a line such as `chopin=3,jazz` says; one where none is said.

    Raises:
        UsageError: it says none.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight = part.strip().partition("=")
        try:
            found[name.strip()] = float(weight or 1)
        except ValueError:
            raise UsageError(f"--styles {text}: {weight!r} is no weight; write such as chopin=3,jazz=1") from None
        if not name.strip() or not 0 < found[name.strip()] <= 1000:
            raise UsageError(f"--styles {text}: write such as chopin=3,jazz=1 (weights above 0)")
    return tuple(found.items())
