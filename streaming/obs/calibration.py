"""How far sound and picture are apart in OBS: measured by a recording of OBS's own, then kept and applied.

A programme of flashes and beeps, one of each at every whole second and exactly together, is shown in a scene of
its own and recorded; in the recording they lie apart by what OBS adds. The amount is another at every start of an
input, within a frame or so; therefore several are measured, and the middle one counts.
"""

from __future__ import annotations

import contextlib
import logging
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from streaming.errors import ObsError
from streaming.obs.link import ObsLink, ObsRefusedError, version_of
from streaming.obs.sources import feed_settings, program_scene
from streaming.programme.nut import NutServer
from streaming.programme.program import ProgramFrame
from streaming.timeline import SAMPLE_RATE

log = logging.getLogger(__name__)

SCENE, INPUT = "Conductor calibration", "Conductor calibration marks"
# Past the beginning of an input, which OBS buffers its way through.
SETTLE_S, RECORD_S = 3.0, 6.0
CONNECT_WITHIN_S = 10.0
FEWEST_PAIRS = 3
BEEP_HZ, BEEP_S = 1000.0, 0.06
_WIDTH, _HEIGHT = 640, 360
_BLACK, _WHITE, _GREY = 16, 235, 128
_FLASH_FRAMES = 2
# Under the beep by 10 dB.
_HEARD = 0.15

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured.

    Attributes:
        starts_ms: how late the picture was, milliseconds, at each start of the input.
    """

    starts_ms: tuple[float, ...]

    @property
    def offset_ms(self) -> int:
        """The delay of the sound that makes up for it, milliseconds."""
        return round(statistics.median(self.starts_ms))


def calibrate(url: str, password: str, *, starts: int = 3, say: Say = log.info) -> Calibration:
    """Measure how late OBS shows the picture; its own scene comes back when that is done.

    Args:
        url: ws://HOST:PORT of OBS's WebSocket server.
        password: of that server.
        starts: how often the input is started and measured.
        say: told what goes on.

    Raises:
        ObsError: OBS is on air or out of reach, or its recording does not hold what it should.
    """
    link = ObsLink(url, password)
    try:
        version_of(link)
        for name, doing in (("Stream", "streams"), ("Record", "records")):
            if link.request(f"Get{name}Status")["outputActive"]:
                raise ObsError(f"OBS {doing}: calibrate it before going on air, the audience would see and hear it")
        video = link.request("GetVideoSettings")
        fps = round(video["fpsNumerator"] / video["fpsDenominator"])
        with _marks(fps) as server, _scene(link, server):
            found = [_measure(link, server, number, starts, say) for number in range(1, starts + 1)]
    finally:
        link.close()
    return Calibration(tuple(found))


@contextlib.contextmanager
def _marks(fps: int) -> Iterator[NutServer]:
    """Serve flashes and beeps while the block runs."""
    server = NutServer(0, _WIDTH, _HEIGHT, fps)
    ended = threading.Event()

    def run() -> None:
        start_s = time.monotonic()
        for frame in marks(fps):
            if ended.wait(max(0.0, start_s + frame.index / fps - time.monotonic())):
                return
            server.frame(frame)

    thread = threading.Thread(target=run, name="calibration", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        ended.set()
        thread.join()
        server.close()


def marks(fps: int) -> Iterator[ProgramFrame]:
    """Yield without end a programme that flashes and beeps at each whole second.

    Args:
        fps: pictures a second, of which 48000 is a multiple.
    """
    samples = SAMPLE_RATE // fps
    at_s = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = np.where(at_s < BEEP_S, 0.5, 0.0) * np.sin(2 * np.pi * BEEP_HZ * at_s)
    second = np.repeat(tone.astype(np.float32)[:, None], 2, axis=1)
    dark = np.full((_HEIGHT * 3 // 2, _WIDTH), 128, np.uint8)
    dark[:_HEIGHT] = _BLACK
    bright = dark.copy()
    bright[:_HEIGHT] = _WHITE
    index = 0
    while True:
        part = index % fps
        audio = second[part * samples : (part + 1) * samples]
        yield ProgramFrame(index, index * samples, audio, bright if part < _FLASH_FRAMES else dark, True)
        index += 1


@contextlib.contextmanager
def _scene(link: ObsLink, server: NutServer) -> Iterator[None]:
    """Have the marks on program while the block runs, and everything as it was afterwards."""
    before = program_scene(link)
    _remove(link)
    link.request("CreateScene", sceneName=SCENE)
    try:
        made = link.request(
            "CreateInput",
            sceneName=SCENE,
            inputName=INPUT,
            inputKind="ffmpeg_source",
            inputSettings=_settings(server),
            sceneItemEnabled=True,
        )
        canvas = link.request("GetVideoSettings")
        bounds = {"boundsWidth": canvas["baseWidth"], "boundsHeight": canvas["baseHeight"]}
        link.request(
            "SetSceneItemTransform",
            sceneName=SCENE,
            sceneItemId=made["sceneItemId"],
            sceneItemTransform={"boundsType": "OBS_BOUNDS_STRETCH", **bounds},
        )
        link.request("SetCurrentProgramScene", sceneName=SCENE)
        yield
    finally:
        with contextlib.suppress(ObsError):
            link.request("SetCurrentProgramScene", sceneName=before)
            _remove(link)


def _remove(link: ObsLink) -> None:
    for request, about in (("RemoveInput", {"inputName": INPUT}), ("RemoveScene", {"sceneName": SCENE})):
        with contextlib.suppress(ObsRefusedError):
            link.request(request, **about)


def _settings(server: NutServer) -> dict[str, object]:
    return feed_settings(f"tcp://127.0.0.1:{server.port}")


def _measure(link: ObsLink, server: NutServer, number: int, starts: int, say: Say) -> float:
    if number > 1:
        link.request("SetInputSettings", inputName=INPUT, inputSettings=_settings(server), overlay=True)
        time.sleep(1.0)
    _wait(lambda: server.readers > 0, "OBS does not read the marks: is it on this machine?")
    time.sleep(SETTLE_S)
    link.request("StartRecord")
    time.sleep(RECORD_S)
    path = Path(str(link.request("StopRecord")["outputPath"]))
    _wait(lambda: not link.request("GetRecordStatus")["outputActive"], "OBS does not end its recording")
    if not path.is_file():
        raise ObsError(f"OBS recorded to {path}, which is not on this machine: calibrate where OBS runs")
    # OBS writes the end of the file in a process of its own.
    time.sleep(0.5)
    try:
        late_ms = pairs_ms(path)
    finally:
        path.unlink(missing_ok=True)
    if len(late_ms) < FEWEST_PAIRS:
        raise ObsError(
            f"OBS's recording holds {len(late_ms)} of {RECORD_S:g} flashes with their beeps: "
            "is its canvas covered, its sound muted, or the machine too busy?"
        )
    middle = statistics.median(late_ms)
    say(f"start {number} of {starts}: the picture is {middle:+.1f} ms late ({len(late_ms)} flashes)")
    return middle


def _wait(condition: Callable[[], bool], otherwise: str) -> None:
    until_s = time.monotonic() + CONNECT_WITHIN_S
    while not condition():
        if time.monotonic() > until_s:
            raise ObsError(otherwise)
        time.sleep(0.05)


def pairs_ms(path: Path) -> list[float]:
    """Return flash minus beep for every second of a recording that has both, milliseconds: above 0 the picture is late.

    Raises:
        ObsError: the recording cannot be read.
    """
    flashes: list[float] = []
    sound: list[NDArray[np.float32]] = []
    sound_start_s, rate, lit = 0.0, SAMPLE_RATE, True
    # Whatever OBS was told to record with: one channel of floats.
    mono = av.AudioResampler(format="fltp", layout="mono", rate=rate)
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0, audio=0):
                if isinstance(frame, av.VideoFrame):
                    flash = bool(frame.to_ndarray(format="gray").mean() > _GREY)
                    if flash and not lit and frame.time is not None:
                        flashes.append(frame.time)
                    lit = flash
                elif isinstance(frame, av.AudioFrame):
                    if not sound:
                        sound_start_s = frame.time or 0.0
                    sound += [part.to_ndarray()[0] for part in mono.resample(frame)]
    except (av.FFmpegError, IndexError, OSError) as error:
        raise ObsError(f"{path}: OBS's recording cannot be read ({error})") from None
    audio = np.concatenate(sound) if sound else np.zeros(1, np.float32)
    loud = np.flatnonzero(np.abs(audio) > _HEARD)
    # Waves of one beep are a millisecond apart, beeps a second.
    first = loud[np.diff(loud, prepend=-rate) > rate // 4] if len(loud) else loud
    beeps = sound_start_s + first / rate
    if not len(beeps):
        return []
    nearest = [flash - float(beeps[np.argmin(np.abs(beeps - flash))]) for flash in flashes]
    # Half a second and more is the neighbour's, at the ends of the file.
    return [1000.0 * apart for apart in nearest if abs(apart) < 0.5]
