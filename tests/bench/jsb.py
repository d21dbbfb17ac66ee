"""JSB chorales: nats per token of the 16th grid, all four voices and the three below a given soprano.

    python -m tests.bench.jsb --data jsb-16th-separated.json [--checkpoint FILE] [--tune MINUTES [--save FILE]]

The data is that of Boulanger-Lewandowski et al. (2012) on a grid of 16ths, as
JSON: splits of chorales of steps of four pitches, -1 for silence. What is
counted, and how, is told in `model.evaluation.chorales`. `--tune` trains a copy
of the weights on the training chorales first (every form of the text, moved to
other keys) and keeps the best by the validation chorales.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from model.evaluation.chorales import LONGEST, REST, VOICES, Chorale, Text, VoiceCode, changes, text
from model.language.vocabulary import VOCABULARY
from model.network.checkpoint import SHIPPED, load, save
from model.network.transformer import Places, Transformer
from tests.bench.hardware import facts

# Nats per token of the grid, all voices in the order of time, as published.
PUBLISHED = {
    "n-gram, 12 keys": 0.477,
    "Coconet (2017)": 0.436,
    "Transformer (2018)": 0.417,
    "Music Transformer (2018)": 0.335,
    "TonicNet (2019)": 0.32,
}
LOWEST, HIGHEST = 36, 86
ROWS = 4


class Nats(NamedTuple):
    """Nats of a text: as the model is, kept to the form's choices, and of the latter those of each kind."""

    plain: float
    kept: float
    by_kind: dict[str, float]


def batch_of(texts: Sequence[Text]) -> tuple[Tensor, Places]:
    """Return texts as tensors, padded at their ends."""
    most = max(len(t.tokens) for t in texts)

    def padded(arrays: list[Any]) -> Tensor:
        rows = [np.pad(a, [(0, most - len(a))] + [(0, 0)] * (a.ndim - 1)) for a in arrays]
        return torch.from_numpy(np.stack(rows))

    tokens = padded([t.tokens for t in texts])
    return tokens, Places._make(padded([t.context[n] for t in texts]) for n in range(len(texts[0].context)))


def kind_of(token: int) -> str:
    """Return what a token says: a note, its end, or time."""
    velocity = VOCABULARY.velocity_of[token]
    return "notes" if velocity > 0 else "ends" if velocity == 0 else "time"


def forms(model: Transformer, texts: Sequence[Text]) -> list[list[tuple[int, Tensor, Tensor]]]:
    """Return for each text and each token of its own (token, plain nats, nats kept to the form)."""
    logits_BTV = model(*batch_of(texts)).float()
    found = []
    for row, one in enumerate(texts):
        at = torch.tensor([place - 1 for place, *_ in one.choices])
        logits = logits_BTV[row, at]
        whole = logits.logsumexp(dim=1)
        allowed, said, any_said = (_sums(logits, [choice[n] for choice in one.choices]) for n in (1, 2, 3))
        tokens = [int(one.tokens[place]) for place, *_ in one.choices]
        found.append(list(zip(tokens, whole - any_said, allowed - said, strict=True)))
    return found


def _sums(logits_NV: Tensor, ids: list[Any]) -> Tensor:
    """Return the log of the summed chances of some ids in each row, shape [N]."""
    mask = torch.full(logits_NV.shape, -math.inf)
    rows = torch.repeat_interleave(torch.arange(len(ids)), torch.tensor([len(i) for i in ids]))
    mask[rows, torch.from_numpy(np.concatenate(ids))] = 0.0
    return (logits_NV + mask).logsumexp(dim=1)


@torch.no_grad()
def measure(model: Transformer, chorales: Sequence[Chorale], *, soprano_given: bool) -> list[Nats]:
    """Return the nats of each chorale's text."""
    texts = [text(c, soprano_given=soprano_given) for c in chorales]
    order = sorted(range(len(texts)), key=lambda n: len(texts[n].tokens))
    found: dict[int, Nats] = {}
    for first in range(0, len(order), ROWS):
        here = order[first : first + ROWS]
        for n, tokens in zip(here, forms(model, [texts[i] for i in here]), strict=True):
            kinds: defaultdict[str, float] = defaultdict(float)
            for token, _, kept in tokens:
                kinds[kind_of(token)] += float(kept)
            found[n] = Nats(sum(float(p) for _, p, _ in tokens), sum(kinds.values()), dict(kinds))
    return [found[n] for n in range(len(texts))]


def moved(chorale: Chorale, semitones: int) -> Chorale:
    """Return a chorale in another key, in its own where a voice would leave the choir's range."""
    pitches = [p for step in chorale for p in step if p != REST]
    if min(pitches) + semitones < LOWEST or max(pitches) + semitones > HIGHEST:
        return chorale
    return [[p + semitones if p != REST else REST for p in step] for step in chorale]


def tune(
    model: Transformer, train: Sequence[Chorale], valid: Sequence[Chorale], minutes: float, rate: float, seed: int = 0
) -> list[dict[str, float]]:
    """Train a model on chorales for some minutes; leave it as it was best on the validation chorales."""
    rng = random.Random(seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.95), weight_decay=0.01)
    best, weights, curve = math.inf, {}, []
    began = time.monotonic()
    checks = 0
    step = 0
    while (done := (time.monotonic() - began) / (60 * minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 20) * min(1.0, 2 * (1 - done) + 0.05)
        picked = [moved(rng.choice(train), rng.randint(-5, 6)) for _ in range(ROWS)]
        given = step % 2 == 1
        found = forms(model.train(), [text(c, soprano_given=given) for c in picked])
        loss = torch.stack([kept for tokens in found for _, _, kept in tokens]).sum()
        loss = loss / sum((VOICES - given) * len(c) for c in picked)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        if done * 5 >= checks + 1 or (time.monotonic() - began) / (60 * minutes) >= 1:
            checks += 1
            some = valid[:: max(1, len(valid) // 20)]
            sums = [sum(n.kept for n in measure(model.eval(), some, soprano_given=g)) for g in (False, True)]
            steps = sum(len(c) for c in some)
            curve.append({"step": step, "all": sums[0] / (4 * steps), "given": sums[1] / (3 * steps)})
            print(json.dumps(curve[-1]), flush=True)
            if sum(sums) < best:
                best = sum(sums)
                weights = {name: value.clone() for name, value in model.state_dict().items()}
    if weights:
        model.load_state_dict(weights)
    model.eval()
    return curve


def figures(model: Transformer, data: dict[str, list[Chorale]], split: str) -> dict[str, dict[str, Any]]:
    """Return what chorales cost a model: all voices from left to right, and those below a given soprano."""
    chorales = data[split]
    found = {}
    for name, given in (("all voices", False), ("soprano given", True)):
        code = VoiceCode()
        code.learn(data["train"], soprano_given=given)
        nats = measure(model, chorales, soprano_given=given)
        voices = sum(code.nats(c, soprano_given=given) for c in chorales)
        length = math.log(LONGEST) * len(chorales) * (not given)
        tokens = sum((VOICES - given) * len(c) for c in chorales)
        notes = sum(changes(c, soprano_given=given) for c in chorales)
        kinds = {kind: sum(n.by_kind.get(kind, 0.0) for n in nats) / tokens for kind in ("notes", "ends", "time")}
        plain, kept = sum(n.plain for n in nats), sum(n.kept for n in nats)
        found[name] = {
            "chorales": len(chorales),
            "grid_tokens": tokens,
            "notes": notes,
            "nats_per_token": (kept + voices + length) / tokens,
            "nats_per_token_plain": (plain + voices + length) / tokens,
            "of_it": {**kinds, "voices": voices / tokens, "length": length / tokens},
            "bits_per_note": (kept + voices + length) / math.log(2) / notes,
        }
    return found


def main() -> None:
    """Measure, print a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, default=SHIPPED)
    parser.add_argument("--split", default="test", choices=("train", "valid", "test"))
    parser.add_argument("--chorales", type=int, default=None, help="only the first so many of the split")
    parser.add_argument("--tune", type=float, default=0.0, metavar="MINUTES")
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--save", type=Path, metavar="FILE", help="the tuned weights")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    data: dict[str, list[Chorale]] = json.loads(args.data.read_text())
    data[args.split] = data[args.split][: args.chorales]
    model, card = load(args.checkpoint)
    found = {"as it is": figures(model, data, args.split)}
    curve = []
    if args.tune:
        curve = tune(model, data["train"], data["valid"], args.tune, args.rate)
        if args.save:
            save(args.save, model, card)
        found["tuned"] = figures(model, data, args.split)
    for weights, rows in found.items():
        for what, row in rows.items():
            parts = ", ".join(f"{kind} {nats:.3f}" for kind, nats in row["of_it"].items())
            print(
                f"{weights}, {what}: {row['nats_per_token']:.3f} nats a token ({parts}); "
                f"{row['nats_per_token_plain']:.3f} in the whole language; {row['bits_per_note']:.2f} bits a note"
            )
    for name, nats in PUBLISHED.items():
        print(f"published, all voices: {name} {nats:.3f}")
    line = {"split": args.split, "found": found, "curve": curve, "published": PUBLISHED, **facts(args.threads)}
    print(json.dumps(line))


if __name__ == "__main__":
    main()
