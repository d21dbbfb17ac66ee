"""Pieces to tokens, tokens to pieces, tokens to text and back. Torch-free.

Times are laid on a grid of 10 ms from the start of the piece, so that no error
adds up: every onset and offset comes back within 5 ms. At one instant, notes
that sounded end first, then new ones begin, the ensemble in the order of
`model.instruments`, each from its lowest note up. Equal notes of one instrument
that overlap are paired first-in-first-out, as MIDI does on one channel.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from model.errors import TokenError
from model.instruments import BY_NAME, GROUPS, INSTRUMENTS
from model.language.header import Header, groups_of
from model.language.vocabulary import MAX_WAIT_TICKS, TICKS_PER_SECOND, VOCABULARY, pitch_name
from model.notes import DEFAULT_TEMPO_BPM, Note, Piece, TempoMark

# A drum has no note-off; this is what is written for its length.
DRUM_SECONDS = 0.1
_ORDER = {instrument.name: n for n, instrument in enumerate(INSTRUMENTS)}


def to_ticks(seconds: float) -> int:
    """Return a time on the 10 ms grid."""
    return round(seconds * TICKS_PER_SECOND)


def level_velocity(instrument: str, velocity: int) -> int:
    """Return the velocity of the instrument's volume level nearest to a velocity (1-127)."""
    return min(BY_NAME[instrument].levels, key=lambda level: (abs(level - velocity), level))


def wait_tokens(ticks: int) -> list[int]:
    """Return the wait tokens that let a number of ticks pass, the longest first."""
    longest, rest = divmod(ticks, MAX_WAIT_TICKS)
    last = VOCABULARY.first_wait - 1
    return [last + MAX_WAIT_TICKS] * longest + ([last + rest] if rest else [])


def header_of(piece: Piece) -> Header:
    """Return what can be said of a piece by itself: style, instruments, first tempo."""
    return Header(style=piece.style, groups=groups_of(piece.instruments), tempo_bpm=piece.tempi[0].bpm)


def encode_body(piece: Piece) -> list[int]:
    """Return a piece's tokens after the header: notes, waits, later tempo marks, `end`.

    Raises:
        TokenError: a note is outside its instrument's range.
    """
    # (tick, phase, instrument, pitch, token); phases: tempo, ends, beginnings, ends of notes of no length
    events: list[tuple[int, int, int, int, int]] = []
    for mark in piece.tempi[1:]:
        events.append((to_ticks(mark.time_s), 0, 0, 0, VOCABULARY.tempo_id(mark.bpm)))
    for note in piece.notes:
        onset, offset = to_ticks(note.onset_s), to_ticks(note.offset_s)
        where = (_ORDER[note.instrument], note.pitch)
        name = f"{note.instrument}:v{level_velocity(note.instrument, note.velocity)}:{pitch_name(note.pitch)}"
        if name not in VOCABULARY.ids:
            raise TokenError(f"{note.instrument} cannot play {pitch_name(note.pitch)} (at {note.onset_s:.2f} s)")
        events.append((onset, 2, *where, VOCABULARY.ids[name]))
        if BY_NAME[note.instrument].sustains:
            off = VOCABULARY.ids[f"{note.instrument}:v0:{pitch_name(note.pitch)}"]
            events.append((offset, 1 if offset > onset else 3, *where, off))
    events.sort()
    tokens: list[int] = []
    now = 0
    for tick, _, _, _, token in events:
        tokens += wait_tokens(tick - now)
        now = max(now, tick)
        tokens.append(token)
    return [*tokens, VOCABULARY.end]


def encode(piece: Piece, header: Header | None = None) -> list[int]:
    """Return a piece's tokens, with its own header unless another is given.

    Raises:
        TokenError: a note is outside its instrument's range.
    """
    return (header or header_of(piece)).tokens() + encode_body(piece)


def decode(tokens: Iterable[int], title: str = "") -> Piece:
    """Return the piece that tokens say.

    Notes still sounding at the end end there; a note-off for what does not sound
    is passed over.

    Raises:
        TokenError: an id is outside the vocabulary.
    """
    style: str | None = None
    beats_per_bar = 4.0
    tempi: list[TempoMark] = []
    notes: list[Note] = []
    sounding: defaultdict[tuple[str, int], deque[tuple[int, int]]] = defaultdict(deque)
    tick = 0

    def close(key: tuple[str, int], offset: int) -> None:
        onset, velocity = sounding[key].popleft()
        seconds = (offset - onset) / TICKS_PER_SECOND
        notes.append(Note(onset / TICKS_PER_SECOND, key[1], key[0], seconds, velocity))

    for token in tokens:
        if not 0 <= token < len(VOCABULARY):
            raise TokenError(f"token {token} is outside the vocabulary of {len(VOCABULARY)}")
        said = VOCABULARY.notes[token]
        if said is not None:
            key = (said.instrument, said.pitch)
            if said.velocity == 0:
                if sounding[key]:
                    close(key, tick)
            elif BY_NAME[said.instrument].sustains:
                sounding[key].append((tick, said.velocity))
            else:
                onset_s = tick / TICKS_PER_SECOND
                notes.append(Note(onset_s, said.pitch, said.instrument, DRUM_SECONDS, said.velocity))
            continue
        tick += int(VOCABULARY.wait_ticks[token])
        text = VOCABULARY.texts[token]
        bpm = VOCABULARY.tempo_of(token)
        if bpm is not None:
            tempi.append(TempoMark(tick / TICKS_PER_SECOND, float(bpm)))
        elif text.startswith("bar:"):
            beats_per_bar = float(text[4:])
        elif style is None and text in _STYLE_OF:
            style = _STYLE_OF[text]
    for key in list(sounding):
        while sounding[key]:
            close(key, tick)
    if not tempi or tempi[0].time_s > 0:
        tempi.insert(0, TempoMark(0.0, DEFAULT_TEMPO_BPM))
    return Piece(tuple(sorted(notes)), tuple(tempi), title, style, beats_per_bar)


def _style_tokens() -> dict[str, str]:
    first, last = VOCABULARY.end + 1, VOCABULARY.id(GROUPS[0])
    return {text: text.removeprefix("style:") for text in VOCABULARY.texts[first:last]}


_STYLE_OF = _style_tokens()


def to_text(tokens: Sequence[int]) -> str:
    """Return tokens as text, words apart by spaces; a run of groups is one word.

    Raises:
        TokenError: an id is outside the vocabulary.
    """
    words: list[str] = []
    after_group = False
    for token in tokens:
        if not 0 <= token < len(VOCABULARY):
            raise TokenError(f"token {token} is outside the vocabulary of {len(VOCABULARY)}")
        text = VOCABULARY.texts[token]
        is_group = text in GROUPS
        if is_group and after_group:
            words[-1] += f"_{text}"
        else:
            words.append(text)
        after_group = is_group
    return " ".join(words)


def from_text(text: str) -> list[int]:
    """Return the tokens a text says.

    Raises:
        TokenError: a word is not in the language; names its line, column and nearest words.
    """
    tokens: list[int] = []
    for row, line in enumerate(text.splitlines(), 1):
        column = 0
        for word in line.split():
            column = line.index(word, column)
            tokens += _parse(word, f"line {row}, column {column + 1}")
            column += len(word)
    return tokens


def _parse(word: str, where: str) -> list[int]:
    if word in VOCABULARY.ids:
        return [VOCABULARY.ids[word]]
    parts = word.split("_")
    if all(part in GROUPS for part in parts):
        return [VOCABULARY.ids[part] for part in parts]
    near = get_close_matches(word, VOCABULARY.texts, 3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise TokenError(f"{where}: unknown token {word!r}{hint}")
