"""The music a piece begins with: a shipped opening, part of a MIDI file, a text of tokens. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from model.composing.prompt import MOST_INSTRUMENTS, Prompt, key_of
from model.errors import PromptError, TokenError
from model.instruments import BY_NAME, GROUPS
from model.language.header import Header, find_key, groups_of
from model.language.tokenizer import decode, encode_body, from_text, to_ticks, wait_tokens
from model.language.vocabulary import (
    BARS,
    DENSITIES,
    ENERGIES,
    OWN_STYLES,
    STYLES,
    TICKS_PER_SECOND,
    VOCABULARY,
    pitch_name,
    style_token,
)
from model.learning.corpus import tidy
from model.midi import read_midi
from model.notes import Note, Piece
from model.openings.shelf import find, shipped

# So much at least is left to be composed.
LEFT_S = 1.0
_STYLES = {style_token(style): style for style in STYLES + OWN_STYLES}


@dataclass(frozen=True, slots=True)
class Opening:
    """Music that is there already when composing begins.

    Attributes:
        piece: the music as it was given; what sounds where composing begins is cut there.
        seconds: where composing begins, on the grid of 10 ms.
        tempo_bpm: of its beginning.
        key: it is in; None where no key is clear.
        tokens: the music, without header and end; what sounds at the end goes on in what is composed.
        words: what a text says of itself, or the index of a shipped opening.
    """

    piece: Piece
    seconds: float
    tempo_bpm: float
    key: str | None
    tokens: tuple[int, ...]
    words: Header

    def prompted(self, prompt: Prompt) -> Prompt:
        """Return the prompt with style, instruments and key of the opening where it says none itself.

        Whoever began goes on, and no other joins; an orchestra of more than a piece can ask for is left to the model.
        """
        playing = self.piece.instruments if len(self.piece.instruments) <= MOST_INSTRUMENTS else ()
        return replace(
            prompt,
            style=prompt.style if prompt.style is not None else self.words.style,
            instruments=prompt.instruments or self.words.groups or playing,
            key=prompt.key or self.key,
        )

    def announce(self, header: Header) -> Header:
        """Return a header that says of a piece what is true of its beginning, too.

        The tempo is that of the opening: another that is asked for comes with its last token.
        """
        said = self.words
        return replace(
            header,
            groups=header.groups or groups_of(self.piece.instruments),
            tempo_bpm=self.tempo_bpm,
            key=header.key or self.key,
            beats_per_bar=self.piece.beats_per_bar if self.piece.beats_per_bar in BARS else header.beats_per_bar,
            genre=said.genre or header.genre,
            performed=header.performed if said.performed is None else said.performed,
            notes_per_second=header.notes_per_second if said.notes_per_second is None else said.notes_per_second,
            velocity=header.velocity if said.velocity is None else said.velocity,
        )


def opening_of(prompt: Prompt) -> Opening | None:
    """Return the music a piece begins with; None where it begins with nothing.

    Args:
        prompt: says `opening`, `opening_tokens` or `continue_from`, one at most.

    Raises:
        PromptError: the opening is unknown, has no notes, is longer than the piece, or
            plays none of the instruments asked for; the file ends before the place to go on at.
        MidiError: a file cannot be read.
    """
    if prompt.continue_from is not None:
        return _continued(prompt, Path(prompt.continue_from))
    words, where = Header(), "the opening"
    if prompt.opening_tokens is not None:
        piece, words = _told(prompt.opening_tokens)
        where = "opening tokens"
    elif prompt.opening is not None:
        path, words = _named(prompt.opening)
        piece, where = read_midi(path).piece, prompt.opening
    else:
        return None
    if not piece.notes:
        raise PromptError(f"{where}: there are no notes in it to go on from")
    _check_instruments(prompt, piece, where)
    piece = tidy(piece)
    whole_ticks = to_ticks(piece.duration_s)
    if prompt.opening_notes is not None:
        piece = replace(piece, notes=piece.notes[: prompt.opening_notes])
        until = to_ticks(piece.notes[-1].onset_s)
        if until >= _latest(prompt):
            raise PromptError(
                f"{where}: its first {len(piece.notes)} notes last {until / TICKS_PER_SECOND:.0f} s and the piece "
                f"{prompt.duration_s:g} s; ask for fewer notes or a longer piece"
            )
        return _opening(prompt, piece, until, words, last_too=True)
    if prompt.opening_s is not None:
        until = min(to_ticks(prompt.opening_s), whole_ticks)
        if until >= _latest(prompt):
            raise PromptError(
                f"{where}: {prompt.opening_s:g} s of it leave nothing to compose of a piece of "
                f"{prompt.duration_s:g} s; ask for less of it or a longer piece"
            )
    else:
        until = min(to_ticks(prompt.duration_s / 2), whole_ticks)
    # Where music is cut at will, or its file is over, the last notes need not end there.
    return _opening(prompt, _lengthened(piece, until), until, words)


def _continued(prompt: Prompt, path: Path) -> Opening:
    """Return all the music of a file up to a time."""
    piece, at_s = read_midi(path).piece, prompt.at_s or 0.0
    if at_s > piece.duration_s:
        raise PromptError(f"{path}: it ends after {piece.duration_s:.1f} s and cannot go on at {at_s:g} s")
    start_s = min(n.onset_s for n in piece.notes)
    if start_s >= at_s:
        raise PromptError(f"{path}: there are no notes before {at_s:g} s to go on from")
    # Tidied where it stands: its times stay those of the file.
    tidied = tuple(replace(n, onset_s=n.onset_s + start_s) for n in tidy(piece).notes)
    return _opening(prompt, replace(piece, notes=tidied), to_ticks(at_s), Header())


def _opening(prompt: Prompt, piece: Piece, until: int, words: Header, *, last_too: bool = False) -> Opening:
    """Return the part of a piece before a tick."""
    kept = [n for n in piece.notes if to_ticks(n.onset_s) < until + last_too]
    end_s = until / TICKS_PER_SECOND
    tempi = tuple(m for m in piece.tempi if to_ticks(m.time_s) < until) or piece.tempi[:1]
    tokens = _tokens(replace(piece, notes=tuple(kept), tempi=tempi), until)
    # What nobody may play any more ends here.
    ensemble = prompt.ensemble
    for note in kept:
        if note.instrument not in ensemble and BY_NAME[note.instrument].sustains and to_ticks(note.offset_s) > until:
            tokens.append(VOCABULARY.id(f"{note.instrument}:v0:{pitch_name(note.pitch)}"))
    asked = prompt.tempo_bpm
    if asked is not None and VOCABULARY.tempo_id(asked) != VOCABULARY.tempo_id(tempi[-1].bpm):
        tokens.append(VOCABULARY.tempo_id(asked))
    cut = tuple(replace(n, duration_s=min(n.duration_s, max(0.0, end_s - n.onset_s))) for n in kept)
    key = words.key or _key(kept)
    return Opening(replace(piece, notes=cut, tempi=tempi), end_s, tempi[0].bpm, key, tuple(tokens), words)


def _tokens(piece: Piece, until: int) -> list[int]:
    """Return the tokens of a piece up to a tick, that tick's ends too."""
    tokens: list[int] = []
    tick = 0
    for token in encode_body(piece):
        waited = int(VOCABULARY.wait_ticks[token])
        if token == VOCABULARY.end or tick + waited > until:
            break
        tokens.append(token)
        tick += waited
    return tokens + wait_tokens(until - tick)


def _lengthened(piece: Piece, until: int) -> Piece:
    """Return a piece whose notes that end at a tick sound on."""
    ends = (to_ticks(n.offset_s) == until for n in piece.notes)
    more = 1.0 / TICKS_PER_SECOND
    notes = (replace(n, duration_s=n.duration_s + more) if at else n for n, at in zip(piece.notes, ends, strict=True))
    return replace(piece, notes=tuple(notes))


def _latest(prompt: Prompt) -> int:
    """Return the tick by which composing must begin."""
    return to_ticks(prompt.duration_s - LEFT_S)


def _named(name: str) -> tuple[Path, Header]:
    """Return where an opening lies that is called by its name or path, and what is said of it."""
    if name in shipped():
        found = find(name)
        return found.path, Header(style=found.style, key=key_of(found.key) if found.key else None)
    path = Path(name)
    if path.exists():
        return path, Header()
    if path.suffix or len(path.parts) > 1:
        raise PromptError(f"{name}: no such file; give the path of a MIDI file or the name of a shipped opening")
    return find(name).path, Header()


def _told(text: str) -> tuple[Piece, Header]:
    """Return the music of a text of tokens, and what its header says."""
    try:
        tokens = from_text(text)
    except TokenError as error:
        raise PromptError(f"opening tokens: {error}") from None
    start = tokens.index(VOCABULARY.start) if VOCABULARY.start in tokens else 0
    end = tokens.index(VOCABULARY.end) if VOCABULARY.end in tokens else len(tokens)
    piece = decode(tokens[:end])
    return piece, _words(VOCABULARY.texts[token] for token in tokens[:start])


def _words(texts: Iterable[str]) -> Header:
    """Return the header that words say."""
    said = Header()
    for text in texts:
        kind, _, value = text.partition(":")
        if text in _STYLES:
            said = replace(said, style=_STYLES[text])
        elif text in GROUPS:
            said = replace(said, groups=(*said.groups, text))
        elif text in ("scored", "performed"):
            said = replace(said, performed=text == "performed")
        elif kind == "genre":
            said = replace(said, genre=value)
        elif kind == "key":
            said = replace(said, key=value)
        elif kind == "bar":
            said = replace(said, beats_per_bar=float(value))
        elif kind == "density":
            said = replace(said, notes_per_second=DENSITIES[int(value)])
        elif kind == "energy":
            said = replace(said, velocity=float(ENERGIES[int(value)]))
        else:
            raise PromptError(f"opening tokens: {text!r} cannot stand in their header; leave it out")
    return said


def _check_instruments(prompt: Prompt, piece: Piece, where: str) -> None:
    if prompt.instruments and not set(piece.instruments) & set(prompt.ensemble):
        raise PromptError(
            f"{where}: it plays {', '.join(piece.instruments)}, none of the instruments asked for "
            f"({', '.join(prompt.instruments)}); ask for one of them too, or for another opening"
        )


def _key(notes: Iterable[Note]) -> str | None:
    """Return the key of some notes, where their lengths and their number agree about it."""
    lengths, counts = np.zeros(12), np.zeros(12)
    for note in notes:
        if note.instrument != "drums":
            lengths[note.pitch % 12] += note.duration_s
            counts[note.pitch % 12] += 1
    found = find_key(lengths)
    return found if found == find_key(counts) else None
