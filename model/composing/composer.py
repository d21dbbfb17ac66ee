"""The composer: a prompt in, one of the best of several candidates out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from model.composing.candidate import Candidate
from model.composing.prompt import Prompt
from model.composing.quality import Judgement, judge
from model.composing.sampler import Sampler, Watch
from model.composing.settings import Settings
from model.composing.selection import select
from model.critic.inner import InnerCritic
from model.critic.spans import span_of
from model.errors import ComposeError, PromptError
from model.instruments import members
from model.language.header import Header, groups_of, habit_key
from model.language.tokenizer import decode, encode_body
from model.language.vocabulary import VOCABULARY
from model.learning.corpus import tidy
from model.midi import read_midi
from model.network.checkpoint import SHIPPED, fingerprint, load
from model.notes import Piece


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
    """

    piece: Piece
    prompt: Prompt
    judgements: tuple[Judgement, ...]
    chosen: int
    checkpoint: str
    seconds: float

    @property
    def provenance(self) -> dict[str, Any]:
        """Everything needed to compose it again, and why it was chosen."""
        return {
            "checkpoint": self.checkpoint,
            "prompt": self.prompt.as_dict(),
            "chosen": self.chosen,
            "candidates": [j.as_dict() for j in self.judgements],
            "seconds": self.seconds,
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

    Raises:
        CheckpointError: checkpoint or critic is missing, broken or of another
            vocabulary, or the critic was trained with another checkpoint.
    """

    def __init__(self, checkpoint: Path = SHIPPED, critic: Path | None = None) -> None:
        self.model, self.card = load(checkpoint, torch.bfloat16)
        self.fingerprint = fingerprint(checkpoint)
        self.sampler = Sampler(self.model)
        beside = critic_of(checkpoint)
        path = critic or (beside if beside.exists() else None)
        self.critic = None if path is None else InnerCritic(path, self.model)

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
    ) -> Take:
        """Compose candidates and return the one that is chosen (see `model.composing.selection`).

        Args:
            prompt: what is asked for.
            progress: told (fraction done, seconds of music in all), now and then.
            cancelled: asked at every step.

        Raises:
            PromptError: the prompt cannot be met.
            ComposingCancelledError: `cancelled` said so.
            ComposeError: no candidate has any music in it.
        """
        began = time.monotonic()
        drafts = self.drafts(prompt, progress=progress, cancelled=cancelled)
        judgements = tuple(draft.judgement for draft in drafts)
        chosen = select(judgements, prompt.seed)
        if not drafts[chosen].piece.notes:
            raise ComposeError(f"seed {prompt.seed}: nothing but silence was composed; another seed may do better")
        seconds = time.monotonic() - began
        return Take(drafts[chosen].piece, prompt, judgements, chosen, self.fingerprint, seconds)

    def drafts(
        self,
        prompt: Prompt,
        *,
        progress: Callable[[float, float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Draft]:
        """Compose candidates and judge them; arguments and errors as for `compose`."""
        prompt.check(*((self.styles,) if self.styles else ()))
        opening, header = self._opening(prompt)
        settings = Settings(
            length_s=prompt.duration_s,
            instruments=prompt.ensemble,
            header=header,
            wanted=tuple(members(name) for name in prompt.instruments),
            opening=opening,
            candidates=prompt.candidates,
            seed=prompt.seed,
            temperature=prompt.temperature,
            top_p=prompt.top_p,
        )
        drawn = self.sampler.draw(settings, Watch(progress, cancelled))
        liking: list[float] | list[None] = [None] * len(drawn)
        if self.critic is not None:
            liking = self.critic.log_odds([span_of(candidate, header) for candidate in drawn])
        pieces = [self._piece(candidate, prompt) for candidate in drawn]
        return [
            Draft(candidate, piece, self._judge(piece, candidate, prompt, log_odds))
            for candidate, piece, log_odds in zip(drawn, pieces, liking, strict=True)
        ]

    def _habits(self, style: str | None, groups: tuple[str, ...]) -> dict[str, Any]:
        """Return what goes without saying for a style and an ensemble."""
        habits = self.card.habits
        return {} if style is None else habits.get(habit_key(style, groups)) or habits.get(style, {})

    def header_of(self, prompt: Prompt) -> Header:
        """Return what is said of a piece that goes on from nothing."""
        groups = groups_of(prompt.ensemble) if prompt.instruments else ()
        return Header(prompt.style, groups, tempo_bpm=prompt.tempo_bpm, **self._habits(prompt.style, groups))

    def _opening(self, prompt: Prompt) -> tuple[tuple[int, ...], Header]:
        """Return the tokens to go on from and what is said of the piece."""
        header = self.header_of(prompt)
        if prompt.opening is None:
            return (), header
        piece = tidy(read_midi(Path(prompt.opening)).piece)
        notes = piece.notes[: prompt.opening_notes]
        if prompt.opening_notes is None:
            notes = tuple(n for n in notes if n.onset_s < prompt.duration_s / 2)
        if not notes:
            raise PromptError(f"{prompt.opening}: there are no notes in it to go on from")
        opening = replace(piece, notes=notes, tempi=piece.tempi[:1])
        if opening.duration_s >= prompt.duration_s:
            raise PromptError(
                f"{prompt.opening}: its opening of {opening.duration_s:.0f} s is as long as the piece "
                f"({prompt.duration_s:.0f} s); ask for fewer notes or a longer piece"
            )
        tokens = [t for t in encode_body(opening) if t != VOCABULARY.end]
        # What is still sounding at the end of the opening goes on into the piece.
        while tokens and VOCABULARY.velocity_of[tokens[-1]] <= 0:
            tokens.pop()
        return tuple(tokens), replace(header, tempo_bpm=prompt.tempo_bpm or piece.tempi[0].bpm)

    @staticmethod
    def _piece(candidate: Candidate, prompt: Prompt) -> Piece:
        piece = decode(candidate.head + candidate.tokens, prompt.title)
        return replace(piece, style=prompt.style)

    def _judge(self, piece: Piece, candidate: Candidate, prompt: Prompt, critic: float | None) -> Judgement:
        surprise = -candidate.log_probability / max(1, candidate.composed)
        return judge(
            piece,
            length_s=prompt.duration_s,
            wanted=prompt.instruments,
            nats_per_token=surprise,
            typical_nats=surprise if math.isnan(self.card.loss) else self.card.loss,
            critic=critic,
        )
