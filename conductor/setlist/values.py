"""How the values of a setlist are written, and what they may be."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainValidator

from conductor.setlist.yamlfile import did_you_mean, nearest
from model.composing.blend import Style, style_of
from model.composing.course import Course, density_of, energy_of
from model.composing.prompt import LONGEST_S, MOST_CANDIDATES, MOST_INSTRUMENTS, SHORTEST_S, SILENCE_S, key_of
from model.errors import PromptError
from model.instruments import BY_NAME, GROUPS, members
from model.language.vocabulary import OWN_STYLES, STYLES
from streaming.midi.out import EARLIEST_MS, LATEST_MS

MAX_HANG_S = 30.0
MORPH_S = (2.0, 120.0)
DEFAULT_DURATION_S = 240.0
MAX_SEED = 2**31 - 1

_UNITS = re.compile(r"(?:(\d+)h)?(?:(\d+(?:\.\d+)?)m(?:in)?)?(?:(\d+(?:\.\d+)?)s)?")
_CLOCK = re.compile(r"(\d{1,3}):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Follow:
    """How a cue starts after the one before it.

    Attributes:
        kind: `auto` by itself, `hold` at GO, `hang` before the end of the one before,
            `morph` out of the one before, without a seam.
        hang_s: seconds before that end, 0 or more.
        morph_s: seconds over which the one before changes into it.
    """

    kind: Literal["auto", "hold", "hang", "morph"] = "auto"
    hang_s: float = 0.0
    morph_s: float = 0.0


AUTO = Follow()


def parse_duration(value: Any) -> float:
    """Return seconds from `4m`, `90s`, `1m30s`, `1h` or `3:30`.

    Raises:
        ValueError: it is none of these, or out of 5 seconds to 30 minutes.
    """
    text = str(value).strip().lower().replace(" ", "")
    if clock := _CLOCK.fullmatch(text):
        seconds = int(clock[1]) * 60.0 + int(clock[2])
    elif text and (parts := _UNITS.fullmatch(text)):
        hours, mins, secs = (float(p or 0) for p in parts.groups())
        seconds = hours * 3600 + mins * 60 + secs
    else:
        hint = f' - did you mean "{text}s"?' if re.fullmatch(r"\d+(\.\d+)?", text) else ""
        raise ValueError(f'"{value}" is no duration; write 90s, 4m, 1m30s or 3:30{hint}')
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise ValueError(f'"{value}" is out of range; 5s to 30m')
    return seconds


def _follow(value: Any) -> Follow:
    if value in ("auto", "hold"):
        return Follow(value)
    if isinstance(value, dict) and set(value) == {"hang"}:
        found = re.fullmatch(r"-(\d+(?:\.\d+)?)s?", str(value["hang"]).strip())
        if found and 0 < float(found[1]) <= MAX_HANG_S:
            return Follow("hang", float(found[1]))
        raise ValueError(f"hang is -0.1s to -{MAX_HANG_S:g}s before the end, not {value['hang']!r}")
    if isinstance(value, dict) and set(value) == {"morph"}:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)s?", str(value["morph"]).strip())
        if found and MORPH_S[0] <= float(found[1]) <= MORPH_S[1]:
            return Follow("morph", morph_s=float(found[1]))
        raise ValueError(f"morph takes {MORPH_S[0]:g}s to {MORPH_S[1]:g}s, not {value['morph']!r}")
    hint = did_you_mean(str(value), ("auto", "hold", "hang", "morph")) if isinstance(value, str) else ""
    raise ValueError(f"should be auto, hold, {{hang: -3s}} or {{morph: 20s}}, not {value!r}{hint}")


def known_style(value: str) -> str:
    """Return the style a value names.

    Raises:
        ValueError: it names none.
    """
    if value not in STYLES + OWN_STYLES:
        near = nearest(value, STYLES, 3) or list(STYLES)
        raise ValueError(f'the style "{value}" is unknown; nearest: {", ".join(near)}')
    return value


def _style(value: Any) -> Style | None:
    return style_of(known_style(value) if isinstance(value, str) and value.isidentifier() else value)


def _said(read: Callable[[Any], Any]) -> PlainValidator:
    """Return a validator by a reader of the composer's own; its errors are told with their place."""

    def checked(value: Any) -> Any:
        try:
            return read(value)
        except PromptError as error:
            raise ValueError(str(error)) from None

    return PlainValidator(checked)


def _seconds(value: Any) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)s?", str(value).strip())
    if not found:
        raise ValueError(f"should be seconds such as 8s, not {value!r}")
    return float(found[1])


def _silence(value: Any) -> float:
    seconds = _seconds(value)
    if not SILENCE_S[0] <= seconds <= SILENCE_S[1]:
        raise ValueError(f"the longest silence is {SILENCE_S[0]:g}s to {SILENCE_S[1]:g}s, not {value!r}")
    return seconds


def _instruments(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"should be a list, such as [{value}]")
    found: list[str] = []
    for name in value:
        try:
            found += [m for m in members(str(name)) if m not in found]
        except KeyError:
            known = sorted({*BY_NAME, *GROUPS})
            raise ValueError(f'the instrument "{name}" is unknown{did_you_mean(str(name), known)}') from None
    if len(found) > MOST_INSTRUMENTS:
        raise ValueError(f"{len(found)} instruments are too many; at most {MOST_INSTRUMENTS}")
    return tuple(found)


def _text(value: Any) -> Any:
    # A cue may be numbered 1; but 1.10 would be read as 1.1 and is better quoted.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _channels(value: Any) -> dict[str, int]:
    if not isinstance(value, dict) or not value:
        raise ValueError("should name instruments and their channels, such as {piano: 1, drums: 10}")
    found: dict[str, int] = {}
    for name, channel in value.items():
        try:
            instruments = members(str(name))
        except KeyError:
            known = sorted({*BY_NAME, *GROUPS})
            raise ValueError(f'the instrument "{name}" is unknown{did_you_mean(str(name), known)}') from None
        if isinstance(channel, bool) or not isinstance(channel, int) or not 1 <= channel <= 16:
            raise ValueError(f"{name}: a channel is 1 to 16, not {channel!r}")
        found.update(dict.fromkeys(instruments, channel))
    return found


def _expression(value: Any) -> bool:
    if value not in ("on", "off", True, False):
        hint = did_you_mean(value, ("on", "off")) if isinstance(value, str) else ""
        raise ValueError(f"should be on or off (exactly as written), not {value!r}{hint}")
    return value in ("on", True)


def _latency(value: Any) -> float:
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?) ?(ms|s)?", str(value).strip())
    if not found or (found[2] is None and float(found[1])):
        raise ValueError(f"should be a time such as 20ms or -150ms, not {value!r}")
    milliseconds = float(found[1]) * (1000 if found[2] == "s" else 1)
    if not EARLIEST_MS >= milliseconds >= LATEST_MS:
        raise ValueError(f"from {LATEST_MS:g}ms (sent later) to {EARLIEST_MS:g}ms (earlier), not {value!r}")
    return milliseconds


Duration = Annotated[float, PlainValidator(parse_duration)]
FollowValue = Annotated[Follow, PlainValidator(_follow)]
StyleValue = Annotated[Style | None, _said(_style)]
Key = Annotated[str | None, _said(key_of)]
Density = Annotated[Course | None, _said(density_of)]
Energy = Annotated[Course | None, _said(energy_of)]
Tempo = Annotated[float, Field(ge=20, le=250)]
Silence = Annotated[float, PlainValidator(_silence)]
Seconds = Annotated[float, PlainValidator(_seconds)]
Channels = Annotated[dict[str, int], PlainValidator(_channels)]
Expression = Annotated[bool, PlainValidator(_expression)]
Latency = Annotated[float, PlainValidator(_latency)]
Instruments = Annotated[tuple[str, ...], PlainValidator(_instruments)]
Text = Annotated[str, BeforeValidator(_text)]
Candidates = Annotated[int, Field(ge=1, le=MOST_CANDIDATES)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
