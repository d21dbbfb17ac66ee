"""The report's pictures, each for light and for dark pages."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from model.evaluation.comparison import Comparison
from model.evaluation.measures import FEATURES, KINDS, Feature

mpl.use("Agg")

from matplotlib.figure import Figure

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ink:
    """Colours of a page.

    Attributes:
        page: behind the picture.
        text, faint: of words, of lines and grid.
        ours, real: of the set and of real music.
        kinds: of the kinds of tokens.
    """

    page: str
    text: str
    faint: str
    ours: str
    real: str
    kinds: tuple[str, ...]


LIGHT = Ink("#ffffff", "#2b2d33", "#d9d7d0", "#b5651d", "#3b6ea5", ("#3b6ea5", "#7fa7cf", "#b5651d", "#999999"))
DARK = Ink("#12151e", "#d9dbe2", "#303648", "#e8ba6e", "#5aa9f0", ("#5aa9f0", "#2f6699", "#e8ba6e", "#777f92"))


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as PNG, for light and for dark pages."""

    light: bytes
    dark: bytes


def _paint(draw: Callable[[Figure, Ink], None], width: float, height: float) -> Picture:
    """Draw a picture twice.

    Args:
        draw: given an empty figure and the colours.
        width: inches.
        height: inches.
    """
    painted = []
    for ink in (LIGHT, DARK):
        style: Any = {
            "figure.facecolor": ink.page,
            "axes.facecolor": ink.page,
            "axes.edgecolor": ink.faint,
            "axes.labelcolor": ink.text,
            "axes.titlecolor": ink.text,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 9,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.labelsize": 8,
            "xtick.color": ink.text,
            "ytick.color": ink.text,
            "xtick.labelsize": 7.5,
            "ytick.labelsize": 7.5,
            "text.color": ink.text,
            "grid.color": ink.faint,
            "grid.linewidth": 0.6,
            "legend.fontsize": 8,
            "legend.frameon": False,
            "font.size": 8,
        }
        with mpl.rc_context(style):
            figure = Figure(figsize=(width, height), dpi=144, layout="constrained")
            draw(figure, ink)
            data = io.BytesIO()
            figure.savefig(data, format="png")
        painted.append(data.getvalue())
    return Picture(*painted)


def draw_surprise(figures: dict[str, dict[str, Any]]) -> Picture:
    """Draw nats per token and bits per note by style, the least surprising on top.

    Args:
        figures: the report's figures by style (see `model.evaluation.surprise.Surprise`).
    """
    styles = [style for style in figures if style != "all"]

    def draw(figure: Figure, ink: Ink) -> None:
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        rows = np.arange(len(styles))
        edge = np.zeros(len(styles))
        for kind, colour in zip(KINDS, ink.kinds, strict=True):
            # What a kind adds to the mean: how common it is times how surprising.
            parts = [figures[s]["kinds"].get(kind, (0.0, 0.0)) for s in styles]
            widths = np.array([share * nats for share, nats in parts])
            if widths.max() > 0.01:
                left.barh(rows, widths, left=edge, color=colour, height=0.7, label=kind)
            edge += widths
        errors = np.array([figures[s]["error"] for s in styles], float)
        left.errorbar(edge, rows, xerr=np.nan_to_num(errors), fmt="none", ecolor=ink.text, elinewidth=0.8)
        left.set_yticks(rows, styles)
        left.invert_yaxis()
        left.set_title("Nats per token, by kind of token")
        figure.legend(*left.get_legend_handles_labels(), loc="outside upper right", ncols=len(KINDS))
        right.barh(rows, [figures[s]["bits_per_note"] for s in styles], color=ink.real, height=0.7)
        right.set_title("Bits per note")
        for axes, key in ((left, "nats_per_token"), (right, "bits_per_note")):
            axes.axvline(figures["all"][key], color=ink.text, linewidth=0.8, linestyle=":")
            axes.grid(axis="x")
            axes.set_axisbelow(True)
            axes.margins(y=0.01)

    return _paint(draw, 9.5, 1.2 + 0.19 * max(4, len(styles)))


def draw_overlaps(comparison: Comparison) -> Picture:
    """Draw the overlapped area of each measure beside its ceiling."""
    known = [(f, o) for f in FEATURES if (o := comparison.overall[f.key].overlap) is not None]

    def draw(figure: Figure, ink: Ink) -> None:
        axes = figure.subplots()
        for row, (_, overlap) in enumerate(known):
            for shift, interval, colour in ((-0.14, overlap.ceiling, ink.real), (0.14, overlap.ours, ink.ours)):
                axes.plot([interval.low, interval.high], [row + shift] * 2, color=colour, linewidth=2.2, alpha=0.5)
                axes.plot(interval.mean, row + shift, "o", color=colour, markersize=5)
        axes.plot([], [], "o-", color=ink.real, label="real with other real music: the ceiling")
        axes.plot([], [], "o-", color=ink.ours, label=f"{comparison.name} with real music")
        axes.set_yticks(range(len(known)), [f.title for f, _ in known])
        axes.invert_yaxis()
        lowest = min([o.ours.low for _, o in known] + [o.ceiling.low for _, o in known], default=0.5)
        axes.set_xlim(max(0.0, lowest - 0.05), 1.005)
        axes.grid(axis="x")
        axes.set_xlabel("overlapped area, mean and 95 % of the draws")
        figure.legend(loc="outside upper right", ncols=2)

    return _paint(draw, 9.5, 0.9 + 0.3 * max(3, len(known)))


def draw_measures(comparison: Comparison) -> Picture:
    """Draw how each measure is distributed, in the set and in real music."""
    columns = 3
    rows = -(-len(FEATURES) // columns)

    def draw(figure: Figure, ink: Ink) -> None:
        panels = figure.subplots(rows, columns).ravel()
        for feature, axes in zip(FEATURES, panels, strict=False):
            if feature.bins:
                _draw_bins(axes, feature, comparison, ink)
            else:
                _draw_values(axes, feature, comparison.values[feature.key], ink)
            axes.set_title(feature.title)
            axes.tick_params(length=2)
        for axes in panels[len(FEATURES) :]:
            axes.axis("off")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)

    return _paint(draw, 9.5, 1.75 * rows + 0.3)


def _draw_values(axes: Any, feature: Feature, values: tuple[Floats, Floats], ink: Ink) -> None:
    ours, real = (some[~np.isnan(some)] for some in values)
    both = np.concatenate([ours, real])
    if len(both):
        # A stray excerpt does not squeeze all others into one bar.
        low, high = np.percentile(both, (0.5, 99.5))
        edges = np.linspace(low, high if high > low else low + 1, 25)
        for some, colour, label in ((real, ink.real, "real"), (ours, ink.ours, "set")):
            if len(some):
                weights = np.full(len(some), 1 / len(some))
                clipped = np.clip(some, edges[0], edges[-1])
                axes.hist(clipped, edges, weights=weights, color=colour, alpha=0.25)
                axes.hist(clipped, edges, weights=weights, color=colour, histtype="step", linewidth=1.3, label=label)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    if feature.unit:
        axes.set_xlabel(feature.unit)


def _draw_bins(axes: Any, feature: Feature, comparison: Comparison, ink: Ink) -> None:
    result = comparison.overall[feature.key]
    places = np.arange(len(feature.bins))
    for values, colour in ((result.real, ink.real), (result.ours, ink.ours)):
        if feature.key == "similarity_by_lag":
            axes.plot(places, values, "o-", color=colour, markersize=3.5, linewidth=1.3)
        else:
            axes.fill_between(places, values, step="mid", color=colour, alpha=0.2)
            axes.step(places, values, where="mid", color=colour, linewidth=1.3)
    shown = places[:: max(1, len(places) // 5)] if feature.key != "groups" else places
    axes.set_xticks(shown, [feature.bins[n] for n in shown], rotation=35 if feature.key == "groups" else 0)
    if feature.key == "similarity_by_lag":
        axes.set_xlabel("bars apart")


def draw_critic(comparison: Comparison) -> Picture | None:
    """Draw the critic's log-odds of the set and of real music; None where none was asked."""
    if comparison.critic is None:
        return None
    ours, real, _ = comparison.critic

    def draw(figure: Figure, ink: Ink) -> None:
        axes = figure.subplots()
        low, high = np.percentile([*ours.odds, *real.odds], (0, 100))
        edges: Any = np.linspace(low, high if high > low else low + 1, 40)
        for scores, colour, label in ((real, ink.real, "real"), (ours, ink.ours, comparison.name)):
            weights = np.full(len(scores.odds), 1 / len(scores.odds))
            axes.hist(scores.odds, edges, weights=weights, color=colour, alpha=0.35, label=label)
        axes.axvline(0, color=ink.text, linewidth=0.8, linestyle=":")
        axes.set_xlabel("log-odds that it is real")
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.legend()

    return _paint(draw, 9.5, 2.2)


def draw_corpus(styles: Sequence[tuple[str, float]]) -> Picture:
    """Draw the hours of each style.

    Args:
        styles: names and hours, the longest first.
    """

    def draw(figure: Figure, ink: Ink) -> None:
        axes = figure.subplots()
        axes.bar(range(len(styles)), [hours for _, hours in styles], color=ink.real, width=0.75)
        axes.set_xticks(range(len(styles)), [name for name, _ in styles], rotation=60, ha="right")
        axes.set_ylabel("hours")
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        axes.margins(x=0.01)

    return _paint(draw, 9.5, 2.6)
