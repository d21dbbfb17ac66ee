"""Where the programme is published, and the key to it, which is never shown.

The key is named by where it lies (a variable of the environment, a file) and read
at each connection: it is in no setlist, no message, no command line.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from streaming.errors import PublishError

Method = Literal["rtmp", "whip", "mpegts"]

METHODS: dict[str, Method] = {
    "rtmp": "rtmp",
    "rtmps": "rtmp",
    "http": "whip",
    "https": "whip",
    "mpegts": "mpegts",
}
# Services by name: their address, and the variable that holds the key where none is named.
SERVICES: dict[str, tuple[str, str]] = {
    "twitch": ("rtmps://ingest.global-contribute.live-video.net:443/app", "TWITCH_KEY"),
    "twitch-whip": ("https://g.webrtc.live-video.net:4443/v2/offer", "TWITCH_KEY"),
    "youtube": ("rtmps://a.rtmps.youtube.com:443/live2", "YOUTUBE_KEY"),
    "facebook": ("rtmps://live-api-s.facebook.com:443/rtmp", "FACEBOOK_KEY"),
}
PORTS = {"rtmp": 1935, "rtmps": 443, "http": 80, "https": 443, "mpegts": 9100}
HIDDEN = "***"
MAX_KEY_BYTES = 4096
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where a key lies; at most one of both is said, and none means that there is no key.

    Attributes:
        env: a variable of the environment.
        file: a file that holds nothing else.
    """

    env: str = ""
    file: str = ""

    def __bool__(self) -> bool:
        return bool(self.env or self.file)

    def read(self) -> str:
        """Return the key; empty where there is none.

        Raises:
            PublishError: it is not where it should be. The text names the place, never the key.
        """
        if self.env:
            key = os.environ.get(self.env, "").strip()
            if not key:
                raise PublishError(f"the key should be in the environment as {self.env}, which is not set")
        elif self.file:
            key = self._from_file(Path(self.file))
        else:
            return ""
        if any(ord(sign) < 33 or ord(sign) > 126 for sign in key):
            raise PublishError(f"the key in {self.env or self.file} has signs that no key has; copy it anew")
        return key

    def exposed(self) -> str:
        """Return a warning where others on this machine may read the key; else nothing."""
        if not self.file:
            return ""
        try:
            mode = Path(self.file).stat().st_mode
        except OSError:
            return ""
        if not mode & (stat.S_IRGRP | stat.S_IROTH):
            return ""
        return f"others may read the key in {self.file}: chmod 600 {self.file}"

    def _from_file(self, path: Path) -> str:
        try:
            with path.open(encoding="utf-8") as file:
                key = file.read(MAX_KEY_BYTES + 1).strip()
        except OSError as error:
            raise PublishError(f"the key cannot be read from {path}: {(error.strerror or 'unknown').lower()}") from None
        except UnicodeDecodeError:
            raise PublishError(f"{path} holds no key but something else than text") from None
        if not key or len(key) > MAX_KEY_BYTES:
            raise PublishError(f"{path} should hold the key and nothing else")
        return key


@dataclass(frozen=True, slots=True)
class Destination:
    """One place the programme goes to.

    Attributes:
        name: as people call it; unique in a show.
        url: may have a key inside, so that it is told only by `place`.
        key: where the key lies.
        ca_file: certificates to trust besides the system's, for an ingest of one's own.
    """

    name: str
    url: str = field(repr=False)
    key: KeySource = KeySource()
    ca_file: str = ""

    @property
    def scheme(self) -> str:
        """The scheme of the address."""
        return urlsplit(self.url).scheme

    @property
    def method(self) -> Method:
        """How it is sent."""
        return METHODS[self.scheme]

    @property
    def place(self) -> str:
        """The address as it may be shown: without path, query and user."""
        return shown(self.url)

    def secrets(self, key: str) -> tuple[str, ...]:
        """Return what must not be shown when a library tells of this destination.

        Args:
            key: as read now.
        """
        parts = urlsplit(self.url)
        found = (self.url, parts.path.strip("/"), parts.path.rpartition("/")[2], parts.query, parts.password, key)
        return tuple(sorted({text for text in found if text and len(text) > 3}, key=len, reverse=True))


def shown(url: str) -> str:
    """Return an address as it may be shown: scheme, host and port."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname or ''}{port}"
    except ValueError:
        return HIDDEN


def redact(text: str, secrets: tuple[str, ...]) -> str:
    """Return a text with every secret hidden.

    Args:
        text: such as an error of a library.
        secrets: of `Destination.secrets`, longest first.
    """
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def destination_of(to: str, *, name: str = "", key: KeySource | None = None, ca_file: str = "") -> Destination:
    """Return the destination that a service's name or an address tells.

    Args:
        to: one of `SERVICES`, or an address.
        name: as people call it; by default the service, or the host.
        key: where the key lies; None: where the service's key is by custom.
        ca_file: of `Destination`.

    Raises:
        PublishError: it is neither, or cannot be reached so. The text does not repeat an address.
    """
    if to in SERVICES:
        url, variable = SERVICES[to]
        return Destination(name or to, url, key or KeySource(env=variable), ca_file)
    if "://" not in to:
        raise PublishError(f"should be one of {', '.join(SERVICES)}, or an address such as rtmps://host/app")
    try:
        parts = urlsplit(to)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise PublishError("the address cannot be read: write it as rtmps://host:port/app") from None
    if parts.scheme == "srt":
        raise PublishError("srt is not spoken here: use rtmp, rtmps, https (WHIP) or mpegts")
    if parts.scheme not in METHODS:
        raise PublishError(f'"{parts.scheme}" is not spoken here: use rtmp, rtmps, https (WHIP) or mpegts')
    if not host:
        raise PublishError("the address has no host: write it as rtmps://host:port/app")
    found = Destination(name or host, to, key or KeySource(), ca_file)
    if found.method == "rtmp":
        _check_rtmp(parts.path, found)
    if found.method == "mpegts" and (parts.path.strip("/") or found.key):
        raise PublishError("MPEG-TS has neither path nor key: write it as mpegts://0.0.0.0:9100")
    return found


def named_apart(destination: Destination, others: Sequence[Destination]) -> Destination:
    """Return a destination with a number after its name where another has that already."""
    taken, name, count = {other.name for other in others}, destination.name, 1
    while name in taken:
        count += 1
        name = f"{destination.name}-{count}"
    return Destination(name, destination.url, destination.key, destination.ca_file)


def key_inside(url: str) -> bool:
    """Return whether an address seems to hold a key: a stream's name after the application, a query, a user."""
    parts = urlsplit(url)
    deep = METHODS.get(parts.scheme) == "rtmp" and "/" in parts.path.strip("/")
    return bool(deep or parts.query or parts.password or parts.username)


def is_variable(name: str) -> bool:
    """Return whether a text can be the name of a variable of the environment."""
    return _VARIABLE.fullmatch(name) is not None


def _check_rtmp(path: str, found: Destination) -> None:
    if not path.strip("/"):
        raise PublishError("the address has no application: write it as rtmps://host/app")
    if not found.key and "/" not in path.strip("/"):
        raise PublishError("there is no key: name where it lies, such as key: {env: STREAM_KEY}")
