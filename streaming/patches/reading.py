"""Patch files into patches; whatever is wrong in one is told with its line and column."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from model.instruments import BY_NAME
from streaming.errors import PatchError
from streaming.patches.recipe import (
    Burst,
    Curve,
    DrumPart,
    DrumSound,
    Halo,
    Patch,
    Peak,
    Played,
    Stage,
    StringSound,
    ToneSound,
    knobs,
    level,
)
from streaming.yamlmarks import Loc, MarkedYaml, Mistake, did_you_mean, plain, read_marked

_PITCH = re.compile(r"([A-G])([#b]?)(-?\d)$")
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SECTIONS: dict[str, type] = {
    "string": StringSound, "tone": ToneSound, "onset": Burst, "halo": Halo, "let_go": Burst,
    "played": Played, "stage": Stage,
}  # fmt: skip
_KEYS = ("instrument", "title", "extends", "zone", "loud", "kit", *_SECTIONS)
_MADE = ("string", "tone", "kit")
_ZONES = (1, 12)


def pitch_of(name: str) -> int | None:
    """Return the MIDI pitch of a name such as C4, F#3 or Bb-1, or None."""
    found = _PITCH.match(name)
    if found is None:
        return None
    letter, sign, octave = found.groups()
    return 12 * (int(octave) + 1) + _STEPS[letter] + {"#": 1, "b": -1, "": 0}[sign]


class _Reader:
    """Reads one file; collects its mistakes in place of stopping at the first."""

    def __init__(self, file: MarkedYaml) -> None:
        self.file = file
        self.mistakes: list[Mistake] = []

    def wrong(self, loc: Loc, text: str, *, of_key: bool = False) -> None:
        self.mistakes.append(self.file.mistake(loc, text, of_key=of_key))

    def number(self, value: Any, knob: Mapping[str, Any], loc: Loc, key: str) -> float:
        """Return a number in its range, 0 when it is wrong."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(loc, f"{key}: should be a number, not {value!r}")
            return 0.0
        low, high = knob["low"], knob["high"]
        if not low <= value <= high:
            self.wrong(loc, f"{key}: {value:g} is out of range ({low:g} to {high:g})")
            return 0.0
        return float(value)

    def curve(self, value: Any, knob: Mapping[str, Any], loc: Loc, key: str) -> Curve:
        """Return a number, or numbers by pitch."""
        if not isinstance(value, dict):
            return level(self.number(value, knob, loc, key))
        points = []
        for name, each in value.items():
            pitch = pitch_of(str(name))
            if pitch is None:
                self.wrong((*loc, name), f'{key}: "{name}" is no pitch - write it as C4 or F#3', of_key=True)
            else:
                points.append((float(pitch), self.number(each, knob, (*loc, name), key)))
        if not points:
            self.wrong(loc, f"{key}: says nothing - give a number, or numbers by pitch such as {{C4: 1.5}}")
            return level(knob["low"])
        return Curve(tuple(sorted(points)))

    def numbers(self, value: Any, knob: Mapping[str, Any], loc: Loc, key: str) -> tuple[float, ...]:
        """Return a list of numbers."""
        if not isinstance(value, list):
            self.wrong(loc, f"{key}: should be a list, such as [{value}]")
            return ()
        return tuple(self.number(each, knob, (*loc, i), key) for i, each in enumerate(value))

    def peaks(self, value: Any, loc: Loc) -> tuple[Peak, ...]:
        """Return resonances."""
        found = []
        for i, each in enumerate(value if isinstance(value, list) else [None]):
            if not isinstance(each, list) or len(each) != 3:
                self.wrong((*loc, i), "body: each resonance is [Hz, width in Hz, dB], such as [440, 120, 3]")
                continue
            at = (*loc, i)
            found.append(
                Peak(
                    self.curve(each[0], {"low": 20.0, "high": 20_000.0}, (*at, 0), "body"),
                    self.number(each[1], {"low": 1.0, "high": 20_000.0}, (*at, 1), "body") or 1.0,
                    self.number(each[2], {"low": -30.0, "high": 30.0}, (*at, 2), "body"),
                )
            )
        return tuple(found)

    def value(self, kind: type, name: str, value: Any, loc: Loc) -> Any:
        """Return the value of one key of a section."""
        knob = knobs(kind)[name]
        if name == "body":
            return self.peaks(value, loc)
        if name == "ranks":
            pairs = [
                self.numbers(e, knob, (*loc, i), name) for i, e in enumerate(value if isinstance(value, list) else [0])
            ]
            if any(len(pair) != 2 or pair[0] <= 0 for pair in pairs):
                self.wrong(loc, "ranks: each is [harmonic, amplitude], such as [2, 0.5]")
                return ()
            return tuple(pairs)
        if name in ("harmonics_db", "hz", "noise_hz", "metal_hz", "strokes_s", "keys"):
            return self.spans(name, self.numbers(value, knob, loc, name), loc)
        if name == "chokes":
            return str(value)
        if name == "ears_apart":
            if not isinstance(value, bool):
                self.wrong(loc, f"ears_apart: should be yes or no (true or false), not {value!r}")
            return bool(value)
        default = next(f.default for f in fields(kind) if f.name == name)
        if isinstance(default, Curve):
            return self.curve(value, knob, loc, name)
        return self.number(value, knob, loc, name)

    def spans(self, name: str, values: tuple[float, ...], loc: Loc) -> tuple[float, ...] | tuple[int, ...]:
        """Return a list, checked for what its key stands for."""
        if name in ("noise_hz", "metal_hz") and (len(values) != 2 or values[0] >= values[1]):
            self.wrong(loc, f"{name}: is [low, high], such as [800, 6000]")
            return (100.0, 200.0)
        if name == "keys":
            return tuple(int(v) for v in values)
        return values

    def section(self, kind: type, node: Any, loc: Loc, *, skip: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return the keys of a section and their values."""
        known = knobs(kind)
        if not isinstance(node, dict):
            self.wrong(loc, f"{loc[-1]}: should hold keys of its own, not {node!r}")
            return {}
        given = {}
        for name, value in node.items():
            if name in skip:
                continue
            if name not in known:
                where = (*loc, name)
                self.wrong(where, f'"{name}" is not known here{did_you_mean(str(name), known)}', of_key=True)
            else:
                given[name] = self.value(kind, name, value, (*loc, name))
        return given

    def drums(self, node: Any) -> tuple[DrumSound, ...]:
        """Return the sounds of a kit."""
        sounds: list[DrumSound] = []
        owners: dict[int, str] = {}
        for name, each in (node if isinstance(node, dict) else {}).items():
            loc: Loc = ("kit", name)
            given = self.section(DrumSound, each, loc, skip=("parts",))
            parts = []
            for i, part in enumerate(each.get("parts") or [] if isinstance(each, dict) else []):
                made = DrumPart(**self.section(DrumPart, part, (*loc, "parts", i)))
                if sum(map(bool, (made.hz, made.noise_hz, made.metal_hz))) != 1:
                    self.wrong((*loc, "parts", i), "a part is made of one of hz, noise_hz and metal_hz")
                parts.append(made)
            if not parts:
                self.wrong(loc, f'"{name}" has no parts - give at least one, such as {{hz: [200]}}', of_key=True)
            for key in given.get("keys", ()):
                if key in owners:
                    self.wrong((*loc, "keys"), f'keys: {key} is played by "{owners[key]}" already')
                owners[key] = str(name)
            sounds.append(DrumSound(name=str(name), **{**given, "parts": tuple(parts)}))
        if not sounds:
            self.wrong(("kit",), "kit: holds no sounds")
        return tuple(sounds)


def read_patch(path: Path, *, bases: Mapping[str, Path] | None = None) -> Patch:
    """Read a patch file.

    Args:
        path: a file INSTRUMENT.yaml or INSTRUMENT-VARIANT.yaml.
        bases: the files of the patches that it may extend, by key.

    Raises:
        PatchError: something in it is wrong; one line FILE:LINE:COLUMN for each mistake.
    """
    return _patch(path, _sections(path, bases or {}, ()))


def _sections(path: Path, bases: Mapping[str, Path], seen: tuple[str, ...]) -> dict[str, Any]:
    """Return the read sections of a file over those of the patch it extends."""
    file = MarkedYaml(*read_marked(path, kind="patch", first="instrument: violin", refusal=PatchError))
    reader = _Reader(file)
    data = plain(file.data)
    for name in data:
        if name not in _KEYS:
            reader.wrong((name,), f'"{name}" is not known here{did_you_mean(name, _KEYS)}', of_key=True)
    below: dict[str, Any] = {}
    base = data.get("extends")
    if base is not None:
        if base not in bases or base in seen or bases[base] == path:
            hint = did_you_mean(str(base), [b for b in bases if b not in seen])
            reader.wrong(("extends",), f'extends: there is no patch "{base}" to begin with{hint}')
        else:
            below = _sections(bases[base], bases, (*seen, path.stem))
    found = dict(below)
    made = [name for name in _MADE if name in data]
    if made:
        # What it is made of replaces what the other was made of, unless it is the same kind.
        for name in (*_MADE, "loud"):
            if name not in made and not (name == "loud" and made[0] in below):
                found.pop(name, None)
    for name, kind in _SECTIONS.items():
        if name in data:
            found[name] = {**below.get(name, {}), **reader.section(kind, data[name], (name,))}
    if "kit" in data:
        found["kit"] = reader.drums(data["kit"])
    if "loud" in data:
        kind = StringSound if "string" in found else ToneSound
        found["loud"] = {**below.get("loud", {}), **reader.section(kind, data["loud"], ("loud",))}
    if "zone" in data:
        zone = reader.number(data["zone"], {"low": _ZONES[0], "high": _ZONES[1]}, ("zone",), "zone")
        found["zone"] = max(1, int(zone))
    for name in ("instrument", "title"):
        if name in data:
            found[name] = str(data[name])
    _check(reader, found, path)
    if reader.mistakes:
        raise PatchError(file.told(reader.mistakes))
    return found


def _check(reader: _Reader, found: Mapping[str, Any], path: Path) -> None:
    instrument = found.get("instrument")
    if instrument is None:
        reader.wrong((), f'"instrument" is missing - known are {", ".join(BY_NAME)}')
        return
    if instrument not in BY_NAME:
        reader.wrong(("instrument",), f'there is no instrument "{instrument}"{did_you_mean(instrument, BY_NAME)}')
    elif path.stem != instrument and not path.stem.startswith(f"{instrument}-"):
        reader.wrong(("instrument",), f"a patch of {instrument} lies in {instrument}.yaml or {instrument}-VARIANT.yaml")
    made = [name for name in _MADE if name in found]
    if len(made) != 1:
        reader.wrong((), f"a patch is made as one of {', '.join(_MADE)}; here are {len(made)}")
    elif (made[0] == "kit") != (instrument == "drums"):
        reader.wrong((made[0],), "drums, and only drums, are made as a kit", of_key=True)


def _patch(path: Path, found: Mapping[str, Any]) -> Patch:
    string = StringSound(**found["string"]) if "string" in found else None
    tone = ToneSound(**found["tone"]) if "tone" in found else None
    loud: StringSound | ToneSound | None = None
    if found.get("loud"):
        # The hardest touch is the plain one, but for what is said of it.
        if string is not None:
            loud = StringSound(**{**found["string"], **found["loud"]})
        elif tone is not None:
            loud = ToneSound(**{**found["tone"], **found["loud"]})
    return Patch(
        key=path.stem,
        name=found["instrument"],
        title=found.get("title", path.stem),
        zone=found.get("zone", 5),
        string=string,
        tone=tone,
        kit=found.get("kit", ()),
        loud=loud,
        onset=Burst(**found["onset"]) if "onset" in found else None,
        halo=Halo(**found["halo"]) if "halo" in found else None,
        let_go=Burst(**found["let_go"]) if "let_go" in found else None,
        played=Played(**found.get("played", {})),
        stage=Stage(**found.get("stage", {})),
    )
