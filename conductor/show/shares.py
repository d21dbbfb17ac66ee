"""How styles share a piece, as rows that go to the feed: between two of them shares change evenly."""

from __future__ import annotations

from conductor.wire.showing import StyleRow
from model.composing.blend import Morph, Style, shares_at


def share_rows(style: Style | None) -> list[StyleRow]:
    """Return the shares of a style, a blend, or a style that changes into another; none where none is asked for."""
    if style is None:
        return []
    times = (0.0, style.over_s) if isinstance(style, Morph) else (0.0,)
    return [(at_s, {name: share for name, share in shares_at(style, at_s) if name}) for at_s in times]


def changed(rows: list[StyleRow], from_s: float, style: Style | None) -> list[StyleRow]:
    """Return the shares of a piece that has another style from a time on.

    Args:
        rows: as they were.
        from_s: where the change is.
        style: from there on.
    """
    before = [row for row in rows if row[0] < from_s]
    held = [(from_s, before[-1][1])] if before else []
    return [*before, *held, *((from_s + at_s, shares) for at_s, shares in share_rows(style))]
