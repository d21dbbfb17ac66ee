"""Composing others to notes that are given: what is told of them, and all of it together."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from model.composing.given_music import GivenMusic
from model.composing.prompt import LONGEST_S, SHORTEST_S, Prompt
from model.composing.telling import Telling
from model.errors import PromptError
from model.instruments import BY_NAME
from model.language.header import Header, groups_of
from model.language.tokenizer import to_ticks
from model.notes import Note, Piece

MIDDLE_C = 60
# Nothing is composed in the last moments of a piece: its last given note has them behind it.
AFTER_LAST_S = 1.0


def start_of(given: Piece) -> float:
    """Return when given music begins, in seconds: what is composed begins there, too."""
    return min(note.onset_s for note in given.notes)


def length_of(given: Piece) -> float:
    """Return how long a piece around given notes is, in seconds from their first on."""
    last = max(note.onset_s for note in given.notes) + AFTER_LAST_S
    return max(SHORTEST_S, max(last, given.duration_s) - start_of(given))


def arrangement(given: Piece, prompt: Prompt, voices: int | None = None) -> Telling:
    """Return given notes, ready to be told to the candidates of a prompt; each takes a `fork`.

    Args:
        given: notes that stay as they are.
        prompt: what is asked for.
        voices: how many notes sound together, the given ones counted, and a single given line is the highest or the
            lowest of them; None: as many as come.

    Raises:
        PromptError: there are no notes, too many seconds or too many voices of them.
    """
    where = prompt.given or "the given music"
    if not given.notes:
        raise PromptError(f"{where}: there are no notes in it to compose to")
    seconds = length_of(given)
    if seconds > LONGEST_S:
        raise PromptError(f"{where}: {seconds / 60:.0f} min of music; it can be {LONGEST_S / 60:g} min, cut it")
    music = GivenMusic(given)
    if voices is not None and voices <= music.most_at_once:
        raise PromptError(
            f"{where}: {music.most_at_once} of its notes sound together; ask for more than {voices} voices"
        )
    if voices is None:
        return Telling(music)
    line = music.most_at_once == 1
    high = np.median([note.pitch for note in given.notes]) >= MIDDLE_C
    return Telling(music, voices - music.most_at_once, ("top" if high else "bottom") if line else None)


def announce(header: Header, given: Piece, prompt: Prompt) -> Header:
    """Return what is said of a piece around given notes: their tempo, metre and instruments, too."""
    everybody = (*given.instruments, *prompt.ensemble) if prompt.instruments else ()
    return replace(
        header,
        groups=groups_of(everybody),
        beats_per_bar=given.beats_per_bar,
        tempo_bpm=given.tempi[0].bpm,
        given=True,
    )


def merge(composed: Piece, given: Piece) -> Piece:
    """Return given notes as they are, with composed ones beside them.

    What was composed to the 10 ms in which a given note begins or ends is moved
    to the very moment, so that what is struck together sounds together.

    Args:
        composed: notes counted from the first given one on.
        given: notes, tempi and metre of the piece.
    """
    start_s = start_of(given)
    moments: dict[int, float] = {}
    for time_s in (*(note.offset_s for note in given.notes), *(note.onset_s for note in given.notes)):
        moments[to_ticks(time_s - start_s)] = time_s

    def moved(note: Note) -> Note:
        on_s, off_s = (moments.get(to_ticks(t), start_s + t) for t in (note.onset_s, note.offset_s))
        # A stroke of a drum has no end to be moved.
        duration_s = off_s - on_s if BY_NAME[note.instrument].sustains else note.duration_s
        return replace(note, onset_s=on_s, duration_s=max(duration_s, 0.0))

    notes = tuple(sorted((*given.notes, *(moved(note) for note in composed.notes))))
    return Piece(notes, given.tempi, composed.title or given.title, composed.style, given.beats_per_bar)


def others(piece: Piece, given: Piece) -> Piece:
    """Return what of a piece was not given: what `merge` put beside it."""
    left = Counter(given.notes)
    notes = []
    for note in piece.notes:
        if left[note]:
            left[note] -= 1
        else:
            notes.append(note)
    return replace(piece, notes=tuple(notes))
