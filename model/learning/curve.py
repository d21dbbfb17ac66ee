"""The loss curve of a run: a line a step in `losses.jsonl`, drawn as `losses.png`."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

import matplotlib as mpl

from model.whole import whole


class Curve:
    """What a run notes of its steps.

    Attributes:
        path: `losses.jsonl` in the run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "losses.jsonl"
        self._unwritten: list[str] = []

    def note(self, entry: dict[str, float]) -> None:
        """Add a line; one that a full disk refuses is written with the next."""
        self._unwritten.append(json.dumps(entry) + "\n")
        whole = 0
        try:
            whole = self.path.stat().st_size if self.path.exists() else 0
            with self.path.open("a") as file:
                file.write("".join(self._unwritten))
        except OSError:
            # Half a line would spoil the one after it.
            with suppress(OSError):
                os.truncate(self.path, whole)
        else:
            self._unwritten.clear()

    def forget_after(self, step: int) -> None:
        """Drop what a run that was killed noted after it was last saved."""
        if not self.path.exists():
            return
        lines = self.path.read_text().splitlines(keepends=True)
        # A line cut off by the kill is the last, and of a step that is forgotten.
        kept = [line for line in lines if line.endswith("}\n") and json.loads(line)["step"] <= step]
        with whole(self.path) as partial:
            partial.write_text("".join(kept))

    def draw(self) -> None:
        """Draw `losses.jsonl` as `losses.png`.

        Raises:
            OSError: the picture cannot be written.
        """
        mpl.use("Agg")
        import matplotlib.pyplot as plt

        entries = [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []
        figure, axes = plt.subplots(figsize=(8, 4.5))
        for kind, style in (("train", {"alpha": 0.35, "linewidth": 0.8}), ("valid", {"marker": "o", "markersize": 3})):
            points = [(e["tokens"] / 1e6, e[kind]) for e in entries if kind in e]
            axes.plot([x for x, _ in points], [y for _, y in points], label=kind, **style)
        axes.set_xlabel("tokens seen (millions)")
        axes.set_ylabel("loss (nats per token)")
        axes.legend()
        axes.grid(alpha=0.3)
        figure.tight_layout()
        try:
            with whole(self.path.with_suffix(".png")) as partial:
                figure.savefig(partial, dpi=110, format="png")
        finally:
            plt.close(figure)
