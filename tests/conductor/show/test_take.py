"""Takes: what a file holds and what a cue asks for reaches the player whole, and is heard as it is rendered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conductor import wire
from conductor.show import take as takes
from conductor.show.take import Take, bed, read_take
from model.controls import Curve
from model.midi import read_midi
from model.notes import Note
from streaming.mixing.mixer import LATENCY_SAMPLES
from streaming.playing.render import Sound, render
from streaming.ring import Ring
from streaming.timeline import BLOCK_SAMPLES
from tests import fakes
from tests.conductor.test_player import dial, player
from tests.model.midi_bytes import off, on, program, smf, track
from tests.model.test_controls import bend, turn


@pytest.fixture
def turned(tmp_path: Path) -> Path:
    """A file of a trumpet that swells and slides and a piano with its pedal down."""
    trumpet = track(
        (0, program(56)), (0, turn(7, 70)), (0, turn(10, 20)), (0, on(65, 100)), (240, bend(8192 + 4096)),
        (120, turn(11, 50)), (120, bend(8192)), (0, turn(11, 127)), (240, off(65)),
    )  # fmt: skip
    piano = track(
        (0, program(0, channel=1)), (0, turn(64, 127, channel=1)), (0, on(48, 90, channel=1)),
        (100, off(48, channel=1)), (620, turn(64, 0, channel=1)),
    )  # fmt: skip
    path = tmp_path / "turned.mid"
    path.write_bytes(smf(trumpet, piano))
    return path


def sent(take: Take) -> wire.Load:
    message = wire.decode(wire.encode(take.load(1)).strip())
    assert isinstance(message, wire.Load)
    return message


def test_what_a_file_turns_and_holds_by_its_pedal_reaches_the_player(turned: Path) -> None:
    piece = read_midi(turned, pedal=True, controls=True).piece
    plain = read_midi(turned).piece
    load = sent(read_take(turned, title="a", caption=""))
    assert tuple(Note(*row) for row in load.notes) == piece.notes
    assert tuple(wire.controls_of(load.controls)) == piece.controls != ()
    # What would be lost otherwise: the slide, the swell, and the string that rings on.
    assert any(controls.bend_cents.moves and controls.gain_db.moves for controls in piece.controls)
    assert max(n.duration_s for n in piece.notes if n.instrument == "piano") > max(
        n.duration_s for n in plain.notes if n.instrument == "piano"
    )


async def test_on_air_a_file_sounds_as_it_is_rendered_bit_for_bit(turned: Path, tmp_path: Path) -> None:
    take = replace(read_take(turned, title="a", caption=""), style="rock", variants=(("trumpet", "solo"),))
    wanted = np.concatenate(list(render(take.piece, Sound(room="small", variants=dict(take.variants)))))
    with Ring.create(tmp_path / "programme.ring", seconds=6.0) as ring:
        async with player(tmp_path, "--fast") as process:
            desk = await dial(tmp_path)
            desk.link.send(take.load(1))
            desk.link.send(wire.Go(1))
            start = (await desk.until(wire.Started)).sample
            await desk.until(wire.Ended)
            frames = ring.write_index - start
            heard = ring.read(start, frames)
            desk.link.send(wire.Quit())
            await process.wait()
            await desk.close()
    assert start % BLOCK_SAMPLES == LATENCY_SAMPLES % BLOCK_SAMPLES
    assert frames > 48_000
    assert np.abs(heard).max() > 0.1
    assert heard.tobytes() == wanted[:frames].tobytes()


def test_what_is_turned_moves_along_where_a_piece_is_begun_later() -> None:
    rows = wire.control_rows(
        [replace(wire.controls_of([([], [], [], [])])[0], gain_db=Curve((0.0, 1.0, 3.0), (0.0, -6.0, -12.0)))]
    )
    take = replace(bed(), controls=rows).begun_at(2.0)
    (controls,) = wire.controls_of(take.controls)
    assert controls.gain_db == Curve((0.0, 1.0), (-6.0, -12.0))
    assert controls.bend_cents == Curve()


def test_a_note_that_goes_on_in_new_music_is_turned_as_before() -> None:
    first = replace(bed(), notes=[(0.0, 60, "organ", 4.0, 80, 1)], duration_s=4.0)
    later = first.revised([(0.0, 60, "organ", 3.0, 80, 0), (2.5, 64, "organ", 1.0, 80, 0)], [], 2.0)
    assert later.notes == [(0.0, 60, "organ", 3.0, 80, 1), (2.5, 64, "organ", 1.0, 80, 0)]


def test_the_stand_ins_of_the_workers_write_notes_down_in_the_same_way() -> None:
    piece = fakes.fake_piece(1, 4.0, ["piano", "flute"])
    assert piece.notes
    assert fakes.note_rows(piece) == takes.note_rows(piece)
    assert fakes.SEAM_S == takes.SEAM_S
