"""Pieces on order: asked of the composer, borrowed from the library, kept when they come."""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from conductor import cues as c
from conductor import wire
from conductor.clock import Clock
from conductor.errors import LibraryError
from conductor.library import Library
from conductor.pace.effort import Effort
from conductor.setlist import Cue
from conductor.show.chronicle import Chronicle
from conductor.show.recalling import caption_for, found_piece, read_kept
from conductor.show.repeats import Repeats
from conductor.show.shares import share_rows
from conductor.show.stage import slug
from conductor.show.take import Take
from model.composing.blend import Blend, main_style, plain_style, style_of
from model.composing.prompt import LONGEST_S, Prompt
from model.errors import MidiError

LOG = logging.getLogger("conductor.show.commission")


class Commissions:
    """Requests to the composer and the takes they led to.

    Args:
        library: where pieces are written and kept.
        chronicle: told what goes wrong.
        clock: wall time for file names.
        send: gives the composer a message.
        emit: gives the rules an event.
        repeats: knows what was heard lately; None: nobody minds.
    """

    def __init__(
        self,
        library: Library,
        chronicle: Chronicle,
        clock: Clock,
        send: Callable[[wire.Message], None],
        emit: Callable[[c.Event], None],
        repeats: Repeats | None = None,
    ) -> None:
        self._repeats = repeats
        self.takes: dict[str, Take] = {}
        self._library = library
        self._chronicle = chronicle
        self._clock = clock
        self._send = send
        self._emit = emit
        self._requests: dict[str, tuple[Cue, int, c.Join | None]] = {}
        self._ids = itertools.count(1)
        # By cue, the order whose answer counts; and what was composed beside what was chosen.
        self._latest: dict[str, int] = {}
        self._others: dict[str, wire.Composed] = {}

    def order(self, cue: Cue, order: int, seed: int, after: c.Join | None = None, effort: Effort | None = None) -> None:
        """Ask the composer for a piece, or for one that goes on from the end of another, with so much effort."""
        # The process id keeps the answers to an earlier conductor's requests apart.
        request_id = f"{os.getpid()}-{next(self._ids)}"
        prompt, joins = cue.prompt(seed), None
        if after and (before := self.takes.get(after.cue_id)):
            prompt, joins = _going_on(prompt, cue, before, after)
        if effort is not None:
            prompt = replace(prompt, candidates=effort.candidates, context=effort.context or None)
        self._requests[request_id] = (cue, order, joins)
        self._latest[cue.id] = order
        name = f"{self._clock.wall():%Y%m%d-%H%M%S}-{slug(cue.id, 'cue')}-{order}"
        self._send(wire.Compose(request_id, prompt.as_dict(), str(self._library.pieces.resolve() / name)))

    def cancel(self, cue_id: str, order: int) -> None:
        """Take back a request; its answer will be ignored."""
        for request_id, (cue, asked, _) in list(self._requests.items()):
            if (cue.id, asked) == (cue_id, order):
                del self._requests[request_id]
                self._send(wire.Cancel(request_id))

    def lost(self) -> None:
        """Forget all requests: the composer that knew them is gone."""
        self._requests.clear()

    def hear(self, message: wire.Progress | wire.Composed | wire.Refused) -> None:
        """Pass the composer's answer on to the rules."""
        if message.request_id not in self._requests:
            return
        cue, order, joins = self._requests[message.request_id]
        match message:
            case wire.Progress(fraction=fraction):
                self._emit(c.Progressed(cue.id, order, fraction))
                return
            case wire.Refused(reason=reason, retryable=retryable):
                self._emit(c.Missed(cue.id, order, reason, retryable))
            case wire.Composed(notes=notes) if not all(math.isfinite(row[0] + row[3]) for row in notes):
                self._emit(c.Missed(cue.id, order, "the piece has notes at no time at all (NaN)"))
            case wire.Composed():
                take = self._take(cue, message)
                if joins:
                    take = self._own_part(take, joins, cue.follow.morph_s)
                refused = self._repeats.refusal(cue, take) if self._repeats else ""
                if refused:
                    self._requests.pop(message.request_id, None)
                    self._emit(c.Missed(cue.id, order, refused))
                    return
                # What does not go on from another piece can be chosen from.
                self._others.pop(cue.id, None)
                if not joins:
                    self._others[cue.id] = message
                self.takes[cue.id] = take
                seconds = message.seconds
                self._emit(c.Took(cue.id, order, take.duration_s, len(take.notes), joins=joins, composing_s=seconds))
        self._requests.pop(message.request_id, None)

    def _take(self, cue: Cue, message: wire.Composed) -> Take:
        return Take(
            title=cue.name,
            caption=caption_for(cue),
            notes=message.notes,
            tempi=message.tempi,
            duration_s=message.duration_s,
            midi=Path(message.midi).resolve(),
            style=main_style(cue.style),
            bank=cue.bank,
            variants=cue.variants,
            expression=cue.expression,
            composing_s=message.seconds,
            provenance=message.provenance,
            beats_per_bar=message.beats_per_bar,
            marks=message.marks,
            styles=share_rows(cue.style),
            composed_s=self._clock.wall().timestamp(),
            ident=cue.ident,
        )

    def _own_part(self, take: Take, joins: c.Join, span_s: float) -> Take:
        """Return what a take adds to the piece it goes on from; that is what is heard of it, and kept."""
        own = take.begun_at(joins.at_s)
        before = self.takes.get(joins.cue_id)
        if before and before.style and take.style and before.style != take.style:
            own = replace(own, styles=[(0.0, {before.style: 1.0}), (span_s, {take.style: 1.0})])
        try:
            own = own.write(take.midi)
        except MidiError as error:
            self._chronicle.warn(str(error))
        came_from = {"cue": joins.cue_id, "at_s": joins.at_s}
        return replace(own, provenance={**take.provenance, "goes_on_from": came_from})

    async def borrow(self, cue: Cue, order: int, reason: str, coming: Iterable[str], *, pressed: bool = False) -> None:
        """Let a piece of the library stand in for what could not be composed.

        Args:
            cue: whose piece is missing.
            order: of the request, for the answer.
            reason: why it is missing.
            coming: cues whose pieces are still to be played; these are taken only for want of others.
            pressed: they are not taken at all: there is still time to compose, if too little.
        """
        trouble = "is not composed" if pressed else "could not be composed"
        self._chronicle.warn(f"{cue.name} {trouble}: {reason}")
        self._latest[cue.id] = order
        planned = {take.midi for cue_id in coming if (take := self.takes.get(cue_id))}
        try:
            kept = self._library.substitutes(main_style(cue.style))
        except LibraryError as error:
            kept = []
            self._chronicle.warn(str(error))
        kept = self._repeats.ordered(kept) if self._repeats else kept
        if pressed:
            kept = [piece for piece in kept if piece.midi.resolve() not in planned]
        for piece in sorted(kept, key=lambda piece: piece.midi.resolve() in planned):
            try:
                take = await asyncio.to_thread(read_kept, piece, cue)
            except LibraryError as error:
                LOG.warning("%s", error)
                continue
            take = replace(take, title=piece.title, caption="from the library", style=piece.style, heard=True)
            self._found(cue, order, take, f"{piece.title} stands in ({reason})")
            return
        self._emit(c.Missed(cue.id, order, f"{reason}; the library has nothing to stand in", retryable=False))

    async def recall(self, cue: Cue, order: int, piece_id: int) -> None:
        """Fetch a cue's own piece out of the library."""
        self._latest[cue.id] = order
        try:
            # The database belongs to this thread; reading the file takes its time in another.
            take = await asyncio.to_thread(read_kept, found_piece(self._library, piece_id), cue)
        except LibraryError as error:
            self._chronicle.warn(f"{cue.name} has to be composed anew: {error}")
            self._emit(c.Missed(cue.id, order, str(error), retryable=False))
            return
        self._found(cue, order, take)

    def _found(self, cue: Cue, order: int, take: Take, reason: str = "") -> None:
        # Asked for something else meanwhile: its music must not be taken for this.
        if self._latest.get(cue.id) != order:
            return
        self._others.pop(cue.id, None)
        self.takes[cue.id] = take
        self._emit(c.Took(cue.id, order, take.duration_s, len(take.notes), reason))

    def keep(self, cue_id: str) -> tuple[Take, tuple[c.Candidate, ...]]:
        """Store the take of a cue, and those beside it, in the library; return it and what to choose from."""
        take = self.takes[cue_id]
        composed = self._others.pop(cue_id, None)
        if self._repeats:
            self._repeats.note(take)
        if take.piece_id is not None:
            return take, ()
        takes: dict[int, c.Candidate] = {}
        try:
            piece_id = self._store(cue_id, take, len(take.notes))
            take = self.takes[cue_id] = replace(take, piece_id=piece_id)
            if composed and composed.others:
                takes[composed.index] = c.Candidate(piece_id, composed.score)
            for other in composed.others if composed else ():
                beside = replace(take, midi=Path(other.midi).resolve(), duration_s=other.duration_s)
                beside = replace(beside, provenance={**take.provenance, "chosen": other.index})
                kept_id = self._store(cue_id, beside, other.notes, take_of=piece_id, refused=other.refused)
                takes[other.index] = c.Candidate(kept_id, other.score, other.refused)
        except LibraryError as error:
            # It can be played all the same.
            self._chronicle.warn(f"{take.title} is not in the database: {error}")
        return take, tuple(takes[index] for index in sorted(takes))

    def _store(self, cue_id: str, take: Take, notes: int, *, take_of: int | None = None, refused: str = "") -> int:
        return self._library.keep(
            cue_id=cue_id, title=take.title, style=take.style, midi=take.midi, duration_s=take.duration_s, notes=notes,
            at=self._clock.wall(), composing_s=take.composing_s, provenance=take.provenance, take_of=take_of,
            refused=refused,
        )  # fmt: skip

    def tidy(self, slots: Iterable[c.Slot]) -> None:
        """Let go of takes that no cue needs any more."""
        gone = (c.Phase.SKIPPED, c.Phase.FAILED)
        needed = {s.cue.id for s in slots if s.phase in c.AWAITED or (s.number and s.phase not in gone)}
        for cue_id in self.takes.keys() - needed:
            del self.takes[cue_id]
            self._latest.pop(cue_id, None)

    def dress(self, cue: Cue) -> Take | None:
        """Return the take of a cue as the cue is now: its name and who plays it; None where there is none."""
        take = self.takes.get(cue.id)
        if take:
            take = self.takes[cue.id] = replace(take.played_for(cue), title=cue.name)
        return take


def _going_on(prompt: Prompt, cue: Cue, before: Take, after: c.Join) -> tuple[Prompt, c.Join | None]:
    """Return the prompt of a piece that goes on from another, and where it does; as it was, where it cannot."""
    span_s = cue.follow.morph_s
    lines = [at_s for _, at_s in before.bars if 0.0 < at_s <= before.duration_s - span_s]
    if not lines or not before.written or lines[-1] + cue.duration_s > LONGEST_S:
        return prompt, None
    at_s = round(lines[-1], 2)
    style = prompt.style
    if isinstance(style, str | Blend) and before.style and before.style != main_style(style):
        style = style_of({"from": before.style, "to": plain_style(style), "over": span_s})
    prompt = replace(
        prompt, style=style, continue_from=str(before.midi), at_s=at_s, duration_s=at_s + cue.duration_s, form="auto"
    )
    return prompt, replace(after, at_s=at_s)
