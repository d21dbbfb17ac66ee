"""Show controllers over OSC: orders, answers, feedback; noise does no harm."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket

from conductor.errors import SetlistError, UsageError
from conductor.osc.plan import OscPlan
from conductor.osc.server import MOST, Osc
from conductor.osc.spelling import spelled
from conductor.setlist import load_setlist
from tests.conductor.console.stage import consoled
from tests.conductor.console.test_roles import Clock
from tests.conductor.show.test_show import PATIENCE_S, Running

Message = tuple[str, list[Any]]


@pytest.mark.parametrize(
    ("address", "values", "said"),
    [
        ("/conductor/go", [], ("go", {})),
        ("/conductor/go", [1], ("go", {})),
        ("/conductor/go", [1.0], ("go", {})),
        ("/conductor/go", [True], ("go", {})),
        ("/conductor/go", [0.0], None),
        ("/conductor/hold", [0], None),
        ("/conductor/go", ["dawn"], ("go", {"cue": "dawn"})),
        ("/conductor/standby", [2], ("standby", {"cue": "2"})),
        ("/conductor/standby", [1], ("standby", {"cue": "1"})),
        ("/conductor/fade", [3.0], ("fade", {"seconds": 3.0})),
        ("/conductor/fade/seconds", [3], ("fade", {"seconds": 3})),
        ("/conductor/endless", [0], ("endless", {"on": False})),
        ("/conductor/lock", [True], ("lock", {"on": True})),
        ("/conductor/change/energy", [80.5], ("change", {"energy": 80.5})),
        ("/conductor/change/energy", ["high"], ("change", {"energy": "high"})),
        ("/conductor/change", ["style=jazz", "instruments=piano,flute"],
         ("change", {"style": "jazz", "instruments": ["piano", "flute"]})),
        ("/conductor/take", ["dawn", 2], ("take", {"cue": "dawn", "take": 2})),
    ],
)  # fmt: skip
def test_verbs_are_spelled_as_controllers_send_them(address: str, values: list[Any], said: Any) -> None:
    assert spelled(address, values) == said


@pytest.mark.parametrize(
    ("address", "values", "reason"),
    [
        ("/conductor/halt", [], 'did you mean "hold"'),
        ("/conductor", [], "addresses are"),
        ("/other/go", [], "addresses are"),
        ("", [], "addresses are"),
        ("/conductor/fade/second", [1], 'did you mean "seconds"'),
        ("/conductor/fade", [float("nan")], "texts and numbers"),
        ("/conductor/fade", [b"blob"], "texts and numbers"),
        ("/conductor/fade", [1.0, 2.0], "one too many"),
        ("/conductor/fade/seconds", [], "one value"),
    ],
)
def test_what_is_no_verb_is_told(address: str, values: list[Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        spelled(address, values)


class Controller(asyncio.DatagramProtocol):
    """A show controller."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Message] = asyncio.Queue()
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, _: Any) -> None:
        for timed in OscPacket(data).messages:
            self.heard.put_nowait((timed.message.address, list(timed.message.params)))

    def send(self, address: str, *values: Any) -> None:
        builder = OscMessageBuilder(address)
        for value in values:
            builder.add_arg(value)
        self.raw(builder.build().dgram)

    def raw(self, data: bytes) -> None:
        assert self.transport
        self.transport.sendto(data)

    async def until(self, address: str) -> list[Any]:
        async with asyncio.timeout(PATIENCE_S):
            while (message := await self.heard.get())[0] != address:
                pass
            return message[1]


@contextlib.asynccontextmanager
async def controlled(folder: Path) -> AsyncIterator[tuple[Running, Controller]]:
    async with consoled(folder) as it:
        osc = Osc(it.show, OscPlan(port=0), Clock())
        port = int((await osc.start()).rpartition(":")[2])
        transport, controller = await asyncio.get_running_loop().create_datagram_endpoint(
            Controller, remote_addr=("127.0.0.1", port)
        )
        try:
            yield it, controller
        finally:
            transport.close()
            await osc.stop()


async def test_an_order_is_carried_out_and_answered_and_written_down(tmp_path: Path) -> None:
    async with controlled(tmp_path) as (it, controller):
        controller.send("/conductor/standby", "three")
        about, done, reason, revision = await controller.until("/conductor/answer")
        assert (about, done, reason, revision) == ("standby", 1, "", it.show.revision)
        assert it.show.state.upcoming[0].cue.id == "three"
        assert [line.detail for line in it.library.as_run() if line.event == "standby"] == [
            'osc 127.0.0.1 via osc: standby {"cue": "three"}'
        ]
        controller.send("/conductor/go", "no such cue")
        assert (await controller.until("/conductor/answer"))[:2] == ["go", 0]


async def test_who_subscribes_is_told_how_the_show_is_and_what_changes(tmp_path: Path) -> None:
    async with controlled(tmp_path) as (_, controller):
        controller.send("/conductor/subscribe")
        assert (await controller.until("/conductor/is/standby"))[:2] == ["one", "Bach"]
        assert await controller.until("/conductor/is/held") == [0]
        controller.send("/conductor/hold", 1.0)
        assert await controller.until("/conductor/is/held") == [1]
        controller.send("/conductor/unsubscribe")
        assert (await controller.until("/conductor/answer"))[:2] == ["unsubscribe", 1]


async def test_a_bundle_is_several_orders(tmp_path: Path) -> None:
    async with controlled(tmp_path) as (it, controller):
        bundle = OscBundleBuilder(IMMEDIATELY)
        for verb in ("hold", "lock"):
            bundle.add_content(OscMessageBuilder(f"/conductor/{verb}").build())
        controller.raw(bundle.build().dgram)
        await it.until(lambda: it.show.state.held and it.show.state.locked)


async def test_noise_and_floods_do_no_harm(tmp_path: Path) -> None:
    async with controlled(tmp_path) as (it, controller):
        noise = [b"", b"\x00", b"/", b"/conductor/go", b"/conductor/go\x00\x00\x00,f\x00\x00", b"#bundle\x00" * 50]
        noise += [
            b"#bundle\x00" + b"\x00" * 8 + b"\xff" * 8,
            b"x" * 9000,
            b"/conductor/go\x00\x00\x00,s\x00\x00\xff\xff",
        ]
        for data in noise:
            controller.raw(data)
        for _ in range(300):
            controller.send("/conductor/redo")
            # A socket drops what its reader has no time to take.
            await asyncio.sleep(0.001)
        controller.send("/conductor/panic")
        await it.until(lambda: it.show.state.panicked)
        assert "sends too much" in it.output.getvalue()
        assert it.output.getvalue().count("osc:") < 20


@given(st.binary(max_size=64) | st.binary(max_size=64).map(lambda b: b"#bundle\x00" + b"\x00" * 8 + b))
def test_no_datagram_can_stop_the_listener(data: bytes) -> None:
    class Chronicle:
        def warn(self, text: str) -> None:
            assert "\n" not in text

    class Show:
        chronicle = Chronicle()

    Osc(Show(), OscPlan()).datagram_received(data, ("127.0.0.1", 5))  # type: ignore[arg-type]


def test_only_who_is_listed_is_heard() -> None:
    heard: list[str] = []

    class Show:
        chronicle = type("Chronicle", (), {"warn": staticmethod(heard.append)})

    osc = Osc(Show(), OscPlan(host="0.0.0.0", allow=("10.0.0.5",)))  # type: ignore[arg-type]
    for host in ("10.0.0.6", "10.0.0.6", "::1", "10.0.0.5"):
        osc.datagram_received(b"noise", (host, 5))
    assert [line.split(" (")[0] for line in heard] == [
        "osc: not listened to: 10.0.0.6",
        "osc: from ::1 comes what is not OSC",
        "osc: from 10.0.0.5 comes what is not OSC",
    ]
    assert MOST < 100


def setlist_with(folder: Path, osc: str) -> OscPlan | None:
    path = folder / "show.yaml"
    path.write_text(f"version: 1\ncues: [{{style: bach}}]\n{osc}\n")
    return load_setlist(path).osc


def test_a_setlist_says_where_osc_is_heard(tmp_path: Path) -> None:
    assert setlist_with(tmp_path, "") is None
    assert setlist_with(tmp_path, "osc: {}") == OscPlan(9000, "127.0.0.1")
    assert setlist_with(tmp_path, "osc: {port: 53000, host: 0.0.0.0, allow: [10.0.0.5]}") == OscPlan(
        53000, "0.0.0.0", ("10.0.0.5",)
    )


@pytest.mark.parametrize(
    ("osc", "reason"),
    [
        ("osc: {host: 0.0.0.0}", r"4:6: .*say which with allow"),
        ("osc: {host: stage}", r"4:13: .*is no address"),
        ("osc: {prot: 9000}", r'4:7: unknown key "prot" - did you mean "port"'),
        ("osc: {port: 70000}", r"4:13: port"),
    ],
)
def test_mistakes_in_it_are_told_with_their_place(tmp_path: Path, osc: str, reason: str) -> None:
    with pytest.raises(SetlistError, match=reason.replace("4:", "3:", 1)):
        setlist_with(tmp_path, osc)
