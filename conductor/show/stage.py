"""What a show needs before it may start: its folders, its port, its files.

Everything that a person can get wrong is looked at here, before a process starts.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from conductor.errors import LibraryError, UsageError
from conductor.logs import Form
from streaming.obs.wanted import ObsState
from streaming.publishing.destination import Destination

# The longest address of a Unix socket, with its end.
MAX_SOCKET_PATH = 107
DEFAULT_OBS = "ws://127.0.0.1:4455"
# Where only this machine is heard.
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """How a show is run.

    Attributes:
        data: folder of pieces, database and log.
        record: MP4 to record to.
        host, port: of the console.
        operators: who may log in there; None: whoever sits at this machine may do everything.
        width, height, fps: of the picture.
        nut_port: where OBS reads the programme; 0: nowhere.
        obs_url, obs_password: of OBS's WebSocket server; an empty address: no OBS.
        stream: OBS streams from the show's start to its end.
        fast: everything as fast as it goes, into the recording.
        auto_reload: a setlist that is changed is taken up at once.
        fresh: begin anew even where an earlier run broke off; resume: go on even where it was ended.
        publish: where the programme is published.
        stamp: picture numbers and flashes are drawn, for measurements.
        checkpoint: weights for the composer; None: those that are shipped.
        debug: log everything.
        log_format: of the log file: text or json.
        metrics_token: file that holds a token by which metrics may be read from elsewhere.
    """

    data: Path
    record: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    width: int = 1280
    height: int = 720
    fps: int = 30
    nut_port: int = 19003
    obs_url: str = DEFAULT_OBS
    obs_password: str = ""
    stream: bool = False
    fast: bool = False
    auto_reload: bool = False
    fresh: bool = False
    resume: bool = False
    checkpoint: Path | None = None
    publish: tuple[Destination, ...] = ()
    operators: Path | None = None
    stamp: bool = False
    debug: bool = False
    log_format: Form = "text"
    metrics_token: Path | None = None


class Obs(Protocol):
    """What the show wants of OBS (see `streaming.obs.director`).

    Attributes:
        on_news: told lines for a person, and whether each is good news.
    """

    on_news: Callable[[str, bool], None] | None

    @property
    def state(self) -> ObsState:
        """What is known of it."""

    async def start(self) -> bool:
        """Connect; return whether OBS was there."""

    def wanted(
        self,
        *,
        scene: str | None = None,
        now: str | None = None,
        next: str | None = None,  # noqa: A002
        streaming: bool | None = None,
        recording: bool | None = None,
        volume_db: float | None = None,
    ) -> None:
        """Say what is wanted from now on."""

    def feed_readers(self, readers: int) -> None:
        """Tell how many read the feed."""

    def played(self, peak_db: float) -> None:
        """Tell the peak of the programme since the last call, dBFS."""

    def seam(self) -> None:
        """Tell that a piece has ended."""

    async def close(self) -> None:
        """Let go."""


def slug(text: str, default: str = "show") -> str:
    """Return a text as the name of a file: letters, digits and dashes, at most 60."""
    return re.sub(r"[^\w]+", "-", text.lower()).strip("-_")[:60].strip("-") or default


def check_options(options: ShowOptions, *, inhabited: bool = False) -> None:
    """Refuse what cannot work.

    Args:
        options: as given.
        inhabited: a feed of this show is at work already, and has its port.

    Raises:
        UsageError: one line with the way out.
    """
    if options.fast and options.record is None:
        raise UsageError("--fast plays into a file: add --record FILE.mp4")
    if options.width % 2 or options.height % 2 or not (64 <= options.width <= 7680 and 64 <= options.height <= 4320):
        raise UsageError(f"--size {options.width}x{options.height}: both even, from 64x64 to 7680x4320")
    if options.checkpoint is not None and not options.checkpoint.is_file():
        raise UsageError(f"--checkpoint {options.checkpoint}: there is no such file")
    if options.record is not None:
        _check_record(options.record)
    if options.port and options.operators is None and options.host not in LOCAL_NAMES:
        raise UsageError(
            f"--host {options.host}: whoever reaches the console from another machine has to log in - make a login "
            "(conductor operators add NAME --role edit) and add --operators operators.json; or leave out --host and "
            "use a tunnel (ssh -L)"
        )
    if options.port:
        _check_port(options.host, options.port, "--port")
    if options.nut_port and not options.fast and not inhabited:
        _check_port("127.0.0.1", options.nut_port, "--nut")


def _check_record(path: Path) -> None:
    if path.suffix.lower() != ".mp4":
        raise UsageError(f"--record {path}: a recording is an MP4 - name it {path.with_suffix('.mp4')}")
    if path.is_dir():
        raise UsageError(f"--record {path}: is a folder")
    if not path.parent.is_dir():
        raise UsageError(f"--record {path}: there is no folder {path.parent} - make it first")
    target = path if path.exists() else path.parent
    if not os.access(target, os.W_OK):
        raise UsageError(f"--record {path}: no permission to write there - choose another place")


def _check_port(host: str, port: int, option: str) -> None:
    if not 0 < port < 65536:
        raise UsageError(f"{option} {port}: a port is 1 to 65535")
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror:
        raise UsageError(f"--host {host}: no such address on this machine") from None
    family, kind, protocol, _, address = infos[0]
    with socket.socket(family, kind, protocol) as probe:
        # As the servers do: an address whose last connection is closing may be used.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            if isinstance(error, PermissionError):
                raise UsageError(f"{option} {port}: ports below 1024 need root - choose a higher one") from None
            free = _free_port(host)
            raise UsageError(
                f"port {port} on {host} is in use (another show?) - stop what uses it, or choose: {option} {free}"
            ) from None


def _free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class RunFolder:
    """The folder of sockets and the ring: short of name, in memory where it can be, one show's alone.

    Its name comes from the data folder, so that a conductor started anew finds the
    workers that its predecessor left.

    Args:
        data: the show's data folder.

    Raises:
        UsageError: the show runs already, or the folder cannot be made.
    """

    def __init__(self, data: Path) -> None:
        self.path = run_folder_of(data)
        try:
            self.path.mkdir(mode=0o700, exist_ok=True)
            if self.path.stat().st_uid != os.getuid():
                raise UsageError(f"{self.path}: belongs to another user - remove it")
            self._lock = (self.path / "lock").open("w")
        except OSError as error:
            raise UsageError(f"{self.path}: the run folder cannot be made ({error.strerror})") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise UsageError(
                f"this show is already running (its data folder is {data}) - end it, or run another with --data DIR"
            ) from None

    def inhabited(self) -> bool:
        """Return whether a feed of an earlier conductor is still at work here."""
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.path / "feed.sock"))
            except OSError:
                return False
        return True

    def close(self) -> None:
        """Remove the folder; call it when the workers are gone."""
        for path in self.path.iterdir():
            path.unlink(missing_ok=True)
        self.path.rmdir()
        self._lock.close()


def run_folder_of(data: Path) -> Path:
    """Return where the run folder of a show is, or would be.

    Args:
        data: the show's data folder.
    """
    name = "conductor-" + hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:10]
    parent = Path(os.environ.get("XDG_RUNTIME_DIR") or "/dev/shm")
    if not (parent.is_dir() and os.access(parent, os.W_OK)):
        parent = Path(tempfile.gettempdir())
    if parent.name in ("shm", "tmp"):
        name += f"-{os.getuid()}"
    path = parent / name
    return Path("/tmp") / name if len(str(path / "composer.sock")) > MAX_SOCKET_PATH else path


def run_folders() -> list[Path]:
    """Return the run folders on this machine, of whatever shows run or were killed."""
    own = f"/run/user/{os.getuid()}"
    parents = dict.fromkeys((os.environ.get("XDG_RUNTIME_DIR") or own, own, "/dev/shm", tempfile.gettempdir(), "/tmp"))
    return [path for parent in parents for path in sorted(Path(parent).glob("conductor-*")) if path.is_dir()]


def check_space(folder: Path, need_mb: float = 200.0) -> str | None:
    """Return a warning when a folder's disk is nearly full.

    Raises:
        LibraryError: it cannot be looked at.
    """
    try:
        stat = os.statvfs(folder)
    except OSError as error:
        raise LibraryError(f"{folder}: {error.strerror}") from None
    free_mb = stat.f_bavail * stat.f_frsize / 1e6
    return f"only {free_mb:.0f} MB are free in {folder}" if free_mb < need_mb else None
