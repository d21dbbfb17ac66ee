"""What is said of a trained critic: areas under its curves, its calibration, and a picture of both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from model.critic.calibration import (
    Area,
    Labels,
    Scores,
    area,
    auc_by_group,
    calibration_error,
    fit_platt,
    log_loss,
    reliability,
    sigmoid,
)
from model.critic.corruptions import CORRUPTIONS
from model.critic.examples import LENGTHS_S, Example

FEWEST_HEADERS = 10


def compare(
    examples: Sequence[Example], scores: Scores, other: str, length: str | None = None
) -> tuple[Area, Scores, Scores]:
    """Return how well real music is told from another kind, and the scores of both.

    Args:
        examples: measured by.
        scores: of the examples.
        other: a kind of example.
        length: only those of a length.
    """
    here = [n for n, e in enumerate(examples) if length in (None, e.length)]
    # An ending that is none is compared with endings.
    real = [n for n in here if examples[n].kind == "real" and (other != "cut" or examples[n].ends)]
    others = [n for n in here if examples[n].kind == other]
    groups = np.array([e.group for e in examples], np.int64)
    return (
        area(scores[real], scores[others], groups[real], groups[others]),
        scores[real],
        scores[others],
    )


def by_header(examples: Sequence[Example], scores: Scores) -> float:
    """Return how well real music is told from the composer's own for the same header, averaged over headers."""
    real, own = ([n for n, e in enumerate(examples) if e.kind == kind] for kind in ("real", "own"))
    groups = np.array([e.group for e in examples], np.int64)
    return auc_by_group(scores[real], scores[own], groups[real], groups[own])


def against_own(examples: Sequence[Example], scores: Scores) -> tuple[Scores, Labels]:
    """Return the scores of real music and the composer's own, and which is real."""
    here = [n for n, e in enumerate(examples) if e.kind in ("real", "own")]
    return scores[here], np.array([examples[n].kind == "real" for n in here], bool)


def figures(
    stopped_by: Sequence[Example], stop_scores: Scores, measured: Sequence[Example], scores: Scores
) -> dict[str, Any]:
    """Return all figures of a critic, calibrated on one half of the held-out music and measured on the other.

    Args:
        stopped_by: the half that stopped training and calibrates.
        stop_scores: its scores.
        measured: the other half.
        scores: its scores.
    """
    slope, intercept = fit_platt(*against_own(stopped_by, stop_scores))
    raw, real = against_own(measured, scores)
    said = slope * raw + intercept
    chances = sigmoid(said)
    lengths = {name: compare(measured, scores, "own", name)[0].as_dict() for name in LENGTHS_S}
    return {
        "headers_measured": len({e.group for e in measured}),
        "headers_stopped_by": len({e.group for e in stopped_by}),
        "auc_own": compare(measured, scores, "own")[0].as_dict(),
        "auc_own_by_header": by_header(measured, scores),
        "auc_own_by_length": {name: found for name, found in lengths.items() if found["real"] and found["other"]},
        "auc_by_corruption": {
            name: found.as_dict()
            for name in CORRUPTIONS
            if (found := compare(measured, scores, name)[0]).real and found.other
        },
        "auc_own_where_stopped": compare(stopped_by, stop_scores, "own")[0].as_dict(),
        "calibration": {
            "slope": slope,
            "intercept": intercept,
            "log_loss_before": log_loss(raw, real),
            "log_loss": log_loss(said, real),
            "error_before": calibration_error(sigmoid(raw), real),
            "error": calibration_error(chances, real),
            "reliability": reliability(chances, real),
        },
    }


def table(found: dict[str, Any]) -> str:
    """Return the figures as lines for a person."""
    rows = [("own generations", found["auc_own"])]
    rows += [(f"own, {name}", each) for name, each in found["auc_own_by_length"].items()]
    rows += list(found["auc_by_corruption"].items())
    lines = ["real against     AUC    95 %          real other"]
    lines += [
        f"{name:16} {a['auc']:.3f}  {a['low']:.3f}-{a['high']:.3f}  {a['real']:5} {a['other']:5}" for name, a in rows
    ]
    lines.append(f"own generations of the same header {found['auc_own_by_header']:.3f}")
    said = found["calibration"]
    lines.append(f"calibration error {said['error']:.3f} (before {said['error_before']:.3f})")
    headers = found["headers_measured"], found["headers_stopped_by"]
    lines.append(f"measured on music for {headers[0]} headers, calibrated on {headers[1]}")
    if min(headers) < FEWEST_HEADERS:
        lines.append(f"with fewer than {FEWEST_HEADERS} headers these figures say little: give more --generations")
    return "\n".join(lines)


def draw(path: Path, measured: Sequence[Example], scores: Scores, found: dict[str, Any]) -> None:
    """Draw the ROC curves and the reliability diagram."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5))
    for kind in ("own", *CORRUPTIONS):
        stands, real, other = compare(measured, scores, kind)
        if not len(real) or not len(other):
            continue
        cuts = np.sort(np.concatenate([real, other, [np.inf, -np.inf]]))[::-1]
        passed = [(float((other >= c).mean()), float((real >= c).mean())) for c in cuts]
        left.plot(*zip(*passed, strict=True), label=f"{kind} {stands.auc:.2f}", linewidth=2.2 if kind == "own" else 1.2)
    left.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle="--")
    left.set_xlabel("others taken for real")
    left.set_ylabel("real taken for real")
    left.set_title("real against own generations and corruptions (AUC)")
    left.legend(loc="lower right")
    said = found["calibration"]
    bins = said["reliability"]
    most = max((n for _, _, n in bins), default=1)
    right.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle="--")
    right.scatter([s for s, _, _ in bins], [r for _, r, _ in bins], s=[20 + 180 * n / most for _, _, n in bins])
    right.plot([s for s, _, _ in bins], [r for _, r, _ in bins], linewidth=1.0)
    right.set_xlim(0, 1)
    right.set_ylim(0, 1)
    right.set_xlabel("said chance of being real")
    right.set_ylabel("share that is real")
    right.set_title(f"calibration: error {said['error']:.3f}")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
