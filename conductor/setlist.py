"""The setlist: what a person writes about a show, checked before anything starts.

Every mistake is told at once, each with file, line and column; what is refused
is never played half.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from conductor.banks import bank_mistakes, bank_of
from conductor.schema import (
    AUTO,
    DEFAULT_DURATION_S,
    MAX_SEED,
    PARTS,
    ControlsPart,
    Follow,
    MidiPart,
    PromptPart,
    SetlistPart,
    known_style,
)
from conductor.yamlfile import Mistake, YamlFile, did_you_mean, explain, nearest, plain, read_yaml
from model.composing.blend import Style, plain_style, style_of
from model.composing.course import Course, density_of, energy_of
from model.composing.opening import opening_of
from model.composing.prompt import Prompt
from model.errors import ModelError
from streaming.midi.out import CHANNELS, MidiRoute
from streaming.soundfonts.sf2 import SYNTH

__all__ = ["Controls", "Cue", "Endless", "Follow", "Setlist", "load_setlist"]


@dataclass(frozen=True, slots=True)
class Controls:
    """How a piece should be; None leaves it to the model.

    Attributes:
        key: such as `D_minor`.
        density: notes a second, over time.
        energy: mean velocity, over time.
        tempo_bpm: quarter notes a minute.
        form: order of its sections.
        silence_s: the longest silence.
    """

    key: str | None = None
    density: Course | None = None
    energy: Course | None = None
    tempo_bpm: float | None = None
    form: str = "auto"
    silence_s: float = 2.0

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        courses = {
            name: course and course.plain for name, course in (("density", self.density), ("energy", self.energy))
        }
        return {**{f.name: getattr(self, f.name) for f in fields(self)}, **courses}

    @classmethod
    def of(cls, values: dict[str, Any]) -> Controls:
        """Return the controls that `as_dict` told."""
        return cls(**{**values, "density": density_of(values["density"]), "energy": energy_of(values["energy"])})


@dataclass(frozen=True, slots=True)
class Cue:
    """One piece of the show, as planned.

    Attributes:
        id: unique in the show.
        number: as the operator calls it.
        name: for the audience.
        style: one of the vocabulary, a blend, a change; None leaves it to the model.
        instruments: names of single instruments; empty leaves it to the model.
        controls: how the piece should be.
        opening: MIDI file, or name of a shipped opening, that the piece begins with.
        opening_notes: how many of its notes; None: all that fit.
        opening_s: how many of its seconds.
        opening_tokens: text of tokens the piece begins with.
        seed: 0 to 2**31 - 1.
        duration_s: length wanted.
        candidates: how many takes the composer chooses from.
        follow: how it starts.
        scene: OBS scene to show while it plays.
        bank: path of the SoundFont that plays it, or `synth`.
        expression: whether it is played as people would, or exactly as written.
        notes: for the operator.
        drawn: whether the endless part drew it, in place of a person.
    """

    id: str
    number: str
    name: str
    style: Style | None = None
    instruments: tuple[str, ...] = ()
    controls: Controls = Controls()
    opening: str | None = None
    opening_notes: int | None = None
    opening_s: float | None = None
    opening_tokens: str | None = None
    seed: int = 0
    duration_s: float = DEFAULT_DURATION_S
    candidates: int = 4
    follow: Follow = AUTO
    scene: str | None = None
    bank: str = SYNTH
    expression: bool = True
    notes: str = ""
    drawn: bool = False

    def prompt(self, seed: int) -> Prompt:
        """Return what the composer is asked for."""
        return Prompt(
            style=self.style,
            instruments=self.instruments,
            duration_s=self.duration_s,
            candidates=self.candidates,
            seed=seed,
            opening=self.opening,
            opening_notes=self.opening_notes,
            opening_s=self.opening_s,
            opening_tokens=self.opening_tokens,
            title=self.name,
            **{f.name: getattr(self.controls, f.name) for f in fields(self.controls)},
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, but for how it starts."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "follow"}
        return {**plain, "style": plain_style(self.style), "controls": self.controls.as_dict()}

    @classmethod
    def of(cls, values: dict[str, Any]) -> Cue:
        """Return the cue that `as_dict` told."""
        return cls(
            **{
                **values,
                "style": style_of(values["style"]),
                "instruments": tuple(values["instruments"]),
                "controls": Controls.of(values["controls"]),
            }
        )


@dataclass(frozen=True, slots=True)
class Endless:
    """What is drawn when the list is over.

    Attributes:
        styles: (style, weight) pairs; weights above 0.
        instruments: as in `Cue`.
        duration_s: length of each piece.
        candidates: takes a piece is chosen from.
        controls: as in `Cue`.
        seed: of the drawing; None: another order at every start.
        bank, expression: as in `Cue`.
    """

    styles: tuple[tuple[str, float], ...]
    instruments: tuple[str, ...] = ()
    duration_s: float = DEFAULT_DURATION_S
    candidates: int = 4
    controls: Controls = Controls()
    seed: int | None = None
    bank: str = SYNTH
    expression: bool = True


@dataclass(frozen=True, slots=True)
class Setlist:
    """A checked setlist.

    Attributes:
        ahead: how many pieces are composed before their moment.
        midi: where notes go, too.
        loudness: of the programme in LUFS, and its ceiling in dBTP.
    """

    title: str
    cues: tuple[Cue, ...]
    endless: Endless | None = None
    ahead: int = 2
    path: Path = Path("setlist.yaml")
    midi: MidiRoute | None = None
    loudness: tuple[float, float] = (-14.0, -1.0)

    @property
    def banks(self) -> list[str]:
        """The SoundFonts it asks for, the first one first."""
        asked = [cue.bank for cue in self.cues] + ([self.endless.bank] if self.endless else [])
        return [bank for bank in dict.fromkeys(asked) if bank != SYNTH]


def load_setlist(path: Path) -> Setlist:
    """Read and check a setlist.

    Raises:
        SetlistError: all its mistakes, one line each with file:line:column.
    """
    file = read_yaml(path)
    raw = plain(file.data)
    mistakes: list[Mistake] = []
    parts: SetlistPart | None = None
    try:
        parts = SetlistPart.model_validate(raw)
    except ValidationError as error:
        for details in error.errors():
            loc = details["loc"]
            if details["type"] == "extra_forbidden":
                words = [step for step in loc[:-1] if isinstance(step, str)]
                known = PARTS[words[-1] if words else ""].model_fields
                text = f'unknown key "{loc[-1]}"{did_you_mean(str(loc[-1]), known)}'
                mistakes.append(file.mistake(loc, text, of_key=True))
            elif loc == ("version",) and details["type"] != "missing":
                mistakes.append(file.mistake(loc, "this program reads version: 1"))
            else:
                mistakes.append(file.mistake(loc, explain(details)))
    mistakes += _check_raw(file, raw) + bank_mistakes(file, raw)
    if mistakes or parts is None:
        raise file.refuse(mistakes)
    setlist = _build(parts, path)
    if mistakes := _check_cues(file, raw, setlist):
        raise file.refuse(mistakes)
    return setlist


def _check_cues(file: YamlFile, raw: dict[str, Any], setlist: Setlist) -> list[Mistake]:
    """Return what cannot be composed of cues whose parts are right each by itself."""
    mistakes: list[Mistake] = []
    for index, cue in enumerate(setlist.cues):
        keys: dict[str, Any] = raw["cues"][index]
        try:
            prompt = cue.prompt(cue.seed)
            prompt.check()
            opening_of(prompt)
        except ModelError as error:
            text = str(error)
            wrong = next((key for key in keys if text.startswith(key)), "prompt" if "prompt" in keys else None)
            mistakes.append(file.mistake(("cues", index, *((wrong,) if wrong else ())), text))
        before = setlist.cues[index - 1]
        span_s = cue.follow.morph_s
        if cue.follow.kind == "morph" and "follow" in keys and span_s > min(before.duration_s, cue.duration_s) / 2:
            text = f"a morph of {span_s:g} s takes more than half of {before.name} or of {cue.name}; shorten it"
            mistakes.append(file.mistake(("cues", index, "follow"), text))
        if cue.follow.kind == "morph" and "prompt" in keys:
            text = f"{cue.name} begins as a morph out of {before.name}; leave out prompt or write follow: auto"
            mistakes.append(file.mistake(("cues", index, "prompt"), text))
    return mistakes


def _check_raw(file: YamlFile, raw: dict[str, Any]) -> list[Mistake]:
    """Return what only the whole file can tell; looks at raw values, so that it sees past other mistakes."""
    mistakes: list[Mistake] = []
    cues = raw.get("cues")
    cues = cues if isinstance(cues, list) else []
    if not raw.get("cues") and not raw.get("endless"):
        mistakes.append(file.mistake((), "nothing to play - give cues: or endless:"))
    seen: dict[str, int] = {}
    for index, cue in enumerate(cues):
        if not isinstance(cue, dict):
            continue
        if cue.get("id") is not None:
            name = str(cue["id"])
            if name in seen:
                mistakes.append(file.mistake(("cues", index, "id"), f'id "{name}" is taken by line {seen[name]}'))
            else:
                seen[name] = file.place(("cues", index, "id"))[0]
        follow = cue.get("follow")
        if index == 0 and isinstance(follow, dict) and "morph" in follow:
            text = "the first cue has nothing to morph out of; write follow: auto"
            mistakes.append(file.mistake(("cues", index, "follow"), text))
        prompt = cue.get("prompt")
        if isinstance(prompt, dict) and isinstance(prompt.get("midi"), str):
            wrong = _check_midi(file.path.parent / prompt["midi"])
            if wrong:
                mistakes.append(file.mistake(("cues", index, "prompt", "midi"), wrong))
    endless = raw.get("endless")
    if isinstance(endless, dict):
        styles = endless.get("styles")
        for name in styles if isinstance(styles, dict) else ():
            try:
                known_style(name)
            except ValueError as error:
                mistakes.append(file.mistake(("endless", "styles", name), str(error), of_key=True))
        if isinstance(styles, dict) and not styles:
            mistakes.append(file.mistake(("endless", "styles"), "styles: needs at least one, such as {chopin: 1}"))
        if "poll" in endless:
            mistakes.append(file.mistake(("endless", "poll"), "polls of the audience cannot be held yet", of_key=True))
    return mistakes


def _check_midi(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return None if file.read(4) == b"MThd" else f"{path} is no MIDI file"
    except OSError as error:
        found = nearest(path.name, [p.name for p in path.parent.glob("*.mid")])
        hint = f' - did you mean "{found[0]}"?' if found else ""
        return f"{path}: {(error.strerror or 'cannot be read').lower()}{hint}"


def _slug(text: str) -> str:
    return re.sub(r"[^\w]+", "-", text.lower()).strip("-")


def _controls(part: ControlsPart, defaults: ControlsPart) -> Controls:
    """Return what a part says, or the defaults; `key: null` takes a default back."""
    said = {
        name: getattr(part if name in part.model_fields_set else defaults, name) for name in ControlsPart.model_fields
    }
    nothing = Controls()
    return Controls(
        key=said["key"],
        density=said["density"],
        energy=said["energy"],
        tempo_bpm=said["tempo"],
        form=said["form"] or nothing.form,
        silence_s=said["silence"] or nothing.silence_s,
    )


def _build(parts: SetlistPart, path: Path) -> Setlist:
    taken = {cue.id for cue in parts.cues if cue.id}
    cues: list[Cue] = []
    for index, part in enumerate(parts.cues, start=1):
        style = part.style if "style" in part.model_fields_set else parts.defaults.style
        name = part.name or (str(style) if style else "Untitled").replace("_", " ").title()
        cue_id = part.id or _slug(name) or f"cue-{index}"
        while not part.id and cue_id in taken:
            cue_id = f"{cue_id}-{index}"
        taken.add(cue_id)
        # No seed given: one of its own that is the same at every start.
        seed = zlib.crc32(f"{parts.show.title}/{cue_id}".encode()) % MAX_SEED if part.seed is None else part.seed
        prompt = part.prompt or PromptPart.model_construct()
        follow = part.follow or parts.defaults.follow
        if index == 1 and follow.kind == "morph":
            follow = AUTO
        cues.append(
            Cue(
                id=cue_id,
                number=part.number or str(index),
                name=name,
                style=style,
                instruments=parts.defaults.instruments if part.instruments is None else part.instruments,
                controls=_controls(part, parts.defaults),
                opening=str((path.parent / prompt.midi).resolve()) if prompt.midi else prompt.opening,
                opening_notes=prompt.notes,
                opening_s=prompt.seconds,
                opening_tokens=prompt.tokens,
                seed=seed,
                duration_s=part.duration or parts.defaults.duration,
                candidates=part.candidates or parts.defaults.candidates,
                follow=follow,
                scene=part.obs.scene if part.obs else None,
                bank=bank_of((part.sound or parts.sound).bank, path.parent),
                expression=parts.defaults.expression if part.expression is None else part.expression,
                notes=part.notes,
            )
        )
    endless = None
    if wish := parts.endless:
        endless = Endless(
            styles=tuple(wish.styles.items()),
            instruments=parts.defaults.instruments if wish.instruments is None else wish.instruments,
            duration_s=wish.duration or parts.defaults.duration,
            candidates=wish.candidates or parts.defaults.candidates,
            controls=_controls(wish, parts.defaults),
            seed=wish.seed,
            bank=bank_of((wish.sound or parts.sound).bank, path.parent),
            expression=parts.defaults.expression if wish.expression is None else wish.expression,
        )
    loudness = (parts.show.loudness.lufs, parts.show.loudness.dbtp)
    return Setlist(parts.show.title, tuple(cues), endless, parts.show.ahead, path, _midi(parts.midi), loudness)


def _midi(wish: MidiPart | None) -> MidiRoute | None:
    if wish is None:
        return None
    return MidiRoute(wish.port, wish.channels or CHANNELS, wish.clock, wish.latency, wish.programs)
