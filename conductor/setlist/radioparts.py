"""The keys of `endless` about how pieces are drawn, and what they say."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, model_validator

from conductor.radio.plan import DAY_MINUTES, Arc, Daypart, Ensembles, Ident, Radio, Variety, Weights, overlapping
from conductor.setlist.part import Part
from conductor.setlist.values import MAX_HANG_S, MORPH_S, Density, Energy, Tempo, known_style
from conductor.setlist.yamlfile import did_you_mean, nearest
from model.composing.prompt import MOST_INSTRUMENTS
from model.instruments import BY_NAME, GROUPS, members

MOST_WEIGHT = 1000.0
# A radio remembers so long, and an arc is so long, at most.
MOST_S = 7 * 24 * 3600.0
ANY = "any"
JOINS = ("gap", "crossfade", "morph")
_SPAN = re.compile(r"(?:(\d+)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?:in)?)?(?:(\d+(?:\.\d+)?)s)?")
_PART = re.compile(r"([01]?\d|2[0-4]):([0-5]\d) ?- ?([01]?\d|2[0-4]):([0-5]\d)")


def span_of(value: Any, least_s: float, most_s: float) -> float:
    """Return the seconds of a time such as `6h`, `1d`, `90m`, `1h30m`, `4s`.

    Raises:
        ValueError: it is none, or out of bounds.
    """
    text = str(value).strip().lower().replace(" ", "")
    found = _SPAN.fullmatch(text)
    if not text or not found:
        raise ValueError(f"should be a time such as 4s, 20m or 6h, not {value!r}")
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    whole = days * 86_400 + hours * 3600 + minutes * 60 + seconds
    if not least_s <= whole <= most_s:
        raise ValueError(f"{value} is out of range; {_told(least_s)} to {_told(most_s)}")
    return whole


def _told(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _span(least_s: float, most_s: float, *, off: bool = False) -> PlainValidator:
    def read(value: Any) -> float:
        return 0.0 if off and value in ("off", False) else span_of(value, least_s, most_s)

    return PlainValidator(read)


def _off(value: Any) -> Any:
    return None if value in ("off", False) else value


def _weight(name: Any, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MOST_WEIGHT:
        raise ValueError(f"the weight of {name} is a number above 0 and up to {MOST_WEIGHT:g}, not {value!r}")
    return float(value)


def _styles(value: Any) -> Weights:
    if not isinstance(value, dict) or not value:
        raise ValueError("should weigh one style at least, such as {chopin: 2, jazz: 1}")
    return tuple((known_style(str(name)), _weight(name, weight)) for name, weight in value.items())


def _ensembles(value: Any) -> Ensembles:
    if not isinstance(value, dict) or not value:
        raise ValueError("should weigh instruments that play together, such as {piano: 3, violin cello: 1}")
    return tuple((_together(str(names)), _weight(names, weight)) for names, weight in value.items())


def _together(names: str) -> tuple[str, ...]:
    if names == ANY:
        return ()
    found: list[str] = []
    for name in re.split(r"[\s,+]+", names.strip()):
        try:
            found += [member for member in members(name) if member not in found]
        except KeyError:
            raise ValueError(
                f'the instrument "{name}" is unknown{did_you_mean(name, sorted({*BY_NAME, *GROUPS, ANY}))}'
            ) from None
    if len(found) > MOST_INSTRUMENTS:
        raise ValueError(f"{names}: {len(found)} instruments are too many; at most {MOST_INSTRUMENTS}")
    return tuple(found)


def _joins(value: Any) -> tuple[tuple[str, float], ...]:
    wishes = {value: 1.0} if isinstance(value, str) else value
    if not isinstance(wishes, dict) or not wishes:
        raise ValueError("should be gap, crossfade or morph, or weights such as {crossfade: 3, morph: 1}")
    for name in wishes:
        if name not in JOINS:
            raise ValueError(f'pieces are not joined by "{name}"{did_you_mean(str(name), JOINS)}; {", ".join(JOINS)}')
    return tuple((name, _weight(name, weight)) for name, weight in wishes.items())


def _share(value: Any) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?%", str(value).strip())
    share = float(found[1]) / 100 if found else value
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 0.4:
        raise ValueError(f"should be 0% to 40%, not {value!r}")
    return float(share)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _zone(value: Any) -> str:
    name = str(value)
    if name not in _zones():
        near = nearest(name, sorted(_zones()), 1)
        raise ValueError(f'the time zone "{name}" is unknown{f" - did you mean {near[0]}?" if near else ""}')
    return ZoneInfo(name).key


StyleWeights = Annotated[Weights, PlainValidator(_styles)]
EnsembleWeights = Annotated[Ensembles, PlainValidator(_ensembles)]


class VarietyPart(Part):
    """`endless.variety`."""

    style: Annotated[int, Field(ge=1, le=20)] = Variety().style
    keys: Literal["near", "free", "model"] = Variety().keys
    mode: Literal["any", "major", "minor"] = Variety().mode


class ArcPart(Part):
    """`endless.arc`."""

    every: Annotated[float, _span(300.0, 86_400.0)] = Arc().every_s
    energy: Annotated[float, Field(ge=0, le=40)] = Arc().energy
    tempo: Annotated[float, PlainValidator(_share)] = Arc().tempo


class DaypartPart(Part):
    """One of `endless.dayparts`."""

    styles: StyleWeights | None = None
    ensembles: EnsembleWeights | None = None
    energy: Energy = None
    density: Density = None
    tempo: Tempo | None = None
    mode: Literal["any", "major", "minor"] | None = None


class IdentPart(Part):
    """`endless.ident`: cards on which the station says who it is."""

    text: Annotated[str, Field(min_length=1, max_length=80)]
    every: Any = 4

    @model_validator(mode="after")
    def _every(self) -> Self:
        self.rhythm  # noqa: B018 - read for what it refuses
        return self

    @property
    def rhythm(self) -> tuple[int, float]:
        """Every so many pieces, or every so many seconds; one of them is 0."""
        if isinstance(self.every, int) and not isinstance(self.every, bool):
            if not 1 <= self.every <= 1000:
                raise ValueError(f"every: 1 to 1000 pieces, or a time such as 20m, not {self.every}")
            return self.every, 0.0
        try:
            return 0, span_of(self.every, 60.0, 86_400.0)
        except ValueError:
            raise ValueError(f"every: pieces such as 4, or 1m to 1d such as 20m, not {self.every!r}") from None


def _dayparts(parts: dict[str, DaypartPart]) -> tuple[Daypart, ...]:
    return tuple(_daypart(times, part) for times, part in parts.items())


def _apart(parts: dict[str, DaypartPart]) -> dict[str, DaypartPart]:
    if pair := overlapping(_dayparts(parts)):
        raise ValueError(f"{pair[0]} and {pair[1]} overlap; end one where the other begins")
    return parts


def _daypart(times: str, part: DaypartPart) -> Daypart:
    found = _PART.fullmatch(times.strip())
    start, stop = (int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])) if found else (0, 0)
    if start == stop or max(start, stop) > DAY_MINUTES:
        raise ValueError(f'"{times}" is no part of a day; write such as "06:00-12:00" or "22:00-06:00"')
    return Daypart(
        start % DAY_MINUTES, stop, part.styles, part.ensembles, part.energy, part.density, part.tempo, part.mode
    )


class RadioKeys(Part):
    """What `endless` says of how pieces are drawn."""

    ensembles: EnsembleWeights = ()
    variety: VarietyPart = VarietyPart()
    arc: Annotated[ArcPart | None, BeforeValidator(_off)] = ArcPart()
    dayparts: Annotated[dict[str, DaypartPart], AfterValidator(_apart)] = Field(default={})
    join: Annotated[tuple[tuple[Any, float], ...], PlainValidator(_joins)] = Radio().joins
    crossfade: Annotated[float, _span(0.5, MAX_HANG_S)] = Radio().crossfade_s
    morph: Annotated[float, _span(*MORPH_S)] = Radio().morph_s
    ident: IdentPart | None = None
    repeat_after: Annotated[float, _span(60.0, MOST_S, off=True)] = Radio().repeat_after_s
    timezone: Annotated[str, PlainValidator(_zone)] = ""


def radio_of(wish: RadioKeys, title: str) -> Radio:
    """Return how pieces are drawn.

    Args:
        wish: as written.
        title: of the show, for `{title}` on the station's cards.
    """
    ident = None
    if wish.ident:
        every, every_s = wish.ident.rhythm
        ident = Ident(wish.ident.text.replace("{title}", title), every, every_s)
    return Radio(
        ensembles=wish.ensembles,
        variety=Variety(wish.variety.style, wish.variety.keys, wish.variety.mode),
        arc=Arc(wish.arc.every, wish.arc.energy, wish.arc.tempo) if wish.arc else None,
        dayparts=_dayparts(wish.dayparts),
        joins=wish.join,
        crossfade_s=wish.crossfade,
        morph_s=wish.morph,
        ident=ident,
        repeat_after_s=wish.repeat_after,
        zone=wish.timezone,
    )
