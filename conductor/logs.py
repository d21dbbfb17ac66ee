"""What the show says: a line for a person, and everything into a log file."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TextIO

LOG = logging.getLogger("conductor")

# Some libraries tell of every packet.
_QUIET = ("aiohttp.access", "aioice", "aiortc", "asyncio")


class JsonLines(logging.Formatter):
    """One JSON object a line, for machines that read the log."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        body = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "source": record.name,
            "text": record.getMessage(),
        }
        if record.exc_info:
            body["trace"] = self.formatException(record.exc_info)
        return json.dumps(body, ensure_ascii=False)


def log_to(path: Path, *, debug: bool = False) -> logging.Handler:
    """Send all logging to a file.

    Args:
        path: appended to.
        debug: everything, in place of what matters.

    Raises:
        OSError: it cannot be written.
    """
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if debug else logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    return handler


def stop_logging(handler: logging.Handler) -> None:
    """Close what `log_to` opened."""
    logging.getLogger().removeHandler(handler)
    handler.close()


class Terminal:
    """The lines a person sees while the show runs, and one that changes in place.

    Args:
        stream: where to; a pipe gets the same lines without the changing one.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream
        self._live = self._stream.isatty()
        self._shown = ""

    def say(self, text: str) -> None:
        """Print a line and log it."""
        LOG.info("%s", text)
        self._clear()
        self._write(text + "\n")

    def warn(self, text: str) -> None:
        """Print a line about something wrong and log it as such."""
        LOG.warning("%s", text)
        self._clear()
        self._write(f"! {text}\n")

    def status(self, text: str) -> None:
        """Change the last line in place; nothing where the output is no terminal."""
        if self._live and text != self._shown:
            self._clear()
            self._shown = text[:110]
            self._write(self._shown)

    def _clear(self) -> None:
        if self._shown:
            self._write("\r" + " " * len(self._shown) + "\r")
            self._shown = ""

    def _write(self, text: str) -> None:
        # Nobody may be reading any more (a closed pipe); the show goes on.
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._live = False
