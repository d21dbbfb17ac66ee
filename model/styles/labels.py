"""Dots and their names on a plane, none over another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Between two dots, and between a dot and its name, pixels.
GAP = 3.0
# How far from its dot a name may be, pixels; nearest first.
REACHES = (0.0, 6.0, 14.0, 24.0, 36.0, 50.0, 66.0, 84.0)
DIRECTIONS = 16


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, pixels, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """Return the area both cover."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, across) * max(0.0, down)

    def distance(self, x: float, y: float) -> float:
        """Return how far a point is from it, 0 within."""
        aside = max(self.left - x, x - self.right, 0.0)
        return float(np.hypot(aside, max(self.top - y, y - self.bottom, 0.0)))

    def within(self, width: float, height: float) -> bool:
        """Return whether it lies on a sheet."""
        return self.left >= 0 and self.top >= 0 and self.right <= width and self.bottom <= height


def fit(points_N2: NDArray[np.float64], radii: Sequence[float], sheet: Box) -> NDArray[np.float64]:
    """Return points turned, enlarged and moved onto a sheet, dots apart, shape [N, 2].

    Args:
        points_N2: the points.
        radii: of their dots, pixels.
        sheet: where they have room.
    """
    if len(points_N2) == 0:
        return points_N2
    centred = points_N2 - points_N2.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    if axes.shape == (2, 2):
        # The longest way lies across; an axis has no sign of its own.
        centred = centred @ (axes * np.sign(axes[[0, 1], np.abs(axes).argmax(axis=1)])[:, None]).T
    middle = np.array([sheet.left + sheet.right, sheet.top + sheet.bottom]) / 2
    room = np.array([sheet.right - sheet.left, sheet.bottom - sheet.top])
    span = np.maximum(np.ptp(centred, axis=0), 1e-9)
    placed = (centred - (centred.max(axis=0) + centred.min(axis=0)) / 2) * float((room / span).min())
    return _apart(placed + middle, np.asarray(radii, float), sheet)


def _apart(points: NDArray[np.float64], radii: NDArray[np.float64], sheet: Box) -> NDArray[np.float64]:
    """Push overlapping dots away from each other, as little as will do."""
    points = points.copy()
    low, high = np.array([sheet.left, sheet.top]), np.array([sheet.right, sheet.bottom])
    for _ in range(300):
        way = points[:, None] - points[None]
        distance = np.linalg.norm(way, axis=-1)
        missing = radii[:, None] + radii[None] + GAP - distance
        np.fill_diagonal(missing, 0.0)
        missing = np.maximum(missing, 0.0)
        if missing.max(initial=0.0) < 0.01:
            break
        unit = way / np.maximum(distance, 1e-9)[..., None]
        points = np.clip(points + 0.5 * (missing[..., None] * unit).sum(axis=1), low, high)
    return points


def place_labels(
    points_N2: NDArray[np.float64],
    radii: Sequence[float],
    sizes: Sequence[tuple[float, float]],
    sheet: tuple[float, float],
) -> list[Box]:
    """Return where each name stands: beside its dot, over no other name and no dot.

    Args:
        points_N2: centres of the dots, pixels.
        radii: of the dots.
        sizes: width and height of the names.
        sheet: width and height of it all.
    """
    dots = [Box(x - r, y - r, x + r, y + r) for (x, y), r in zip(points_N2.tolist(), radii, strict=True)]
    placed: dict[int, Box] = {}
    # In the crowd there is least choice: it chooses first.
    crowd = [sum(1 for other in points_N2 if np.linalg.norm(other - point) < 90.0) for point in points_N2]
    for n in sorted(range(len(dots)), key=lambda n: (-crowd[n], n)):
        best: tuple[float, Box] | None = None
        for rank, box in enumerate(_candidates(points_N2[n], radii[n], sizes[n])):
            others = [dot for m, dot in enumerate(dots) if m != n] + list(placed.values())
            hidden = sum(box.overlap(other) for other in others) + 1e6 * (not box.within(*sheet))
            # A free place, however far, is better than one that hides a sliver.
            cost = hidden * 10 + rank if hidden else -1.0
            if best is None or cost < best[0]:
                best = (cost, box)
            if hidden == 0:
                break
        assert best is not None
        placed[n] = best[1]
    return [placed[n] for n in range(len(dots))]


def _candidates(point: NDArray[np.float64], radius: float, size: tuple[float, float]) -> list[Box]:
    """Return boxes around a dot, the best first: near before far, right before left before above."""
    width, height = size
    x, y = float(point[0]), float(point[1])
    turns = sorted(range(DIRECTIONS), key=lambda k: (min(k, DIRECTIONS - k) > 1, min(k, DIRECTIONS - k) < 7, k))
    boxes = []
    for reach in REACHES:
        for turn in turns:
            angle = 2 * np.pi * turn / DIRECTIONS
            away = radius + GAP + reach
            # The edge of the box, not its middle, is so far away.
            middle_x = x + np.cos(angle) * (away + width / 2)
            middle_y = y + np.sin(angle) * (away + height / 2)
            box = Box(middle_x - width / 2, middle_y - height / 2, middle_x + width / 2, middle_y + height / 2)
            if box.distance(x, y) >= radius:
                boxes.append(box)
    return boxes
