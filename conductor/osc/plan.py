"""Where OSC is heard, and from whom."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OscPlan:
    """Where OSC is heard.

    Attributes:
        port: of UDP.
        host: address of this machine that is listened on.
        allow: addresses that are listened to, beside this machine.
    """

    port: int = 9000
    host: str = "127.0.0.1"
    allow: tuple[str, ...] = ()
