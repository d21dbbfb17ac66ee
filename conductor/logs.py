"""What the show says: a line for a person, and everything into a log file.

The file is of bounded size, for shows that run for months, and holds no secrets. As JSON every line has the same
vocabulary: `time`, `level`, `worker` and `text`, and where they are known `event`, `cue`, `piece`, `sample`, `trace`.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Literal, TextIO

LOG = logging.getLogger("conductor")
# Lines of the as-run log; in a text log people have them in words already.
AS_RUN = logging.getLogger("conductor.as_run")

Form = Literal["text", "json"]
FORMS: tuple[Form, ...] = ("text", "json")
MOST_BYTES = 16_000_000
KEPT_FILES = 4
WORKERS = frozenset({"composer", "player", "feed", "midi_out"})
FIELDS = ("event", "cue", "piece", "sample")

# Some libraries tell of every packet.
_QUIET = ("aiohttp.access", "aioice", "aiortc", "asyncio")

Redact = Callable[[str], str]


def _as_it_is(text: str) -> str:
    return text


class TextLines(logging.Formatter):
    """A line for people.

    Args:
        redact: hides secrets.
    """

    def __init__(self, redact: Redact = _as_it_is) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line, with its trace below it."""
        return self._redact(super().format(record))


class JsonLines(logging.Formatter):
    """One JSON object a line, for machines that read the log.

    Args:
        redact: hides secrets.
    """

    def __init__(self, redact: Redact = _as_it_is) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        body: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "worker": record.name if record.name in WORKERS else "conductor",
            "source": record.name,
            "text": self._redact(record.getMessage()),
        }
        for name in FIELDS:
            value = getattr(record, name, None)
            if value is not None and value != "":
                body[name] = value
        if record.exc_info:
            body["trace"] = self._redact(self.formatException(record.exc_info))
        return json.dumps(body, ensure_ascii=False)


def log_to(
    path: Path,
    *,
    debug: bool = False,
    form: Form = "text",
    redact: Redact = _as_it_is,
    most_bytes: int = MOST_BYTES,
) -> logging.Handler:
    """Send all logging to a file; when it is full it is kept as `<name>.1` and a new one begun.

    Args:
        path: appended to.
        debug: everything, in place of what matters.
        form: lines for people, or JSON.
        redact: hides secrets in a text.
        most_bytes: size of a file; of older ones four are kept.

    Raises:
        OSError: it cannot be written.
    """
    handler = RotatingFileHandler(path, maxBytes=most_bytes, backupCount=KEPT_FILES, encoding="utf-8")
    handler.setFormatter(JsonLines(redact) if form == "json" else TextLines(redact))
    if form == "text":
        handler.addFilter(lambda record: record.name != AS_RUN.name)
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
