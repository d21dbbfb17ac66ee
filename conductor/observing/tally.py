"""What happened, counted: pieces composed and refused, faults, events of the as-run log.

Names and units after Prometheus' conventions: base units, `_total` for what only grows. Every label has a known and
small set of values; whatever else comes is `other`.
"""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from conductor import wire
from conductor.cues import Phase
from conductor.operating.vocabulary import VERBS
from model.composing.blend import main_style, style_of
from model.errors import ModelError
from model.gate.gate import KINDS
from model.language.vocabulary import STYLES

OTHER = "other"
# From a short piece on a fast machine to a long one on a slow one.
COMPOSING_S = (2, 5, 10, 20, 40, 60, 90, 120, 180, 300, 600, 1200)
WORKERS = ("feed", "player", "composer", "midi_out")
EVENTS = frozenset(
    {
        *map(str, Phase),
        "bed",
        "changed",
        "restart",
        "fault",
        "silence",
        "alarm",
        "well",
        "on air",
        "off air",
        "obs",
        "obs trouble",
        "midi",
        "poll",
        "setlist",
        "login",
        "logout",
        "controller",
        "end",
        *VERBS,
    }
)


class Tally:
    """Counts what workers say and what is written into the as-run log.

    Args:
        registry: where the counts are read.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        # When a count was made is of no use here, and doubles what is told.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._composing = Histogram(
            "conductor_composing_seconds", "Wall time that composing a piece took.", ["style"],
            buckets=COMPOSING_S, registry=registry,
        )  # fmt: skip
        self._candidates = Counter(
            "conductor_candidates", "Candidates composed, by what became of them.", ["outcome"], registry=registry
        )
        self._refusals = Counter(
            "conductor_refusals", "Music refused before it could be played, by the kind of fault.", ["reason"],
            registry=registry,
        )  # fmt: skip
        self._failures = Counter(
            "conductor_composing_failures", "Requests that ended without a piece.", registry=registry
        )
        self._faults = Counter("conductor_faults", "Faults that workers told of.", ["worker"], registry=registry)
        self._events = Counter("conductor_events", "Lines of the as-run log.", ["event"], registry=registry)
        self._chat = Counter("conductor_chat_messages", "Messages of the chat.", registry=registry)
        # Told as 0 before the first: a rate needs two values.
        for outcome in ("chosen", "beside", "refused"):
            self._candidates.labels(outcome)
        for worker in WORKERS:
            self._faults.labels(worker)

    def hear(self, message: wire.Message) -> None:
        """Count what a worker says."""
        match message:
            case wire.Composed():
                self._composed(message)
            case wire.Refused(reason=reason) if "cancelled" not in reason:
                self._failures.inc()
            case wire.Fault(worker=worker):
                self._faults.labels(worker if worker in WORKERS else OTHER).inc()

    def logged(self, event: str) -> None:
        """Count a line of the as-run log."""
        self._events.labels(event if event in EVENTS else OTHER).inc()

    def chatted(self, messages: int = 1) -> None:
        """Count messages of the chat."""
        self._chat.inc(messages)

    def _composed(self, message: wire.Composed) -> None:
        self._composing.labels(style_in(message.provenance)).observe(message.seconds)
        self._candidates.labels("chosen").inc()
        for other in message.others:
            self._candidates.labels("refused" if other.refused else "beside").inc()
        refused = [other.refused for other in message.others if other.refused]
        for reason in [*refused, *message.provenance.get("refusals", ())]:
            self._refusals.labels(kind_of(str(reason))).inc()


def kind_of(reason: str) -> str:
    """Return the kind of fault that a reason of the gate begins with, such as `loop`."""
    return next((kind for kind in KINDS if reason.startswith(kind)), OTHER)


def style_in(provenance: dict[str, Any]) -> str:
    """Return the style that a piece was asked for in; of several, the one with the largest share."""
    try:
        style = main_style(style_of((provenance.get("prompt") or {}).get("style")))
    except ModelError:
        return OTHER
    return style if style in STYLES else "any" if style is None else OTHER
