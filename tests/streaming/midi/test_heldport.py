"""A MIDI port that goes and comes back: said once, never waited for, opened again."""

from __future__ import annotations

import pytest

from streaming.errors import MidiPortError
from streaming.midi.heldport import HeldInput, HeldPort, chosen


class Device:
    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.broken = self.closed = self.stale = False

    def send(self, message: bytes) -> None:
        if self.broken:
            raise MidiPortError("it is broken")
        self.heard.append(message)

    def close(self) -> None:
        self.closed = True


class Pedal:
    def __init__(self, *messages: bytes) -> None:
        self.coming = list(messages)
        self.closed = self.stale = False

    def receive(self) -> bytes | None:
        return self.coming.pop(0) if self.coming else None

    def close(self) -> None:
        self.closed = True


class Pedals:
    """Pedals by name."""

    def __init__(self, **pedals: Pedal) -> None:
        self.pedals = dict(pedals)

    def names(self) -> list[str]:
        return list(self.pedals)

    def open(self, name: str) -> Pedal:
        return self.pedals[name]

    def missing(self) -> str:
        return "nothing is plugged in"


class Machine:
    """Ports by name; one that is None cannot be opened."""

    def __init__(self, **devices: Device | None) -> None:
        self.devices: dict[str, Device | None] = dict(devices)

    def names(self) -> list[str]:
        return list(self.devices)

    def open(self, name: str) -> Device:
        device = self.devices[name]
        if device is None:
            raise MidiPortError(f"{name}: is in use")
        return device

    def missing(self) -> str:
        return "nothing is plugged in"


def held(machine: Machine, wanted: str = "piano") -> tuple[HeldPort, list[tuple[bool, str]]]:
    news: list[tuple[bool, str]] = []
    return HeldPort(wanted, machine, lambda there, text: news.append((there, text))), news


@pytest.mark.parametrize(
    ("wanted", "names", "meant"),
    [
        ("keys", ["synth:keys", "keys"], "keys"),
        ("usb piano", ["Through 14:0", "USB Piano:USB Piano MIDI 1 20:0"], "USB Piano:USB Piano MIDI 1 20:0"),
        ("organ", ["synth:keys"], None),
    ],
)
def test_a_port_is_meant_by_its_name_or_a_part_of_it(wanted: str, names: list[str], meant: str | None) -> None:
    assert chosen(wanted, names) == meant


def test_what_is_sent_while_it_is_away_is_lost_and_nobody_waits() -> None:
    machine = Machine()
    port, news = held(machine)
    port.look()
    port.send([b"\x90\x3c\x50"])
    assert port.sent == 0
    assert not port.take_fresh()
    [(there, text)] = news
    assert not there
    assert "piano" in text
    assert "nothing is plugged in" in text


def test_its_going_and_coming_are_said_once_and_who_sends_learns_that_it_is_fresh() -> None:
    first, second = Device(), Device()
    machine = Machine(piano=first)
    port, news = held(machine)
    for _ in range(3):
        port.look()
    assert port.take_fresh()
    assert not port.take_fresh()
    port.send([b"\x90\x3c\x50", b"\x80\x3c\x40"])
    assert first.heard == [b"\x90\x3c\x50", b"\x80\x3c\x40"]
    del machine.devices["piano"]
    for _ in range(3):
        port.look()
    assert first.closed
    assert not port.there
    machine.devices["piano"] = second
    for _ in range(3):
        port.look()
    port.send([b"\xf8"])
    assert second.heard == [b"\xf8"]
    assert port.take_fresh()
    assert [there for there, _ in news] == [True, False, True]
    assert "is gone" in news[1][1]


def test_one_that_takes_nothing_is_let_go_and_opened_again_when_it_is_looked_after() -> None:
    broken, whole = Device(), Device()
    broken.broken = True
    machine = Machine(piano=broken)
    port, _ = held(machine)
    port.look()
    port.take_fresh()
    port.send([b"\xf8"])
    machine.devices["piano"] = whole
    port.look()
    assert broken.closed
    assert port.take_fresh()
    port.send([b"\xf8"])
    assert whole.heard == [b"\xf8"]


def test_nothing_more_is_sent_into_a_port_that_nobody_looked_after_for_long() -> None:
    device = Device()
    port, _ = held(Machine(piano=device))
    port.look()
    port.take_fresh()
    for _ in range(10_000):
        port.send([b"\xf8"])
    # More would fill the buffer of a server that has died, and whoever fills it waits for ever.
    assert 1000 < len(device.heard) < 2300
    port.look()
    assert port.take_fresh(), "what was left out is made good"
    port.send([b"\xfa"])
    assert device.heard[-1] == b"\xfa"


def test_one_that_cannot_be_opened_says_why() -> None:
    port, news = held(Machine(piano=None))
    port.look()
    assert "is in use" in news[0][1]


def test_it_is_looked_for_in_a_thread_of_its_own_until_it_is_closed() -> None:
    device = Device()
    port, news = held(Machine(piano=device))
    port.start()
    while not news:
        pass
    port.close()
    assert news[0][0]
    assert device.closed


def test_one_whose_server_is_another_by_now_is_opened_anew_though_its_name_never_went_away() -> None:
    before, after = Device(), Device()
    machine = Machine(piano=before)
    port, _ = held(machine)
    port.look()
    port.take_fresh()
    before.stale = True
    machine.devices["piano"] = after
    port.look()
    assert before.closed
    assert port.take_fresh()


def test_one_that_is_asked_to_is_opened_again_and_nothing_is_said_of_it() -> None:
    port, news = held(Machine(piano=Device()))
    port.open_again()
    port.look()
    assert port.take_fresh()
    port.look()
    assert not port.take_fresh(), "it was not open yet when it was asked"
    port.open_again()
    port.look()
    assert port.take_fresh()
    assert len(news) == 1


def test_what_is_heard_comes_in_order_no_more_at_once_than_is_taken_and_again_after_it_was_away() -> None:
    first, second = Pedal(b"\x90\x01\x7f", b"\x80\x01\x00", b"\x90\x02\x7f"), Pedal(b"\x90\x03\x7f")
    pedals = Pedals(pedal=first)
    news: list[tuple[bool, str]] = []
    port = HeldInput("pedal", pedals, lambda there, text: news.append((there, text)), "GO is heard from")
    assert port.receive(9) == []
    port.look()
    assert port.receive(2) == [b"\x90\x01\x7f", b"\x80\x01\x00"]
    assert port.receive(2) == [b"\x90\x02\x7f"]
    assert port.receive(2) == []
    del pedals.pedals["pedal"]
    port.look()
    assert first.closed
    assert port.receive(2) == []
    pedals.pedals["pedal"] = second
    port.look()
    assert port.receive(2) == [b"\x90\x03\x7f"]
    assert [text.split(" (")[0] for _, text in news] == [
        "GO is heard from pedal",
        'the MIDI port "pedal" is gone; it is looked for until it is back',
        "GO is heard from pedal",
    ]
