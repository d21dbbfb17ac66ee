"""Notes to a MIDI port, as a setlist asks for them, and as the process that sends them answers."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from conductor import wire
from conductor.cli import main
from conductor.errors import SetlistError, WireError
from conductor.library import Library
from conductor.logs import Terminal
from conductor.setlist import Setlist, load_setlist
from conductor.show.show import Show
from conductor.show.stage import RunFolder, ShowOptions
from conductor.workers import command
from streaming.midi.out import CHANNELS, MidiRoute
from streaming.notetape import NoteTape
from streaming.ring import Ring
from tests.fakes import fake_commands

CUES = "cues: [{id: one, style: bach, duration: 6s}]"
NOWHERE = "a port that no machine has"


def read(folder: Path, midi: str) -> Setlist:
    path = folder / "show.yaml"
    path.write_text(f"version: 1\n{CUES}\nmidi: {midi}\n")
    return load_setlist(path)


# --- the setlist ---------------------------------------------------------------------


def test_a_setlist_says_where_the_notes_go(tmp_path: Path) -> None:
    setlist = read(tmp_path, "{port: Piano, channels: {piano: 1, drums: 10}, clock: true, latency: 20ms}")
    assert setlist.midi == MidiRoute("Piano", {"piano": 1, "drums": 10}, clock=True, latency_ms=20.0)
    assert read(tmp_path, "{port: 7}").midi == MidiRoute("7", CHANNELS)


def test_a_group_of_instruments_goes_to_one_channel(tmp_path: Path) -> None:
    midi = read(tmp_path, "{port: x, channels: {strings: 3, cello: 4}}").midi
    assert midi is not None
    assert midi.channels == {"violin": 3, "cello": 4}


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("-150ms", -150.0), ("0", 0.0), ("-1.5s", -1500.0), ("0.02s", 20.0)]
)
def test_latency_is_a_time_and_may_be_negative(tmp_path: Path, text: str, milliseconds: float) -> None:
    midi = read(tmp_path, f"{{port: x, latency: {text}}}").midi
    assert midi is not None
    assert midi.latency_ms == pytest.approx(milliseconds)


@pytest.mark.parametrize(
    ("midi", "told"),
    [
        ("{channels: {piano: 1}}", '3:7: "port" is missing'),
        ("{port: x, channel: {piano: 1}}", '3:17: unknown key "channel" - did you mean "channels"?'),
        ("{port: x, channels: {pinao: 1}}", 'the instrument "pinao" is unknown - did you mean "piano"?'),
        ("{port: x, channels: {piano: 17}}", "piano: a channel is 1 to 16, not 17"),
        ("{port: x, channels: [1]}", "should name instruments and their channels"),
        ("{port: x, latency: 20}", "should be a time such as 20ms or -150ms, not 20"),
        ("{port: x, latency: 400ms}", "from -5000ms (sent later) to 80ms (earlier), not '400ms'"),
        ("{port: x, clock: maybe}", "3:24: clock"),
        ("Piano", "3:7: midi: should hold keys of its own"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, midi: str, told: str) -> None:
    with pytest.raises(SetlistError) as caught:
        read(tmp_path, midi)
    [line] = str(caught.value).splitlines()
    assert line.startswith(f"{tmp_path / 'show.yaml'}:3:")
    assert told in line


# --- the command ---------------------------------------------------------------------


def test_ports_are_listed_or_it_is_said_in_one_line_why_there_are_none(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["ports"]) == 0
    told, noise = capfd.readouterr()
    assert noise == "", "what the system's libraries say of themselves is for nobody"
    assert main(["ports", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert told.splitlines() == (found["ports"] or [found["missing"]])


# --- the process ---------------------------------------------------------------------


@pytest.fixture
def run() -> Iterator[Path]:
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="midi") as folder:
        yield Path(folder)


@asynccontextmanager
async def sender(run: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, wire.Link]]:
    process = await asyncio.create_subprocess_exec(*command("midi_out", run), stderr=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(30):
            while True:
                try:
                    link = await wire.connect(run / "midi_out.sock")
                    break
                except WireError:
                    await asyncio.sleep(0.02)
        yield process, link
        await link.close()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_it_says_when_the_port_is_not_there_and_goes_on(run: Path) -> None:
    async with sender(run) as (process, link), asyncio.timeout(30):
        heard = link.messages()
        assert await anext(heard) == wire.Hello("midi_out", process.pid)
        link.send(wire.Tempi(1, [(0.0, 100.0)]))
        link.send(wire.Route(NOWHERE, {"piano": 1}, clock=True, latency_ms=0.0, programs=False))
        news = await anext(heard)
        assert isinstance(news, wire.PortNews)
        assert not news.there
        assert NOWHERE in news.text
        # It took the ring and the tape as they are, and follows them.
        with Ring.open(run / "programme.ring") as ring:
            ring.skip_to(48_000)
        NoteTape.join(run / "programme.notes").close()
        # Another conductor is told what the first one was; another route, and it looks for that.
        second = await wire.connect(run / "midi_out.sock")
        told = second.messages()
        assert [await anext(told), await anext(told)] == [wire.Hello("midi_out", process.pid), news]
        second.send(wire.Route(NOWHERE + " either", {"piano": 1}, clock=False, latency_ms=0.0, programs=False))
        other = await anext(told)
        assert isinstance(other, wire.PortNews)
        assert "either" in other.text
        second.send(wire.Drop([1]))
        fault = await anext(told)
        assert isinstance(fault, wire.Fault)
        assert "Drop" in fault.reason
        second.send(wire.Quit())
        assert await process.wait() == 0
        assert not (run / "midi_out.sock").exists()
        await second.close()


async def test_a_show_goes_on_without_its_port_and_says_so(tmp_path: Path) -> None:
    options = ShowOptions(data=tmp_path / "data", port=0, nut_port=0)
    folder, library, output = RunFolder(options.data), Library(options.data), io.StringIO()
    fakes = fake_commands(folder.path, player="--speed 10")

    def commands(name: str) -> list[str]:
        return command(name, folder.path) if name == "midi_out" else list(fakes(name))

    setlist = read(tmp_path, f"{{port: {NOWHERE}}}")
    show = Show(setlist, options, library, folder, Terminal(output), commands=commands)
    task = asyncio.create_task(show.run())
    try:
        async with asyncio.timeout(40):
            while NOWHERE not in output.getvalue() or "first sound" not in output.getvalue():
                assert not task.done()
                await asyncio.sleep(0.02)
            while not any(line.event == "aired" for line in library.as_run(1000)):
                await asyncio.sleep(0.02)
        assert show.crew.workers["midi_out"].up
        assert output.getvalue().count(NOWHERE) == 1
    finally:
        show.end()
        show.end()
        async with asyncio.timeout(40):
            await asyncio.gather(task, return_exceptions=True)
        library.close()
        folder.close()
    assert not show.crew.workers["midi_out"].up


async def test_a_show_whose_sender_does_not_start_goes_on_and_says_so(tmp_path: Path) -> None:
    options = ShowOptions(data=tmp_path / "data", port=0, nut_port=0)
    folder, library, output = RunFolder(options.data), Library(options.data), io.StringIO()
    fakes = fake_commands(folder.path)
    broken = [sys.executable, "-c", "import sys; sys.exit('no such library')"]
    show = Show(
        read(tmp_path, "{port: x}"), options, library, folder, Terminal(output),
        commands=lambda name: broken if name == "midi_out" else fakes(name),
    )  # fmt: skip
    task = asyncio.create_task(show.run())
    try:
        async with asyncio.timeout(40):
            while "no notes are sent to MIDI" not in output.getvalue() or not show.crew.workers["player"].up:
                assert not task.done()
                await asyncio.sleep(0.02)
        assert "no such library" in output.getvalue()
    finally:
        show.end()
        show.end()
        async with asyncio.timeout(40):
            await asyncio.gather(task, return_exceptions=True)
        library.close()
        folder.close()


def test_as_fast_as_it_goes_nobody_plays_along(tmp_path: Path) -> None:
    options = ShowOptions(data=tmp_path / "data", record=tmp_path / "x.mp4", port=0, nut_port=0, fast=True)
    folder, library = RunFolder(options.data), Library(options.data)
    show = Show(read(tmp_path, "{port: x}"), options, library, folder, Terminal(io.StringIO()))
    assert set(show.crew.workers) == {"feed", "player", "composer"}
    library.close()
    folder.close()
