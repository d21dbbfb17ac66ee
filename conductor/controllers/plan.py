"""What a checked map says: the keys, faders and encoders of a controller, and its lights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conductor.controllers.message import Key
from conductor.controllers.pads import DEBOUNCE_S
from conductor.controllers.takeover import Encoding, Scale

BLINK_S = 0.5


@dataclass(frozen=True, slots=True)
class Deed:
    """What a key does.

    Attributes:
        verb: of the show.
        arguments: of the verb.
    """

    verb: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Glow:
    """How a light shines.

    Attributes:
        value: 0 to 127; brightness or colour, as the controller has it.
        other: what it blinks to; None: it does not blink.
        every_s: length of a blink, both of its halves.
        channel: to send it on, where the controller blinks by channels; None: the light's own.
    """

    value: int
    other: int | None = None
    every_s: float = BLINK_S
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Light:
    """A light.

    Attributes:
        at: what it is sent by.
        glows: by state (see `STATES`); what is not there shows as the state that is nearest.
    """

    at: Key
    glows: Mapping[str, Glow]


@dataclass(frozen=True, slots=True)
class Button:
    """A key, pad or pedal.

    Attributes:
        key: what it sends.
        name: for people.
        does: when it is pressed.
        undoes: when it is pressed while its light says that it is in force; None: the same.
        on, off: from which value on it is down, and below which it is up.
        latching: it stays where it is put, and each turn counts.
        debounce_s: for how long it has to be quiet.
        light: None: it has none.
    """

    key: Key
    name: str
    does: Deed
    undoes: Deed | None = None
    on: int = 1
    off: int = 1
    latching: bool = False
    debounce_s: float = DEBOUNCE_S
    light: Light | None = None


@dataclass(frozen=True, slots=True)
class Dial:
    """A fader, or an encoder: it sets an argument of the next order of a verb.

    Attributes:
        key: what it sends.
        name: for people.
        verb, argument: what it sets.
        scale: its values.
        start: the value before it is moved; None: none.
        soft: whether a fader takes a value over only once it has reached it.
        step, encoding: of an encoder; None: it is a fader.
        after_s: rested for so long, it gives the order by itself; None: never.
    """

    key: Key
    name: str
    verb: str
    argument: str
    scale: Scale
    start: float | None = None
    soft: bool = True
    step: float | None = None
    encoding: Encoding | None = None
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class ControllerMap:
    """A checked map.

    Attributes:
        name: of the controller, for people.
        port: name, or part of the name, of the port that is heard.
        lights_port: of the port that lights are sent to; empty: none.
        buttons, dials: its controls.
        hello, goodbye: messages sent when that port is there, and before it is let go.
        path: of the file.
    """

    name: str
    port: str
    lights_port: str = ""
    buttons: tuple[Button, ...] = ()
    dials: tuple[Dial, ...] = ()
    hello: tuple[bytes, ...] = ()
    goodbye: tuple[bytes, ...] = ()
    path: Path = Path("map.yaml")
