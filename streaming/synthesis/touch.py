"""What a note asks of a voice: everything that its velocity, its pitch and its neighbours decide."""

from __future__ import annotations

import math

from model.notes import Note
from streaming.patches.recipe import MIDDLE_VELOCITY, DrumSound, Patch
from streaming.synthesis.voices import Touch


def touch_of(
    patch: Patch,
    note: Note,
    drum: DrumSound | None,
    *,
    gain_db: float,
    colour: int,
    hz: float,
    loops: bool,
    free: float,
) -> Touch:
    """Return how a note is played.

    Args:
        patch: on what.
        note: the note; its times are not looked at.
        drum: the sound of a kit, None for a tone.
        gain_db: added to its level.
        colour: any number that goes with the note; the same one sounds the same.
        hz: its pitch.
        loops: whether its sound can be held for ever.
        free: how many of the strings that can answer are free, 0 to 1.
    """
    played = patch.played
    level_db = played.level_db + (drum.level_db if drum else 0.0) + gain_db
    velocity = max(note.velocity, 1)
    touch_db = 0.5 * played.touch * math.log2(velocity / MIDDLE_VELOCITY)
    gain = math.pow(10.0, (level_db + touch_db) / 20.0)
    # A little slower for soft notes where there is a rise at all.
    slower = 1.5 - 0.7 * velocity / 127
    open_hz = played.dark_hz * math.pow(played.bright_hz / played.dark_hz, (velocity - 1) / 126)
    halo = patch.halo
    return Touch(
        hz,
        gain,
        edge=gain * played.edge_at(velocity),
        extra=gain * (free if halo is not None else 1.0),
        extra_attack_s=halo.rise_s if halo is not None else 0.0,
        extra_decay_s=halo.decay_s.at(note.pitch) if halo is not None else 0.0,
        attack_s=played.attack_s * slower,
        edge_attack_s=(played.edge_attack_s or played.attack_s) * slower,
        cutoff_hz=min(20_000.0, max(150.0, open_hz * math.pow(2.0, played.follow * (note.pitch - 60) / 12))),
        phases=_phases(note.pitch, colour, apart=played.ears_apart) if loops else (0.0, 0.0),
    )


def _phases(pitch: int, colour: int, *, apart: bool) -> tuple[float, float]:
    """Return where in the loop the two ears begin: another place for each note, the same each time."""
    left = ((colour * 2654435761 + pitch * 40503) % 65536) / 65536
    return left, (left + 0.5) % 1.0 if apart else left
