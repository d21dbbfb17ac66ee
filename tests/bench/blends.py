"""Two ways to blend styles, `python -m tests.bench.blends`.

By guidance, as composers do: the music is read under the header of each style
and the logits are mixed. By embedding: one header, whose style is the mean of
the rows of both in the token table. Pieces half of one style and half of
another are composed in both ways, beside pieces of each alone. Where a piece
lies between its styles is told by how much likelier it is under the one header
than under the other, 0 being as pieces of the first style are and 1 as those of
the second; how good it is, by the inner critic, told the style it likes better.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from model.composing.blend import style_of
from model.composing.brief import header_of
from model.composing.candidate import Candidate
from model.composing.composer import Composer
from model.composing.prompt import Prompt
from model.composing.sampler import Sampler
from model.critic.spans import span_of
from model.language.context import Clock, Context
from model.language.header import Header
from model.language.vocabulary import OWN_STYLES, VOCABULARY, style_token
from model.network.checkpoint import SHIPPED
from model.network.transformer import Places
from tests.bench import ready
from tests.bench.hardware import described, facts

TESTS = ("tests/model/composing/test_growing.py", "tests/model/composing/test_blend.py")
PAIRS = (
    ("bach", "jazz", "piano"),
    ("chopin", "folk", "piano"),
    ("mozart", "rock", "piano,strings"),
    ("hymn", "debussy", "piano"),
)
# A style of nobody's: its row carries the mean of two others.
SPARE = OWN_STYLES[-1]
WAYS = ("first style", "second style", "by guidance", "by embedding")


@torch.inference_mode()
def nats(composer: Composer, candidate: Candidate, header: Header) -> float:
    """Return the mean surprise of a candidate's music under a header."""
    head = replace(header, tempo_bpm=candidate.tempo_bpm).tokens()
    room = composer.sampler.context - len(head)
    tokens = np.array([head + candidate.tokens[:room]])
    start = Clock(candidate.clock.length_ticks).step(VOCABULARY.start)
    places = [(start[0], start[1], 0, *start[3:])] * len(head) + candidate.places[:room]
    ticks, beats, chord, part, countdown, sounding = (np.array([column]) for column in zip(*places, strict=True))
    context = Context(ticks, beats.astype(np.float32), chord, part, countdown, np.zeros_like(ticks), sounding)
    where = Places._make(torch.from_numpy(field[:, :-1].copy()) for field in context)
    targets = torch.from_numpy(tokens[:, 1:].copy())
    found = composer.model.nats(torch.from_numpy(tokens[:, :-1].copy()), where, targets)
    return float(found[0, len(head) - 1 :].float().mean())


def compared(
    composer: Composer, first: str, second: str, instruments: str, args: argparse.Namespace
) -> dict[str, tuple[float, float]]:
    """Return, for each way, where its pieces lie between the styles and how the critic likes them."""
    base = Prompt(first, tuple(instruments.split(",")), args.seconds, args.pieces, args.seed, form="free")
    headers = {style: header_of(base, composer.card.habits, style) for style in (first, second)}
    own = composer.model.table.own
    with torch.no_grad():
        row = (own[VOCABULARY.id(style_token(first))] + own[VOCABULARY.id(style_token(second))]) / 2
        own[VOCABULARY.id(SPARE)] = row
    # The compiled decoder keeps a table of its own.
    embedded = Sampler(composer.model)
    grown: dict[str, list[Candidate]] = {}
    for way, style in zip(WAYS, (first, second, style_of({first: 0.5, second: 0.5}), None), strict=True):
        if style is not None:
            drafts = composer.drafts(replace(base, style=style), apart=True)
            grown[way] = [draft.candidate for draft in drafts]
            continue
        settings = replace(
            composer.brief(base).settings, header=replace(headers[first], style=SPARE), style=None, headers=()
        )
        grown[way] = embedded.draw(settings)
    leaning = {
        way: [nats(composer, c, headers[first]) - nats(composer, c, headers[second]) for c in candidates]
        for way, candidates in grown.items()
    }
    low, high = float(np.mean(leaning[WAYS[0]])), float(np.mean(leaning[WAYS[1]]))
    found = {}
    for way, candidates in grown.items():
        assert composer.critic is not None
        liked = np.max(
            [composer.critic.log_odds([span_of(c, header) for c in candidates]) for header in headers.values()], axis=0
        )
        found[way] = ((float(np.mean(leaning[way])) - low) / (high - low), float(liked.mean()))
    return found


def main() -> int:
    """Print a table and a JSON line; 1 when the tests are red, 2 without a checkpoint and its critic."""
    parser = argparse.ArgumentParser(prog="tests.bench.blends", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=SHIPPED, help="weights (the shipped ones)")
    parser.add_argument("--pieces", type=int, default=8, help="of each pair and way (8)")
    parser.add_argument("--seconds", type=float, default=40.0, help="length of each (40)")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn (1)")
    parser.add_argument("--threads", type=int, default=2, help="processor cores (2)")
    args = parser.parse_args()
    composer = ready.composer(args.checkpoint, TESTS, args.threads)
    if composer.critic is None:
        print(f"{args.checkpoint}: there is no critic beside it", file=sys.stderr)
        return 2
    rows = {f"{a} + {b}": compared(composer, a, b, who, args) for a, b, who in tqdm(PAIRS, unit="pair", disable=None)}
    print(described(args.threads))
    print(f"{'place between, critic':24}" + "".join(f"{way:>18}" for way in WAYS))
    for name, row in rows.items():
        print(f"{name:24}" + "".join(f"{row[way][0]:9.2f}{row[way][1]:+9.2f}" for way in WAYS))
    print(json.dumps({**facts(args.threads), "pieces": args.pieces, "rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
