"""What all parts of a setlist have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """Base of all parts: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")
