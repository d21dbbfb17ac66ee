"""Styles, blended styles and styles that change into one another. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from model.composing.course import seconds_of
from model.errors import PromptError
from model.language.vocabulary import OWN_STYLES, STYLES

# More conditions are read side by side for each candidate, and none of them is heard any more.
MOST_STYLES = 4


@dataclass(frozen=True, slots=True)
class Blend:
    """Several styles at once.

    Attributes:
        shares: style and its share, in the order written; the shares sum to 1.
    """

    shares: tuple[tuple[str, float], ...]

    def at(self, seconds: float) -> tuple[tuple[str, float], ...]:
        """Return the shares at a time: always the same."""
        del seconds
        return self.shares

    @property
    def plain(self) -> dict[str, Any]:
        """As it is written in a setlist."""
        return {style: round(share, 6) for style, share in self.shares}

    def __str__(self) -> str:
        ordered = sorted(self.shares, key=lambda item: -item[1])
        half = ordered[0][1] / 2
        most = " and ".join(style for style, share in ordered if share >= half)
        rest = " and ".join(style for style, share in ordered if share < half)
        return f"{most} with some {rest}" if rest else most


@dataclass(frozen=True, slots=True)
class Morph:
    """One style, or blend, that changes into another.

    Attributes:
        start: what it begins with.
        end: what it arrives at.
        over_s: how long the change takes, from the start of the piece or of what is composed.
    """

    start: Blend
    end: Blend
    over_s: float

    def at(self, seconds: float) -> tuple[tuple[str, float], ...]:
        """Return the shares at a time, those above 0."""
        gone = min(max(seconds / self.over_s, 0.0), 1.0)
        found: dict[str, float] = {}
        for blend, weight in ((self.start, 1 - gone), (self.end, gone)):
            for style, share in blend.shares:
                found[style] = found.get(style, 0.0) + weight * share
        return tuple((style, share) for style, share in found.items() if share > 0)

    @property
    def plain(self) -> dict[str, Any]:
        """As it is written in a setlist."""
        return {"from": _plain(self.start), "to": _plain(self.end), "over": self.over_s}

    def __str__(self) -> str:
        return f"from {self.start} to {self.end}"


Style = str | Blend | Morph


def shares_at(style: Style | None, seconds: float) -> tuple[tuple[str | None, float], ...]:
    """Return the styles in force at a time and their shares; no style is one that is not said."""
    if style is None or isinstance(style, str):
        return ((style, 1.0),)
    return style.at(seconds)


def main_style(style: Style | None) -> str | None:
    """Return the style with the largest share, of a change the one it arrives at."""
    if style is None or isinstance(style, str):
        return style
    blend = style.end if isinstance(style, Morph) else style
    return max(blend.shares, key=lambda item: item[1])[0]


def styles_of(style: Style | None) -> tuple[str, ...]:
    """Return all styles that have a part in it."""
    if style is None:
        return ()
    if isinstance(style, str):
        return (style,)
    blends = (style.start, style.end) if isinstance(style, Morph) else (style,)
    return tuple(dict.fromkeys(name for blend in blends for name, _ in blend.shares))


def caption_of(style: Style | None) -> str:
    """Return what an audience is told of a style; empty for none."""
    if style is None:
        return ""
    return str(style) if isinstance(style, Morph) else f"in the style of {style}"


def plain_style(style: Style | None) -> Any:
    """Return a style as it is written in a setlist."""
    return style if style is None or isinstance(style, str) else style.plain


def style_of(value: Any) -> Style | None:
    """Return the style that plain values say: `chopin`, `{chopin: 0.6, jazz: 0.4}`, `{from: a, to: b, over: 60s}`.

    In one line of text: `chopin`, `chopin:0.6,jazz:0.4`, `chopin>jazz@60s`.

    Raises:
        PromptError: it says none; one line.
    """
    if value is None or isinstance(value, Blend | Morph):
        return value
    if isinstance(value, str):
        value = _unfolded(value)
    if isinstance(value, str):
        return _known(value)
    if not isinstance(value, Mapping) or not value:
        raise PromptError(f"style {value!r}: write a name, {{chopin: 0.6, jazz: 0.4}} or {{from: a, to: b, over: 60s}}")
    if {"from", "to", "over"} & set(value):
        if set(value) != {"from", "to", "over"}:
            raise PromptError("a style that changes has from, to and over, such as {from: chopin, to: jazz, over: 60s}")
        over_s = seconds_of(value["over"])
        if not 1 <= over_s <= 1800:
            raise PromptError(f"a change of style over {over_s:g} s; it can take 1 s to 30 min")
        morph = Morph(_blend(value["from"]), _blend(value["to"]), over_s)
        if len(styles_of(morph)) > MOST_STYLES:
            raise PromptError(f"{len(styles_of(morph))} styles at once; there can be {MOST_STYLES}")
        return morph
    return _blend(value)


def _unfolded(text: str) -> Any:
    """Return what a line of text says of a style, as plain values."""
    if ">" in text:
        ways, at, over = text.partition("@")
        styles = [part.strip() for part in ways.split(">")]
        if len(styles) != 2 or not all(styles) or not at:
            raise PromptError(f"style {text!r}: a change has two styles and a length, such as chopin>jazz@60s")
        return {"from": _unfolded(styles[0]), "to": _unfolded(styles[1]), "over": over}
    if not {",", ":"} & set(text):
        return text.strip()
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, colon, share = part.partition(":")
        try:
            shares[name.strip()] = float(share) if colon else 1.0
        except ValueError:
            raise PromptError(f"style {text!r}: {share!r} is no share; write such as chopin:0.6,jazz:0.4") from None
    return shares


def _blend(value: Any) -> Blend:
    if isinstance(value, str):
        return Blend(((_known(value), 1.0),))
    if not isinstance(value, Mapping):
        raise PromptError(f"style {value!r}: write a name or shares, such as {{chopin: 0.6, jazz: 0.4}}")
    if len(value) > MOST_STYLES:
        raise PromptError(f"{len(value)} styles at once; there can be {MOST_STYLES}")
    shares: list[tuple[str, float]] = []
    for name, share in value.items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1e6:
            raise PromptError(f"the share of style {name!r} is {share!r}; write a number above 0")
        shares.append((_known(str(name)), float(share)))
    total = sum(share for _, share in shares)
    return Blend(tuple((name, share / total) for name, share in shares))


def _plain(blend: Blend) -> Any:
    return blend.shares[0][0] if len(blend.shares) == 1 else blend.plain


def _known(name: str) -> str:
    check_style(name, STYLES + OWN_STYLES)
    return name


def check_style(name: str, known: tuple[str, ...]) -> None:
    """Refuse a style that is not among those known.

    Raises:
        PromptError: with the nearest names.
    """
    if name not in known:
        near = get_close_matches(name, known, 3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"it knows {', '.join(known)}"
        raise PromptError(f"style {name!r} is not known to the checkpoint; {hint}")
