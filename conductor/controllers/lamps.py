"""The lights of a controller: what they have to show now, and which messages make them."""

from __future__ import annotations

from collections.abc import Sequence

from conductor.controllers.message import Key
from conductor.controllers.plan import Button, Glow, Light
from conductor.controllers.scene import STATES, Scene, state_of

# A key that was refused shows it for so long.
FLASH_S = 0.6
_FLASH_EVERY_S = 0.2


def glow_of(light: Light, state: str) -> Glow:
    """Return how a light shows a state, or the nearest one that it can show."""
    at: str | None = state if state in STATES else "off"
    while at is not None:
        if at in light.glows:
            return light.glows[at]
        at = STATES[at]
    return Glow(0)


class Lamps:
    """Remembers what each light shows, so that only what differs is sent.

    Args:
        buttons: those of the map.
    """

    def __init__(self, buttons: Sequence[Button]) -> None:
        self._lit = [(index, each, each.light) for index, each in enumerate(buttons) if each.light]
        self._shown: dict[Key, tuple[int, int]] = {}
        self._refused_s: dict[int, float] = {}

    def refuse(self, index: int, now_s: float) -> None:
        """Let a button show for a moment that it was refused."""
        self._refused_s[index] = now_s

    def forget(self) -> None:
        """Take all lights for unknown: the controller was plugged in again."""
        self._shown.clear()

    def messages(self, scene: Scene, now_s: float) -> list[bytes]:
        """Return what has to be sent for all lights to be right."""
        # Two buttons may share a light; the one that shines wins.
        wanted: dict[Key, tuple[int, int]] = {}
        for index, button, light in self._lit:
            value, channel = self._value(index, button, light, scene, now_s)
            if value or light.at not in wanted:
                wanted[light.at] = (value, channel)
        sent = list[bytes]()
        for at, (value, channel) in wanted.items():
            if self._shown.get(at) != (value, channel):
                self._shown[at] = (value, channel)
                sent.append(Key(at.kind, at.number, channel).message(value))
        return sent

    def dark(self) -> list[bytes]:
        """Return what puts all lights out."""
        self._shown.clear()
        return [key.message(0) for key in dict.fromkeys(light.at for _, _, light in self._lit)]

    def _value(self, index: int, button: Button, light: Light, scene: Scene, now_s: float) -> tuple[int, int]:
        refused_s = now_s - self._refused_s.get(index, float("-inf"))
        if refused_s < FLASH_S and "refused" in light.glows:
            # A flash where it does not blink by itself.
            glow = light.glows["refused"]
            if glow.other is None:
                glow = Glow(glow.value, 0, _FLASH_EVERY_S, glow.channel)
            since_s = refused_s
        else:
            glow, since_s = glow_of(light, state_of(button.does.verb, button.does.arguments, scene)), now_s
        second = glow.other is not None and since_s % glow.every_s >= glow.every_s / 2
        value = glow.other if second and glow.other is not None else glow.value
        return value, glow.channel or light.at.channel
