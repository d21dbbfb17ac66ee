"""The map of styles as a picture and as a page.

Both are one drawing: the same dots and names in the same places, by matplotlib
as PNG and as SVG within a page that needs nothing but itself.
"""

from __future__ import annotations

import html
import json
import os
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np

from model.styles.labels import Box, fit, place_labels
from model.styles.stylemap import FAMILIES, OTHER, Spot

WIDTH, HEIGHT = 1280, 880
SHEET = Box(90, 120, WIDTH - 90, HEIGHT - 70)
LETTER = 14.0
TEMPLATE = Path(__file__).with_name("stylemap.html")
# By light and by dark; told apart by lightness too, and every dot has its name beside it.
COLOURS: dict[str, tuple[str, str]] = {
    "voices": ("#c0397f", "#f084bd"),
    "keyboard": ("#2b66d9", "#78a9ff"),
    "orchestra": ("#a86a10", "#e8ba6e"),
    "guitar": ("#3c8a46", "#86d38f"),
    "folk": ("#0d8a90", "#59d3d6"),
    "band": ("#cf4425", "#ff8b6b"),
    "drums": ("#646b7a", "#b3b9c6"),
    OTHER: ("#8a8a8a", "#8a8a8a"),
}
SUBTITLE = (
    "near: alike to the model (t-SNE of the cosine similarity of embeddings) · line: a nearest one · "
    "colour: what it most often is · size: pieces it learned from"
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A style as it is drawn, pixels, y downwards."""

    spot: Spot
    x: float
    y: float
    radius: float
    label: Box

    @property
    def far(self) -> bool:
        """Whether its name is so far from its dot that a line must lead there."""
        return self.label.distance(self.x, self.y) > self.radius + 12.0


def radius_of(pieces: int) -> float:
    """Return the radius of a dot, pixels: 2.2 times the cube root, or the largest would cover all."""
    return float(2.2 * pieces ** (1 / 3))


def arrange(spots: list[Spot]) -> list[Drawn]:
    """Return dots and names in their places, none over another."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(family="DejaVu Sans")
    radii = [radius_of(spot.known.pieces) for spot in spots]
    points = fit(np.array([[spot.x, -spot.y] for spot in spots]), radii, SHEET)
    sizes = [
        (float(TextPath((0, 0), spot.known.name, size=LETTER, prop=font).get_extents().width) + 4, LETTER + 4)
        for spot in spots
    ]
    labels = place_labels(points, radii, sizes, (WIDTH, HEIGHT))
    return [
        Drawn(spot, float(x), float(y), radius, label)
        for spot, (x, y), radius, label in zip(spots, points, radii, labels, strict=True)
    ]


def families_of(spots: list[Spot]) -> list[str]:
    """Return the families that occur, in the order of the table."""
    found = {spot.known.family for spot in spots}
    return [family for family in (*FAMILIES, OTHER) if family in found]


def write_map(spots: list[Spot], folder: Path, name: str) -> tuple[Path, Path]:
    """Write `styles.png` and `styles.html` into a folder; return both.

    Args:
        spots: the map.
        folder: made if missing.
        name: of the checkpoint, for the title.

    Raises:
        OSError: the folder cannot be written.
    """
    drawn = arrange(spots)
    picture, page = folder / "styles.png", folder / "styles.html"
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "styles.partial.png"
    try:
        draw_png(drawn, partial, name)
        os.replace(partial, picture)
    finally:
        partial.unlink(missing_ok=True)
    page.write_text(make_page(drawn, name), encoding="utf-8")
    return picture, page


def _links(drawn: list[Drawn]) -> list[tuple[Drawn, Drawn]]:
    """Return each style with its nearest, each pair once."""
    of = {d.spot.known.name: d for d in drawn}
    pairs = {tuple(sorted((d.spot.known.name, d.spot.nearest[0][0]))) for d in drawn if d.spot.nearest}
    return [(of[a], of[b]) for a, b in sorted(pairs)]


def draw_png(drawn: list[Drawn], path: Path, name: str) -> None:
    """Draw the map as a picture, light, two pixels for each of the drawing's.

    Raises:
        OSError: it cannot be written.
    """
    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.patches import Circle

    figure = plt.figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=200, facecolor="#fbfaf7")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    axes.axis("off")
    # Points are 72 to the inch, the drawing's pixels 100.
    scale = 0.72
    for a, b in _links(drawn):
        axes.plot([a.x, b.x], [a.y, b.y], color="#1b1d24", alpha=0.10, linewidth=1.0, zorder=1)
    for d in drawn:
        colour = COLOURS[d.spot.known.family][0]
        if d.far:
            middle_x, middle_y = (d.label.left + d.label.right) / 2, (d.label.top + d.label.bottom) / 2
            axes.plot([d.x, middle_x], [d.y, middle_y], color=colour, alpha=0.5, linewidth=0.7, zorder=2)
        axes.add_patch(Circle((d.x, d.y), d.radius, facecolor=colour, edgecolor="#fbfaf7", linewidth=1.0, zorder=3))
        axes.text(
            (d.label.left + d.label.right) / 2,
            (d.label.top + d.label.bottom) / 2,
            d.spot.known.name,
            ha="center",
            va="center",
            fontsize=LETTER * scale,
            color="#1b1d24",
            zorder=4,
        )
    pieces = sum(d.spot.known.pieces for d in drawn)
    axes.text(40, 46, _title(drawn, name), fontsize=22 * scale, weight="bold", color="#1b1d24", va="center")
    axes.text(40, 76, f"{SUBTITLE}: {pieces:,} in all", fontsize=13 * scale, color="#5b6070", va="center")
    at = 40.0
    for family in families_of([d.spot for d in drawn]):
        axes.add_patch(Circle((at + 6, HEIGHT - 32), 6, facecolor=COLOURS[family][0], linewidth=0))
        axes.text(at + 18, HEIGHT - 32, family, fontsize=13 * scale, color="#5b6070", va="center")
        at += 36 + 9 * len(family)
    try:
        figure.savefig(path, dpi=200, facecolor=figure.get_facecolor())
    finally:
        plt.close(figure)


def _title(drawn: list[Drawn], name: str) -> str:
    return f"{len(drawn)} styles {name} knows" if len(drawn) != 1 else f"the style {name} knows"


def make_page(drawn: list[Drawn], name: str) -> str:
    """Return the map as a page of its own, with what is to be known of a style under the pointer."""
    parts = [
        f'<line class="link" x1="{a.x:.1f}" y1="{a.y:.1f}" x2="{b.x:.1f}" y2="{b.y:.1f}"/>' for a, b in _links(drawn)
    ]
    for d in drawn:
        known = d.spot.known
        middle_x, middle_y = (d.label.left + d.label.right) / 2, (d.label.top + d.label.bottom) / 2
        leader = (
            f'<line class="leader" x1="{d.x:.1f}" y1="{d.y:.1f}" x2="{middle_x:.1f}" y2="{middle_y:.1f}"/>'
            if d.far
            else ""
        )
        text = html.escape(known.name)
        parts.append(
            f'<g class="style {known.family}" data-name="{text}" tabindex="0" role="button" '
            f'aria-label="{text}, {known.pieces} pieces">{leader}'
            f'<circle class="reach" cx="{d.x:.1f}" cy="{d.y:.1f}" r="{max(d.radius, 14):.1f}"/>'
            f'<circle class="dot" cx="{d.x:.1f}" cy="{d.y:.1f}" r="{d.radius:.1f}"/>'
            f'<text x="{middle_x:.1f}" y="{middle_y:.1f}">{text}</text></g>'
        )
    data = {
        d.spot.known.name: {
            "pieces": d.spot.known.pieces,
            "genre": d.spot.known.genre,
            "family": d.spot.known.family,
            "x": round(d.x, 1),
            "y": round(d.y, 1),
            "r": round(d.radius, 1),
            "nearest": [[other, round(cosine, 3)] for other, cosine in d.spot.nearest],
        }
        for d in drawn
    }
    families = families_of([d.spot for d in drawn])
    legend = "".join(f'<button class="{f}" data-family="{f}" aria-pressed="false">{f}</button>' for f in families)
    light, dark = ("".join(f"--{f}:{COLOURS[f][n]};" for f in families) for n in (0, 1))
    fills = "".join(f".{f}{{--own:var(--{f})}}" for f in families)
    pieces = sum(d.spot.known.pieces for d in drawn)
    filled = {
        "TITLE": html.escape(_title(drawn, name)),
        "SUBTITLE": html.escape(f"{SUBTITLE}: {pieces:,} in all"),
        "LIGHT": light,
        "DARK": dark,
        "FILLS": fills,
        "LEGEND": legend,
        # The page has its title in words: the drawing begins below it.
        "VIEW": f"0 90 {WIDTH} {HEIGHT - 130}",
        "SVG": "\n".join(parts),
        # No name may end the script.
        "DATA": json.dumps(data).replace("</", "<\\/"),
    }
    page = TEMPLATE.read_text(encoding="utf-8")
    for word, value in filled.items():
        page = page.replace(f"@{word}@", value)
    return page
