"""Notes at a real MIDI port, from a real player: all of them, none that hangs, whatever goes and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from conductor import wire
from model.notes import Note, Piece, TempoMark
from streaming.midi.clock import PULSE, START, STOP
from streaming.midi.out import MidiRoute
from streaming.ring import Ring
from tests.air.band import Band, band, wait_for
from tests.air.jack import Jack, Synth

pytestmark = pytest.mark.air

ROUTE = MidiRoute("synth", {"organ": 1, "piano": 2, "drums": 10}, clock=True, programs=True)
TEMPO = (TempoMark(0.0, 120.0),)
HELD = Piece((Note(0.0, 48, "organ", 20.0, 80), Note(0.5, 60, "piano", 0.3, 70)), TEMPO)


@pytest.fixture
def folder() -> Iterator[Path]:
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="midi") as name:
        yield Path(name)


@pytest.fixture
def jack(folder: Path) -> Iterator[Jack]:
    made = Jack(folder / "jackd.log")
    yield made
    made.close()


@pytest.fixture
def synth(jack: Jack) -> Iterator[Synth]:
    assert jack.name
    made = Synth()
    yield made
    made.unplug()


async def begin(played: Band, number: int, piece: Piece) -> int:
    """Have a piece played; return the sample at which it begins."""
    played.give(number, piece)
    played.crew.send("player", wire.Go(number, 0.1))
    return (await played.until(wire.Started, lambda m: m.number == number)).sample


def struck(synth: Synth) -> list[tuple[int, int, int]]:
    """(channel, pitch, velocity) of the notes that were struck, in order."""
    return [(m[0] % 16 + 1, m[1], m[2]) for _, m in synth.heard if m[0] & 0xF0 == 0x90]


async def test_a_piece_is_sent_whole_with_its_clock_and_ends_with_a_stop(folder: Path, synth: Synth) -> None:
    notes = [Note(n * 0.125, 60 + n % 5, ("organ", "piano", "drums")[n % 3], 0.1, 40 + n) for n in range(24)]
    async with band(folder, ROUTE) as played:
        await played.until(wire.PortNews, lambda news: news.there)
        await begin(played, 1, Piece(tuple(notes), TEMPO))
        await played.until(wire.Ended, lambda m: m.number == 1)
        await wait_for(lambda: any(m == STOP for _, m in synth.heard), "stop")
    channels = {"organ": 1, "piano": 2, "drums": 10}
    assert struck(synth) == [(channels[n.instrument], n.pitch, n.velocity) for n in notes]
    assert synth.down == set()
    messages = [m for _, m in synth.heard]
    # The last note ends after 2.975 s, the piece a second later.
    assert messages[messages.index(START) :].count(PULSE) == pytest.approx(3.975 * 48, abs=2)
    assert bytes((0xC0, 19)) in messages[: messages.index(START)], "the organ's program comes first"


async def test_what_is_replaced_while_the_piece_plays_is_not_sent(folder: Path, synth: Synth) -> None:
    old = [Note(n * 0.25, 60, "piano", 0.2, 80) for n in range(16)]
    new = [(n * 0.25, 72, "piano", 0.2, 80, 0) for n in range(8, 12)]
    async with band(folder, ROUTE) as played:
        await played.until(wire.PortNews, lambda news: news.there)
        await begin(played, 1, Piece((Note(0.0, 48, "organ", 4.0, 80), *old), TEMPO))
        played.crew.send("player", wire.Revise(1, 1.995, new, 3.0))
        replaced = await played.until(wire.Replaced)
        assert not replaced.late
        await played.until(wire.Ended, lambda m: m.number == 1)
        await asyncio.sleep(0.5)
    assert struck(synth) == [(1, 48, 80), *[(2, 60, 80)] * 8, *[(2, 72, 80)] * 4]
    # The organ that was held across that time is let go there, before the new notes.
    messages = [m for _, m in synth.heard]
    assert messages.index(bytes((0x80, 48, 64))) < messages.index(bytes((0x91, 72, 80)))
    assert synth.down == set()


async def test_a_fade_lets_go_and_the_piece_that_follows_is_sent(folder: Path, synth: Synth) -> None:
    async with band(folder, ROUTE) as played:
        await played.until(wire.PortNews, lambda news: news.there)
        await begin(played, 1, HELD)
        await wait_for(lambda: (1, 48) in synth.down, "held organ")
        played.give(2, Piece((Note(0.0, 50, "organ", 0.5, 80),), TEMPO))
        played.crew.send("player", wire.Follow([2], 0.5))
        played.crew.send("player", wire.Fade(0.5))
        await wait_for(lambda: (1, 50, 80) in struck(synth), "note of the next piece")
        assert (1, 48) not in synth.down
        await wait_for(lambda: synth.down == set(), "end of the note")


async def test_a_device_that_is_unplugged_and_comes_back_goes_on_and_the_sound_never_stops(
    folder: Path, synth: Synth
) -> None:
    async with band(folder, ROUTE) as played:
        await played.until(wire.PortNews, lambda news: news.there)
        await begin(played, 1, HELD)
        await wait_for(lambda: (1, 48) in synth.down, "held organ")
        with Ring.open(folder / "programme.ring") as ring:
            synth.unplug()
            gone = await played.until(wire.PortNews, lambda news: not news.there)
            assert "synth" in gone.text
            before = ring.write_index
            again = Synth()
            await played.until(wire.PortNews, lambda news: news.there, since=played.told.index(gone))
            await wait_for(lambda: (1, 48) in again.down, "organ that is held")
            assert ring.write_index > before
        assert played.crew.workers["player"].restarts == 0
        assert [m for m in played.told if isinstance(m, wire.PortNews)][1:] == [gone, played.told[-1]], "said once"
        await wait_for(lambda: any(m[0] == 0xF2 for _, m in again.heard), "song position")
        played.crew.send("player", wire.Fade(0.1))
        await wait_for(lambda: again.down == set(), "end of the note")
        again.unplug()


async def test_a_server_that_dies_is_waited_for(folder: Path, jack: Jack, synth: Synth) -> None:
    async with band(folder, ROUTE) as played:
        await played.until(wire.PortNews, lambda news: news.there)
        await begin(played, 1, HELD)
        await wait_for(lambda: (1, 48) in synth.down, "held organ")
        jack.stop()
        synth.abandon()
        gone = await played.until(wire.PortNews, lambda news: not news.there)
        jack.start()
        again = Synth()
        await played.until(wire.PortNews, lambda news: news.there, since=played.told.index(gone))
        await wait_for(lambda: (1, 48) in again.down, "organ that is held")
        assert all(played.crew.workers[name].restarts == 0 for name in played.names)
        again.unplug()


async def test_when_the_player_is_killed_its_notes_end_and_the_next_player_is_followed(
    folder: Path, synth: Synth
) -> None:
    async with band(folder, ROUTE) as played:
        await played.until(wire.PortNews, lambda news: news.there)
        await begin(played, 1, HELD)
        await wait_for(lambda: (1, 48) in synth.down, "held organ")
        os.kill(played.crew.workers["player"].pid, signal.SIGKILL)
        await wait_for(lambda: synth.down == set(), "end of the note")
        assert [m for _, m in synth.heard][-1] != PULSE
        await wait_for(
            lambda: played.crew.workers["player"].restarts == 1 and played.crew.workers["player"].up, "player"
        )
        await begin(played, 2, HELD)
        await wait_for(lambda: (1, 48) in synth.down, "held organ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_sender_that_ends_leaves_nothing_sounding_or_the_next_one_sees_to_it(
    folder: Path, synth: Synth, number: signal.Signals
) -> None:
    async with band(folder, ROUTE) as played:
        await played.until(wire.PortNews, lambda news: news.there)
        await begin(played, 1, HELD)
        await wait_for(lambda: (1, 48) in synth.down, "held organ")
        sender = played.crew.workers["midi_out"]
        told = len(played.told)
        os.kill(sender.pid, number)
        await played.until(wire.PortNews, lambda news: news.there, since=told)
        assert sender.restarts == 1
        # All is silenced, and what is still held is struck again.
        await wait_for(lambda: struck(synth).count((1, 48, 80)) == 2, "organ again")
        assert synth.down == {(1, 48)}
    assert synth.down == set(), "at the end of the show nothing is left"
