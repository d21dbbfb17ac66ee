"""Where each instrument stands, and what of it goes to the ears and into the rooms."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from streaming.mixing.room import DRY, ROOMS, SHAPES
from streaming.patches import BY_INSTRUMENT, Patch

# Columns of the mix: left and right ear, then left and right half of the stage for each room.
COLUMNS = 2 + 2 * len(ROOMS)


def mix_matrix(room: str, players: Mapping[str, Patch] = BY_INSTRUMENT) -> NDArray[np.float32]:
    """Return the mix of the stems for music in a room.

    Args:
        room: of `streaming.mixing.room.ROOMS`, or `dry`.
        players: the patch of every instrument, in the order of the stems.

    Returns:
        float32 [2 x instruments, 2 + 2 x rooms], as of `COLUMNS`.
    """
    mix = np.zeros((2 * len(players), COLUMNS))
    for index, patch in enumerate(players.values()):
        for side in (0, 1):
            mix[2 * index + side, :2] = _place(patch, side)
    if room != DRY:
        first = 2 + 2 * list(SHAPES).index(room)
        for index, patch in enumerate(players.values()):
            rows = slice(2 * index, 2 * index + 2)
            mix[rows, first : first + 2] = mix[rows, :2] * send_gain(patch.room_db, room)
    return mix.astype(np.float32)


def send_gain(room_db: float, room: str) -> float:
    """Return what a patch sends into a room, against what is heard of it directly, as a gain.

    Args:
        room_db: of the patch.
        room: as of `mix_matrix`.
    """
    if room == DRY:
        return 0.0
    # Half to each side of the stage: a click in the middle has the energy the patch asks for.
    return 0.5 * math.pow(10.0, (room_db + SHAPES[room].send_db) / 20.0)


def _place(patch: Patch, side: int) -> tuple[float, float]:
    """Return the gains of a stem's left (0) or right (1) channel to both ears, of equal power."""
    spread = patch.width * (1 - abs(patch.place)) * (-1 if side == 0 else 1)
    angle = (1 + max(-1.0, min(1.0, patch.place + spread))) * math.pi / 4
    return math.cos(angle), math.sin(angle)
