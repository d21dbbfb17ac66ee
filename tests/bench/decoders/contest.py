"""Whoever decodes, taking turns: each variant in a process of its own, the fastest of a peer's counts."""

from __future__ import annotations

import importlib
import importlib.util
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.bench.decoders.bandwidth import CACHE_BYTES, MEMORY_BYTES, WEIGHT_BYTES, Step, step_of
from tests.bench.decoders.case import Case
from tests.bench.decoders.worker import PeerError, Worker

# Root mean square of the logits' error, as a part of their standard deviation.
TOLERANCES = {"float32": 1e-4, "bfloat16": 0.03, "torch": 0.03, "int8": 0.08}
# A turn of fewer seconds is tried twice before the fastest variant is chosen.
SHORT_S = 2.0
HF, OURS, NATIVE = "hf", "ours", ("ctranslate2", "llama_cpp")


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody who decodes.

    Attributes:
        title: for the table.
        needs: modules that must be there.
        install: what pip is told.
        every: whether every variant has a line, not the fastest alone.
        own: whether it is our network, whose logits are checked and whose reading is known.
        slow: whether it takes so long to begin that it must be asked for.
    """

    title: str
    needs: tuple[str, ...] = ()
    install: str = ""
    every: bool = False
    own: bool = False
    slow: bool = False

    @property
    def missing(self) -> str | None:
        """What is to be done before it can decode, or None."""
        if all(importlib.util.find_spec(name) for name in self.needs):
            return None
        return f"not installed: pip install {self.install}"


PEERS = {
    OURS: Peer("ours", every=True, own=True),
    "eager": Peer("eager PyTorch", own=True),
    "compiled": Peer("torch.compile", own=True, slow=True),
    HF: Peer("HF generate", ("transformers",), "transformers"),
    "ctranslate2": Peer("CTranslate2", ("ctranslate2",), "ctranslate2"),
    "llama_cpp": Peer("llama.cpp", ("llama_cpp", "gguf"), "llama-cpp-python gguf"),
}


@dataclass(slots=True)
class Entry:
    """A peer's variant in a case.

    Attributes:
        peer, variant: who.
        worker: its process.
        rates: tokens a second, by round.
        shares: of the roofline, and of the memory's rate, by round.
    """

    peer: str
    variant: str
    worker: Worker
    rates: list[float] = field(default_factory=list)
    shares: list[tuple[float, float]] = field(default_factory=list)

    def go(self, case: Case) -> float:
        """Decode once; return tokens a second."""
        seconds = self.worker.go()
        if len(seconds) != case.tokens:
            raise PeerError(f"{len(seconds)} steps instead of {case.tokens}")
        return case.batch * case.tokens / sum(seconds)


class Contest:
    """Processes of all peers, for one number of threads."""

    def __init__(self, names: Sequence[str], threads: int) -> None:
        self.threads = threads
        self.lost: dict[str, str] = {PEERS[name].title: said for name in names if (said := PEERS[name].missing)}
        self.entries: list[Entry] = []
        for name in names:
            if PEERS[name].title not in self.lost:
                variants = importlib.import_module(f"tests.bench.decoders.{name}").VARIANTS
                self.entries += [Entry(name, variant, Worker(name, variant, threads)) for variant in variants]
        self.machine = Worker("bandwidth", "", threads)

    def close(self) -> None:
        """End all processes."""
        for worker in (self.machine, *(entry.worker for entry in self.entries)):
            worker.close()

    def check(self, shape: str) -> list[dict[str, Any]]:
        """Return the errors of our own network's logits, and whether they are within what is tolerated."""
        found = []
        for entry in list(self.entries):
            if PEERS[entry.peer].own:
                try:
                    error = entry.worker.call("check", shape=shape, variant=entry.variant)
                except PeerError as said:
                    # What was not checked is not timed.
                    self._lose(entry, said, for_good=True)
                    continue
                row = {"what": entry.peer, "variant": entry.variant, "shape": shape, "threads": self.threads}
                found.append(row | {"error": error, "right": error <= TOLERANCES[entry.variant]})
        return found

    def measured(self, case: Case, rounds: int) -> list[dict[str, Any]]:
        """Return the rows of a case."""
        ready: dict[str, list[Entry]] = {}
        tried: dict[str, dict[str, float]] = {}
        for entry in list(self.entries):
            print(f"{case.shape}, {case.label}: {entry.peer}, {entry.variant} ...", file=sys.stderr, flush=True)
            with self._losing(entry):
                entry.rates, entry.shares = [], []
                entry.worker.prepare(case)
                rate = entry.go(case)
                if case.batch * case.tokens < rate * SHORT_S:
                    # The first time also finds its memory, which matters where it is short.
                    rate = entry.go(case)
                tried.setdefault(entry.peer, {})[entry.variant] = round(rate, 1)
                ready.setdefault(entry.peer, []).append(entry)
        chosen = [
            entry
            for name, entries in ready.items()
            for entry in entries
            if PEERS[name].every or tried[name][entry.variant] == max(tried[name].values())
        ]
        steps = {
            entry.variant: step_of(case, WEIGHT_BYTES[entry.variant], CACHE_BYTES[entry.variant])
            for entry in chosen
            if PEERS[entry.peer].own
        }
        for _ in range(rounds):
            sizes = [int(step.weight_bytes + step.cache_bytes) for step in steps.values()]
            machine = self.machine.call("measure", sizes=sizes)
            for entry in chosen:
                with self._losing(entry):
                    entry.rates.append(entry.go(case))
                    if PEERS[entry.peer].own:
                        entry.shares.append(shares(steps[entry.variant], machine, case, entry))
        return rows_of(case, self.threads, [entry for entry in chosen if len(entry.rates) == rounds], tried)

    @contextmanager
    def _losing(self, entry: Entry) -> Iterator[None]:
        """Let a variant that cannot go on leave the others alone."""
        try:
            yield
        except PeerError as said:
            self._lose(entry, said, for_good=not entry.worker.alive)

    def _lose(self, entry: Entry, said: PeerError, *, for_good: bool) -> None:
        self.lost[f"{PEERS[entry.peer].title}, {entry.variant}"] = str(said)
        if for_good:
            entry.worker.close()
            self.entries.remove(entry)


def shares(step: Step, machine: dict[str, Any], case: Case, entry: Entry) -> tuple[float, float]:
    """Return the part of the roofline, and of the memory's rate alone, that the last round reached."""
    took_s = case.batch / entry.rates[-1]
    flops_per_s = machine["fp32" if entry.variant == "float32" else "bf16"]
    bytes_ = step.weight_bytes + step.cache_bytes
    near, far = machine["read"][str(int(bytes_))], machine["read"][str(MEMORY_BYTES)]
    return step.seconds(near, flops_per_s) / took_s, bytes_ / far / took_s


def rows_of(
    case: Case, threads: int, entries: Sequence[Entry], tried: dict[str, dict[str, float]]
) -> list[dict[str, Any]]:
    """Return speeds, and ratios to Hugging Face and to the faster of CTranslate2 and llama.cpp.

    Args:
        case: what was decoded.
        threads: processor cores.
        entries: whoever took part in all rounds.
        tried: speed of each variant when the fastest was looked for.
    """
    rates = {entry.peer: entry.rates for entry in entries}
    native = [max(at) for at in zip(*(rates[name] for name in NATIVE if name in rates), strict=True)]
    rows = []
    for entry in entries:
        row: dict[str, Any] = {
            "shape": case.shape,
            "threads": threads,
            "batch": case.batch,
            "context": case.context,
            "what": entry.peer,
            "variant": entry.variant,
            "tokens_per_s": round(statistics.median(entry.rates), 1),
            "tried": tried[entry.peer],
        }
        for name, others in (("times_hf", rates.get(HF, [])), ("times_native", native)):
            if others:
                ratio = statistics.median(own / other for own, other in zip(entry.rates, others, strict=True))
                row[name] = round(ratio, 2)
        if entry.shares:
            row["roofline"], row["memory"] = (round(statistics.median(s), 3) for s in zip(*entry.shares, strict=True))
        rows.append(row)
    return rows
