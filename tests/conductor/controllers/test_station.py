"""Controllers at their ports: plugged in and out, answered late or never, with a broken one among them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from conductor.controllers.scene import Scene
from conductor.controllers.station import EVERY_S, LIGHTS_EVERY_S, MOST_OPEN, Answered, Station
from conductor.controllers.surface import Press
from tests.conductor.controllers.making import made, off, on

READY = Scene(standby="noon", phases={"noon": "ready"})
GO = "{note: 36, does: go, light: {ready: 21, refused: 5}}\n{note: 37, does: panic}"


class Box:
    """A controller: both of its ports."""

    def __init__(self) -> None:
        self.coming: list[bytes] = []
        self.shown: list[bytes] = []
        self.stale = False

    def receive(self) -> bytes | None:
        return self.coming.pop(0) if self.coming else None

    def send(self, message: bytes) -> None:
        self.shown.append(message)

    def close(self) -> None:
        self.stale = True


class Machine:
    """Boxes by name, each with a port of each direction."""

    def __init__(self, **boxes: Box) -> None:
        self.boxes = dict(boxes)
        self.opened = 0

    def names(self) -> list[str]:
        return list(self.boxes)

    def open(self, name: str) -> Box:
        self.opened += 1
        return self.boxes[name]

    def missing(self) -> str:
        return "nothing is plugged in"


class Desk:
    """A station whose time is moved by hand, and the show it gives its orders to."""

    def __init__(
        self, folder: Path, machine: Machine, head: str = "port: pads", *, lamps: Machine | None = None
    ) -> None:
        self.now_s = 100.0
        self.orders: list[tuple[Press, str, Answered]] = []
        self.said: list[tuple[bool, str]] = []
        self.station = Station(
            [made(folder, GO, head)],
            lambda press, who, answered: self.orders.append((press, who, answered)),
            lambda good, text: self.said.append((good, text)),
            inputs=lambda: machine,
            outputs=lambda: lamps or machine,
            clock=lambda: self.now_s,
        )
        self.look()

    def look(self) -> None:
        """Let the ports be looked for, as their own threads do."""
        for desk in self.station._desks:
            desk.input.look()
            if desk.lights:
                desk.lights.look()

    def go_on(self, seconds: float = LIGHTS_EVERY_S) -> None:
        for _ in range(round(seconds / EVERY_S) + 1):
            self.station.step()
            self.now_s += EVERY_S

    @property
    def verbs(self) -> list[str]:
        return [press.verb for press, _, _ in self.orders]


def test_a_press_is_handed_on_with_who_gave_it_and_lights_follow_the_show(tmp_path: Path) -> None:
    box = Box()
    desk = Desk(tmp_path, Machine(pads=box), head="name: Pads\nport: pads\nhello: [F0 01 F7]\ngoodbye: [F0 02 F7]")
    desk.station.show(READY)
    box.coming = [on(36), off(36)]
    desk.go_on()
    [(press, who, _)] = desk.orders
    assert (press.verb, press.expect_standby, who) == ("go", "noon", "Pads")
    assert box.shown == [b"\xf0\x01\xf7", on(36, 21)]
    desk.station.close()
    assert box.shown[2:] == [on(36, 0), b"\xf0\x02\xf7"]
    assert desk.said == [(True, "Pads is heard from pads")]


def test_a_refusal_flashes_and_is_told_and_an_order_that_was_obeyed_is_not(tmp_path: Path) -> None:
    box = Box()
    desk = Desk(tmp_path, Machine(pads=box))
    desk.station.show(READY)
    box.coming = [on(36), off(36)]
    desk.go_on()
    desk.orders[0][2]("Noon is not ready yet")
    desk.go_on()
    assert box.shown == [on(36, 21), on(36, 5)]
    assert desk.said[1:] == [(True, "map: go refused: Noon is not ready yet")]
    desk.go_on(1.0)
    box.coming = [on(36), off(36)]
    del box.shown[:]
    desk.go_on()
    desk.orders[1][2]("")
    desk.go_on()
    assert box.shown == []
    assert len(desk.said) == 2


def test_a_controller_that_is_not_there_is_waited_for_and_lit_when_it_comes(tmp_path: Path) -> None:
    machine, box = Machine(), Box()
    desk = Desk(tmp_path, machine)
    desk.station.show(READY)
    desk.go_on()
    machine.boxes["pads"] = box
    desk.look()
    desk.go_on()
    assert box.shown == [on(36, 21)]
    assert [good for good, _ in desk.said] == [False, True]


def test_pulled_out_with_a_key_down_and_put_in_again_it_is_lit_and_obeyed_as_new(tmp_path: Path) -> None:
    machine, box, again = Machine(), Box(), Box()
    machine.boxes["pads"] = box
    desk = Desk(tmp_path, machine)
    desk.station.show(READY)
    box.coming = [on(36)]
    desk.go_on()
    del machine.boxes["pads"]
    desk.look()
    desk.go_on()
    machine.boxes["pads"] = again
    desk.look()
    again.coming = [on(36)]
    desk.go_on()
    assert desk.verbs == ["go", "go"]
    assert again.shown == [on(36, 21)]
    assert [good for good, _ in desk.said] == [True, False, True]


def test_one_put_back_so_fast_that_nobody_saw_it_go_has_its_keys_up(tmp_path: Path) -> None:
    box, again = Box(), Box()
    machine = Machine(pads=box)
    desk = Desk(tmp_path, machine)
    box.coming = [on(36)]
    desk.go_on(1.0)
    box.stale = True
    machine.boxes["pads"] = again
    desk.look()
    again.coming = [on(36)]
    desk.go_on()
    assert desk.verbs == ["go", "go"]


def test_lights_are_out_while_the_keys_are_not_heard(tmp_path: Path) -> None:
    keys, lamps = Machine(), Machine()
    lamps.boxes["pads"] = lamp = Box()
    desk = Desk(tmp_path, keys, lamps=lamps)
    desk.station.show(READY)
    desk.go_on()
    assert lamp.shown == []
    keys.boxes["pads"] = Box()
    desk.look()
    desk.go_on()
    assert lamp.shown == [on(36, 21)]


@pytest.mark.parametrize("noticed", ["keys", "lamps"])
def test_when_its_going_was_noticed_at_one_port_alone_both_are_opened_anew(tmp_path: Path, noticed: str) -> None:
    machines = {"keys": Machine(pads=Box()), "lamps": Machine(pads=Box())}
    desk = Desk(tmp_path, machines["keys"], lamps=machines["lamps"])
    desk.station.show(READY)
    desk.go_on()
    del machines[noticed].boxes["pads"]
    desk.look()
    desk.go_on()
    again = Box()
    for machine in machines.values():
        machine.boxes["pads"] = again
    for _ in range(3):
        desk.look()
        desk.go_on()
    assert again.shown == [on(36, 21)]
    again.coming = [on(36)]
    desk.go_on()
    assert desk.verbs == ["go"]
    assert machines["keys"].opened + machines["lamps"].opened == 4, "each once more, and that is all"


def test_a_show_that_does_not_answer_gets_no_more_orders_than_it_may_have_open(tmp_path: Path) -> None:
    box = Box()
    desk = Desk(tmp_path, Machine(pads=box))
    for _ in range(MOST_OPEN + 3):
        box.coming = [on(37), off(37)]
        desk.go_on(0.1)
    assert len(desk.orders) == MOST_OPEN
    assert [text for _, text in desk.said[1:]] == ["map: panic refused: the show does not answer"] * 3
    # Those that were not answered are given up, and whatever is answered afterwards is of no account.
    desk.go_on(6.0)
    desk.orders[0][2]("too late")
    box.coming = [on(37), off(37)]
    desk.go_on()
    assert len(desk.orders) == MOST_OPEN + 1
    assert "too late" not in str(desk.said)


def test_ten_thousand_messages_a_second_give_no_order_and_are_told_once(tmp_path: Path) -> None:
    box = Box()
    desk = Desk(tmp_path, Machine(pads=box))
    for _ in range(500):
        box.coming.extend([on(36), off(36)] * 10)
        desk.go_on(0.0)
    assert desk.orders == []
    assert len(desk.said) == 2
    assert len(box.coming) < 40, "they are taken as fast as they come"


def test_whatever_breaks_is_told_and_the_controllers_go_on(tmp_path: Path) -> None:
    box, told, obeyed = Box(), threading.Event(), threading.Event()
    given = list[str]()

    def give(press: Press, who: str, answered: Answered) -> None:
        given.append(press.verb)
        answered("" if who == "map" else "by nobody")
        if len(given) == 1:
            raise RuntimeError("broken")
        obeyed.set()

    def say(good: bool, text: str) -> None:
        if not good:
            assert "begin again" in text
            told.set()

    machine = Machine(pads=box)
    station = Station([made(tmp_path, GO)], give, say, inputs=lambda: machine, outputs=lambda: machine)
    station.start()
    box.coming.append(on(36))
    assert told.wait(10.0)
    box.coming.append(on(37))
    assert obeyed.wait(10.0)
    station.close()
    assert given == ["go", "panic"]
