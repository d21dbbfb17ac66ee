"""Music that two models compose, compared with real music: each goes on from the same openings.

The first seconds of held-out pieces are given, and what follows is compared
with what follows in all held-out pieces, by `model.evaluation`. Ours composes
as it does in a show, but for one thing: the first candidate is taken, none is
chosen. The peer samples with the same temperature and nucleus.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from model.composing.sampler import Sampler
from model.composing.settings import Settings
from model.evaluation.excerpts import ANY, cut
from model.evaluation.measures import FEATURES, features
from model.evaluation.overlap import Overlap, compare, draws_of, mean_ratio
from model.instruments import members
from model.language.tokenizer import decode
from model.language.vocabulary import TICKS_PER_SECOND
from model.midi import write_midi
from model.network.transformer import Transformer
from model.notes import Piece
from tests.bench.gpt2 import PeerTrainer
from tests.bench.heldout import from_piece, header_of
from tests.bench.remi import Remi, Source, to_piece

# Our model is told a length; it shall not be writing its ending where we listen.
MARGIN_S = 16.0
TOP_P = 0.98
# Of the peer's positions, what the real music may take, so that there is room for denser music.
ROOM = 0.6


class Span(NamedTuple):
    """What is given, and up to where what follows is compared, seconds."""

    opening_s: float
    end_s: float


def fit(language: Remi, sources: Sequence[Source], span: Span, count: int, tokens: int) -> list[Source]:
    """Return some pieces that are long enough, and short enough for the peer's positions.

    Args:
        language: the peer's.
        sources: to choose from.
        span: given and compared.
        count: how many, evenly from all that fit.
        tokens: the peer's positions.
    """
    found = []
    for source in sources:
        if source.piece.duration_s >= span.end_s and len(language.encode(source.cut(span.end_s))) < ROOM * tokens:
            found.append(source)
    return [found[n * len(found) // count] for n in range(min(count, len(found)))] if len(found) > count else found


def ours(model: Transformer, sources: Sequence[Source], span: Span, tokens: int, seed: int) -> list[Piece]:
    """Return pieces that our model composes from the openings of some.

    Args:
        model: trained.
        sources: whose openings and headers.
        span: given and compared.
        tokens: it looks back over, as in training.
        seed: of what is drawn.
    """
    sampler = Sampler(model.eval(), tokens)
    pieces = []
    for n, source in enumerate(sources):
        text = from_piece(source.row, source.piece)
        # What sounds when the opening ends goes on into the piece.
        opening = text.tokens[text.ticks <= span.opening_s * TICKS_PER_SECOND].tolist()
        settings = Settings(
            length_s=min(source.piece.duration_s, span.end_s + MARGIN_S),
            instruments=tuple(name for group in source.row.groups for name in members(group)),
            header=header_of(source.row),
            opening=tuple(opening),
            candidates=1,
            seed=seed + n,
            top_p=TOP_P,
        )
        candidate = sampler.draw(settings)[0]
        pieces.append(decode(candidate.head + candidate.tokens))
    return pieces


@torch.inference_mode()
def peers(trainer: PeerTrainer, sources: Sequence[Source], span: Span, seed: int) -> list[Piece]:
    """Return pieces that the peer composes from the openings of some."""
    language, model = trainer.language, trainer.model.eval()
    pieces = []
    for n, source in enumerate(sources):
        torch.manual_seed(seed + n)
        opening = [language.begin, *language.encode(source.cut(span.opening_s)).tolist()]
        read = torch.tensor([opening])
        with trainer.autocast:
            out = model.generate(
                input_ids=read,
                attention_mask=torch.ones_like(read),
                max_length=trainer.plan.tokens,
                pad_token_id=language.pad,
                do_sample=True,
                temperature=1.0,
                top_p=TOP_P,
                top_k=0,
                bad_words_ids=[[language.pad], [language.begin]],
            )
        piece = to_piece(language.decode(out[0].tolist()))
        first_s = min((note.onset_s for note in piece.notes), default=0.0)
        notes = tuple(replace(note, onset_s=note.onset_s - first_s) for note in piece.notes)
        tempi = [replace(m, time_s=max(0.0, m.time_s - first_s)) for m in piece.tempi]
        kept = [m for i, m in enumerate(tempi) if i + 1 == len(tempi) or tempi[i + 1].time_s > 0]
        pieces.append(replace(piece, notes=notes, tempi=tuple(kept)))
    return pieces


def overlap(pieces: Sequence[Piece], real: Sequence[Piece], span: Span, seed: int) -> dict[str, Any]:
    """Return how much of what follows the openings lies where real music lies, measure by measure.

    Args:
        pieces: composed.
        real: held-out; what follows their openings is real music.
        span: given and compared.
        seed: of the draws.
    """
    made, true = ([part for p in some if (part := _follows(p, span)).notes] for some in (pieces, real))
    if not made or not true:
        return {"composed": len(pieces), "silent": len(pieces) - len(made), "real": len(true), "ratio": None}
    own = [features(piece, opening=False) for piece in made]
    other = [features(piece, opening=False) for piece in true]
    draws = draws_of([ANY] * len(own), [ANY] * len(other), [str(n) for n in range(len(true))], seed)[None]
    found: dict[str, Overlap | None] = {
        f.key: compare(np.stack([x[f.key] for x in own]), np.stack([x[f.key] for x in other]), draws)
        for f in FEATURES
        if not f.structure
    }
    ratio = mean_ratio(list(found.values()))
    return {
        "composed": len(pieces),
        "silent": len(pieces) - len(made),
        "real": len(true),
        # Of too little music nothing can be said, and JSON has no word for that but null.
        "ratio": None if math.isnan(ratio) else round(ratio, 4),
        "by_measure": {
            key: {
                "overlap": round(o.ours.mean, 4),
                "ceiling": round(o.ceiling.mean, 4),
                "ratio": round(o.ratio.mean, 4),
            }
            for key, o in found.items()
            if o is not None
        },
    }


def _follows(piece: Piece, span: Span) -> Piece:
    return cut(piece, span.opening_s, span.end_s - span.opening_s)


def write(pieces: Sequence[Piece], folder: Path) -> None:
    """Write pieces as MIDI files, to be listened to."""
    folder.mkdir(parents=True, exist_ok=True)
    for n, piece in enumerate(pieces):
        write_midi(piece, folder / f"{n:02}.mid")
