"""One control of a map read: a key with what it does and its light, a fader, an encoder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from conductor.controllers.message import HIGHEST, KINDS, Key
from conductor.controllers.plan import BLINK_S, Button, Deed, Dial, Glow, Light
from conductor.controllers.scene import STATES
from conductor.controllers.table import Verbs, arguments_of, wrong_of
from conductor.controllers.takeover import ENCODINGS, Encoding, Scale
from streaming.yamlmarks import Loc, MarkedYaml, Mistake, did_you_mean

_ANY = ("name", "channel", *KINDS)
_BUTTON = ("does", "undoes", "threshold", "hysteresis", "latching", "debounce", "light")
_DIAL = ("range", "start", "after")
_FADER, _ENCODER = ("sets", "pickup"), ("turns", "step", "encoding")
_GLOW = ("value", "blink", "every", "channel")
_AT = ("channel", *KINDS)
_LONGEST_S = 60.0
# A pedal that sends its place is down from the middle on, and up a good way below.
_THRESHOLD, _HYSTERESIS = 64, 16


class ControlReader:
    """Reads the values of a map and gathers what is wrong.

    Args:
        file: the map.
        verbs: what can be ordered.
    """

    def __init__(self, file: MarkedYaml, verbs: Verbs) -> None:
        self.file, self._verbs = file, verbs
        self.mistakes: list[Mistake] = []

    def wrong(self, loc: Loc, text: str, *, of_key: bool = False) -> None:
        """Take note of a mistake."""
        self.mistakes.append(self.file.mistake(loc, text, of_key=of_key))

    def known(self, node: Mapping[str, Any], known: Iterable[str], loc: Loc) -> None:
        """Refuse keys that are not known."""
        known = list(known)
        for name in node:
            if name not in known:
                self.wrong((*loc, name), f'unknown key "{name}"{did_you_mean(name, known)}', of_key=True)

    # --- plain values ---

    def whole(self, node: Mapping[str, Any], name: str, loc: Loc, low: int, high: int, default: int) -> int:
        """Return a whole number."""
        value = node.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.wrong((*loc, name), f"{name}: a whole number of {low} to {high}, not {value!r}")
            return default
        return value

    def number(self, value: Any, name: str, loc: Loc) -> float:
        """Return a number."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(loc, f"{name}: should be a number, not {value!r}")
            return 0.0
        return value

    def span_s(self, node: Mapping[str, Any], name: str, loc: Loc, default: float) -> float:
        """Return a time."""
        value = node.get(name)
        if value is None:
            return default
        found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(ms|s)", str(value))
        seconds = float(found[1]) * (0.001 if found[2] == "ms" else 1.0) if found else -1.0
        if not 0.0 <= seconds <= _LONGEST_S:
            self.wrong((*loc, name), f"{name}: should be a time such as 50ms or 1.5s, not {value!r}")
            return default
        return seconds

    def text(self, node: Mapping[str, Any], name: str, loc: Loc, default: str = "") -> str:
        """Return a text of one line."""
        value = node.get(name, default)
        if not isinstance(value, str) or len(value) > 200 or "\n" in value:
            self.wrong((*loc, name), f'{name}: should be text, not {value!r} - put it in "quotes"')
            return default
        return value

    def yes(self, node: Mapping[str, Any], name: str, loc: Loc, *, default: bool) -> bool:
        """Return whether something is so."""
        value = node.get(name, default)
        if not isinstance(value, bool):
            self.wrong((*loc, name), f"{name}: should be true or false, not {value!r}")
            return default
        return value

    def messages(self, node: Mapping[str, Any], name: str) -> tuple[bytes, ...]:
        """Return messages written as bytes."""
        value = node.get(name, [])
        made = list[bytes]()
        for index, each in enumerate(value if isinstance(value, list) else [value]):
            try:
                message = bytes.fromhex(each) if isinstance(each, str) else b""
            except ValueError:
                message = b""
            if not _whole_message(message):
                text = f'{name}: a message is its bytes, such as "B0 00 7F" or "F0 7E 7F 06 01 F7", not {each!r}'
                self.wrong((name, index) if isinstance(value, list) else (name,), text)
            else:
                made.append(message)
        return tuple(made)

    # --- controls ---

    def control(self, node: Any, loc: Loc, channel: int, debounce_s: float) -> Button | Dial | None:
        """Return a control, None where nothing can be made of it."""
        if not isinstance(node, dict):
            self.wrong(loc, f"a control holds keys of its own, such as {{note: 36, does: go}}, not {node!r}")
            return None
        said = [name for name in ("does", "sets", "turns") if name in node]
        if len(said) != 1:
            text = "give one of does (a key), sets (a fader) and turns (an encoder)"
            # Perhaps it is only misspelt.
            self.known(node, (*_ANY, *_BUTTON, *_DIAL, *_FADER, *_ENCODER), loc)
            self.wrong(loc, f"{text}, not {' and '.join(said) or 'none of them'}")
            return None
        key = self.key(node, loc, channel)
        name = self.text(node, "name", loc, str(key))
        if said == ["does"]:
            self.known(node, (*_ANY, *_BUTTON), loc)
            return self._button(node, loc, key, name, debounce_s)
        self.known(node, (*_ANY, *_DIAL, *(_FADER if said == ["sets"] else _ENCODER)), loc)
        return self._dial(node, loc, key, name, said[0])

    def key(self, node: Mapping[str, Any], loc: Loc, channel: int) -> Key:
        """Return what a control sends, or a light is sent by."""
        said = [kind for kind in KINDS if kind in node]
        channel = self.whole(node, "channel", loc, 1, 16, channel)
        if len(said) != 1:
            self.wrong(loc, f"give one of {', '.join(KINDS)}, not {' and '.join(said) or 'none of them'}")
            return Key("note", 0, channel)
        return Key(said[0], self.whole(node, said[0], loc, 0, HIGHEST, 0), channel)

    def _button(self, node: Mapping[str, Any], loc: Loc, key: Key, name: str, debounce_s: float) -> Button | None:
        does = self._deed(node["does"], (*loc, "does"))
        undoes = self._deed(node["undoes"], (*loc, "undoes")) if "undoes" in node else None
        on, off = 1, 1
        if key.kind == "cc" or "threshold" in node:
            on = self.whole(node, "threshold", loc, 1, HIGHEST, _THRESHOLD)
            off = max(1, on - self.whole(node, "hysteresis", loc, 0, HIGHEST, _HYSTERESIS))
        if does is None:
            return None
        return Button(
            key=key,
            name=name,
            does=does,
            undoes=undoes,
            on=on,
            off=off,
            latching=self.yes(node, "latching", loc, default=False),
            debounce_s=self.span_s(node, "debounce", loc, debounce_s),
            light=self._light(node["light"], (*loc, "light"), key) if "light" in node else None,
        )

    def _deed(self, value: Any, loc: Loc) -> Deed | None:
        verb: Any = value
        arguments: Any = {}
        if isinstance(value, dict) and len(value) == 1:
            [(verb, arguments)] = value.items()
        if not isinstance(verb, str) or not isinstance(arguments, dict):
            self.wrong(loc, f"{loc[-1]}: a verb, such as go, or one with arguments, such as {{fade: {{seconds: 4}}}}")
            return None
        if verb not in self._verbs:
            self.wrong(loc, f'{loc[-1]}: there is no verb "{verb}"{did_you_mean(verb, self._verbs)}')
            return None
        known = arguments_of(self._verbs[verb])
        for name, text in wrong_of(self._verbs[verb], arguments).items():
            if name not in arguments:
                self.wrong(loc, f"{verb}: {name} is missing, such as {{{verb}: {{{name}: ...}}}}")
            elif name not in known:
                hint = did_you_mean(name, known) if known else " - it takes none"
                self.wrong((*loc, verb, name), f'{verb}: unknown argument "{name}"{hint}', of_key=True)
            else:
                self.wrong((*loc, verb, name), f"{verb}: {name}: {text[0].lower()}{text[1:]}")
        return Deed(verb, arguments)

    def _dial(self, node: Mapping[str, Any], loc: Loc, key: Key, name: str, role: str) -> Dial | None:
        if key.kind != "cc":
            self.wrong((*loc, key.kind) if key.kind in node else loc, f"only a cc {role} a value, not a {key.kind}")
        verb, _, argument = str(node[role]).partition(".")
        known = self._verbs.get(verb)
        if known is None:
            hint = did_you_mean(verb, self._verbs)
            self.wrong((*loc, role), f'{role}: there is no verb "{verb}"{hint}; write it as {role}: change.energy')
            return None
        if argument not in arguments_of(known):
            hint = did_you_mean(argument, arguments_of(known)) if arguments_of(known) else " - it takes none"
            self.wrong((*loc, role), f'{role}: {verb} takes no "{argument}"{hint}')
            return None
        ends = node.get("range")
        if not isinstance(ends, list) or len(ends) != 2 or ends[0] == ends[1]:
            self.wrong((*loc, "range") if "range" in node else loc, "range: the values at its ends, such as [20, 110]")
            return None
        low, high = (self.number(end, "range", (*loc, "range", i)) for i, end in enumerate(ends))
        for index, end in enumerate((low, high)):
            if text := wrong_of(known, {argument: end}).get(argument):
                self.wrong((*loc, "range", index), f"range: {end:g}: {text[0].lower()}{text[1:]}")
        scale = Scale(low, high, all(isinstance(end, int) for end in ends))
        start = self.number(node["start"], "start", (*loc, "start")) if "start" in node else None
        if start is not None and not min(low, high) <= start <= max(low, high):
            self.wrong((*loc, "start"), f"start: from {min(low, high):g} to {max(low, high):g}, not {start:g}")
        encoding = node.get("encoding", ENCODINGS[0])
        if encoding not in ENCODINGS:
            hint = did_you_mean(str(encoding), ENCODINGS)
            self.wrong((*loc, "encoding"), f'encoding: there is no "{encoding}"{hint}')
        step = self.number(node.get("step", 1), "step", (*loc, "step"))
        if step <= 0 or (scale.whole and step != int(step)):
            self.wrong((*loc, "step"), f"step: above 0, and whole where the range is, not {step:g}")
        return Dial(
            key=key,
            name=name,
            verb=verb,
            argument=argument,
            scale=scale,
            start=start,
            soft=self.yes(node, "pickup", loc, default=True),
            step=step if role == "turns" else None,
            encoding=cast(Encoding, encoding) if role == "turns" else None,
            after_s=self.span_s(node, "after", loc, 0.0) if "after" in node else None,
        )

    # --- lights ---

    def _light(self, node: Any, loc: Loc, key: Key) -> Light | None:
        if not isinstance(node, dict):
            self.wrong(loc, f"light: what it shows in which state, such as {{ready: 127}}, not {node!r}")
            return None
        at = key
        if "at" in node:
            if isinstance(node["at"], dict):
                self.known(node["at"], _AT, (*loc, "at"))
                at = self.key(node["at"], (*loc, "at"), key.channel)
            else:
                self.wrong((*loc, "at"), f"at: what it is sent by, such as {{note: 36}}, not {node['at']!r}")
        if at.kind == "program":
            self.wrong(loc, "light: a program lights nothing - say what does, such as at: {note: 36}")
        states = {name: value for name, value in node.items() if name != "at"}
        self.known(states, (*STATES, "at"), loc)
        return Light(at, {name: self._glow(value, (*loc, name)) for name, value in states.items()})

    def _glow(self, node: Any, loc: Loc) -> Glow:
        if not isinstance(node, dict):
            state = str(loc[-1])
            return Glow(self.whole({state: node}, state, loc[:-1], 0, HIGHEST, 0))
        self.known(node, _GLOW, loc)
        channel = self.whole(node, "channel", loc, 1, 16, 1) if "channel" in node else None
        every_s = self.span_s(node, "every", loc, BLINK_S)
        if every_s < 0.1:
            self.wrong((*loc, "every"), "every: at least 100ms")
        if ("value" in node) == ("blink" in node):
            self.wrong(loc, "give one of value and blink, such as {blink: 127} or {blink: [5, 60]}")
            return Glow(0)
        if "value" in node:
            return Glow(self.whole(node, "value", loc, 0, HIGHEST, 0), None, every_s, channel)
        pair = node["blink"] if isinstance(node["blink"], list) else [node["blink"], 0]
        if len(pair) != 2:
            self.wrong((*loc, "blink"), "blink: one value, or two such as [5, 60]")
            return Glow(0)
        value, other = (self.whole({"blink": each}, "blink", loc, 0, HIGHEST, 0) for each in pair)
        return Glow(value, other, every_s, channel)


def _whole_message(message: bytes) -> bool:
    if len(message) < 2 or message[0] < 0x80 or max(message[1:-1], default=0) > HIGHEST:
        return False
    if message[0] == 0xF0:
        return message[-1] == 0xF7
    return message[0] < 0xF0 and message[-1] <= HIGHEST and len(message) == (2 if message[0] & 0xE0 == 0xC0 else 3)
