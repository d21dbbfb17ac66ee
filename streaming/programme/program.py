"""The programme: joins sound and picture on the sample clock, and never stops.

Picture `f` is shown with the samples `[f * 48000 / fps, (f + 1) * 48000 / fps)`. The loop takes a picture's
samples when the player has written them and the picture is due, draws the piece that sounds at its first sample,
and hands both to the sinks. When no player is heard the loop goes on by the wall clock, with a slate, the end of
what was heard and then the emergency bed; the sample index counts on, so that no pts ever jumps. A player that is
back is gone back to when it has been there for as long as it was away, and no longer than `GOOD_S`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from streaming.picture.scene import BED, NOTHING, Coming, Scene
from streaming.programme.bridge import Bridge
from streaming.programme.listening import GOOD_S, Listening
from streaming.ring import Ring
from streaming.timeline import SAMPLE_RATE

logger = logging.getLogger(__name__)

# The player is gone when it has written nothing for so long ...
DEAD_S = 0.3
# ... or for so long when there is nothing left to send: a gap would be heard.
STARVED_S = 0.15
# What must lie ready before the programme joins a player (again).
CUSHION_S = 0.1
# More than this ahead of us, and we hurry: the player caught up after a stall.
LEAD_S = 0.32
# So late, the last picture is repeated; later still, the picture is left out.
REPEAT_FRAMES = 1.5
SKIP_FRAMES = 4.0
# Of pieces that were drawn so many are kept, for one that comes back; and so many of all, whatever is announced.
DRAWN_KEPT, SCENES_KEPT = 8, 64
COMING_KEPT = 16
_POLL_S = 0.003
_FAST_POLL_S = 0.0005

Picture = npt.NDArray[np.uint8]
Audio = npt.NDArray[np.float32]
Clock = Callable[[], float]


class Canvas(Protocol):
    """What the programme needs of `streaming.picture.pianoroll.PianoRoll`."""

    def draw(  # noqa: D102
        self,
        scene: Scene | None,
        position_s: float,
        *,
        coming: Coming = NOTHING,
        level_db: float | None = None,
        sound: Audio | None = None,
    ) -> Picture: ...


@dataclass(frozen=True, slots=True)
class ProgramFrame:
    """One picture and its sound.

    Attributes:
        index: picture number since the start of the programme.
        sample: index of the first sample.
        audio: float32 [samples, 2], -1 to 1.
        picture: I420 uint8 [height * 3 // 2, width], drawn over by the next frame; None: left out.
        heard: whether the sound is a player's; else it bridges a gap.
    """

    index: int
    sample: int
    audio: Audio
    picture: Picture | None
    heard: bool


class Sink(Protocol):
    """Where frames go; called in the programme's thread, must not block for long."""

    @property
    def wanted(self) -> bool:
        """Whether somebody is there; with nobody anywhere, nothing is drawn."""
        ...

    def frame(self, frame: ProgramFrame) -> None:
        """Take one picture and its sound."""
        ...


def first_sample(index: int, fps: int) -> int:
    """Return the sample at which a picture begins."""
    return index * SAMPLE_RATE // fps


class Program:
    """The loop that makes one frame after the other.

    Args:
        ring: the shared ring of audio.
        canvas: draws the pictures.
        sinks: get every frame, in this order.
        fps: pictures per second.
        fast: go as fast as the ring and the sinks allow: no pacing, no slate.
        finish: changes a picture before it goes out, such as `stamp`.
        emergency: float32 [samples, 2], a loop for when no player is heard; None: there is none.
        clock, sleep: of the wall, in seconds.

    Attributes:
        listening: how loud all that is, and how long the player has been silent.
        slate: whether the slate is shown, since no player is heard.
    """

    def __init__(
        self,
        ring: Ring,
        canvas: Canvas,
        sinks: Sequence[Sink],
        *,
        fps: int = 30,
        fast: bool = False,
        finish: Callable[[Picture, int, int], Picture] | None = None,
        emergency: Audio | None = None,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ring, self._canvas, self._sinks = ring, canvas, tuple(sinks)
        self._fps, self._fast, self._finish = fps, fast, finish
        self._clock, self._sleep = clock, sleep
        self._scenes: OrderedDict[int, Scene] = OrderedDict()
        # Of those, what has been drawn since it was announced.
        self._drawn: set[int] = set()
        self._coming: dict[int, Coming] = {}
        self._calls: list[tuple[int, Callable[[], None]]] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._picture: Picture | None = None
        self._bridge = Bridge(SAMPLE_RATE, emergency)
        self.listening = Listening(SAMPLE_RATE)
        self.index = self._start_index()
        self.frames = 0
        self.dropped = 0
        self.slate = not fast
        self._bridging = not fast
        self._due_s = clock()
        # Nobody is heard until the ring moves.
        self._written = ring.write_index
        self._written_s = float("-inf")
        # Since when the player that is there now has written, and since when none has been heard.
        self._back_s = self._left_s = self._due_s
        self._ever_heard = False
        self._made_s = self._due_s

    # --- what other threads may call ---

    @property
    def emergency(self) -> bool:
        """Whether the emergency bed is among what is heard."""
        return self._bridge.emergency

    @property
    def still_s(self) -> float:
        """How long no frame has been made."""
        return self._clock() - self._made_s

    @property
    def sample(self) -> int:
        """The first sample that has not gone out yet."""
        return first_sample(self.index, self._fps)

    def announce(self, scene: Scene) -> None:
        """Remember a piece, to be drawn when it sounds."""
        with self._lock:
            self._scenes[scene.number] = scene
            self._scenes.move_to_end(scene.number)
            self._drawn.discard(scene.number)
            drawn = [number for number in self._scenes if number in self._drawn]
            for number in drawn[: max(0, len(drawn) - DRAWN_KEPT)]:
                self._forget(number)
            while len(self._scenes) > SCENES_KEPT:
                self._forget(next(iter(self._scenes)))

    def _forget(self, number: int) -> None:
        del self._scenes[number]
        self._drawn.discard(number)

    def position_s(self, number: int) -> float | None:
        """Return the seconds since a piece began, while it is the one that sounds."""
        begun = [(mark, begin) for mark, begin in self._ring.marks() if begin <= self.sample]
        return (self.sample - begun[-1][1]) / SAMPLE_RATE if begun and begun[-1][0] == number else None

    def announce_next(self, coming: Coming, number: int = BED) -> None:
        """Set what comes next.

        Args:
            coming: what, and when.
            number: of the piece it comes after; who tells it may be ahead of what is drawn.
        """
        with self._lock:
            self._coming.pop(number, None)
            self._coming[number] = coming
            while len(self._coming) > COMING_KEPT:
                del self._coming[next(iter(self._coming))]

    def _coming_after(self, number: int | None) -> Coming:
        """Return what comes after a piece; after the bed and on the slate, what was told last."""
        with self._lock:
            if number is None or number == BED:
                return next(reversed(self._coming.values()), NOTHING)
            return self._coming.get(number, NOTHING)

    def call(self, what: Callable[[], None], *, after_sample: int = 0) -> None:
        """Run something in the programme's thread, between two frames.

        Args:
            what: must not raise.
            after_sample: not before all samples below this index have gone out (as far as they fill a frame).
        """
        with self._lock:
            self._calls.append((after_sample, what))

    def stop(self) -> None:
        """Let `run` return after the frame it works on."""
        self._stopped.set()

    # --- the loop ---

    def run(self) -> None:
        """Make frames until `stop`."""
        step = self._step_fast if self._fast else self._step
        while not self._stopped.is_set():
            self._run_calls()
            step()
        self._run_calls()

    def _start_index(self) -> int:
        """Go on where the last feed ended, or with the newest sound if the ring holds much more."""
        oldest = self._ring.read_index
        if not self._fast:
            oldest = max(oldest, self._ring.write_index - int(LEAD_S * SAMPLE_RATE))
        return -(-oldest * self._fps // SAMPLE_RATE)

    def _run_calls(self) -> None:
        if not self._calls:
            return
        # In a frame that the player has only begun there is nothing that a recording would miss.
        reached = first_sample(self.index + 1, self._fps) - 1
        with self._lock:
            due = [what for sample, what in self._calls if sample <= reached]
            self._calls = [(sample, what) for sample, what in self._calls if sample > reached]
        for what in due:
            what()

    def _step_fast(self) -> None:
        if self._ring.write_index >= first_sample(self.index + 1, self._fps):
            self._emit(heard=True, late_frames=0.0)
        else:
            self._sleep(_FAST_POLL_S)

    def _step(self) -> None:
        """Wait for one frame's time and sound, or for the certainty that there is no sound; send it."""
        end = first_sample(self.index + 1, self._fps)
        needed = end + (int(CUSHION_S * SAMPLE_RATE) if self._bridging else 0)
        waited = False
        while not self._stopped.is_set():
            now = self._clock()
            written = self._ring.write_index
            if written != self._written:
                if now - self._written_s >= STARVED_S:
                    self._back_s = now
                self._written, self._written_s = written, now
            silent_s = now - self._written_s
            if now < self._due_s:
                self._sleep(min(self._due_s - now, 0.02))
            elif written >= needed and self._is_good(now):
                self._go_on(now, lead_s=(written - end) / SAMPLE_RATE, rejoin=waited or self._bridging)
                return
            elif self._bridging or silent_s >= STARVED_S:
                self._bridge_over(now, slate=silent_s >= DEAD_S)
                return
            else:
                waited = True
                self._sleep(_POLL_S)

    def _is_good(self, now: float) -> bool:
        """Return whether a player that was away has been back for long enough not to be gone again in a moment."""
        if not self.slate or not self._ever_heard:
            return True
        return now - self._back_s >= min(GOOD_S, self._back_s - self._left_s)

    def _go_on(self, now: float, *, lead_s: float, rejoin: bool) -> None:
        """Send a frame with the player's sound."""
        if rejoin:
            # We were waiting for the player: its clock is the clock, and we are not late.
            self._due_s = now
        if self.slate:
            logger.info("a player is heard from sample %d", self.sample)
        self._bridging = self.slate = False
        late_frames = (now - self._due_s) * self._fps
        self._tell_time()
        # A player that caught up after a stall leaves us behind; hurrying by a tenth is not noticed.
        self._due_s += (0.9 if lead_s > LEAD_S else 1.0) / self._fps
        self._emit(heard=True, late_frames=late_frames)

    def _bridge_over(self, now: float, *, slate: bool) -> None:
        """Send a frame without a player, on the wall clock."""
        if slate and not self.slate:
            logger.warning("no player is heard since sample %d: showing the slate", self._written)
        if not self._bridging:
            self._left_s = now
        # It stays until the player is heard, not only there.
        self._bridging, self.slate = True, slate or self.slate
        late_frames = (now - self._due_s) * self._fps
        self._tell_time()
        # A player that writes, but too close behind us or after us, would never be heard: we both keep to the clock.
        # To go slower by a tenth lets it come up.
        alive = now - self._written_s < STARVED_S
        close = self._ring.write_index < first_sample(self.index + 1, self._fps) + int(CUSHION_S * SAMPLE_RATE)
        self._due_s += (1.1 if alive and close else 1.0) / self._fps
        self._emit(heard=False, late_frames=late_frames)

    def _tell_time(self) -> None:
        """Leave in the ring when samples are on air, for those who play along."""
        self._ring.air_ns = round(self._due_s * 1e9) - self.sample * 1_000_000_000 // SAMPLE_RATE

    def _emit(self, *, heard: bool, late_frames: float) -> None:
        start, end = self.sample, first_sample(self.index + 1, self._fps)
        audio = self._heard(start, end) if heard else self._missed(end - start)
        self.listening.sent(audio)
        self._ring.read_index = end
        self._made_s = self._clock()
        wanted = [sink for sink in self._sinks if sink.wanted]
        picture = self._draw(start, audio, late_frames) if wanted else None
        frame = ProgramFrame(self.index, start, audio, picture, heard)
        for sink in wanted:
            sink.frame(frame)
        self.index += 1
        self.frames += 1

    def _heard(self, start: int, end: int) -> Audio:
        """Return what goes out of a player's sound."""
        given = self._ring.read(start, end - start)
        was_silent = self.listening.silent
        self.listening.given(given)
        silent = self.listening.silent and not self._fast
        if silent != was_silent and not self._fast:
            if silent:
                logger.warning("nothing but silence is heard of the player: the emergency bed is laid under it")
            else:
                logger.info("the player sounds again")
        self._ever_heard = True
        return self._bridge.heard(given, silent=silent)

    def _missed(self, samples: int) -> Audio:
        """Return what goes out instead of a player's sound."""
        self.listening.absent(samples)
        return self._bridge.fill(samples)

    def _draw(self, start: int, audio: Audio, late_frames: float) -> Picture | None:
        """Return the picture, the last one again, or None, by how late it is."""
        if late_frames >= REPEAT_FRAMES:
            self.dropped += 1
            if late_frames >= SKIP_FRAMES:
                return None
        if self._picture is None or late_frames < REPEAT_FRAMES:
            scene, begin = (None, 0) if self.slate else self._sounding(start)
            position_s = (start - begin) / SAMPLE_RATE
            level_db = 20.0 * float(np.log10(max(float(np.abs(audio).max(initial=0.0)), 1e-5)))
            coming = self._coming_after(scene.number if scene else None)
            self._picture = self._canvas.draw(scene, position_s, coming=coming, level_db=level_db, sound=audio)
        if self._finish is None:
            return self._picture
        return self._finish(self._picture, self.index, start)

    def _sounding(self, sample: int) -> tuple[Scene | None, int]:
        """Return the piece that sounds at a sample, and the sample at which it began."""
        for number, begin in reversed(self._ring.marks()):
            if begin <= sample:
                with self._lock:
                    if number in self._scenes and number != BED:
                        self._drawn.add(number)
                        self._scenes.move_to_end(number)
                    return self._scenes.get(number), begin
        return None, 0
