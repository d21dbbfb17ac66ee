"""The replay store: what the generator has composed, kept for its critic.

A folder of two files: `store.json` says which corpus and vocabulary it belongs
to, `generations.jsonl` has a line for each piece and only ever grows. Batch n
of a store is the same whoever makes it, so that filling can stop at any moment
and go on later, with later checkpoints too.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from model.composing.sampler import Sampler, Watch
from model.composing.settings import Settings
from model.critic.excerpts import of_piece
from model.critic.spans import Span, settled
from model.errors import CorpusError
from model.instruments import INSTRUMENTS
from model.language.header import Header
from model.language.vocabulary import TICKS_PER_SECOND, VOCABULARY
from model.learning.corpus import SPLITS, Corpus, Row
from model.network.checkpoint import fingerprint, load

# Of five batches, three are composed to be learned from, two to be measured by.
_TURNS = ("train", "valid", "train", "test", "train")
_SHORTEST_S, _LONGEST_S = 20.0, 120.0
_COOL, _WARM = 0.9, 1.1
_TOP_P = (0.95, 0.98, 1.0)
# An instrument is called for where it has this share of the notes.
_HEARD = 0.03


@dataclass(frozen=True, slots=True)
class Generation:
    """A piece that was composed, and how.

    Attributes:
        tokens: its music, without the header, shape [tokens].
        header: what was said of it, its tempo included.
        prompt_tokens: how many of its tokens were given.
        ends: whether it came to its end.
        source: row in the corpus of the real piece whose header and opening it shares.
        batch, candidate: its place in the store.
        checkpoint: SHA-256 of the weights' file.
        steps: what the checkpoint was trained for.
        temperature, top_p, seed: how it was drawn.
    """

    tokens: NDArray[np.int64]
    header: Header
    prompt_tokens: int
    ends: bool
    source: int
    batch: int
    candidate: int
    checkpoint: str
    steps: int
    temperature: float
    top_p: float
    seed: int

    @property
    def span(self) -> Span:
        """The whole piece as a span."""
        return Span(self.tokens, self.header, self.prompt_tokens, self.ends)


def _line(generation: Generation) -> str:
    facts: dict[str, Any] = {
        name: getattr(generation, name) for name in Generation.__dataclass_fields__ if name not in ("tokens", "header")
    }
    tokens = base64.b64encode(generation.tokens.astype("<u2").tobytes()).decode()
    return json.dumps({**facts, "header": asdict(generation.header), "tokens": tokens}) + "\n"


def _parse(line: str) -> Generation:
    facts = json.loads(line)
    header = Header(**{**facts.pop("header"), "groups": tuple(json.loads(line)["header"]["groups"])})
    tokens = np.frombuffer(base64.b64decode(facts.pop("tokens")), "<u2").astype(np.int64)
    return Generation(tokens=tokens, header=header, **facts)


def corpus_key(corpus: Corpus) -> str:
    """Return a digest of which pieces a corpus has, and in which order."""
    told = [[Path(r.path).name, r.tokens, r.ticks, r.split] for r in corpus.rows]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


class Store:
    """Generations in a folder, made if missing.

    Raises:
        CorpusError: it belongs to another corpus or vocabulary, is damaged, or cannot be written.
    """

    def __init__(self, folder: Path, corpus: Corpus) -> None:
        self.folder = folder
        self._path = folder / "generations.jsonl"
        own = {"vocabulary": VOCABULARY.hash, "corpus": corpus_key(corpus)}
        listing = folder / "store.json"
        try:
            if listing.exists():
                if json.loads(listing.read_text()) != own:
                    raise CorpusError(f"{folder}: made from another corpus or vocabulary; choose another folder")
            else:
                folder.mkdir(parents=True, exist_ok=True)
                listing.write_text(json.dumps(own))
            self.generations = self._read()
        except OSError as error:
            raise CorpusError(f"{folder}: cannot keep generations there ({error.strerror})") from error
        except (ValueError, KeyError, TypeError) as error:
            raise CorpusError(f"{folder}: damaged ({error}); remove the folder and compose anew") from error

    def _read(self) -> list[Generation]:
        if not self._path.exists():
            return []
        text = self._path.read_text()
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            # The last line was cut off by a kill.
            self._path.write_text(whole)
        return [_parse(line) for line in whole.splitlines()]

    def __len__(self) -> int:
        return len(self.generations)

    @property
    def batches(self) -> int:
        """How many batches are in it, counting one that was cut off as none."""
        return self.generations[-1].batch + 1 if self.generations else 0

    def add(self, batch: Sequence[Generation]) -> None:
        """Append a batch.

        Raises:
            CorpusError: the disk is full or the folder not writable.
        """
        try:
            with self._path.open("a") as file:
                file.write("".join(_line(generation) for generation in batch))
        except OSError as error:
            raise CorpusError(f"{self._path}: cannot keep generations there ({error.strerror})") from error
        self.generations.extend(batch)


def pieces_of(corpus: Corpus, split: str) -> dict[str, list[int]]:
    """Return the rows of a split by style that are long enough to be asked for."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for n, row in enumerate(corpus.rows):
        if row.split == split and row.ticks >= _SHORTEST_S * TICKS_PER_SECOND:
            found[row.style or "?"].append(n)
    return dict(found)


def check_splits(corpus: Corpus, least: int = 4) -> None:
    """Refuse a corpus from which nothing can be held out.

    Raises:
        CorpusError: fewer pieces than `least` in a split.
    """
    for split in SPLITS:
        pieces = sum(len(rows) for rows in pieces_of(corpus, split).values())
        if pieces < least:
            raise CorpusError(
                f"{pieces} pieces of {_SHORTEST_S:.0f} s or more in the {split} split, a critic needs {least}: it "
                "learns from train, is stopped by valid and measured on test; say in index.csv which are which"
            )


def fill(
    store: Store,
    checkpoints: Sequence[Path],
    corpus: Corpus,
    count: int,
    *,
    candidates: int = 4,
    seed: int = 0,
    longest_s: float = _LONGEST_S,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> int:
    """Compose until a store holds so many generations.

    Args:
        store: where they go; what is there already counts.
        checkpoints: who composes, in turns.
        corpus: whose headers and openings are given.
        count: how many generations in all.
        candidates: how many of a header are composed side by side.
        seed: batch n of a seed is the same however it came about.
        longest_s: of a composed piece.
        progress: told the fraction done, now and then.
        cancelled: asked at every token.

    Returns:
        Tokens composed in this call.

    Raises:
        ComposingCancelledError: `cancelled` said so; whole batches are kept.
        CheckpointError: a checkpoint is missing or broken.
        CorpusError: a split of the corpus has too few pieces, or the disk is full.
    """
    check_splits(corpus, 1)
    pieces = {split: pieces_of(corpus, split) for split in SPLITS}
    loaded: dict[Path, tuple[Sampler, str, int]] = {}
    composed, began = 0, len(store)
    while len(store) < count:
        number = store.batches
        path = checkpoints[number % len(checkpoints)]
        if path not in loaded:
            model, card = load(path, torch.bfloat16)
            loaded[path] = Sampler(model), fingerprint(path), card.steps
        sampler, print_, steps = loaded[path]
        rng = np.random.default_rng((seed, number))
        source = _choose(pieces[_TURNS[number % len(_TURNS)]], corpus, rng)
        settings, prompt = _ask(corpus, corpus.rows[source], rng, number, candidates, longest_s)
        done = len(store) - began

        def tell(fraction: float, _seconds: float, done: int = done) -> None:
            if progress is not None:
                progress((done + fraction * candidates) / max(1, count - began))

        drawn = sampler.draw(settings, Watch(tell, cancelled))
        composed += sum(c.composed for c in drawn)
        store.add(
            [
                Generation(
                    np.array(c.tokens, np.int64),
                    settings.header,
                    prompt,
                    bool(c.tokens and c.tokens[-1] == VOCABULARY.end),
                    source,
                    number,
                    n,
                    print_,
                    steps,
                    settings.temperature,
                    settings.top_p,
                    settings.seed,
                )
                for n, c in enumerate(drawn)
            ]
        )
    return composed


def _choose(by_style: dict[str, list[int]], corpus: Corpus, rng: np.random.Generator) -> int:
    """Return a piece, styles balanced as in training."""
    styles = sorted(by_style)
    weights = np.array([sum(corpus.rows[n].tokens for n in by_style[style]) ** 0.6 for style in styles])
    return int(rng.choice(by_style[styles[int(rng.choice(len(styles), p=weights / weights.sum()))]]))


def _ask(
    corpus: Corpus, row: Row, rng: np.random.Generator, number: int, candidates: int, longest_s: float
) -> tuple[Settings, int]:
    """Return what is asked of the generator in a batch, and how many tokens of its own piece it is given."""
    longest = longest_s * TICKS_PER_SECOND
    shortest = min(_SHORTEST_S, longest_s) * TICKS_PER_SECOND
    length = float(np.exp(rng.uniform(np.log(shortest), np.log(longest))))
    # Half are as long as their piece, so that there are whole pieces of the same length.
    if rng.random() < 0.5 and shortest <= row.ticks <= longest:
        length = float(row.ticks)
    excerpt = settled(of_piece(corpus, row, 0, min(row.ticks, round(length))))
    used, counts = np.unique(excerpt.music.instruments, return_counts=True)
    opening: tuple[int, ...] = ()
    if rng.random() < 0.5:
        until = round(min(float(rng.uniform(4.0, 12.0)), length / TICKS_PER_SECOND / 3) * TICKS_PER_SECOND)
        tokens = excerpt.music.tokens(excerpt.length_ticks, ends=False)
        here = tokens[np.cumsum(VOCABULARY.wait_ticks[tokens]) <= until]
        opening = tuple(int(t) for t in here)
    settings = Settings(
        length_s=length / TICKS_PER_SECOND,
        instruments=tuple(INSTRUMENTS[n].name for n in used),
        header=excerpt.header,
        wanted=tuple((INSTRUMENTS[n].name,) for n in used[counts >= _HEARD * counts.sum()]),
        opening=opening,
        candidates=candidates,
        seed=number,
        temperature=float(rng.uniform(_COOL, _WARM)),
        top_p=float(rng.choice(_TOP_P)),
    )
    return settings, len(opening)
