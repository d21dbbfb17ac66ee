"""One controller: messages and times in, presses and lights out. It knows no ports, no threads and no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from conductor.controllers.flood import Flood
from conductor.controllers.lamps import Lamps
from conductor.controllers.message import Key, heard
from conductor.controllers.pads import Edge, Pad
from conductor.controllers.plan import Button, ControllerMap, Deed, Dial
from conductor.controllers.scene import Scene, state_of
from conductor.controllers.takeover import Encoder, Fader

_GO = "go"


@dataclass(frozen=True, slots=True)
class Press:
    """An order that a controller gives.

    Attributes:
        verb, arguments: of the order.
        at_s: monotonic seconds at which it was heard.
        index: of the button; None: a fader that rested.
        expect_standby: the cue that GO was pressed for, as the lights had it.
    """

    verb: str
    arguments: dict[str, Any] = field(default_factory=dict)
    at_s: float = 0.0
    index: int | None = None
    expect_standby: str | None = None


class Surface:
    """A controller.

    Args:
        plan: its map.

    Attributes:
        news: lines for a person, to be taken by whoever reads them.
    """

    def __init__(self, plan: ControllerMap) -> None:
        self.plan = plan
        self.news: list[str] = []
        self._scene = Scene()
        self._pads = {button.key: (index, button, _pad(button)) for index, button in enumerate(plan.buttons)}
        self._dials = {dial.key: (dial, _hardware(dial)) for dial in plan.dials}
        # What faders and encoders were moved to, for the next order of a verb.
        self._set: dict[str, dict[str, float]] = {}
        self._resting: dict[Key, float] = {}
        self._flood = Flood()
        self._lamps = Lamps(plan.buttons)

    # --- what is heard ---

    def hear(self, messages: Sequence[bytes], now_s: float) -> list[Press]:
        """Return the orders that come of messages.

        Args:
            messages: that came since the last time, the oldest first.
            now_s: monotonic seconds.
        """
        pressed, turned = list[tuple[int, Button]](), 0
        for message in messages:
            said = heard(message)
            if said is None:
                continue
            key, value = said
            if key in self._pads:
                index, button, pad = self._pads[key]
                edge = pad.hear(value, now_s)
                turned += edge is not Edge.NONE
                if edge is Edge.PRESS:
                    pressed.append((index, button))
            elif key in self._dials:
                self._move(key, value, now_s)
        if self._flood.hear(turned, now_s):
            self.news.append(
                f"{self.plan.name} presses keys faster than any hand: they are not obeyed until it is calm"
                if self._flood.muted
                else f"{self.plan.name} is calm again: its keys are obeyed"
            )
        if self._flood.muted:
            return []
        return [press for index, button in pressed if (press := self._press(index, button, now_s))]

    def tick(self, now_s: float) -> list[Press]:
        """Return the orders of faders that have come to rest."""
        ripe = [key for key, at_s in self._resting.items() if now_s >= at_s]
        for key in ripe:
            del self._resting[key]
        verbs = dict.fromkeys(self._dials[key][0].verb for key in ripe)
        return [Press(verb, dict(self._set[verb]), now_s) for verb in verbs if self._set.get(verb)]

    def _press(self, index: int, button: Button, now_s: float) -> Press | None:
        deed = self._deed(button)
        if deed.verb == _GO and self._other_go(button, now_s):
            self._lamps.refuse(index, now_s)
            self.news.append(f"{self.plan.name}: {button.name}: GO is still held down by another key - let it go first")
            return None
        arguments = {**self._set.get(deed.verb, {}), **deed.arguments}
        standby = self._scene.standby if deed.verb == _GO else None
        return Press(deed.verb, arguments, now_s, index, standby)

    def _deed(self, button: Button) -> Deed:
        does = button.does
        if button.undoes is not None and state_of(does.verb, does.arguments, self._scene) == "on":
            return button.undoes
        return does

    def _other_go(self, button: Button, now_s: float) -> bool:
        return any(
            other.does.verb == _GO and pad.held(now_s)
            for _, other, pad in self._pads.values()
            if other.key != button.key
        )

    def _move(self, key: Key, value: int, now_s: float) -> None:
        dial, hardware = self._dials[key]
        new = hardware.moved(value) if isinstance(hardware, Fader) else hardware.turned(value)
        if new is None:
            return
        self._set.setdefault(dial.verb, {})[dial.argument] = new
        for other, other_hardware in self._dials.values():
            if other.key != key and (other.verb, other.argument) == (dial.verb, dial.argument):
                other_hardware.put(new)
        if dial.after_s is not None:
            self._resting[key] = now_s + dial.after_s

    # --- what is shown ---

    def show(self, scene: Scene) -> None:
        """Take note of how the show is: lights follow, and faders have to be picked up where values moved."""
        for (verb, argument), value in scene.values.items():
            if self._scene.values.get((verb, argument)) == value:
                continue
            # What a fader was moved to for what was live before is not meant for what is live now.
            self._set.get(verb, {}).pop(argument, None)
            for dial, hardware in self._dials.values():
                if (dial.verb, dial.argument) == (verb, argument):
                    hardware.put(value)
        self._scene = scene

    def answered(self, press: Press, reason: str, now_s: float) -> None:
        """Take note of why an order was refused; an empty reason: it was not."""
        if reason:
            if press.index is not None:
                self._lamps.refuse(press.index, now_s)
            self.news.append(f"{self.plan.name}: {press.verb} refused: {reason}")

    def lights(self, now_s: float) -> list[bytes]:
        """Return the messages that make its lights right."""
        return self._lamps.messages(self._scene, now_s)

    def dark(self) -> list[bytes]:
        """Return the messages that put its lights out, and its farewell."""
        return [*self._lamps.dark(), *self.plan.goodbye]

    def plugged_in(self) -> list[bytes]:
        """Take note that its lights' port was opened anew; return its greeting."""
        self._lamps.forget()
        return list(self.plan.hello)

    def unplugged(self) -> None:
        """Take note that it is not heard any more: keys are up, and faders may be anywhere."""
        for _, _, pad in self._pads.values():
            pad.let_go()
        for _, hardware in self._dials.values():
            if isinstance(hardware, Fader):
                hardware.lost()


def _pad(button: Button) -> Pad:
    return Pad(
        button.on,
        button.off,
        debounce_s=button.debounce_s,
        latching=button.latching,
        returns=button.key.kind != "program",
    )


def _hardware(dial: Dial) -> Fader | Encoder:
    if dial.encoding is not None and dial.step is not None:
        return Encoder(dial.scale, dial.step, dial.encoding, dial.start)
    return Fader(dial.scale, dial.start, soft=dial.soft)
