"""Music for when no player is heard: the shipped loop, the bridge to it and back, silence under a player that lives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streaming.errors import EmergencyError
from streaming.playing.bed import bed
from streaming.playing.emergency import rendered
from streaming.programme import emergency
from streaming.programme.bridge import TURN_AFTER_S, TURN_S, Audio, Bridge
from streaming.programme.listening import GOOD_S, SILENT_S, Listening
from streaming.programme.program import Picture, Program
from streaming.ring import Ring
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE
from tests.streaming.programme.test_program import FPS, FRAME, LEAD_S, Clock, Keep, tone


def level_db(sound: Audio) -> float:
    return 20.0 * float(np.log10(max(float(np.sqrt(np.mean(np.square(sound)))), 1e-9)))


def silent_blocks(sound: Audio) -> int:
    """Return how many blocks of 256 there is nothing in."""
    whole = len(sound) // BLOCK_SAMPLES * BLOCK_SAMPLES
    return int((np.abs(sound[:whole]).reshape(-1, BLOCK_SAMPLES * 2).max(axis=1) < 1e-5).sum())


@pytest.fixture(scope="module")
def loop() -> Audio:
    return emergency.load()


def test_the_shipped_loop_is_the_bed_as_it_is_played_now(loop: Audio) -> None:
    assert len(loop) == pytest.approx(bed().duration_s * SAMPLE_RATE, abs=BLOCK_SAMPLES)
    played = rendered()[: len(loop)]
    for second in range(1, 40, 3):
        at = slice(second * SAMPLE_RATE, (second + 1) * SAMPLE_RATE)
        assert level_db(loop[at]) == pytest.approx(level_db(played[at]), abs=1.5), f"second {second}"


def test_it_goes_round_without_a_click_or_a_hole(loop: Audio) -> None:
    round_about = np.concatenate([loop[-SAMPLE_RATE:], loop[:SAMPLE_RATE]])
    assert silent_blocks(round_about) == 0
    assert np.abs(np.diff(round_about, axis=0)).max() <= np.abs(np.diff(loop, axis=0)).max()


@pytest.mark.parametrize("content", [None, b"", b"no music at all"])
def test_nothing_starts_without_it(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "emergency.ogg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EmergencyError, match=r"emergency\.ogg.*install the program again") as raised:
        emergency.load(path)
    assert "\n" not in str(raised.value)


def test_a_player_that_stays_away_is_followed_by_the_last_sound_then_by_music(loop: Audio) -> None:
    bridge = Bridge(SAMPLE_RATE, loop)
    before = np.concatenate([bridge.heard(tone(i * FRAME, FRAME)) for i in range(60)])
    after = np.concatenate([bridge.fill(FRAME) for _ in range(FPS * 10)])
    assert silent_blocks(after) == 0
    assert np.abs(np.diff(np.concatenate([before, after]), axis=0)).max() < 0.04, "no click"
    begins = int(TURN_AFTER_S * SAMPLE_RATE)
    turned = begins + int(TURN_S * SAMPLE_RATE)
    np.testing.assert_allclose(after[turned:], loop[turned - begins : len(after) - begins], atol=1e-6)
    assert bridge.emergency
    back = np.concatenate([bridge.heard(tone(i * FRAME, FRAME)) for i in range(60)])
    assert not bridge.emergency
    np.testing.assert_array_equal(back[-FRAME:], tone(59 * FRAME, FRAME))


class Blank:
    """A canvas on which nothing is drawn."""

    def draw(self, *_: object, **__: object) -> Picture:
        return np.zeros((6, 4), np.uint8)


def live(ring: Ring, frames: int, loop: Audio, *deaths: tuple[float, float]) -> tuple[Program, Keep]:
    clock, keep = Clock(ring), Keep()
    clock.deaths, clock.lead_s = list(deaths), LEAD_S
    program = Program(ring, Blank(), [keep], fps=FPS, emergency=loop, clock=clock, sleep=clock.sleep)
    keep.program, keep.clock, keep.until = program, clock, frames
    program.run()
    return program, keep


@pytest.fixture
def ring(tmp_path: Path) -> Ring:
    return Ring.create(tmp_path / "programme.ring")


def test_a_dead_player_leaves_no_silent_block_and_is_gone_back_to_after_good_seconds(ring: Ring, loop: Audio) -> None:
    program, keep = live(ring, FPS * 14, loop, (4.0, 8.0))
    first = next(i for i, frame in enumerate(keep.frames) if frame.heard)
    assert silent_blocks(keep.audio[(first + 1) * FRAME :]) == 0
    back = next(i for i, frame in enumerate(keep.frames) if i > 5 * FPS and frame.heard)
    assert 8.0 + GOOD_S <= back / FPS <= 8.0 + GOOD_S + 0.3
    assert not program.slate
    assert not program.emergency


def test_a_player_that_comes_and_goes_is_not_let_in(ring: Ring, loop: Audio) -> None:
    comes = [(4.0, 7.0), (8.0, 9.0), (10.0, 11.0)]
    _, keep = live(ring, FPS * 12, loop, *comes)
    away = keep.frames[int(4.5 * FPS) : 11 * FPS]
    assert not any(frame.heard for frame in away)


def test_a_hiccup_costs_no_more_than_it_lasted_once_more(ring: Ring, loop: Audio) -> None:
    _, keep = live(ring, FPS * 8, loop, (4.0, 4.8))
    missed = [i for i, frame in enumerate(keep.frames) if i > FPS and not frame.heard]
    assert 0 < len(missed) / FPS < 2 * 0.8 + 0.2


def test_with_no_player_from_the_beginning_there_is_music(ring: Ring, loop: Audio) -> None:
    program, keep = live(ring, FPS * 5, loop, (0.0, 1e9))
    assert program.emergency
    assert level_db(keep.audio[3 * SAMPLE_RATE :]) == pytest.approx(level_db(loop), abs=4.0)


def test_a_player_that_gives_only_silence_is_noticed_and_played_over_nothing_of_it_lost(loop: Audio) -> None:
    listening, bridge = Listening(SAMPLE_RATE), Bridge(SAMPLE_RATE, loop)

    def go(seconds: float, sound: Audio) -> Audio:
        out = []
        for _ in range(int(seconds * FPS)):
            listening.given(sound)
            out.append(bridge.heard(sound, silent=listening.silent))
            listening.sent(out[-1])
        return np.concatenate(out)

    mute, loud = np.zeros((FRAME, 2), np.float32), tone(0, FRAME)
    np.testing.assert_array_equal(go(2.0, loud)[-FRAME:], loud)
    np.testing.assert_array_equal(go(SILENT_S - 0.5, mute), np.tile(mute, (int((SILENT_S - 0.5) * FPS), 1)))
    over = go(4.0, mute)
    assert silent_blocks(over[2 * SAMPLE_RATE :]) == 0
    assert bridge.emergency
    assert listening.quiet_s == pytest.approx(SILENT_S + 3.5, abs=0.1)
    assert listening.peak_db > -40.0
    # Its first note is heard at once; the other music leaves later.
    again = go(0.1, loud)
    assert np.corrcoef(again[:, 0], np.tile(loud[:, 0], len(again) // FRAME))[0, 1] > 0.95
    go(GOOD_S + 2.0, loud)
    assert not bridge.emergency
    np.testing.assert_array_equal(go(0.1, loud)[-FRAME:], loud)
