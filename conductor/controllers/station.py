"""The thread in which controllers are heard and lit, whatever is plugged in or out meanwhile.

It looks for messages every two milliseconds and hands orders on; who carries them out
answers whenever it likes. The show never waits for it, nor it for the show.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from conductor.controllers.plan import ControllerMap
from conductor.controllers.scene import Scene
from conductor.controllers.surface import Press, Surface
from streaming.midi.heldport import HeldInput, HeldPort
from streaming.midi.ports import InPorts, Ports, SystemInPorts, SystemPorts

log = logging.getLogger(__name__)

EVERY_S = 0.002
LIGHTS_EVERY_S = 0.025
# What one controller is heard of at a time; a thousand times more than hands can do, and no more than a moment's work.
_MOST_MESSAGES = 256
# Orders that were not answered yet; more of them are refused here.
MOST_OPEN = 32
_OPEN_FOR_S = 5.0
_REST_AFTER_FAULT_S = 1.0

Answered = Callable[[str], None]


class Give(Protocol):
    """Hands an order to the show, from the thread of the controllers; returns at once."""

    def __call__(self, press: Press, who: str, answered: Answered) -> None:
        """Hand it on; `answered` is called once, from any thread, with the reason of a refusal or nothing."""


class _Side:
    """One of the two ports of a controller, and since when it is the one that is there now.

    Args:
        port: it.
    """

    def __init__(self, port: HeldInput | HeldPort) -> None:
        self.port = port
        self._there = self._asked = False
        self._opened_s = self._gone_s = float("-inf")

    def look(self, now_s: float) -> tuple[bool, bool]:
        """Return whether it was opened just now, and whether the controller was plugged in anew by that."""
        fresh, there = self.port.take_fresh(), self.port.there
        if self._there and (fresh or not there):
            self._gone_s = now_s
        self._there = there
        if not fresh:
            return False, False
        asked, self._asked = self._asked, False
        self._opened_s = now_s
        return True, not asked

    def open_with(self, other: _Side) -> None:
        """Have it opened again if it was opened before the other one went away."""
        if self._there and self._opened_s < other._gone_s:
            self._asked = True
            self.port.open_again()


class _Desk:
    """A controller at its ports."""

    def __init__(
        self, plan: ControllerMap, news: Callable[[bool, str], None], inputs: InPorts, outputs: Ports | None
    ) -> None:
        self.surface = Surface(plan)
        self.input = HeldInput(plan.port, inputs, news, f"{plan.name} is heard from")
        self._heard = _Side(self.input)
        self.lights: HeldPort | None = None
        self._lit: _Side | None = None
        if outputs is not None:
            # That its input is there is told already.
            self.lights = HeldPort(plan.lights_port, outputs, _log_news, f"lights of {plan.name} go to")
            self._lit = _Side(self.lights)
        self._greet = False

    def start(self) -> None:
        self.input.start()
        if self.lights is not None:
            self.lights.start()

    def hear(self, now_s: float) -> list[Press]:
        self._look_after(now_s)
        heard = self.input.receive(_MOST_MESSAGES) if self.input.there else []
        return [*self.surface.hear(heard, now_s), *self.surface.tick(now_s)]

    def _look_after(self, now_s: float) -> None:
        """See to it that both ports are of the controller as it is plugged in now.

        Pulled out and put in again at once, its going may be noticed at one of its ports
        alone; the other would be dead from then on.
        """
        opened, anew = self._heard.look(now_s)
        if opened:
            self.surface.unplugged()
        if self._lit is None:
            return
        lit, lit_anew = self._lit.look(now_s)
        self._greet = self._greet or lit
        if anew:
            self._lit.open_with(self._heard)
        if lit_anew:
            self._heard.open_with(self._lit)

    def shine(self, now_s: float) -> None:
        # A light of a key that is not heard would promise what is not so.
        if self.lights is None or not self.lights.there or not self.input.there:
            return
        if self._greet:
            self._greet = False
            self.lights.send(self.surface.plugged_in())
        self.lights.send(self.surface.lights(now_s))

    def close(self) -> None:
        self.input.close()
        if self.lights is not None:
            self.lights.send(self.surface.dark())
            self.lights.close()


class Station:
    """All controllers of a show.

    Args:
        maps: what each of them does.
        give: takes the orders.
        say: tells a person whether all is well, and a line; called from another thread.
        inputs, outputs: make the ports of the machine.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        maps: Iterable[ControllerMap],
        give: Give,
        say: Callable[[bool, str], None],
        *,
        inputs: Callable[[], InPorts] = lambda: SystemInPorts("controller"),
        outputs: Callable[[], Ports] = lambda: SystemPorts("lights"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._give, self._say, self._clock = give, say, clock
        self._desks = [_Desk(plan, say, inputs(), outputs() if plan.lights_port else None) for plan in maps]
        self._scene: Scene | None = None
        self._answers: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
        self._open: dict[int, tuple[_Desk, Press]] = {}
        self._orders = 0
        self._lit_s = float("-inf")
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="controllers", daemon=True)

    def start(self) -> None:
        """Begin to look for the controllers and to obey them."""
        for desk in self._desks:
            desk.start()
        self._thread.start()

    def show(self, scene: Scene) -> None:
        """Let the lights show a moment of the show; may be called from any thread."""
        self._scene = scene

    def close(self) -> None:
        """Put the lights out and let go of all ports."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        for desk in self._desks:
            desk.close()

    # --- in the thread of the controllers ---

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                while not self._closing.is_set():
                    self.step()
                    time.sleep(EVERY_S)
            except Exception:
                # Whatever it was, the show goes on, and so do they after a moment.
                log.exception("the controllers broke off")
                self._say(False, "the controllers broke off and begin again (the log tells why)")
                self._closing.wait(_REST_AFTER_FAULT_S)

    def step(self) -> None:
        """Hear, order, answer and shine once."""
        now_s = self._clock()
        self._take_answers(now_s)
        scene, self._scene = self._scene, None
        lit = now_s - self._lit_s >= LIGHTS_EVERY_S
        for desk in self._desks:
            if scene is not None:
                desk.surface.show(scene)
            for press in desk.hear(now_s):
                self._order(desk, press)
            if lit or scene is not None:
                desk.shine(now_s)
            for line in desk.surface.news:
                self._say(True, line)
            desk.surface.news.clear()
        if lit:
            self._lit_s = now_s

    def _order(self, desk: _Desk, press: Press) -> None:
        if len(self._open) >= MOST_OPEN:
            desk.surface.answered(press, "the show does not answer", press.at_s)
            return
        self._orders += 1
        number = self._orders
        self._open[number] = (desk, press)
        self._give(press, desk.surface.plan.name, lambda reason: self._answers.put((number, reason)))

    def _take_answers(self, now_s: float) -> None:
        while not self._answers.empty():
            number, reason = self._answers.get()
            if number in self._open:
                desk, press = self._open.pop(number)
                desk.surface.answered(press, reason, now_s)
        for number in [n for n, (_, press) in self._open.items() if now_s - press.at_s > _OPEN_FOR_S]:
            desk, press = self._open.pop(number)
            desk.surface.answered(press, "the show does not answer", now_s)


def _log_news(there: bool, text: str) -> None:
    log.log(logging.INFO if there else logging.WARNING, "%s", text)
