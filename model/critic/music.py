"""Notes as columns of whole numbers: what the critic cuts, breaks and writes as tokens.

Real music and composed music differ in things that are not music: how long
waits are split, that notes of composed music end after 5 s, that nothing is
struck in its last moments. `tame` and `Music.tokens` bring both to one form,
so that a critic cannot learn to tell them apart by that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from model.composing.grammar import LAST_ONSET_S, LONGEST_NOTE_S, LONGEST_SILENCE_S, MOST_AT_ONCE, MOST_SOUNDING
from model.language.sounding import SUSTAINED
from model.language.tokenizer import wait_tokens
from model.language.vocabulary import TICKS_PER_SECOND, VOCABULARY

Column = NDArray[np.int64]
LEVELS: Column = np.array([-1 if n is None else VOCABULARY.level_of(n) for n in VOCABULARY.notes], np.int64)
_LONGEST = round(LONGEST_NOTE_S * TICKS_PER_SECOND)
_SILENCE = round(LONGEST_SILENCE_S * TICKS_PER_SECOND)
# The grammar lets a note begin while more than this is left.
_RING = round(LAST_ONSET_S * TICKS_PER_SECOND) + 1
_SHORTEST = 1
_BLUR_TICKS = 1.0


@dataclass(frozen=True, slots=True)
class Music:
    """Notes in the order of their onsets, shape [notes] each.

    Attributes:
        onsets, offsets: ticks of 10 ms; a drum's offset is its onset.
        instruments: rows in `INSTRUMENTS`.
        levels: volume levels, from 1.
        pitches: MIDI pitches.
    """

    onsets: Column
    offsets: Column
    instruments: Column
    levels: Column
    pitches: Column

    def __len__(self) -> int:
        return len(self.onsets)

    def take(self, which: NDArray[np.bool_] | Column) -> Music:
        """Return some of the notes, in their order."""
        return Music(
            self.onsets[which], self.offsets[which], self.instruments[which], self.levels[which], self.pitches[which]
        )

    def moved(self, ticks: int | Column) -> Music:
        """Return the notes later by some ticks."""
        return replace(self, onsets=self.onsets + ticks, offsets=self.offsets + ticks)

    def sorted(self) -> Music:
        """Return the notes in the order of onset, instrument and pitch."""
        return self.take(np.lexsort((self.pitches, self.instruments, self.onsets)))

    def tokens(self, length_ticks: int, *, ends: bool) -> Column:
        """Return the tokens of the notes, waits to the end of the length, and `end` where it ends.

        Offsets after the length are not written: such notes sound on.
        """
        sustained = SUSTAINED[self.instruments] & (self.offsets <= length_ticks)
        off = self.take(sustained)
        ticks = np.concatenate([self.onsets, off.offsets])
        phases = np.concatenate([np.full(len(self), 2), np.where(off.offsets > off.onsets, 1, 3)])
        instruments = np.concatenate([self.instruments, off.instruments])
        pitches = np.concatenate([self.pitches, off.pitches])
        levels = np.concatenate([self.levels, np.zeros(len(off), np.int64)])
        order = np.lexsort((pitches, instruments, phases, ticks))
        ids = VOCABULARY.note_id[instruments[order], levels[order], pitches[order]]
        out: list[int] = []
        now = 0
        for tick, token in zip(ticks[order].tolist(), ids.tolist(), strict=True):
            if tick > now:
                out += wait_tokens(tick - now)
                now = tick
            out.append(token)
        out += wait_tokens(max(0, length_ticks - now))
        return np.array([*out, VOCABULARY.end] if ends else out, np.int64)


def music_of(tokens: Column, ticks: Column | None = None) -> Music:
    """Return the notes that tokens say; those never ended end with the tokens.

    Args:
        tokens: shape [tokens].
        ticks: time after each token; by the waits where it is not given.
    """
    if ticks is None:
        ticks = np.cumsum(VOCABULARY.wait_ticks[tokens])
    said = np.flatnonzero(VOCABULARY.instrument_of[tokens] >= 0)
    ids = tokens[said]
    onsets, rows = ticks[said], VOCABULARY.instrument_of[ids]
    pitches, levels = VOCABULARY.pitch_of[ids], LEVELS[ids]
    last = int(ticks[-1]) if len(ticks) else 0
    offsets = np.where(SUSTAINED[rows], last, onsets)
    sounding: dict[int, list[int]] = {}
    for n, (key, level, sustains) in enumerate(
        zip((rows << 7 | pitches).tolist(), levels.tolist(), SUSTAINED[rows].tolist(), strict=True)
    ):
        if level and sustains:
            sounding.setdefault(key, []).append(n)
        elif not level and sounding.get(key):
            offsets[sounding[key].pop(0)] = onsets[n]
    return Music(onsets, offsets, rows, levels, pitches).take(levels > 0)


def tame(music: Music, beat_ticks: float) -> Music:
    """Return music as the composer's grammar would let it be.

    No unisons, notes of 10 ms to 5 s, at most so many at once, no long silence.

    Args:
        music: any notes.
        beat_ticks: ticks in a beat; of a silence that is too long whole beats are left out.
    """
    if not len(music):
        return music
    music = music.sorted()
    sustained = SUSTAINED[music.instruments]
    longest = np.clip(music.offsets - music.onsets, _SHORTEST, _LONGEST)
    music = replace(music, offsets=np.where(sustained, music.onsets + longest, music.onsets))
    return _no_silence(_not_too_many(_no_unisons(music)), beat_ticks)


def _no_unisons(music: Music) -> Music:
    """A note struck again ends where it is struck; of two struck at once the first is kept."""
    key = music.instruments << 7 | music.pitches
    order = np.lexsort((music.onsets, key))
    kept, same = np.ones(len(music), bool), key[order[1:]] == key[order[:-1]]
    offsets = music.offsets.copy()
    before, after = order[:-1][same], order[1:][same]
    kept[after[music.onsets[after] == music.onsets[before]]] = False
    offsets[before] = np.minimum(offsets[before], np.maximum(music.onsets[after], music.onsets[before] + 1))
    return replace(music, offsets=offsets).take(kept)


def _not_too_many(music: Music) -> Music:
    kept = np.ones(len(music), bool)
    ends: list[int] = []
    at_once, now = 0, -1
    sustains = SUSTAINED[music.instruments].tolist()
    for n, (onset, offset) in enumerate(zip(music.onsets.tolist(), music.offsets.tolist(), strict=True)):
        at_once = at_once + 1 if onset == now else 1
        now = onset
        while ends and ends[0] <= onset:
            heappop(ends)
        kept[n] = at_once <= MOST_AT_ONCE and (len(ends) < MOST_SOUNDING or not sustains[n])
        if not kept[n]:
            at_once -= 1
        elif sustains[n]:
            heappush(ends, offset)
    return music if kept.all() else music.take(kept)


def _no_silence(music: Music, beat_ticks: float) -> Music:
    silent = music.onsets[1:] - np.maximum.accumulate(music.offsets)[:-1]
    beats = np.ceil(np.maximum(0, silent - _SILENCE) / beat_ticks)
    if not beats.any():
        return music
    cut = np.concatenate([[0.0], np.cumsum(beats)]) * beat_ticks
    return music.moved(-np.rint(cut).astype(np.int64))


def blur(music: Music, prompt_ticks: int = 0) -> Music:
    """Return music heard no finer than one hears: every chord but the first a tick or so beside.

    Composed music keeps its beat to a tick or two, scores keep it exactly. Nobody hears that, but a critic
    would hear nothing else. The same music is always blurred the same way.

    Args:
        music: from its first note.
        prompt_ticks: what begins up to here stays there, and what begins later, later.
    """
    seed = [len(music), *(int(column.sum()) for column in (music.onsets, music.pitches, music.levels))]
    chords, which = np.unique(music.onsets, return_inverse=True)
    moves = np.rint(np.random.default_rng(seed).normal(0.0, _BLUR_TICKS, len(chords))).astype(np.int64)
    moves[0] = 0
    given = music.onsets <= prompt_ticks if prompt_ticks else np.zeros(len(music), bool)
    onsets = np.maximum(music.onsets + moves[which], np.where(given, 0, prompt_ticks + (prompt_ticks > 0)))
    onsets = np.where(given, np.minimum(onsets, prompt_ticks), onsets)
    return _no_unisons(replace(music, onsets=onsets, offsets=music.offsets + onsets - music.onsets).sorted())


def ring_out(music: Music) -> Music:
    """Return music whose last notes last as long as a composed piece's must."""
    if not len(music):
        return music
    least = int(music.onsets[-1]) + _RING
    last = SUSTAINED[music.instruments] & (music.offsets == music.offsets.max())
    return replace(music, offsets=np.where(last, np.maximum(music.offsets, least), music.offsets))
