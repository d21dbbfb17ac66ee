"""A process that decodes: one for each peer and variant, so that their threads do not meet.

Told what to do by lines of JSON, it answers each with one. What a library
writes goes to standard error. A peer that crashes takes nobody with it.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from typing import IO, Any

from tests.bench.decoders.case import Case


class PeerError(Exception):
    """A peer could not do what it was asked."""


class Worker:
    """A process of a peer's.

    Args:
        module: of `tests.bench.decoders`.
        variant: one of the module's.
        threads: processor cores it may use.
    """

    def __init__(self, module: str, variant: str, threads: int) -> None:
        self._said: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115 (lives as long as the process)
        count = str(threads)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.decoders.worker", module, variant],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env={
                **os.environ,
                "OMP_NUM_THREADS": count,
                "MKL_NUM_THREADS": count,
                # Caches that grow are made anew at every step; given back to the system, they would be asked
                # for page by page each time, which takes CTranslate2 three times as long.
                "MALLOC_ARENA_MAX": "1",
                "MALLOC_MMAP_MAX_": "0",
                "MALLOC_TRIM_THRESHOLD_": str(2**33),
                "GGML_NO_BACKTRACE": "1",
                "HF_HUB_OFFLINE": "1",
            },
        )

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def prepare(self, case: Case) -> None:
        """Let it read the prompt of a case; PeerError where it cannot."""
        self._ask({"case": asdict(case)})

    def go(self) -> list[float]:
        """Let it go on from the prompt; return the seconds of each step."""
        seconds: list[float] = self._ask({})
        return seconds

    def call(self, function: str, **args: Any) -> Any:
        """Return what a function of its module returns."""
        return self._ask({"function": function, "args": args})

    def close(self) -> None:
        """End the process."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._said):
            if pipe is not None:
                pipe.close()

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise PeerError(f"ended with status {self._process.wait()}: {self._last_words()}")
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer["result"]

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = self._said.read().strip().splitlines()
        return lines[-1][:200] if lines else "it said nothing"


def serve(module_name: str, variant: str, requests: IO[str], answers: IO[str]) -> None:
    """Answer requests until there are no more."""
    module: Any = importlib.import_module(f"tests.bench.decoders.{module_name}")
    decoder: Any = None
    for line in requests:
        request = json.loads(line)
        try:
            result: Any = None
            if "case" in request:
                # The one before makes room first.
                decoder = None
                decoder = module.make(Case(**request["case"]), variant)
            elif "function" in request:
                result = getattr(module, request["function"])(**request["args"])
            elif decoder is None:
                raise PeerError("nothing was prepared")
            else:
                result = decoder.go()
            answer = {"result": result}
        # Whatever a library raises is told, its first line.
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(answer), file=answers, flush=True)


def main() -> None:
    """Serve standard input; standard output is kept for answers alone."""
    import torch

    from tests.bench.decoders.case import threads

    torch.set_num_threads(threads())
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        serve(sys.argv[1], sys.argv[2], sys.stdin, answers)


if __name__ == "__main__":
    main()
