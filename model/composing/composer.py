"""The composer: a prompt in, one of the best of several candidates out."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from model.composing.arrangement import merge
from model.composing.blend import main_style
from model.composing.brief import Brief, brief
from model.composing.candidate import Candidate
from model.composing.form import sections
from model.composing.growing import Growing, stretches
from model.composing.prompt import Prompt
from model.composing.quality import Judgement, judge
from model.composing.sampler import Sampler, Watch
from model.composing.selection import select
from model.critic.inner import InnerCritic
from model.critic.spans import span_of
from model.errors import ComposeError
from model.gate.gate import Gate, Refusal
from model.language.tokenizer import decode, to_ticks
from model.language.vocabulary import TICKS_PER_SECOND
from model.network.checkpoint import SHIPPED, fingerprint, load
from model.notes import Mark, Piece

LOG = logging.getLogger("model.composer")

# Of what came before a stretch so much is heard again with it.
HEARD_AGAIN_S = 6.0
# A piece that is refused is composed again, so often at most, each time warmer and further from what is likeliest.
TRIES, WARMER, ANTI_P, ANTI_CHANCE = 3, 0.08, 0.15, 0.05
# What people read where the music they gave is over.
COMPOSED_FROM_HERE = "composed from here"


@dataclass(frozen=True, slots=True)
class Other:
    """A candidate that was not chosen.

    Attributes:
        index: its place among all candidates.
        piece: the music.
        judgement: by measures and critic.
        refused: why it must not be played; empty where it may.
    """

    index: int
    piece: Piece
    judgement: Judgement
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Take:
    """A chosen piece and where it comes from.

    Attributes:
        piece: the music.
        prompt: what was asked for.
        judgements: of all candidates.
        chosen: which of them it is.
        checkpoint: SHA-256 of the weights.
        seconds: wall time composing took.
        refusals: why pieces before it were refused, each a line.
        others: the candidates that were not chosen, but for those without a note; none of a piece on air.
    """

    piece: Piece
    prompt: Prompt
    judgements: tuple[Judgement, ...]
    chosen: int
    checkpoint: str
    seconds: float
    refusals: tuple[str, ...] = ()
    others: tuple[Other, ...] = ()

    @property
    def provenance(self) -> dict[str, Any]:
        """Everything needed to compose it again, and why it was chosen."""
        return {
            "checkpoint": self.checkpoint,
            "prompt": self.prompt.as_dict(),
            "chosen": self.chosen,
            "candidates": [j.as_dict() for j in self.judgements],
            "seconds": self.seconds,
            "refusals": list(self.refusals),
        }


@dataclass(frozen=True, slots=True)
class Draft:
    """A candidate with its notes and how it was judged.

    Attributes:
        candidate: as it was drawn.
        piece: its notes.
        judgement: by measures and critic.
    """

    candidate: Candidate
    piece: Piece
    judgement: Judgement


def critic_of(checkpoint: Path) -> Path:
    """Return where a checkpoint's inner critic lies: beside it."""
    return checkpoint.with_name(f"{checkpoint.stem}-critic{checkpoint.suffix}")


class Composer:
    """A loaded checkpoint, with its inner critic where there is one.

    Args:
        checkpoint: the weights.
        critic: its critic; None for the one beside the checkpoint, if there is one.
        gate: refuses what must not be played; None for that of the checkpoint.

    Raises:
        CheckpointError: checkpoint or critic is missing, broken or of another
            vocabulary, or the critic was trained with another checkpoint.
    """

    def __init__(self, checkpoint: Path = SHIPPED, critic: Path | None = None, gate: Gate | None = None) -> None:
        self.model, self.card = load(checkpoint, torch.bfloat16)
        self.fingerprint = fingerprint(checkpoint)
        self.sampler = Sampler(self.model)
        beside = critic_of(checkpoint)
        path = critic or (beside if beside.exists() else None)
        self.critic = None if path is None else InnerCritic(path, self.model)
        self.gate = gate or Gate.of(checkpoint)

    @property
    def styles(self) -> tuple[str, ...]:
        """Styles the checkpoint was trained on; empty where it does not say."""
        return tuple(self.card.styles)

    def compose(
        self,
        prompt: Prompt,
        *,
        progress: Callable[[float, float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        finish: Callable[[], bool] | None = None,
        committed: Callable[[Piece, float], None] | None = None,
    ) -> Take:
        """Compose candidates and return the one that is chosen (see `model.composing.selection`).

        Args:
            prompt: what is asked for.
            progress: told (fraction done, seconds of music in all), now and then.
            cancelled: asked at every step: whether to stop at once.
            finish: asked at every step: whether to close as soon as the music allows, and return what there is.
            committed: told the piece so far, and until when it will stay as it is, after every stretch and at the end;
                the first stretches are short then.

        Raises:
            PromptError: the prompt cannot be met.
            ComposingCancelledError: `cancelled` said so.
            ComposeError: no candidate has any music in it.
        """
        began = time.monotonic()
        watch = Watch(progress, cancelled, finish)
        asked, refusals = prompt, list[str]()
        for attempt in range(1, TRIES + 1):
            drafts, ready = self._drafts(asked, watch, committed, attempt=attempt)
            judgements = tuple(draft.judgement for draft in drafts)
            # What is on air already, or was ended early, is not composed again.
            final = committed is not None or watch.finishing
            chosen, refused = self._pass(drafts, ready, prompt.seed, any_will_do=final)
            refusals += [f"attempt {attempt}, {refusal}" for refusal in refused]
            if chosen is not None:
                break
        else:
            raise ComposeError(
                f"seed {prompt.seed}: refused {TRIES} times ({refusals[-1]}); another seed may do better"
            )
        piece = drafts[chosen].piece
        if committed is not None:
            committed(piece, piece.duration_s)
        others = () if final else self._others(drafts, ready, chosen)
        seconds = time.monotonic() - began
        return Take(piece, prompt, judgements, chosen, self.fingerprint, seconds, tuple(refusals), others)

    def _others(self, drafts: Sequence[Draft], ready: Brief, chosen: int) -> tuple[Other, ...]:
        """Return the candidates beside the chosen one, with what the gate says of each."""
        found = []
        for index, draft in enumerate(drafts):
            if index != chosen and draft.piece.notes:
                refused = "; ".join(map(str, self._refusals(draft, ready, whole=True)))
                found.append(Other(index, draft.piece, draft.judgement, refused))
        return tuple(found)

    def _pass(
        self, drafts: Sequence[Draft], ready: Brief, seed: int, *, any_will_do: bool
    ) -> tuple[int | None, list[Refusal]]:
        """Return the draft that is chosen among those the gate lets pass, and why others were refused."""
        left, refused = list(range(len(drafts))), list[Refusal]()
        first: int | None = None
        while left:
            chosen = left[select([drafts[n].judgement for n in left], seed)]
            if not drafts[chosen].piece.notes:
                raise ComposeError(f"seed {seed}: nothing but silence was composed; another seed may do better")
            first = chosen if first is None else first
            found = self._refusals(drafts[chosen], ready, whole=not any_will_do)
            if not found:
                return chosen, refused
            for refusal in found:
                LOG.warning("refused a candidate of %r: %s", ready.prompt.title or ready.prompt.style, refusal)
            refused += found
            left.remove(chosen)
        return (first if any_will_do else None), refused

    def _refusals(self, draft: Draft, ready: Brief, *, whole: bool) -> tuple[Refusal, ...]:
        given = () if ready.given is None else ready.given.notes
        # What the plan brings back of an opening is no more copied than the opening is.
        again = [
            note
            for first, last, later in draft.candidate.recalled
            for note in draft.piece.notes
            if first <= to_ticks(note.onset_s) < min(last, later + to_ticks(ready.starts_s))
        ]
        length_s = ready.prompt.duration_s if whole and ready.given is None else None
        return self.gate.refusals(draft.piece, length_s=length_s, prompt_s=ready.starts_s, given=(*given, *again))

    def drafts(self, prompt: Prompt, *, apart: bool = False) -> list[Draft]:
        """Compose candidates and judge them; see `compose`.

        Args:
            prompt: what is asked for.
            apart: none is dropped on the way: each is as if it had been composed alone.
        """
        return self._drafts(prompt, Watch(), None, apart=apart)[0]

    def _drafts(
        self,
        prompt: Prompt,
        watch: Watch,
        committed: Callable[[Piece, float], None] | None,
        *,
        apart: bool = False,
        attempt: int = 1,
    ) -> tuple[list[Draft], Brief]:
        ready = self.brief(prompt)
        settings = ready.settings
        if attempt > 1:
            more = attempt - 1
            settings = replace(
                settings,
                seed=settings.seed + (more << 32),
                temperature=settings.temperature + WARMER * more,
                anti_p=ANTI_P,
                anti_chance=ANTI_CHANCE * more,
            )
            ready = replace(ready, settings=settings)
        starts_s = ready.starts_s
        plan = stretches(sections(prompt.form, prompt.duration_s, starts_s), starts_s, at_once=committed is not None)

        def hear(candidates: Sequence[Candidate], start_s: float) -> list[float]:
            return [draft.judgement.score for draft in self._judged(candidates, ready, start_s)]

        def commit(candidate: Candidate, until_s: float) -> None:
            if committed is not None:
                committed(self._piece(candidate, ready), until_s)

        grown = Growing(self.sampler, settings, plan, None if apart else hear, None if committed is None else commit)
        return self._judged(grown.grow(watch), ready), ready

    def brief(self, prompt: Prompt) -> Brief:
        """Return what a prompt asks for, ready for the model.

        Raises:
            PromptError: it cannot be met.
        """
        prompt.check(*((self.styles,) if self.styles else ()))
        return brief(prompt, self.card.habits)

    def _judged(self, candidates: Sequence[Candidate], ready: Brief, start_s: float | None = None) -> list[Draft]:
        """Return candidates with their notes and how good they are: whole, or so far from a time on."""
        liking: list[float] | list[None] = [None] * len(candidates)
        since_s = 0.0 if start_s is None else max(0.0, start_s - HEARD_AGAIN_S)
        if self.critic is not None:
            liking = self.critic.log_odds([span_of(c, ready.settings.header, since_s) for c in candidates])
        return [self._draft(c, ready, critic, since_s, start_s) for c, critic in zip(candidates, liking, strict=True)]

    def _draft(
        self, candidate: Candidate, ready: Brief, critic: float | None, since_s: float, start_s: float | None
    ) -> Draft:
        piece = self._piece(candidate, ready)
        heard = piece if start_s is None else piece.since(since_s + ready.given_before_s)
        # So far, or around given notes, it is as long as it is.
        as_asked = start_s is None and ready.given is None
        surprise = -candidate.log_probability / max(1, candidate.composed)
        judgement = judge(
            heard,
            length_s=candidate.clock.length_ticks / TICKS_PER_SECOND if as_asked else heard.duration_s,
            wanted=ready.prompt.instruments,
            nats_per_token=surprise,
            typical_nats=surprise if math.isnan(self.card.loss) else self.card.loss,
            critic=critic,
        )
        return Draft(candidate, piece, judgement)

    @staticmethod
    def _piece(candidate: Candidate, ready: Brief) -> Piece:
        """Return a candidate's notes, with marks where sections begin."""
        piece = decode(candidate.head + candidate.own(), ready.prompt.title)
        piece = replace(piece, style=main_style(ready.prompt.style), beats_per_bar=candidate.beats_per_bar)
        if ready.given is not None:
            return merge(piece, ready.given)
        marks = [Mark(tick / TICKS_PER_SECOND, letter) for letter, tick in candidate.marks]
        if ready.opening is not None:
            marks.append(Mark(ready.starts_s, COMPOSED_FROM_HERE))
        return replace(piece, marks=tuple(sorted(marks)))
