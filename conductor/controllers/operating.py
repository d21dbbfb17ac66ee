"""Controllers at a show: their orders are the operator's, and their lights show how it is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import Any

from conductor import cues as c
from conductor.controllers.plan import ControllerMap
from conductor.controllers.scene import Scene
from conductor.controllers.station import Answered, Station
from conductor.controllers.surface import Press
from conductor.operating.order import Order
from conductor.show.show import Show

log = logging.getLogger(__name__)

_FADERS = ("energy", "density", "tempo_bpm")


def scene_of(state: c.State) -> Scene:
    """Return what lights and faders go by."""
    live, standby = state.live, state.standby
    lit = {
        "hold": state.held,
        "endless": state.endless is not None and state.endless_on,
        "lock": state.locked,
        "panic": state.panicked,
    }
    numbers: dict[str, c.Slot] = {}
    for slot in state.slots:
        # Of a cue and what repeats it, the one to come.
        known = numbers.get(slot.cue.number)
        if known is None or known.phase in c.OVER or slot.phase not in c.OVER:
            numbers[slot.cue.number] = slot
    idle = {"undo": not state.undo, "redo": not state.redo}
    return Scene(
        live=live.cue.id if live else None,
        standby=standby.cue.id if standby else None,
        playing=state.player,
        phases={slot.cue.id: str(slot.phase) for slot in state.slots},
        numbers={number: slot.cue.id for number, slot in numbers.items()},
        lit=frozenset(verb for verb, is_lit in lit.items() if is_lit),
        idle=frozenset(verb for verb, is_idle in idle.items() if is_idle),
        values=_values(live),
    )


def _values(live: c.Slot | None) -> dict[tuple[str, str], float]:
    """Return what a change of the live piece begins from."""
    if live is None:
        return {}
    wished = dict(live.wish)
    values: dict[tuple[str, str], float] = {}
    for name in _FADERS:
        value: Any = wished.get(name, getattr(live.cue.controls, name))
        value = getattr(value, "plain", value)
        if isinstance(value, int | float):
            values["change", name] = value
    return values


class Controllers:
    """The controllers of a show; made and closed in the thread of its loop.

    Args:
        show: the show.
        maps: of the controllers.
        station: makes the thread that hears and lights them.
    """

    def __init__(self, show: Show, maps: Iterable[ControllerMap], station: Callable[..., Station] = Station) -> None:
        self._show = show
        self._loop = asyncio.get_running_loop()
        self._scene: Scene | None = None
        self._station = station(maps, self._give, self._say)

    def start(self) -> None:
        """Begin to look for them, to obey and to light them."""
        self._show.changed.append(self._changed)
        self._changed()
        self._station.start()

    def close(self) -> None:
        """Put their lights out and let go of them."""
        with contextlib.suppress(ValueError):
            self._show.changed.remove(self._changed)
        self._station.close()

    def _changed(self) -> None:
        scene = scene_of(self._show.state)
        if scene != self._scene:
            self._scene = scene
            self._station.show(scene)

    # --- from the thread of the controllers ---

    def _give(self, press: Press, who: str, answered: Answered) -> None:
        self._soon(self._obey, press, who, answered)

    def _say(self, good: bool, text: str) -> None:
        self._soon(self._tell, good, text)

    def _soon(self, call: Callable[..., None], *arguments: object) -> None:
        # A show that has ended takes no orders.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *arguments)

    # --- in the thread of the show ---

    def _tell(self, good: bool, text: str) -> None:
        (self._show.chronicle.say if good else self._show.chronicle.warn)(text)
        self._show.chronicle.log("controller", detail=text)

    def _obey(self, press: Press, who: str, answered: Answered) -> None:
        order = Order(press.verb, press.arguments, who, "midi", expect_standby=press.expect_standby)
        try:
            answered(self._show.dispatcher.give(order).reason)
        except Exception:
            log.exception("%s: %s", who, press)
            answered("it could not be done (the log tells why)")
