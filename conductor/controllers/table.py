"""What can be ordered by a controller: the verbs of the show, and how their arguments are checked beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from conductor.cues import wish_of
from conductor.operating import vocabulary
from conductor.operating.arguments import Changing
from conductor.setlist.yamlfile import explain

Verbs = Mapping[str, type[BaseModel]]

VERBS: Verbs = {name: verb.arguments for name, verb in vocabulary.VERBS.items()}


def arguments_of(verb: type[BaseModel]) -> list[str]:
    """Return the arguments that a verb takes."""
    return list(verb.model_fields)


def wrong_of(verb: type[BaseModel], arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with the arguments of a verb, by argument; a line each."""
    wrong: dict[str, str] = {}
    try:
        verb.model_validate(dict(arguments))
    except ValidationError as error:
        for each in error.errors():
            name = str(each["loc"][0]) if each["loc"] else ""
            wrong[name] = explain(each).removeprefix(f"{name}: ")
    if verb is Changing:
        # What a change may be is known to the composer alone. Faders may add to it what it lacks.
        for name, value in arguments.items():
            if name in verb.model_fields and name not in wrong and value not in (None, "", []):
                try:
                    wish_of({name: value})
                except ValueError as error:
                    wrong[name] = str(error).removeprefix(f"{name}: ")
    return wrong
