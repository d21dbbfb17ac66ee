"""What a composer is asked for. Torch-free: the conductor speaks of it, too."""

from __future__ import annotations

from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from model.composing.blend import Style, check_style, plain_style, style_of, styles_of
from model.composing.course import Course, density_of, energy_of
from model.composing.form import letters_of
from model.errors import PromptError
from model.instruments import BY_NAME, members
from model.language.vocabulary import KEYS, OWN_STYLES, PITCH_CLASSES, STYLES

SHORTEST_S, LONGEST_S = 5.0, 1800.0
MOST_CANDIDATES = 32
SHORTEST_CONTEXT = 128
MOST_INSTRUMENTS = 10
SILENCE_S = (0.5, 30.0)
_FLATS = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#", "Cb": "B", "Fb": "E", "E#": "F", "B#": "C"}


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request for a piece.

    Attributes:
        style: a style of the checkpoint, a blend of several, or a change from one to another; None: whatever comes.
        instruments: instruments or groups; empty: whatever comes.
        duration_s: length, 5 s to 30 min.
        candidates: how many to compose and choose from, 1 to 32.
        seed: 0 and up; the same seed, prompt and checkpoint give the same notes.
        temperature: 1 is the model's own; lower is tamer.
        top_p: chance kept, the least likely tokens cut off.
        tempo_bpm: quarter notes a minute; None: whatever comes.
        key: such as `D_minor`; None: whatever comes.
        density: notes a second, over time; None: whatever comes.
        energy: mean velocity, over time; None: whatever comes.
        silence_s: the longest silence.
        form: order of its sections (see `model.composing.form`).
        opening: path of a MIDI file to go on from, or the name of a shipped opening.
        opening_notes: how many of its notes; None: all within half the length.
        opening_s: how many of its seconds.
        opening_tokens: text of tokens to go on from, in place of a file.
        continue_from: path of a MIDI file whose music up to `at_s` stays as it is; the rest is composed.
        at_s: where the rest begins.
        given: path of a MIDI file all of whose notes stay as they are; other notes are composed to them.
        context: tokens it looks back over, 128 and up; None: as many as the model was made for.
        voices: how many notes sound together where notes are given, these counted; None: as many as come.
        title: for people.
    """

    style: Style | None = None
    instruments: tuple[str, ...] = ()
    duration_s: float = 240.0
    candidates: int = 4
    seed: int = 0
    temperature: float = 1.0
    top_p: float = 0.98
    tempo_bpm: float | None = None
    key: str | None = None
    density: Course | None = None
    energy: Course | None = None
    silence_s: float = 2.0
    form: str = "auto"
    opening: str | None = None
    opening_notes: int | None = None
    opening_s: float | None = None
    opening_tokens: str | None = None
    continue_from: str | None = None
    at_s: float | None = None
    given: str | None = None
    voices: int | None = None
    context: int | None = None
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
        readers = {"style": style_of, "density": density_of, "energy": energy_of, "key": key_of}
        values = {name: readers[name](value) if name in readers else value for name, value in values.items()}
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
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in ("density", "energy"):
            plain[name] = plain[name].plain if plain[name] is not None else None
        return {**plain, "style": plain_style(self.style), "instruments": list(self.instruments)}

    @property
    def ensemble(self) -> tuple[str, ...]:
        """The instruments that may play, groups spelled out; all where none is named."""
        names = [name for wanted in self.instruments for name in members(wanted)]
        return tuple(dict.fromkeys(names)) or tuple(BY_NAME)

    @property
    def goes_on(self) -> bool:
        """Whether some of the music is there already."""
        return any((self.opening, self.opening_tokens, self.continue_from))

    def check(self, known_styles: tuple[str, ...] = STYLES + OWN_STYLES) -> None:
        """Refuse what cannot be composed.

        Raises:
            PromptError: one line: what is wrong and what to do.
        """
        for style in styles_of(self.style):
            check_style(style, known_styles)
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
        if not SILENCE_S[0] <= self.silence_s <= SILENCE_S[1]:
            raise PromptError(
                f"a silence of {self.silence_s:g} s; the longest can be {SILENCE_S[0]:g} to {SILENCE_S[1]:g} s"
            )
        if self.key is not None and self.instruments and self.ensemble == ("drums",):
            raise PromptError(f"key {self.key}: drums have none; leave it out or ask for other instruments")
        letters_of(self.form, self.duration_s)
        self._check_beginning()

    def _check_beginning(self) -> None:
        """Refuse beginnings that contradict each other."""
        beginnings = {
            "an opening": self.opening,
            "opening tokens": self.opening_tokens,
            "a piece to go on from": self.continue_from,
            "given notes": self.given,
        }
        said = [name for name, value in beginnings.items() if value is not None]
        if len(said) > 1:
            raise PromptError(f"{said[0]} and {said[1]} at once; a piece has one beginning: leave one out")
        if self.opening is None and (self.opening_notes is not None or self.opening_s is not None):
            raise PromptError("how much of an opening is said, but no opening; name one or leave it out")
        if self.opening_notes is not None and self.opening_s is not None:
            raise PromptError("notes and seconds of an opening at once; leave one out")
        if self.opening_notes is not None and self.opening_notes < 1:
            raise PromptError(f"an opening of {self.opening_notes} notes; it needs 1 at least")
        if self.opening_s is not None and not 0.1 <= self.opening_s < self.duration_s:
            raise PromptError(
                f"an opening of {self.opening_s:g} s in a piece of {self.duration_s:g} s; ask for a shorter one"
            )
        if (self.continue_from is None) != (self.at_s is None):
            raise PromptError("going on from a piece needs both the piece and at which second")
        if self.at_s is not None and not 0 < self.at_s < self.duration_s - 1:
            raise PromptError(
                f"to go on at {self.at_s:g} s in a piece of {self.duration_s:g} s; ask for a longer piece"
            )
        if self.voices is not None and (self.given is None or not 2 <= self.voices <= 16):
            raise PromptError(f"{self.voices} voices; there can be 2 to 16, and only where notes are given")
        if self.context is not None and self.context < SHORTEST_CONTEXT:
            raise PromptError(f"a context of {self.context} tokens; it can be {SHORTEST_CONTEXT} and up")
        for path in (self.continue_from, self.given):
            if path is not None and not Path(path).is_file():
                raise PromptError(f"{path}: no such file; give the path of a MIDI file")


def key_of(value: Any) -> str | None:
    """Return the key that a text says, as the vocabulary has it: `d minor`, `Dm`, `Eb major`, `F# major`.

    Raises:
        PromptError: it says none.
    """
    if value is None:
        return None
    text = str(value).replace("_", " ").strip()
    words = text.split()
    tonic = words[0][:1].upper() + words[0][1:] if words else ""
    mode = words[1].lower() if len(words) == 2 else "major" if len(words) == 1 else ""
    if len(words) == 1 and len(tonic) > 1 and tonic.endswith("m"):
        tonic, mode = tonic[:-1], "minor"
    tonic = tonic.replace("♯", "#").replace("♭", "b")
    key = f"{_FLATS.get(tonic, tonic)}_{ {'maj': 'major', 'min': 'minor'}.get(mode, mode) }"
    if key not in KEYS:
        tonics = ", ".join(PITCH_CLASSES)
        raise PromptError(f"key {str(value)!r} is unknown; write a tonic ({tonics}, or a flat) and major or minor")
    return key
