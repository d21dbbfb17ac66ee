"""The part of a setlist about show controllers that speak OSC."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from conductor.osc.plan import OscPlan
from conductor.setlist.part import Part
from conductor.setlist.values import Text


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f'"{text}" is no address; write it as 127.0.0.1 or 192.168.1.20') from None


Address = Annotated[Text, AfterValidator(_address)]


class OscPart(Part):
    """`osc`: a port on which show controllers are heard."""

    port: Annotated[int, Field(ge=1, le=65535)] = 9000
    host: Address = "127.0.0.1"
    allow: Annotated[list[Address], Field(max_length=64)] = Field(default=[])

    @model_validator(mode="after")
    def _not_from_everywhere(self) -> Self:
        # OSC knows no login: who may speak is said by address.
        if not ipaddress.ip_address(self.host).is_loopback and not self.allow:
            raise ValueError(f"host: {self.host} is heard by other machines; say which with allow: [192.168.1.20]")
        return self


def osc_of(part: OscPart | None) -> OscPlan | None:
    """Return where OSC is heard; None: nowhere."""
    return None if part is None else OscPlan(part.port, part.host, tuple(part.allow))
