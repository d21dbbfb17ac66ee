"""Chorales on a grid of 16ths, and what they cost our model in nats.

The benchmark says four pitches a 16th; our language says notes, their ends and
waits. Both say the same once a chorale has one text and no other: one
instrument and volume, waits of whole 16ths, ends before beginnings and each
from the lowest up, a pitch that goes on sounding said once (held and struck
again are not told apart in the data). So the text's nats are those of the
grid. Counted besides are what the text leaves out: which voice sings which of
the pitches, by a code counted in training chorales, and the length, told to our
model ahead, as one of `LONGEST` equal chances.

Two sums are kept. `plain` is the text under the model as it is: what it spends
on volumes, instruments and times the form excludes is counted. `kept` leaves it
the form's own choices alone, made to add up to 1; it is what the model knows
of chorales in this form. Both bound the nats of the grid from above.

A wait before given notes is cut where they are told: it costs the chance of
every wait at least so long.

Source: Boulanger-Lewandowski et al. (2012); Huang et al. (2017), Coconet.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.instruments import BY_NAME
from model.language.context import Context, beats_at, place
from model.language.given import pair, weave
from model.language.header import Header
from model.language.tokenizer import encode_body, wait_tokens
from model.language.vocabulary import MAX_WAIT_TICKS, TICKS_PER_SECOND, VOCABULARY
from model.notes import Note, Piece, TempoMark

VOICES = 4
REST = -1
# Ticks of a 16th: the longest wait is whole 16ths, the tempo near that of chorales.
STEP_TICKS = 16
BPM = 60.0 * TICKS_PER_SECOND / (4 * STEP_TICKS)
LONGEST = 1024
INSTRUMENT, VELOCITY = "choir", 80

# Steps of (soprano, alto, tenor, bass).
Chorale = Sequence[Sequence[int]]
Ints = NDArray[np.int64]
_ROW = list(BY_NAME).index(INSTRUMENT)
_LEVEL = 1 + BY_NAME[INSTRUMENT].levels.index(VELOCITY)
_ON, _OFF = VOCABULARY.note_id[_ROW, _LEVEL], VOCABULARY.note_id[_ROW, 0]
_PITCHES = range(BY_NAME[INSTRUMENT].low, BY_NAME[INSTRUMENT].high + 1)


class Text(NamedTuple):
    """A chorale as the model reads it, its header first.

    Attributes:
        tokens: shape [tokens].
        context: where each stands.
        choices: for each token of its own, its place, the ids that the form allows there, those of them that say
            what came, and those that say so in the whole language.
        steps: 16ths.
    """

    tokens: Ints
    context: Context
    choices: list[tuple[int, Ints, Ints, Ints]]
    steps: int


def runs(sets: Sequence[frozenset[int]]) -> list[Note]:
    """Return pitches that sound from step to step as notes."""
    notes: list[Note] = []
    since: dict[int, int] = {}
    for step, now in enumerate([*sets, frozenset[int]()]):
        for pitch in [p for p in since if p not in now]:
            first = since.pop(pitch)
            seconds = (step - first) * STEP_TICKS / TICKS_PER_SECOND
            notes.append(Note(first * STEP_TICKS / TICKS_PER_SECOND, pitch, INSTRUMENT, seconds, VELOCITY))
        for pitch in now:
            since.setdefault(pitch, step)
    return sorted(notes)


def text(chorale: Chorale, *, soprano_given: bool) -> Text:
    """Return a chorale in the form of the model's language that has no other text for it."""
    given = [frozenset(step[:1]) - {REST} if soprano_given else frozenset[int]() for step in chorale]
    own = [frozenset(step) - {REST} - g for step, g in zip(chorale, given, strict=True)]
    piece = Piece(tuple(sorted([*runs(given), *runs(own)])), (TempoMark(0.0, BPM),))
    length = len(chorale) * STEP_TICKS
    notes_said = encode_body(piece)[:-1]
    silent = length - int(VOCABULARY.wait_ticks[notes_said].sum())
    body = np.array([*notes_said, *wait_tokens(silent), VOCABULARY.end], np.int64)
    ticks = np.cumsum(VOCABULARY.wait_ticks[body])
    beats = beats_at(ticks, piece.tempi)
    if soprano_given:
        notes = pair(body)
        # Nobody else strikes a pitch that the soprano sings.
        told = [int(VOCABULARY.pitch_of[body[on]]) in given[int(ticks[on]) // STEP_TICKS] for on in notes.on.tolist()]
        row = weave(body, ticks, beats, np.array(told, bool), notes, before=0, length_ticks=length, whole=True)
        body, context = row.tokens, row.context
    else:
        context = place(body, ticks, beats, length)
    header = Header("bach", ("choir",), "choir", False, None, 4.0, tempo_bpm=BPM, given=soprano_given)
    head = np.array(header.tokens(), np.int64)
    stand = place(head[:1], np.zeros(1, np.int64), np.zeros(1, np.float32), length)
    before: list[NDArray[Any]] = list(stand)
    after: list[NDArray[Any]] = list(context)
    fields = [np.concatenate([np.repeat(b, len(head), axis=0), a]) for b, a in zip(before, after, strict=True)]
    choices = [
        (len(head) + n, allowed, said, any_said)
        for n, allowed, said, any_said in _choices(body, context, given, VOICES - soprano_given)
    ]
    return Text(np.concatenate([head, body]), Context._make(fields), choices, len(chorale))


def _choices(
    body: Ints, context: Context, given: Sequence[frozenset[int]], most: int
) -> Iterable[tuple[int, Ints, Ints, Ints]]:
    """Walk through a text; yield for each token of its own what might have come."""
    length = len(given) * STEP_TICKS
    now, sounding = 0, set[int]()
    # Of this instant: pitches ended and struck, and whether nothing need come before the next wait.
    ended: list[int] = []
    struck: list[int] = []
    may_wait = True
    places = np.cumsum(VOCABULARY.wait_ticks[body])
    told = context.given == 1
    for n, token in enumerate(body.tolist()):
        if told[n]:
            continue
        waited, cut = int(VOCABULARY.wait_ticks[token]), False
        if now < length:
            heard = given[now // STEP_TICKS]
            allowed = _allowed(sounding, heard, ended, struck, most)
            if not (sounding & heard):
                room = min(MAX_WAIT_TICKS, _strike(sounding, given, now) - now)
                if may_wait or ended or struck:
                    allowed += [VOCABULARY.first_wait + t - 1 for t in range(STEP_TICKS, room + 1, STEP_TICKS)]
            said = any_said = np.array([token])
            # Where something is told right after a wait, it may have cut it.
            cut = waited > 0 and bool(told[n + 1 : n + 2].any())
            if cut:
                said = np.array([a for a in allowed if VOCABULARY.wait_ticks[a] >= waited])
                any_said = np.arange(token, VOCABULARY.first_note)
            yield n, np.array(allowed), said, any_said
        if waited:
            now, ended, struck = int(places[n]), [], []
            may_wait = cut or waited == MAX_WAIT_TICKS
        elif VOCABULARY.velocity_of[token] == 0:
            ended.append(int(VOCABULARY.pitch_of[token]))
            sounding.discard(ended[-1])
        else:
            struck.append(int(VOCABULARY.pitch_of[token]))
            sounding.add(struck[-1])


def _strike(sounding: set[int], given: Sequence[frozenset[int]], now: int) -> int:
    """Return when a given note next strikes what sounds, which must end then; the end where none does."""
    later = range(now // STEP_TICKS + 1, len(given))
    return STEP_TICKS * next((step for step in later if sounding & given[step]), len(given))


def _allowed(sounding: set[int], heard: frozenset[int], ended: list[int], struck: list[int], most: int) -> list[int]:
    """Return the notes and ends that the form allows; a wait may come besides."""
    allowed: list[int] = []
    forced = sorted(sounding & heard)
    if not struck:
        last = ended[-1] if ended else REST
        # What a given note strikes must end: it cannot be passed by.
        top = forced[0] if forced else max(sounding, default=REST)
        allowed += [int(_OFF[p]) for p in sorted(sounding) if last < p <= top]
    if not forced and len(sounding) < most:
        last = struck[-1] if struck else REST
        taken = sounding | heard | set(ended)
        allowed += [int(_ON[p]) for p in _PITCHES if p > last and p not in taken]
    return allowed


@dataclass(slots=True)
class VoiceCode:
    """Which voice sings which of the pitches of a step, coded by what was counted in other chorales."""

    own: defaultdict[tuple[object, ...], Counter[tuple[int, ...]]] = field(default_factory=lambda: defaultdict(Counter))

    @staticmethod
    def _walk(chorale: Chorale, *, soprano_given: bool) -> Iterable[tuple[tuple[object, ...], tuple[int, ...]]]:
        before: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
        for step in chorale:
            pitches = tuple(sorted({p for p in step if p != REST}, reverse=True))
            order = tuple(pitches.index(p) if p != REST else REST for p in step)
            known = order[:1] if soprano_given else ()
            yield (len(pitches), known, pitches == before[0], before[1]), order
            before = pitches, order

    def learn(self, chorales: Iterable[Chorale], *, soprano_given: bool) -> None:
        """Count how voices lie in chorales."""
        for chorale in chorales:
            for situation, order in self._walk(chorale, soprano_given=soprano_given):
                self.own[situation][order] += 1
                self.own[situation[:2]][order] += 1

    def nats(self, chorale: Chorale, *, soprano_given: bool) -> float:
        """Return what it takes to say who sings what in a chorale."""
        total = 0.0
        for situation, order in self._walk(chorale, soprano_given=soprano_given):
            usual, here = self.own[situation[:2]], self.own[situation]
            # Four voices on four pitches or silent: 625 ways, fewer of which can be.
            rare = (usual[order] + 1 / (VOICES + 1) ** VOICES) / (usual.total() + 1)
            total -= math.log((here[order] + rare) / (here.total() + 1))
        return total


def changes(chorale: Chorale, *, soprano_given: bool) -> int:
    """Return how many notes a chorale has in all voices, or in all but the soprano; repeated ones count as held."""
    first = int(soprano_given)
    voices = list(zip(*chorale, strict=True))[first:]
    return sum(int(b not in (a, REST)) for voice in voices for a, b in pairwise((REST, *voice)))
