"""Verbs as OSC spells them: `/conductor/fade 3.0`, `/conductor/change/energy 80`.

Source: OpenSound Control 1.0 Specification, OSC Address Patterns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from conductor.errors import UsageError
from conductor.operating.spoken import arguments_of, verb_of
from conductor.setlist.yamlfile import did_you_mean

ROOT = "conductor"
_NUMBERS = (int, float)


def spelled(address: str, values: Sequence[Any]) -> tuple[str, dict[str, Any]] | None:
    """Return the verb and the arguments of a message; None: a button was let go, and nothing is said.

    A verb that needs no argument is said by a button: 1 as it is pressed, 0 as it is let go.

    Args:
        address: `/conductor/VERB`, or `/conductor/VERB/ARGUMENT`.
        values: of the message.

    Raises:
        UsageError: it is not understood.
    """
    _, root, *path = address.split("/") if address.startswith("/") else ("", "")
    if root != ROOT or not 1 <= len(path) <= 2:
        raise UsageError(f"{address[:80]}: addresses are /{ROOT}/VERB or /{ROOT}/VERB/ARGUMENT")
    verb = verb_of(path[0])
    for value in values:
        if not isinstance(value, str | int | float) or (isinstance(value, float) and not math.isfinite(value)):
            raise UsageError(f"{verb.name}: takes texts and numbers")
    properties = verb.schema.get("properties", {})
    if len(path) == 2:
        if path[1] not in properties:
            hint = did_you_mean(path[1], properties) if properties else " - it takes nothing"
            raise UsageError(f'{verb.name}: unknown argument "{path[1]}"{hint}')
        if len(values) != 1 or isinstance(values[0], bool):
            raise UsageError(f"{verb.name}/{path[1]}: takes one value")
        # As text it is read like a word that was typed, as a number it is one.
        (value,) = values
        return verb.name, arguments_of(verb, [f"{path[1]}={value}"]) if isinstance(value, str) else {path[1]: value}
    takes_nothing = not verb.schema.get("required") and (not properties or "cue" in properties)
    if takes_nothing and len(values) == 1 and isinstance(values[0], _NUMBERS) and values[0] in (0, 1):
        return (verb.name, {}) if values[0] else None
    return verb.name, arguments_of(verb, values)
