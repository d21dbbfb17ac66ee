"""What is around the program: SoundFonts, MIDI, sound cards, OBS, disk, memory, cores, clock."""

from __future__ import annotations

import ctypes
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path

from conductor.doctor.finding import Finding

_FONT_FOLDERS = (
    "/usr/share/sounds/sf2",
    "/usr/share/sounds/sf3",
    "/usr/share/soundfonts",
    "/usr/local/share/soundfonts",
    "~/.local/share/soundfonts",
    "~/soundfonts",
)
# Packages of Debian and Ubuntu, 24 MB and 40 MB, by the files they bring.
FONT_PACKAGES = {
    "FluidR3Mono_GM.sf3": "fluidr3mono-gm-soundfont",
    "MuseScore_General_Lite.sf3": "musescore-general-soundfont-small",
}
_MOST_FONTS = 12
# What a show writes, and what a long one with a recording does.
_LEAST_FREE_MB, _GOOD_FREE_MB = 200, 5_000
_GOOD_MEMORY_MB = 3_000
_GOOD_CORES = 2
# What makes composing faster where a processor has it.
_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "asimddp", "bf16", "i8mm")
# A clock that says so was never set.
_BUILT = time.mktime((2025, 1, 1, 0, 0, 0, 0, 0, 0))
_TIMEX_BYTES, _UNSYNCHRONISED = 256, 5


def soundfonts() -> Iterator[Finding]:
    """Samples to play in place of the synth, and what plays them."""
    from streaming.errors import SoundFontError, SynthError
    from streaming.soundfonts import fluid
    from streaming.soundfonts.sf2 import instruments_of

    try:
        fluid.library()
        yield Finding("FluidSynth", "good", "plays SoundFonts")
    except SynthError as error:
        yield Finding("FluidSynth", "note", str(error).rpartition(";")[0], fluid.INSTALL)
    paths: dict[Path, Path] = {}
    for folder in map(Path, map(os.path.expanduser, _FONT_FOLDERS)):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.suffix.lower() in (".sf2", ".sf3"):
                # The same file may go by several names.
                paths.setdefault(path.resolve(), path)
    for path in list(paths.values())[:_MOST_FONTS]:
        try:
            text = f"{path}: {len(instruments_of(path))} of our instruments, {path.stat().st_size / 1e6:.0f} MB"
            yield Finding("SoundFont", "good", text)
        except (SoundFontError, OSError) as error:
            yield Finding("SoundFont", "note", str(error))
    if not any(name in FONT_PACKAGES for name in (path.name for path in paths)):
        text = "neither of the good free ones" if paths else "none found; the synth plays"
        advice = " or ".join(f"apt-get install {package}" for package in FONT_PACKAGES.values())
        yield Finding("SoundFont", "note", text, advice)


def midi() -> Iterator[Finding]:
    """Ports that notes can be sent to, and what offers them."""
    from streaming.midi.ports import SystemPorts

    cards = Path("/proc/asound/cards")
    names = [line.split("]:")[1].strip() for line in _lines(cards) if "]:" in line]
    if names:
        yield Finding("sound cards", "good", ", ".join(names))
    else:
        yield Finding("sound cards", "note", "none; a show needs none, it is heard through OBS and the page")
    if Path("/dev/snd/seq").exists():
        yield Finding("ALSA sequencer", "good", "/dev/snd/seq")
    else:
        yield Finding("ALSA sequencer", "note", "there is none; MIDI goes through JACK alone", "modprobe snd-seq")
    if list(Path("/dev/shm").glob("jack*")):
        yield Finding("JACK", "good", "a server runs")
    else:
        yield Finding("JACK", "note", "no server runs; a show needs none")
    ports = SystemPorts()
    try:
        found = ports.names()
        if found:
            yield Finding("MIDI ports", "good", ", ".join(found))
        else:
            yield Finding("MIDI ports", "note", ports.missing())
    finally:
        ports.close()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def obs(url: str, password: str) -> Iterator[Finding]:
    """OBS, if it runs.

    Args:
        url: of its WebSocket server.
        password: for it.
    """
    from streaming.errors import ObsError
    from streaming.obs.link import ObsLink

    try:
        link = ObsLink(url, password)
    except ObsError as error:
        asks = "password" in str(error)
        advice = (
            "export OBS_PASSWORD=..."
            if asks
            else "start OBS and switch on its server (Tools, WebSocket Server Settings)"
        )
        yield Finding("OBS", "note", str(error), advice)
        return
    try:
        told = link.request("GetVersion")
        yield Finding("OBS", "good", f"{told.get('obsVersion', '?')} at {url}")
    finally:
        link.close()


def disk(folder: Path) -> Iterator[Finding]:
    """Room for pieces, log and recordings."""
    stat = os.statvfs(folder)
    free_mb = stat.f_bavail * stat.f_frsize / 1e6
    text = f"{free_mb / 1000:.1f} GB free in {folder.resolve()}"
    if free_mb < _LEAST_FREE_MB:
        yield Finding("disk", "missing", text, f"make room: a show needs {_LEAST_FREE_MB} MB")
    elif free_mb < _GOOD_FREE_MB:
        yield Finding("disk", "note", text, "make room before recording: an hour of video takes 1 to 3 GB")
    else:
        yield Finding("disk", "good", text)


def machine() -> Iterator[Finding]:
    """Processor and memory."""
    import psutil

    lines = _lines(Path("/proc/cpuinfo"))
    told = next((line.split() for line in lines if line.startswith(("flags", "Features"))), [])
    able = ", ".join(feature for feature in _FEATURES if feature in told)
    yield Finding("processor", "good", f"{platform.machine()}{f' with {able}' if able else ''}")
    cores = len(os.sched_getaffinity(0))
    if cores < _GOOD_CORES:
        yield Finding("cores", "note", f"{cores}; player and feed want one each", "use a machine with 2 cores or more")
    else:
        yield Finding("cores", "good", str(cores))
    memory_mb = psutil.virtual_memory().total / 1e6
    state = Finding("memory", "good", f"{memory_mb / 1000:.1f} GB")
    if memory_mb < _GOOD_MEMORY_MB:
        state = Finding("memory", "note", state.text, f"a show takes about {_GOOD_MEMORY_MB / 1000:.0f} GB")
    yield state


def clock() -> Iterator[Finding]:
    """The wall clock, by which shows and their log are told."""
    now = time.localtime()
    zone = f"{time.strftime('%Y-%m-%d %H:%M', now)} {now.tm_zone} (UTC{time.strftime('%z', now)})"
    if time.time() < _BUILT:
        yield Finding("clock", "note", f"{zone}: it was never set", "timedatectl set-ntp true")
    elif not _synchronised():
        yield Finding("clock", "note", f"{zone}, not known to be right", "apt-get install systemd-timesyncd")
    else:
        yield Finding("clock", "good", f"{zone}, kept right")


def _synchronised() -> bool:
    """Whether the system says that something keeps its clock right.

    Source: adjtimex(2).
    """
    try:
        answer = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return False
    return 0 <= int(answer) < _UNSYNCHRONISED
