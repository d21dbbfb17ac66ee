"""Pieces brought back from the library, as their cues want them now."""

from __future__ import annotations

from dataclasses import replace

from conductor.errors import LibraryError
from conductor.library import Kept, Library
from conductor.setlist import Cue
from conductor.show.shares import share_rows
from conductor.show.take import Take, read_take
from model.composing.blend import caption_of, main_style
from model.errors import ModelError


def caption_for(cue: Cue) -> str:
    """Return what the audience reads of a cue under its name."""
    parts = [caption_of(cue.style)] if cue.style else []
    parts += [", ".join(cue.instruments)] if cue.instruments else []
    return " · ".join(parts)


def found_piece(library: Library, piece_id: int) -> Kept:
    """Return a piece of the library that may be played.

    Raises:
        LibraryError: it is not there any more, or must not be played.
    """
    kept = library.piece(piece_id)
    if kept is None:
        raise LibraryError(f"piece {piece_id} is not in the library")
    if kept.refused:
        raise LibraryError(f"piece {piece_id} must not be played: {kept.refused}")
    return kept


def read_kept(kept: Kept, cue: Cue) -> Take:
    """Return a piece of the library as the take of a cue.

    Raises:
        LibraryError: its file cannot be read.
    """
    try:
        take = read_take(kept.midi, title=cue.name, caption=caption_for(cue), piece_id=kept.id)
    except ModelError as error:
        raise LibraryError(str(error)) from error
    return replace(
        take.played_for(cue),
        style=kept.style or main_style(cue.style),
        provenance=kept.provenance,
        styles=share_rows(cue.style),
        composed_s=kept.composed_at.timestamp(),
        heard=kept.aired > 0,
    )
