"""What an operator may ask to be different of a piece on air."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model.composing.prompt import Prompt
from model.errors import PromptError

# Fields of a prompt.
WISHES = ("style", "instruments", "density", "energy", "key", "tempo_bpm", "duration_s")

# Their names and values, as in a prompt.
Wish = tuple[tuple[str, Any], ...]


def wish_of(body: Mapping[str, Any]) -> Wish:
    """Return what plain values say is to be different.

    Raises:
        ValueError: it says nothing, or something that cannot be composed; one line.
    """
    unknown = [name for name in body if name not in WISHES]
    if unknown:
        raise ValueError(f"{unknown[0]!r} cannot be changed; what can: {', '.join(WISHES)}")
    said = {name: value for name, value in body.items() if value not in (None, "", [])}
    if not said:
        raise ValueError(f"nothing is to be different; say one of {', '.join(WISHES)}")
    try:
        prompt = Prompt.of(said)
    except PromptError as error:
        raise ValueError(str(error)) from None
    return tuple((name, getattr(prompt, name)) for name in WISHES if name in said)
