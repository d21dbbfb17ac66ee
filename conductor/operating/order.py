"""What goes in and out of the dispatcher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OK, WRONG, UNKNOWN, MOVED = 200, 400, 404, 409


@dataclass(frozen=True, slots=True)
class Order:
    """Something an operator says.

    Attributes:
        verb: a name of `conductor.operating.vocabulary.VERBS`.
        arguments: plain values.
        who: the operator.
        via: how it came: `http`, `ctl`, `osc`, `midi`, `chat`.
        request_id: the same one is carried out once, however often it comes; empty: each time.
        expect_standby: id of the cue that is to be next (empty: none), or the order is refused; None: whatever is.
        revision: that the show is to have, or the order is refused; None: whatever it has.
    """

    verb: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    who: str = ""
    via: str = ""
    request_id: str = ""
    expect_standby: str | None = None
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an order.

    Attributes:
        ok: whether it was carried out.
        status: as of HTTP: 200, 400 not understood, 404 no such verb, 409 not now.
        reason: why not; one line.
        revision: of the show after it.
        told: what is shown for it, such as the lines of a preview.
        field: the argument that is wrong, where one is.
    """

    ok: bool
    status: int
    reason: str
    revision: int
    told: tuple[str, ...] = ()
    field: str = ""

    @property
    def plain(self) -> dict[str, Any]:
        """The answer as plain values."""
        plain: dict[str, Any] = {"ok": self.ok, "revision": self.revision}
        if self.reason:
            plain["reason"] = self.reason
        if self.field:
            plain["field"] = self.field
        if self.told:
            plain["told"] = list(self.told)
        return plain
