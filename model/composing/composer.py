"""The composer: a prompt in, one of the best of several candidates out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from model.composing.blend import main_style, styles_of
from model.composing.candidate import Candidate
from model.composing.form import sections
from model.composing.growing import Growing, stretches
from model.composing.prompt import Prompt
from model.composing.quality import Judgement, judge
from model.composing.sampler import Sampler, Watch
from model.composing.selection import select
from model.composing.settings import Settings
from model.critic.inner import InnerCritic
from model.critic.spans import span_of
from model.errors import ComposeError, PromptError
from model.instruments import members
from model.language.header import Header, groups_of, habit_key
from model.language.tokenizer import decode, encode_body
from model.language.vocabulary import TICKS_PER_SECOND, VOCABULARY
from model.learning.corpus import tidy
from model.midi import read_midi
from model.network.checkpoint import SHIPPED, fingerprint, load
from model.notes import Piece

# Of what came before a stretch so much is heard again with it.
HEARD_AGAIN_S = 6.0


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
        drafts = self.drafts(prompt, Watch(progress, cancelled, finish), committed)
        judgements = tuple(draft.judgement for draft in drafts)
        chosen = select(judgements, prompt.seed)
        piece = drafts[chosen].piece
        if not piece.notes:
            raise ComposeError(f"seed {prompt.seed}: nothing but silence was composed; another seed may do better")
        if committed is not None:
            committed(piece, piece.duration_s)
        seconds = time.monotonic() - began
        return Take(piece, prompt, judgements, chosen, self.fingerprint, seconds)

    def drafts(
        self,
        prompt: Prompt,
        watch: Watch | None = None,
        committed: Callable[[Piece, float], None] | None = None,
        *,
        apart: bool = False,
    ) -> list[Draft]:
        """Compose candidates and judge them; see `compose`.

        Args:
            prompt: what is asked for.
            watch: who looks on.
            committed: see `compose`.
            apart: none is dropped on the way: each is as if it had been composed alone.
        """
        prompt.check(*((self.styles,) if self.styles else ()))
        settings, starts_s = self._prepared(prompt)
        plan = stretches(sections(prompt.form, prompt.duration_s, starts_s), starts_s, at_once=committed is not None)

        def hear(candidates: Sequence[Candidate], start_s: float) -> list[float]:
            return [draft.judgement.score for draft in self._judged(candidates, prompt, settings, start_s)]

        def commit(candidate: Candidate, until_s: float) -> None:
            if committed is not None:
                committed(self._piece(candidate, prompt), until_s)

        grown = Growing(self.sampler, settings, plan, None if apart else hear, None if committed is None else commit)
        return self._judged(grown.grow(watch or Watch()), prompt, settings)

    def _judged(
        self, candidates: Sequence[Candidate], prompt: Prompt, settings: Settings, start_s: float | None = None
    ) -> list[Draft]:
        """Return candidates with their notes and how good they are: whole, or so far from a time on."""
        liking: list[float] | list[None] = [None] * len(candidates)
        since_s = 0.0 if start_s is None else max(0.0, start_s - HEARD_AGAIN_S)
        if self.critic is not None:
            liking = self.critic.log_odds([span_of(c, settings.header, since_s) for c in candidates])
        drafts: list[Draft] = []
        for candidate, log_odds in zip(candidates, liking, strict=True):
            piece = self._piece(candidate, prompt)
            heard, length_s = piece, candidate.clock.length_ticks / TICKS_PER_SECOND
            if start_s is not None:
                heard = piece.since(since_s)
                length_s = heard.duration_s
            drafts.append(Draft(candidate, piece, self._judge(heard, length_s, candidate, prompt, log_odds)))
        return drafts

    def settings(self, prompt: Prompt) -> Settings:
        """Return how what is asked for is drawn."""
        return self._prepared(prompt)[0]

    def _prepared(self, prompt: Prompt) -> tuple[Settings, float]:
        """Return how to draw what is asked for, and from when on there is music to be composed."""
        opening, header = self._opening(prompt)
        headers = {
            style: replace(self.header_of(prompt, style), tempo_bpm=header.tempo_bpm)
            for style in styles_of(prompt.style)
        }
        starts_s = sum(int(VOCABULARY.wait_ticks[t]) for t in opening) / TICKS_PER_SECOND
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
            style=prompt.style,
            headers=tuple(headers.items()),
            changes_s=prompt.at_s or 0.0,
            key=prompt.key,
            density=prompt.density,
            energy=prompt.energy,
            silence_s=prompt.silence_s,
            closes=True,
        )
        return settings, starts_s

    def _habits(self, style: str | None, groups: tuple[str, ...]) -> dict[str, Any]:
        """Return what goes without saying for a style and an ensemble."""
        habits = self.card.habits
        return {} if style is None else habits.get(habit_key(style, groups)) or habits.get(style, {})

    def header_of(self, prompt: Prompt, style: str | None = None) -> Header:
        """Return what is said of a piece that goes on from nothing, under one of its styles or its main one."""
        style = style or main_style(prompt.style)
        groups = groups_of(prompt.ensemble) if prompt.instruments else ()
        return Header(style, groups, tempo_bpm=prompt.tempo_bpm, **self._habits(style, groups))

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
        return replace(piece, style=main_style(prompt.style), beats_per_bar=candidate.beats_per_bar)

    def _judge(
        self, piece: Piece, length_s: float, candidate: Candidate, prompt: Prompt, critic: float | None
    ) -> Judgement:
        surprise = -candidate.log_probability / max(1, candidate.composed)
        return judge(
            piece,
            length_s=length_s,
            wanted=prompt.instruments,
            nats_per_token=surprise,
            typical_nats=surprise if math.isnan(self.card.loss) else self.card.loss,
            critic=critic,
        )
