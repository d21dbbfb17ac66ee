"""The report as plain figures: what `report.json` holds and the page shows."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model.errors import CorpusError
from model.evaluation.comparison import Comparison, Result
from model.evaluation.evaluation import Evaluation
from model.evaluation.overlap import mean_ratio


def figures_of(evaluation: Evaluation) -> dict[str, Any]:
    """Return all figures of an evaluation as plain values; None where there is none."""
    plan = evaluation.plan
    found = {
        "made": evaluation.made,
        "asked": {
            "corpus": str(plan.corpus),
            "styles": list(plan.styles),
            "generated": [str(folder) for folder in plan.generated],
            "critic": str(plan.critic) if plan.critic else None,
            "pieces": plan.pieces,
            "seconds": plan.seconds,
            "split": plan.split,
            "tokens": plan.tokens,
        },
        "corpus": {**evaluation.census.as_dict(), "left_out": list(evaluation.skipped)},
        "surprise": {style: asdict(surprise) for style, surprise in evaluation.surprise.items()},
        "sets": [_set(comparison) for comparison in evaluation.sets],
    }
    return {key: _plain(value) for key, value in found.items()}


def _set(comparison: Comparison) -> dict[str, Any]:
    by_style: dict[str, dict[str, Any]] = {
        style: {
            "pieces": comparison.pieces[style],
            "length_s": comparison.lengths_s[style],
            "real_from_training": comparison.learned[style],
            "ratio": mean_ratio([r.overlap for r in results.values()]),
            "nats_per_token": comparison.nats_per_token.get(style),
            "measures": _results(results),
            "faults": asdict(comparison.style_faults[style]),
        }
        for style, results in comparison.by_style.items()
    }
    worst_first = sorted(by_style.items(), key=lambda item: math.inf if math.isnan(r := item[1]["ratio"]) else r)
    critic = comparison.critic
    return {
        "name": comparison.name,
        "folder": comparison.folder,
        "pieces": sum(comparison.pieces.values()),
        "skipped": list(comparison.skipped),
        "ratio": mean_ratio([r.overlap for r in comparison.overall.values()]),
        "measures": _results(comparison.overall),
        "by_style": dict(worst_first),
        "faults": asdict(comparison.faults),
        "real_faults": asdict(comparison.real_faults) if comparison.real_faults else None,
        "copying": {
            line: {"set": asdict(ours) if ours else None, "real": asdict(real) if real else None}
            for line, (ours, real) in comparison.copying.items()
        },
        "critic": {"set": asdict(critic[0]), "real": asdict(critic[1]), "auc": critic[2]} if critic else None,
    }


def _results(results: dict[str, Result]) -> dict[str, Any]:
    return {key: asdict(result) for key, result in results.items()}


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: numbers that are none as None."""
    if isinstance(value, dict):
        return {str(key): _plain(some) for key, some in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(some) for some in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_report(evaluation: Evaluation, out: Path) -> tuple[Path, Path]:
    """Write `report.json` and `report.html`; return where they are.

    Raises:
        CorpusError: the folder cannot be written.
    """
    from model.evaluation.page import page_of

    figures = figures_of(evaluation)
    written = out / "report.json", out / "report.html"
    try:
        out.mkdir(parents=True, exist_ok=True)
        written[0].write_text(json.dumps(figures, indent=1, allow_nan=False))
        written[1].write_text(page_of(evaluation, figures), encoding="utf-8")
    except OSError as error:
        raise CorpusError(f"{out}: cannot write ({error.strerror})") from error
    return written
