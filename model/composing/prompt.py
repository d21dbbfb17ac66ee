"""What a composer is asked for. Torch-free: the conductor speaks of it, too."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from model.errors import PromptError
from model.instruments import BY_NAME, members
from model.language.vocabulary import OWN_STYLES, STYLES

SHORTEST_S, LONGEST_S = 5.0, 1800.0
MOST_CANDIDATES = 32
MOST_INSTRUMENTS = 10


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request for a piece.

    Attributes:
        style: a style of the checkpoint; None: whatever comes.
        instruments: instruments or groups; empty: whatever comes.
        duration_s: length, 5 s to 30 min.
        candidates: how many to compose and choose from, 1 to 32.
        seed: 0 and up; the same seed, prompt and checkpoint give the same notes.
        temperature: 1 is the model's own; lower is tamer.
        top_p: chance kept, the least likely tokens cut off.
        tempo_bpm: quarter notes a minute; None: whatever comes.
        opening: path of a MIDI file to go on from.
        opening_notes: how many of its notes; None: all within half the length.
        title: for people.
    """

    style: str | None = None
    instruments: tuple[str, ...] = ()
    duration_s: float = 240.0
    candidates: int = 4
    seed: int = 0
    temperature: float = 1.0
    top_p: float = 0.98
    tempo_bpm: float | None = None
    opening: str | None = None
    opening_notes: int | None = None
    title: str = ""

    @classmethod
    def of(cls, values: dict[str, Any]) -> Prompt:
        """Return the prompt that plain values say.

        Raises:
            PromptError: an unknown field, a value of the wrong kind, or as `check`.
        """
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise PromptError(f"a prompt has no field {sorted(unknown)[0]!r}")
        try:
            prompt = TypeAdapter(cls).validate_python(values)
        except ValidationError as error:
            first = error.errors()[0]
            field = str(first["loc"][0])
            raise PromptError(f"{field} {values[field]!r}: {first['msg'].lower()}") from None
        prompt.check()
        return prompt

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {**asdict(self), "instruments": list(self.instruments)}

    @property
    def ensemble(self) -> tuple[str, ...]:
        """The instruments that may play, groups spelled out; all where none is named."""
        names = [name for wanted in self.instruments for name in members(wanted)]
        return tuple(dict.fromkeys(names)) or tuple(BY_NAME)

    def check(self, known_styles: tuple[str, ...] = STYLES + OWN_STYLES) -> None:
        """Refuse what cannot be composed.

        Raises:
            PromptError: one line: what is wrong and what to do.
        """
        if self.style is not None and self.style not in known_styles:
            near = get_close_matches(self.style, known_styles, 3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"it knows {', '.join(known_styles)}"
            raise PromptError(f"style {self.style!r} is not known to the checkpoint; {hint}")
        for name in self.instruments:
            try:
                members(name)
            except KeyError:
                near = get_close_matches(name, tuple(BY_NAME), 3)
                hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(BY_NAME)}"
                raise PromptError(f"instrument {name!r} is not in the ensemble; {hint}") from None
        if self.instruments and len(self.ensemble) > MOST_INSTRUMENTS:
            raise PromptError(f"{len(self.ensemble)} instruments asked for; a piece has {MOST_INSTRUMENTS} at most")
        if not SHORTEST_S <= self.duration_s <= LONGEST_S:
            raise PromptError(
                f"a length of {self.duration_s:g} s; it can be {SHORTEST_S:g} s to {LONGEST_S / 60:g} min"
            )
        if not 1 <= self.candidates <= MOST_CANDIDATES:
            raise PromptError(f"{self.candidates} candidates; there can be 1 to {MOST_CANDIDATES}")
        if self.seed < 0:
            raise PromptError(f"a seed of {self.seed}; it can be 0 and up")
        if not 0.1 <= self.temperature <= 2.0:
            raise PromptError(f"a temperature of {self.temperature:g}; it can be 0.1 to 2")
        if not 0.1 <= self.top_p <= 1.0:
            raise PromptError(f"top-p of {self.top_p:g}; it can be 0.1 to 1")
        if self.tempo_bpm is not None and not 20 <= self.tempo_bpm <= 250:
            raise PromptError(f"a tempo of {self.tempo_bpm:g} bpm; it can be 20 to 250")
        if self.opening is not None and not Path(self.opening).is_file():
            raise PromptError(f"{self.opening}: no such opening; give the path of a MIDI file")
        if self.opening_notes is not None and self.opening_notes < 1:
            raise PromptError(f"an opening of {self.opening_notes} notes; it needs 1 at least")
