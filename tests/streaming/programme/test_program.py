"""The programme on a virtual clock: what goes out, in what order, and what when the player dies."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from streaming.picture.scene import NOTHING, Coming, Scene
from streaming.programme.listening import GOOD_S
from streaming.programme.program import CUSHION_S, DEAD_S, DRAWN_KEPT, Audio, Picture, Program, ProgramFrame
from streaming.ring import Ring
from streaming.timeline import SAMPLE_RATE

FPS = 30
FRAME = SAMPLE_RATE // FPS
LEAD_S = 0.25


class Canvas:
    """Remembers what was to be drawn."""

    def __init__(self, clock: Clock | None = None, takes_s: float = 0.0) -> None:
        self.drawn: list[tuple[int | None, float, str]] = []
        self.levels_db: list[float | None] = []
        self._clock, self.takes_s = clock, takes_s

    def draw(
        self,
        scene: Scene | None,
        position_s: float,
        *,
        coming: Coming = NOTHING,
        level_db: float | None = None,
        sound: Audio | None = None,
    ) -> Picture:
        assert sound is not None
        self.drawn.append((scene.number if scene else None, position_s, coming.text))
        self.levels_db.append(level_db)
        if self._clock is not None:
            self._clock.sleep(self.takes_s)
        return np.full((6, 4), len(self.drawn), np.uint8)


class Keep:
    """A sink that keeps all it gets and stops the programme after some frames."""

    def __init__(self) -> None:
        self.frames: list[ProgramFrame] = []
        self.times_s: list[float] = []
        self.clock: Clock | None = None
        self.wanted = True
        self.until = 0
        self.program: Program | None = None

    def frame(self, frame: ProgramFrame) -> None:
        self.frames.append(frame)
        if self.clock is not None:
            self.times_s.append(self.clock.now_s)
        if len(self.frames) >= self.until and self.program is not None:
            self.program.stop()

    @property
    def audio(self) -> Audio:
        return np.concatenate([frame.audio for frame in self.frames])


class Clock:
    """Time that passes only in `sleep`, and a player that writes as it passes."""

    def __init__(self, ring: Ring) -> None:
        self.now_s = 100.0
        self.ring = ring
        self.deaths: list[tuple[float, float]] = []
        self.lead_s = LEAD_S
        self._was_dead = True
        self._began_s = self.now_s
        self._began_sample = 0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now_s += max(seconds, 1e-4)
        self.play()

    def play(self) -> None:
        """Write a tone up to `lead_s` ahead, as the player does; nothing while it is dead."""
        if any(begin <= self.now_s - 100.0 < end for begin, end in self.deaths):
            self._was_dead = True
            return
        if self._was_dead:
            self._was_dead = False
            self.ring.skip_to(max(self.ring.write_index, self.ring.read_index))
            self._began_s, self._began_sample = self.now_s, self.ring.write_index
        ahead = self._began_sample + int((self.now_s - self._began_s + self.lead_s) * SAMPLE_RATE)
        while self.ring.write_index + 256 <= ahead:
            self.ring.write(tone(self.ring.write_index, 256))


def tone(sample: int, samples: int) -> Audio:
    left = 0.5 * np.sin(2 * np.pi * 440.0 * np.arange(sample, sample + samples) / SAMPLE_RATE)
    return np.stack((left, -left), axis=1).astype(np.float32)


def scene(number: int) -> Scene:
    return Scene(number, f"Piece {number}", "", (), (), 60.0)


@pytest.fixture
def ring(tmp_path: Path) -> Ring:
    return Ring.create(tmp_path / "programme.ring")


def live(
    ring: Ring, frames: int, *, deaths: list[tuple[float, float]] | None = None, lead_s: float = LEAD_S
) -> tuple[Program, Keep, Canvas]:
    """Run a programme for so many frames beside a player on a virtual clock."""
    clock, canvas, keep = Clock(ring), Canvas(), Keep()
    clock.deaths, clock.lead_s = deaths or [], lead_s
    ring.mark(1, 0)
    program = Program(ring, canvas, [keep], fps=FPS, clock=clock, sleep=clock.sleep)
    program.announce(scene(1))
    keep.program, keep.clock, keep.until = program, clock, frames
    program.run()
    return program, keep, canvas


def heard_from(keep: Keep) -> int:
    """Return the position of the first frame with a player's sound."""
    return next(i for i, frame in enumerate(keep.frames) if frame.heard)


def test_frames_and_samples_are_consecutive_and_paced_by_the_player(ring: Ring) -> None:
    _, keep, _ = live(ring, 90)
    assert [frame.index for frame in keep.frames] == list(range(90))
    assert [frame.sample for frame in keep.frames] == [FRAME * i for i in range(90)]
    first = heard_from(keep)
    assert first <= 5
    assert keep.times_s[-1] - keep.times_s[first] == pytest.approx((89 - first) / FPS, abs=0.05)
    # The first frame after silence is faded in.
    first += 1
    np.testing.assert_array_equal(keep.audio[first * FRAME :], tone(first * FRAME, (90 - first) * FRAME))


def test_frame_rates_that_do_not_divide_the_sample_rate_lose_no_sample(ring: Ring) -> None:
    keep = Keep()
    program = Program(ring, Canvas(), [keep], fps=29, fast=True)
    keep.program, keep.until = program, 29 * 2
    ring.write(tone(0, 2 * SAMPLE_RATE))
    program.run()
    assert len(keep.audio) == 2 * SAMPLE_RATE
    assert {len(frame.audio) for frame in keep.frames} == {1655, 1656}


def test_the_piece_that_sounds_is_drawn_at_its_position(ring: Ring) -> None:
    keep, canvas = Keep(), Canvas()
    program = Program(ring, canvas, [keep], fps=FPS, fast=True)
    keep.program, keep.until = program, 60
    program.announce(scene(7))
    program.announce(scene(8))
    # Told while the picture is still at the start: who plays is ahead.
    program.announce_next(Coming("Nocturne"), 7)
    program.announce_next(Coming("Waltz"), 8)
    ring.mark(7, 10 * FRAME)
    ring.mark(8, 30 * FRAME + 800)
    ring.mark(9, 50 * FRAME)
    ring.write(tone(0, 60 * FRAME))
    program.run()
    numbers = [number for number, _, _ in canvas.drawn]
    assert numbers == [None] * 10 + [7] * 21 + [8] * 19 + [None] * 10
    assert canvas.drawn[10][1:] == (0.0, "Nocturne")
    assert [text for _, _, text in canvas.drawn] == ["Waltz"] * 10 + ["Nocturne"] * 21 + ["Waltz"] * 29
    assert canvas.drawn[31][1] == pytest.approx((FRAME - 800) / SAMPLE_RATE)
    assert canvas.levels_db[0] == pytest.approx(-6.0, abs=0.1)


def test_of_pieces_that_were_heard_few_are_kept_and_of_those_to_come_all(ring: Ring) -> None:
    keep, canvas = Keep(), Canvas()
    program = Program(ring, canvas, [keep], fps=FPS, fast=True)
    keep.program, keep.until = program, 34
    for number in range(1, 40):
        program.announce(scene(number))
    # Another is announced when thirty have been heard; then some are heard again, and one that is still to come.
    program.call(partial(program.announce, scene(40)), after_sample=30 * FRAME)
    for frame, number in enumerate([*range(1, 31), 5, 30 - DRAWN_KEPT, 31 - DRAWN_KEPT, 39]):
        program.call(partial(ring.mark, number, frame * FRAME), after_sample=frame * FRAME)
    ring.write(tone(0, 34 * FRAME))
    program.run()
    assert [number for number, _, _ in canvas.drawn] == [*range(1, 31), None, None, 31 - DRAWN_KEPT, 39]


def test_a_dead_player_is_bridged_without_a_jump_and_comes_back(ring: Ring, caplog: pytest.LogCaptureFixture) -> None:
    program, keep, canvas = live(ring, 240, deaths=[(2.0, 5.0)])
    assert [frame.sample for frame in keep.frames] == [FRAME * i for i in range(240)]
    slate = [i for i, (number, _, _) in enumerate(canvas.drawn) if number is None and i > 10]
    assert slate == list(range(slate[0], slate[-1] + 1)), "one slate, without flicker"
    assert 2.0 + DEAD_S <= slate[0] / FPS <= 2.0 + DEAD_S + LEAD_S
    # A player that is back is trusted when it has been there for a while.
    assert 5.0 + GOOD_S - 0.1 <= slate[-1] / FPS <= 5.0 + GOOD_S + CUSHION_S + 0.1
    assert not any(keep.frames[i].heard for i in slate)
    assert not program.slate
    steps_s = np.diff(keep.times_s)
    assert steps_s.max() < 0.12, "the frames went on coming"
    assert keep.times_s[-1] - keep.times_s[0] == pytest.approx(239 / FPS, abs=0.2)
    texts = [record.message for record in caplog.records]
    assert sum("no player is heard" in text for text in texts) == 1


def test_the_bridge_is_quiet_never_silent_and_without_clicks(ring: Ring) -> None:
    _, keep, _ = live(ring, 240, deaths=[(2.0, 5.0)])
    audio = keep.audio
    bridge = audio[int(3.6 * SAMPLE_RATE) : int(4.9 * SAMPLE_RATE)]
    level_db = 20 * np.log10(np.sqrt(np.mean(bridge**2)) / np.sqrt(np.mean(tone(0, SAMPLE_RATE) ** 2)))
    assert -25 < level_db < -6
    # A click is a step larger than the tone itself ever takes.
    began = heard_from(keep) * FRAME
    steps = np.abs(np.diff(audio[began:], axis=0)).max()
    assert steps < 1.5 * np.abs(np.diff(tone(0, 1000), axis=0)).max()
    # At the end the player alone is heard again.
    np.testing.assert_array_equal(audio[-FRAME * 20 :], tone(len(audio) - FRAME * 20, FRAME * 20))


@pytest.mark.parametrize("lead_s", [0.11, 0.0, -0.5])
def test_a_player_too_close_or_behind_is_let_come_up_and_heard(ring: Ring, lead_s: float) -> None:
    # Begun late on a busy machine: both keep to the clock, and nothing but us would ever change that.
    _, keep, _ = live(ring, 250, lead_s=lead_s, deaths=[(0.0, 0.6)])
    heard = heard_from(keep)
    assert heard / FPS < 0.6 + (CUSHION_S + 2 / FPS - lead_s) * 12
    assert all(frame.heard for frame in keep.frames[heard:]), "for good"
    assert np.diff(keep.times_s).max() < 1.25 / FPS, "not by standing still"
    assert [frame.sample for frame in keep.frames] == [FRAME * i for i in range(250)]


def test_with_no_player_at_all_the_slate_is_shown_in_silence(ring: Ring) -> None:
    program, keep, canvas = live(ring, 30, deaths=[(0.0, 1e9)])
    assert program.slate
    assert not any(frame.heard for frame in keep.frames)
    assert not keep.audio.any()
    assert [number for number, _, _ in canvas.drawn] == [None] * 30
    assert [position_s for _, position_s, _ in canvas.drawn] == pytest.approx([i / FPS for i in range(30)])
    assert ring.read_index == 30 * FRAME


def test_late_pictures_are_repeated_then_left_out_and_the_sound_goes_on(ring: Ring) -> None:
    clock, keep = Clock(ring), Keep()
    canvas = Canvas(clock)
    program = Program(ring, canvas, [keep], fps=FPS, clock=clock, sleep=clock.sleep)
    keep.program, keep.clock, keep.until = program, clock, 30
    program.run()
    assert program.dropped == 0
    drawn_before = len(canvas.drawn)
    program = Program(ring, canvas, [keep], fps=FPS, clock=clock, sleep=clock.sleep)
    keep.program, keep.until = program, 100
    canvas.takes_s = 0.2
    program.run()
    later = keep.frames[30:]
    assert len(later) == 70
    assert [frame.sample for frame in later] == [later[0].sample + FRAME * i for i in range(70)]
    left_out = sum(frame.picture is None for frame in later)
    drawn = len(canvas.drawn) - drawn_before
    assert left_out > 0
    assert program.dropped == len(later) - drawn > left_out


def test_nothing_is_drawn_when_nobody_watches(ring: Ring) -> None:
    keep, canvas = Keep(), Canvas()
    keep.wanted = False
    program = Program(ring, canvas, [keep], fps=FPS, fast=True)
    ring.write(tone(0, 10 * FRAME))
    program.call(program.stop, after_sample=10 * FRAME)
    program.run()
    assert program.frames == 10
    assert ring.read_index == 10 * FRAME
    assert canvas.drawn == []


def test_calls_wait_for_the_samples_they_are_about(ring: Ring) -> None:
    program = Program(ring, Canvas(), [Keep()], fps=FPS, fast=True)
    seen: list[tuple[str, int]] = []
    program.call(lambda: seen.append(("now", program.sample)))
    program.call(lambda: seen.append(("later", program.sample)), after_sample=7 * FRAME + 5)
    program.call(program.stop, after_sample=7 * FRAME + 5)
    ring.write(tone(0, 7 * FRAME + 5))
    program.run()
    assert seen == [("now", 0), ("later", 7 * FRAME)]


def test_a_restarted_feed_goes_on_where_the_last_one_ended(ring: Ring) -> None:
    ring.write(tone(0, SAMPLE_RATE))
    ring.read_index = 20 * FRAME - 3
    assert Program(ring, Canvas(), [], fps=FPS, fast=True).index == 20
    ring.write(tone(SAMPLE_RATE, 5 * SAMPLE_RATE))
    late = Program(ring, Canvas(), [], fps=FPS)
    assert 6 * SAMPLE_RATE - late.sample < SAMPLE_RATE // 2
