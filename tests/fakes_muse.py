"""A composer without a model, for what is said about composing between processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import get_native_id

from model.composing.composer import Take
from model.composing.prompt import Prompt
from model.errors import ComposingCancelledError
from model.midi import read_midi
from model.notes import Piece
from tests.fakes import fake_sections


class FakeMuse:
    """Composes as `model.composing.composer.Composer` does, but scales, section by section.

    Args:
        step_s: wall time a section takes; it is asked all the while whether it is still wanted.
    """

    def __init__(self, step_s: float = 0.05) -> None:
        self.step_s = step_s
        self.at_work = 0
        self.beside = 0
        self.nice: dict[str, int] = {}
        self.breaks_after = 10**9

    def compose(
        self,
        prompt: Prompt,
        *,
        progress: Callable[[float, float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        committed: Callable[[Piece, float], None] | None = None,
    ) -> Take:
        self.nice["change" if prompt.continue_from else "piece"] = os.getpriority(os.PRIO_PROCESS, get_native_id())
        self.at_work += 1
        self.beside = max(self.beside, self.at_work)
        try:
            before = read_midi(Path(prompt.continue_from)).piece if prompt.continue_from else Piece(())
            sections = fake_sections(before, prompt)
            for index, (piece, until_s) in enumerate(sections):
                for _ in range(10):
                    time.sleep(self.step_s / 10)
                    if cancelled and cancelled():
                        raise ComposingCancelledError("composing was cancelled")
                if index >= self.breaks_after:
                    raise RuntimeError("out of memory")
                if progress:
                    progress((index + 1) / len(sections), until_s)
                if committed:
                    committed(piece, until_s)
            return Take(sections[-1][0], prompt, (), 0, "fake", self.step_s)
        finally:
            self.at_work -= 1
