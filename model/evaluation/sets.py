"""Sets of composed music: folders of MIDI files, made here or elsewhere.

A sub-folder named after a style holds pieces of that style. What is composed
here is kept, with its prompt in `prompts.jsonl`, and composed once: a run that
was stopped goes on, and a run with the same checkpoint, lengths and seed finds
its pieces.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from model.composing.prompt import MOST_INSTRUMENTS, Prompt
from model.errors import ComposeError, CorpusError, MidiError
from model.evaluation.excerpts import ANY, Sample, read_sample
from model.instruments import members
from model.language.vocabulary import OWN_STYLES, STYLES
from model.learning.corpus import Row
from model.midi import write_midi
from model.whole import whole

if TYPE_CHECKING:
    from model.composing.composer import Composer

PROMPTS = "prompts.jsonl"
ENDINGS = (".mid", ".midi")


@dataclass(frozen=True, slots=True)
class MusicSet:
    """A set of pieces.

    Attributes:
        name: for people.
        folder: where they lie.
        samples: the pieces that could be read.
        skipped: a line for each file that could not.
        nats_per_token: the model's own surprise at each piece composed here, by name.
    """

    name: str
    folder: str
    samples: tuple[Sample, ...]
    skipped: tuple[str, ...]
    nats_per_token: dict[str, float]


def read_set(folder: Path, styles: Sequence[str] = (), progress: Callable[[float], None] | None = None) -> MusicSet:
    """Read the MIDI files of a folder and its sub-folders.

    Args:
        folder: the set; its name is the set's.
        styles: only these, where any are named.
        progress: told the fraction done.

    Raises:
        CorpusError: there is no such folder, or no music in it.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder}: no such folder; give a folder of MIDI files with --generated")
    prompts = read_prompts(folder)
    paths = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in ENDINGS]
    samples: list[Sample] = []
    skipped: list[str] = []
    for done, path in enumerate(paths):
        if progress is not None:
            progress(done / len(paths))
        name = path.relative_to(folder).as_posix()
        asked = prompts.get(name, {}).get("prompt", {})
        style = asked.get("style") or path.parent.name.lower()
        style = style if style in STYLES + OWN_STYLES else None
        if styles and (style or ANY) not in styles:
            continue
        try:
            samples.append(read_sample(path, style, name=name, wanted=tuple(asked.get("instruments", ()))))
        except MidiError as error:
            skipped.append(str(error))
    if not samples:
        what = f"of {', '.join(styles)} " if styles else ""
        first = f"; first of {len(skipped)} that cannot be read: {skipped[0]}" if skipped else ""
        raise CorpusError(f"{folder}: no music {what}in it{first}")
    nats = {name: float(entry["nats_per_token"]) for name, entry in prompts.items() if "nats_per_token" in entry}
    return MusicSet(folder.resolve().name, str(folder), tuple(samples), tuple(skipped), nats)


def read_prompts(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what was asked for, by file; a line cut off by a kill is passed over."""
    found: dict[str, dict[str, Any]] = {}
    try:
        lines = (folder / PROMPTS).read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        try:
            entry = json.loads(line)
            found[entry["file"]] = entry
        except (ValueError, TypeError, KeyError):
            continue
    return found


def plan_prompts(rows: Sequence[Row], lengths_s: dict[str, float], pieces: int, seed: int) -> dict[str, Prompt]:
    """Return what to compose, by file name: in each style, for ensembles that its training pieces have.

    Args:
        rows: the pieces of a corpus.
        lengths_s: how long pieces of each style are.
        pieces: how many of each style.
        seed: of the prompts and of what is drawn for them.
    """
    ensembles: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
    for row in rows:
        if row.style is not None and row.split == "train":
            ensembles[row.style].append(row.groups)
    prompts: dict[str, Prompt] = {}
    for style, length_s in lengths_s.items():
        # The styles of a run have no say in what is composed for another.
        rng = np.random.default_rng((seed, *style.encode()))
        for n in range(pieces):
            groups = ensembles[style][int(rng.integers(len(ensembles[style])))] if ensembles[style] else ()
            prompts[f"{style}/{style}-{n:03d}.mid"] = Prompt(
                style=style,
                instruments=_playable(groups),
                duration_s=length_s,
                candidates=1,
                seed=seed * 1000 + n,
                title=f"{style} {n}",
            )
    return prompts


def _playable(groups: tuple[str, ...]) -> tuple[str, ...]:
    """Return as many groups as a prompt may have instruments of."""
    kept: list[str] = []
    for group in groups:
        if sum(len(members(g)) for g in (*kept, group)) <= MOST_INSTRUMENTS:
            kept.append(group)
    return tuple(kept)


def compose_set(
    composer: Composer, prompts: dict[str, Prompt], folder: Path, progress: Callable[[float], None] | None = None
) -> list[str]:
    """Compose what is not there yet; return a line for each piece that came to nothing.

    Raises:
        PromptError: the checkpoint does not know a style.
        CorpusError: the folder cannot be written.
    """
    for prompt in prompts.values():
        prompt.check(*((composer.styles,) if composer.styles else ()))
    failed: list[str] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        known = read_prompts(folder)
        for done, (name, prompt) in enumerate(prompts.items()):
            path = folder / name
            if not (path.exists() and known.get(name, {}).get("prompt") == prompt.as_dict()):
                path.parent.mkdir(exist_ok=True)
                try:
                    _compose(composer, prompt, path, folder / PROMPTS, name)
                except ComposeError as error:
                    failed.append(f"{name}: {error}")
            if progress is not None:
                progress((done + 1) / len(prompts))
    except OSError as error:
        raise CorpusError(f"{folder}: cannot write ({error.strerror})") from error
    return failed


def _compose(composer: Composer, prompt: Prompt, path: Path, prompts: Path, name: str) -> None:
    take = composer.compose(prompt)
    entry = {
        "file": name,
        "prompt": prompt.as_dict(),
        "nats_per_token": take.judgements[take.chosen].nats_per_token,
        "checkpoint": take.checkpoint,
        "seconds": take.seconds,
    }
    with whole(path) as partial:
        write_midi(take.piece, partial)
    # A line that a kill cut off has no end: begin on a new one.
    with prompts.open("a") as file:
        file.write(("\n" if prompts.stat().st_size else "") + json.dumps(entry))
