"""What a key or fader is to do, as it is written on a command line."""

from __future__ import annotations

from typing import Any

from conductor.controllers.table import VERBS, arguments_of, wrong_of
from conductor.errors import UsageError
from streaming.yamlmarks import did_you_mean


def wish_of(order: str, arguments: list[str]) -> dict[str, Any]:
    """Return what a control is to do, as a map has it.

    Args:
        order: a verb, or VERB.ARGUMENT for a fader.
        arguments: NAME=VALUE of the verb, or the two ends of the fader.

    Raises:
        UsageError: it is none; says what is known.
    """
    verb, dot, argument = order.partition(".")
    if verb not in VERBS:
        raise UsageError(f'there is no verb "{verb}"{did_you_mean(verb, VERBS)}')
    known = arguments_of(VERBS[verb])
    if dot:
        if argument not in known:
            hint = did_you_mean(argument, known) if known else " - it takes none"
            raise UsageError(f'{verb} takes no "{argument}"{hint}')
        ends = [_value(text) for text in arguments]
        if len(ends) != 2 or any(isinstance(end, str | bool) for end in ends) or ends[0] == ends[1]:
            raise UsageError(f"{order}: give the values at the two ends of the fader, such as {order} 20 110")
        for end in ends:
            if text := wrong_of(VERBS[verb], {argument: end}).get(argument):
                raise UsageError(f"{order}: {end}: {text[0].lower()}{text[1:]}")
        return {"sets": order, "range": ends}
    given = {}
    for text in arguments:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"{text}: write arguments as NAME=VALUE, such as cue=2")
        # A cue is a name or a number that stands for one.
        given[name] = value if name == "cue" else _value(value)
    for name, text in wrong_of(VERBS[verb], given).items():
        if name not in given:
            raise UsageError(f"{verb}: {name} is missing: give {name}=...")
        if name not in known:
            hint = did_you_mean(name, known) if known else " - it takes none"
            raise UsageError(f'{verb}: unknown argument "{name}"{hint}')
        raise UsageError(f"{verb}: {name}: {text[0].lower()}{text[1:]}")
    return {"does": {verb: given} if given else verb}


def _value(text: str) -> Any:
    if text in ("true", "false", "on", "off"):
        return text in ("true", "on")
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
