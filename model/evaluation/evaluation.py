"""The whole evaluation: corpus counted, held-out music read, sets composed and compared, report written."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import CorpusError
from model.evaluation.census import Census, take_census
from model.evaluation.comparison import Comparison, Reference, compare_set
from model.evaluation.copying import Index
from model.evaluation.critics import Critic, inner_critic
from model.evaluation.endings import common_pitches
from model.evaluation.excerpts import ANY, style_lengths
from model.evaluation.sets import MusicSet, compose_set, plan_prompts, read_set
from model.gate.shingles import LINES
from model.language.vocabulary import OWN_STYLES, STYLES, VOCABULARY
from model.learning.corpus import SPLITS, Corpus, Source, build, gather

if TYPE_CHECKING:
    from model.evaluation.surprise import Surprise
    from model.network.checkpoint import Card

# What is being done, in a word; in it, the fraction done is told.
Steps = Callable[[str], AbstractContextManager[Callable[[float], None]]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to evaluate.

    Attributes:
        corpus: folder of real music.
        out: where report, built corpus and composed music go.
        checkpoint: composes, and reads held-out music; None to do neither.
        critic: a critic's weights, or None.
        generated: sets made elsewhere; where there are any, none is composed.
        styles: only these; empty for all.
        pieces: to compose of each style.
        seconds: length of pieces and excerpts; less in styles whose pieces are shorter.
        split: held-out split.
        tokens: of held-out music the model reads in each style at most; 0 for none.
        seed: of all that is left to chance.
        processes: readers of the corpus side by side.
    """

    corpus: Path
    out: Path
    checkpoint: Path | None = None
    critic: Path | None = None
    generated: tuple[Path, ...] = ()
    styles: tuple[str, ...] = ()
    pieces: int = 4
    seconds: float = 60.0
    split: str = "valid"
    tokens: int = 20_000
    seed: int = 0
    processes: int = 2


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was found.

    Attributes:
        plan: what was asked for.
        made: when, with which versions and which checkpoint.
        census: the corpus counted.
        skipped: a line for each file of the corpus that could not be used.
        surprise: at held-out music by style, `all` among them; empty where none was read.
        sets: each set beside real music.
    """

    plan: Plan
    made: dict[str, Any]
    census: Census
    skipped: tuple[str, ...]
    surprise: dict[str, Surprise]
    sets: tuple[Comparison, ...]


def evaluate(plan: Plan, steps: Steps, critic: Critic | None = None) -> Evaluation:
    """Do everything but write the report.

    Args:
        plan: what to evaluate.
        steps: shows what is being done.
        critic: stands in for the one in `plan.critic`.

    Raises:
        CorpusError: a folder has no music, or none of a style or split.
        CheckpointError: the checkpoint cannot be used.
        PromptError: the checkpoint does not know a style.
    """
    check_styles(plan.styles)
    # What is quickly found wrong is found before the slow work.
    sources = gather(plan.corpus)
    card, sha256 = _card(plan.checkpoint)
    asked = critic if critic is not None or plan.critic is None else inner_critic(plan.critic, plan.checkpoint)
    with steps("reading corpus") as tell:
        corpus, skipped = open_corpus(plan, sources, tell)
    held_out = [row for row in corpus.split(plan.split) if not plan.styles or row.style in plan.styles]
    if not held_out:
        some = f" of style {', '.join(plan.styles)}" if plan.styles else ""
        there = ", ".join(s for s in SPLITS if corpus.split(s))
        raise CorpusError(f"{plan.corpus}: no pieces{some} in its {plan.split} split (there are some in {there})")
    music = _sets(plan, corpus, card, sha256, steps)
    with steps("counting corpus") as tell:
        census = take_census(sources, tell)
    surprise: dict[str, Surprise] = {}
    if plan.checkpoint is not None and plan.tokens:
        from model.evaluation.surprise import find_surprise
        from model.network.checkpoint import load

        with steps("reading held-out music") as tell:
            model = load(plan.checkpoint)[0]
            surprise = find_surprise(model, corpus, held_out, most_tokens=plan.tokens, seed=plan.seed, progress=tell)
    with steps("indexing training music") as tell:
        indexes = [Index(corpus, line, lambda f, n=n: tell((n + f) / len(LINES))) for n, line in enumerate(LINES)]  # type: ignore[misc]
    common = common_pitches(corpus)
    reference = Reference(corpus, plan.split, plan.seed)
    compared = []
    for one in music:
        with steps(f"comparing {one.name}") as tell:
            compared.append(
                compare_set(
                    one, reference, most_s=plan.seconds, indexes=indexes, common=common, critic=asked,
                    seed=plan.seed, progress=tell,
                )
            )  # fmt: skip
    made = _made(plan, card, sha256)
    return Evaluation(plan, made, census, tuple(skipped), surprise, tuple(compared))


def check_styles(styles: tuple[str, ...]) -> None:
    """Refuse a style that is in no vocabulary.

    Raises:
        CorpusError: names it, and styles like it.
    """
    for style in styles:
        if style not in (*STYLES, *OWN_STYLES, ANY):
            near = get_close_matches(style, STYLES, 3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(STYLES)}"
            raise CorpusError(f"there is no style {style!r}; {hint}")


def open_corpus(plan: Plan, sources: list[Source], tell: Callable[[float], None]) -> tuple[Corpus, list[str]]:
    """Return the corpus as tokens, built unless it was built from the same files before; and what was left out.

    Raises:
        CorpusError: no file of it can be used.
    """
    folder = plan.out / "corpus"
    digest = hashlib.sha256()
    for source in sources:
        path = Path(source.path)
        facts = path.stat() if path.exists() else None
        size = (facts.st_size, facts.st_mtime_ns) if facts else None
        digest.update(repr((source, size)).encode())
    stamp = {"vocabulary": VOCABULARY.hash, "sources": digest.hexdigest()}
    built = folder / "sources.json"
    try:
        same = json.loads(built.read_text()) == stamp
    except (OSError, ValueError):
        same = False
    try:
        if not same:
            # Written last: what a kill left behind is built again.
            built.unlink(missing_ok=True)
            build(plan.corpus, folder, processes=plan.processes, progress=lambda done, total: tell(done / total))
            built.write_text(json.dumps(stamp))
        return Corpus(folder), json.loads((folder / "skipped.json").read_text())
    except OSError as error:
        raise CorpusError(f"{folder}: cannot write ({error.strerror})") from error


def _card(checkpoint: Path | None) -> tuple[Card | None, str]:
    if checkpoint is None:
        return None, ""
    from model.network.checkpoint import fingerprint, read_card

    return read_card(checkpoint), fingerprint(checkpoint)


def _sets(plan: Plan, corpus: Corpus, card: Card | None, sha256: str, steps: Steps) -> list[MusicSet]:
    if plan.generated:
        found = []
        for folder in plan.generated:
            with steps(f"reading {folder.name}") as tell:
                found.append(read_set(folder, plan.styles, tell))
        return _named_apart(found)
    if plan.checkpoint is None or card is None or not plan.pieces:
        return []
    from model.composing.composer import Composer

    known = set(card.styles) or set(STYLES)
    styles = plan.styles or tuple(style for style in corpus.styles if style in known)
    if not styles:
        raise CorpusError(f"{plan.corpus}: no style that both checkpoint and corpus know; name one with --styles")
    lengths = style_lengths(corpus.rows, styles, plan.seconds)
    prompts = plan_prompts(corpus.rows, lengths, plan.pieces, plan.seed)
    folder = plan.out / f"composed-{sha256[:8]}-seed{plan.seed}-{plan.seconds:g}s"
    with steps(f"composing {len(prompts)} pieces") as tell:
        failed = compose_set(Composer(plan.checkpoint), prompts, folder, tell)
    composed = read_set(folder, styles)
    # A run with more pieces may have been here before.
    samples = tuple(s for s in composed.samples if s.name in prompts)
    return [replace(composed, name="composed", samples=samples, skipped=(*composed.skipped, *failed))]


def _named_apart(sets: list[MusicSet]) -> list[MusicSet]:
    """Give sets of one name their whole path."""
    names = [some.name for some in sets]
    return [replace(s, name=s.folder) if names.count(s.name) > 1 else s for s in sets]


def _made(plan: Plan, card: Card | None, sha256: str) -> dict[str, Any]:
    packages = ["numpy", "symusic"] + (["torch"] if card else [])
    made: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
        "vocabulary": VOCABULARY.hash,
        "seed": plan.seed,
    }
    if card is not None:
        made["checkpoint"] = {
            "path": str(plan.checkpoint),
            "sha256": sha256,
            "steps": card.steps,
            "tokens": card.tokens,
            "nats_per_token": card.loss,
            "bits_per_note": card.bits_per_note,
        }
    return made
