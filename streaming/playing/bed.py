"""What sounds where no piece does: a soft loop, in memory before anything is loaded, so that nothing goes silent.

A harp walks through eight bars of D major over a cello and two violins; a piano says a little.
"""

from __future__ import annotations

from functools import lru_cache

from model.notes import Note, Piece, TempoMark

# Its number among the pieces, and its deck.
BED = 0
TITLE = "In a moment"
_BAR_S = 5.0
# From one harp note to the next, and how long each rings: the last ones until the end of the bar.
_HARP_S, _HARP_RINGS_S = 0.75, 2.5
_HARP_VELOCITIES = (44, 42, 40)
_CELLO_VELOCITY, _VIOLIN_VELOCITY = 42, 36
# Of each bar: what the cello, the harp and the violins play, and (second, pitch, length, velocity) of the piano.
_BARS: tuple[tuple[int, tuple[int, ...], tuple[int, int], tuple[tuple[float, int, float, int], ...]], ...] = (
    (38, (50, 57, 62, 64, 69, 66), (66, 69), ((2.5, 78, 2.4, 38),)),
    (47, (47, 54, 61, 62, 69, 66), (66, 74), ((1.5, 74, 1.4, 34), (3.0, 73, 1.9, 34))),
    (43, (43, 50, 59, 62, 66, 69), (67, 71), ((2.5, 71, 2.4, 38),)),
    (45, (45, 52, 59, 62, 64, 69), (64, 73), ((2.5, 69, 1.2, 32), (3.7, 71, 1.2, 34))),
    (42, (42, 54, 57, 61, 64, 69), (64, 69), ((2.5, 73, 2.4, 38),)),
    (43, (43, 50, 57, 62, 66, 71), (66, 71), ((1.5, 74, 1.4, 34), (3.0, 78, 1.9, 36))),
    (40, (40, 52, 59, 62, 66, 67), (67, 71), ((2.5, 76, 2.4, 38),)),
    (45, (45, 52, 57, 62, 64, 69), (64, 69), ((2.0, 71, 1.0, 30), (3.0, 69, 1.9, 32))),
)


@lru_cache(maxsize=1)
def bed() -> Piece:
    """Return the loop; its last note ends with its last bar."""
    notes: list[Note] = []
    for bar, (low, walk, held, said) in enumerate(_BARS):
        start_s = bar * _BAR_S
        notes.append(Note(start_s, low, "cello", _BAR_S, _CELLO_VELOCITY))
        notes += [Note(start_s, pitch, "violin", _BAR_S, _VIOLIN_VELOCITY) for pitch in held]
        for step, pitch in enumerate(walk):
            rings_s = min(_HARP_RINGS_S, _BAR_S - step * _HARP_S)
            notes.append(Note(start_s + step * _HARP_S, pitch, "harp", rings_s, _HARP_VELOCITIES[step % 3]))
        notes += [Note(start_s + at_s, pitch, "piano", length_s, velocity) for at_s, pitch, length_s, velocity in said]
    return Piece(tuple(sorted(notes)), tempi=(TempoMark(0.0, 60.0),), title=TITLE)
