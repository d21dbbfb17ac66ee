"""Real music broken in ways that a listener hears at once, for the critic to learn from.

Each is a pure function of an excerpt and a random generator; it returns None
where the excerpt cannot be broken so (no drums out of tune). What was given as
a prompt is never touched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from model.critic.music import Column, Music
from model.critic.spans import Excerpt
from model.instruments import INSTRUMENTS
from model.language.sounding import SUSTAINED
from model.language.vocabulary import TICKS_PER_SECOND

Corruption = Callable[[Excerpt, np.random.Generator], Excerpt | None]
FEWEST_NOTES = 12
_LOW, _HIGH = np.array([i.low for i in INSTRUMENTS]), np.array([i.high for i in INSTRUMENTS])


def _bar_ticks(excerpt: Excerpt) -> float:
    """Return ticks in a bar, brought to 1.5 to 4 s: a bar of a wrong tempo is no bar."""
    ticks = excerpt.beat_ticks * (excerpt.header.beats_per_bar or 4.0)
    while ticks < 1.5 * TICKS_PER_SECOND:
        ticks *= 2
    while ticks > 4.0 * TICKS_PER_SECOND:
        ticks /= 2
    return ticks


def _begin(excerpt: Excerpt) -> int:
    """Return the first tick that was not given."""
    return excerpt.prompt_ticks + 1 if excerpt.prompt_ticks else 0


def _join(parts: list[Music]) -> Music:
    columns = ("onsets", "offsets", "instruments", "levels", "pitches")
    return Music(*(np.concatenate([getattr(part, name) for part in parts]) for name in columns)).sorted()


def shuffle_bars(excerpt: Excerpt, rng: np.random.Generator) -> Excerpt | None:
    """Return the bars after the prompt in another order; each bar is what begins in it."""
    bar, music = _bar_ticks(excerpt), excerpt.music
    begin = _begin(excerpt)
    bars = int((excerpt.length_ticks - begin) // bar)
    if bars < 3:
        return None
    places = rng.permutation(bars)
    while (places == np.arange(bars)).all():
        places = rng.permutation(bars)
    here = ((music.onsets - begin) // bar).astype(np.int64)
    inside = (here >= 0) & (here < bars)
    moves = np.rint((places[here.clip(0, bars - 1)] - here) * bar).astype(np.int64)
    return replace(excerpt, music=music.moved(np.where(inside, moves, 0)).sorted())


def loop(excerpt: Excerpt, rng: np.random.Generator) -> Excerpt | None:
    """Return the excerpt with a bar or two repeated from somewhere in its first half to its end."""
    music = excerpt.music
    span = round(_bar_ticks(excerpt) * int(rng.integers(1, 3)))
    room = excerpt.length_ticks - _begin(excerpt)
    if room < 3 * span:
        return None
    first = _begin(excerpt) + round(float(rng.uniform(0, 0.5)) * (room - 3 * span))
    bar = music.take((music.onsets >= first) & (music.onsets < first + span))
    if len(bar) < 2:
        return None
    bar = replace(bar, offsets=np.minimum(bar.offsets, first + span))
    times = -(-(excerpt.length_ticks - first) // span)
    parts = [music.take(music.onsets < first), *(bar.moved(n * span) for n in range(times))]
    joined = _join(parts)
    return replace(excerpt, music=joined.take(joined.onsets < excerpt.length_ticks))


def detune(excerpt: Excerpt, rng: np.random.Generator) -> Excerpt | None:
    """Return one instrument, of a single one its upper or lower half, a semitone or two beside."""
    music = excerpt.music
    tuned = SUSTAINED[music.instruments] & (music.onsets >= _begin(excerpt))
    if tuned.sum() < FEWEST_NOTES:
        return None
    rows, counts = np.unique(music.instruments[tuned], return_counts=True)
    heard = rows[counts >= max(4, tuned.sum() // 8)]
    if len(heard) > 1:
        moved = tuned & (music.instruments == rng.choice(heard))
    else:
        middle = np.median(music.pitches[tuned])
        moved = tuned & ((music.pitches > middle) if rng.random() < 0.5 else (music.pitches < middle))
    shift = int(rng.choice([-2, -1, 1, 2]))
    for step in (shift, -shift):
        pitches: Column = music.pitches + step * moved
        if moved.any() and ((pitches >= _LOW[music.instruments]) & (pitches <= _HIGH[music.instruments])).all():
            return replace(excerpt, music=replace(music, pitches=pitches).sorted())
    return None


def cut_ending(excerpt: Excerpt, rng: np.random.Generator) -> Excerpt | None:
    """Return the excerpt stopped mid-way and called finished."""
    length = excerpt.length_ticks
    if excerpt.ends:
        length = round(length * float(rng.uniform(0.5, 0.9)))
    music = excerpt.music.take(excerpt.music.onsets < length)
    if len(music) < FEWEST_NOTES or length <= excerpt.prompt_ticks:
        return None
    music = replace(music, offsets=np.minimum(music.offsets, length))
    return replace(excerpt, music=music, length_ticks=length, ends=True)


def jitter(excerpt: Excerpt, rng: np.random.Generator) -> Excerpt | None:
    """Return the excerpt out of time: every note, chord or not, some 30 to 120 ms beside."""
    music = excerpt.music
    own = music.onsets >= _begin(excerpt)
    if own.sum() < FEWEST_NOTES:
        return None
    spread = float(rng.uniform(3.0, 12.0))
    moves = np.where(own, np.rint(rng.normal(0.0, spread, len(music))).astype(np.int64), 0)
    onsets = np.clip(music.onsets + moves, np.where(own, _begin(excerpt), 0), excerpt.length_ticks - 1)
    moved = replace(music, onsets=onsets, offsets=music.offsets + onsets - music.onsets)
    return replace(excerpt, music=moved.sorted())


CORRUPTIONS: dict[str, Corruption] = {
    "shuffled": shuffle_bars,
    "looped": loop,
    "detuned": detune,
    "cut": cut_ending,
    "jittered": jitter,
}
