"""Verbs as words: `standby dawn`, `fade 3`, `change energy=high`, as they are typed or sent one after another."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from conductor.errors import UsageError
from conductor.operating.vocabulary import VERBS, Verb
from conductor.setlist.editing import KEYS
from conductor.setlist.yamlfile import did_you_mean

_SWITCH = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}


def verb_of(name: str) -> Verb:
    """Return a verb.

    Raises:
        UsageError: there is no such verb.
    """
    if name not in VERBS:
        raise UsageError(f'there is no verb "{name}"{did_you_mean(name, VERBS)}')
    return VERBS[name]


def open_field(verb: Verb) -> str | None:
    """Return the argument of a verb that holds keys of a cue, such as `changes` of an edit."""
    return next((name for name, schema in _properties(verb).items() if schema.get("type") == "object"), None)


def arguments_of(verb: Verb, words: Iterable[Any]) -> dict[str, Any]:
    """Return what words say to a verb.

    Args:
        verb: that is said.
        words: values in the order of its arguments, or NAME=VALUE; texts, or numbers where whoever sends them tells
            numbers from texts.

    Raises:
        UsageError: there are too many, or the verb takes no such name.
    """
    properties, keys = _properties(verb), open_field(verb)
    in_order = [name for name in properties if name != keys]
    said: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=") if isinstance(word, str) else ("", "", word)
        if equals and name in properties and name != keys:
            said[name] = _value(value, properties[name])
        elif equals and keys:
            if name not in (*KEYS, "id"):
                raise UsageError(f'{verb.name}: a cue has no "{name}" that can be set{did_you_mean(name, KEYS)}')
            said.setdefault(keys, {})[name] = _value(value, {"items": {}} if name == "instruments" else {})
        elif equals and name.isidentifier():
            hint = did_you_mean(name, properties) if properties else " - it takes nothing"
            raise UsageError(f'{verb.name}: unknown argument "{name}"{hint}')
        else:
            free = next((each for each in in_order if each not in said), None)
            if free is None:
                raise UsageError(f"{verb.name}: {word} is one too many - {usage(verb)}")
            said[free] = _value(word, properties[free])
    return said


def usage(verb: Verb) -> str:
    """Return how a verb is typed, such as `take CUE TAKE`."""
    required = verb.schema.get("required", [])
    shown = []
    for name in _properties(verb):
        text = "KEY=VALUE ..." if name == open_field(verb) else name.upper()
        if name != open_field(verb) and len(_properties(verb)) > 3:
            text = f"{name}={name.upper()}"
        shown.append(text if name in required else f"[{text}]")
    return " ".join([verb.name, *shown])


def _properties(verb: Verb) -> dict[str, dict[str, Any]]:
    properties: dict[str, dict[str, Any]] = verb.schema.get("properties", {})
    return properties


def _value(word: Any, schema: dict[str, Any]) -> Any:
    """Return a word as the kind of value that is wanted; what is none stays as it is, and is refused with reason."""
    kinds = [schema, *schema.get("anyOf", [])]
    if any(kind.get("type") == "string" for kind in kinds):
        return f"{word:g}" if isinstance(word, float) else str(word)
    if not isinstance(word, str):
        return bool(word) if schema.get("type") == "boolean" and word in (0, 1) else word
    if schema.get("type") == "boolean":
        return _SWITCH.get(word.lower(), word)
    try:
        value = json.loads(word, parse_constant=str)
    except (ValueError, RecursionError):
        value = _SWITCH.get(word, word) if not schema else word
    if isinstance(value, str) and any("items" in kind for kind in kinds):
        return [part for part in value.replace(",", " ").split() if part]
    return value
