"""What a worker writes on its standard error, passed on at the level it was written at."""

from __future__ import annotations

import logging
import re

# As the workers write: date, time, their name, level, text.
_LINE = re.compile(r"^\S+ \S+ \w+ (DEBUG|INFO|WARNING|ERROR|CRITICAL) (.*)$")
_WORDS = 300


class Forwarding:
    """Passes lines on to a logger; what continues a line is told at its level.

    Attributes:
        last_words: the latest line, for whoever asks why it ended.

    Args:
        log: the worker's logger here.
    """

    def __init__(self, log: logging.Logger) -> None:
        self.last_words = ""
        self._log = log
        self._level = logging.INFO

    def line(self, line: bytes) -> None:
        """Pass on a line."""
        text = line.decode(errors="replace").rstrip()
        if not text:
            return
        if found := _LINE.match(text):
            self._level, text = logging.getLevelNamesMapping()[found[1]], found[2]
        elif not text[0].isspace() and not text.startswith("Traceback") and self._level < logging.WARNING:
            self._level = logging.INFO
        self.last_words = text[:_WORDS]
        self._log.log(self._level, "%s", text)
