"""The setlist read: what a person writes about a show, checked before anything starts.

Every mistake is told at once, each with file, line and column; what is refused
is never played half.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from conductor.setlist.banks import bank_mistakes
from conductor.setlist.building import build
from conductor.setlist.controllers import map_mistakes
from conductor.setlist.editing import template_of
from conductor.setlist.look import theme_mistakes
from conductor.setlist.parts import PARTS, SetlistPart
from conductor.setlist.plan import Setlist
from conductor.setlist.players import player_mistakes
from conductor.setlist.values import known_style
from conductor.setlist.yamlfile import Mistake, YamlFile, did_you_mean, explain, nearest, plain, read_text, read_yaml
from model.composing.opening import opening_of
from model.errors import ModelError


def load_setlist(path: Path, text: bytes | None = None) -> Setlist:
    """Read and check a setlist.

    Args:
        path: of its file; what it names beside itself is looked for there.
        text: that the file had once; None: what it has now.

    Raises:
        SetlistError: all its mistakes, one line each with file:line:column.
    """
    text = read_text(path) if text is None else text
    file = read_yaml(path, text)
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
                # A part of the day is named by its time.
                known = PARTS[next((word for word in reversed(words) if word in PARTS), "")].model_fields
                wrong = f'unknown key "{loc[-1]}"{did_you_mean(str(loc[-1]), known)}'
                mistakes.append(file.mistake(loc, wrong, of_key=True))
            elif loc == ("version",) and details["type"] != "missing":
                mistakes.append(file.mistake(loc, "this program reads version: 1"))
            else:
                mistakes.append(file.mistake(loc, explain(details)))
    mistakes += _check_raw(file, raw) + map_mistakes(file, raw) + bank_mistakes(file, raw) + player_mistakes(file, raw)
    mistakes += theme_mistakes(file, raw)
    if mistakes or parts is None:
        raise file.refuse(mistakes)
    setlist = replace(build(parts, path), template=template_of(parts, path), text=text)
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
    endless = setlist.endless
    if endless and "morph" in dict(endless.radio.joins) and endless.radio.morph_s > endless.duration_s / 2:
        text = f"a morph of {endless.radio.morph_s:g} s takes more than half of each piece; write morph: 10s, or so"
        mistakes.append(file.mistake(("endless", "join"), text))
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
        if endless.get("poll") is not None and isinstance(styles, dict) and len(styles) == 1:
            text = "a poll takes two styles or more to choose from"
            mistakes.append(file.mistake(("endless", "poll"), text, of_key=True))
    return mistakes


def _check_midi(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return None if file.read(4) == b"MThd" else f"{path} is no MIDI file"
    except OSError as error:
        found = nearest(path.name, [p.name for p in path.parent.glob("*.mid")])
        hint = f' - did you mean "{found[0]}"?' if found else ""
        return f"{path}: {(error.strerror or 'cannot be read').lower()}{hint}"
