"""One connection to OBS: obsws-python with its faults contained.

obsws-python 1.8 has one blocking socket, no lock, and never matches a reply to
its request; it throws close codes away and logs the password. So one thread
owns a link, a link that failed in any way is closed and never used again, and
its loggers are silent.
"""

from __future__ import annotations

import json
import logging
import select
import struct
from typing import Any
from urllib.parse import urlsplit

from obsws_python.baseclient import ObsClient
from obsws_python.error import OBSSDKError
from websocket import ABNF, WebSocketException, WebSocketTimeoutException

from streaming.errors import ObsError

# obs-websocket's close codes after which trying again is pointless or unwelcome.
AUTHENTICATION_FAILED = 4009
UNSUPPORTED_RPC_VERSION = 4010
SESSION_INVALIDATED = 4011
# obs-websocket's RequestStatus: OBS is changing its scene collection or profile; soon it answers again.
NOT_READY = 207
NOT_FOUND = 600
EXISTS = 601
# What `ObsLink` may listen to: the level of every input, twenty times a second.
METERS = 1 << 16
OLDEST_OBS = 28
_WHERE = "see OBS: Tools, WebSocket Server Settings, Show Connect Info"
_FINAL = {
    AUTHENTICATION_FAILED: f"OBS refused the password ({_WHERE})",
    UNSUPPORTED_RPC_VERSION: "this OBS speaks another version of obs-websocket: OBS 28 or later is needed",
    SESSION_INVALIDATED: "OBS ended the session (the kick button in its WebSocket Server Settings)",
}

# The library logs the password at INFO; the records of its child loggers end here.
_library_log = logging.getLogger("obsws_python")
_library_log.addHandler(logging.NullHandler())
_library_log.propagate = False
_library_log.setLevel(logging.CRITICAL + 1)


class ObsRefusedError(ObsError):
    """OBS answered a request with an error; the link is sound.

    Attributes:
        code: obs-websocket's RequestStatus, 600 for a thing that does not exist.
    """

    def __init__(self, request: str, code: int, comment: str) -> None:
        super().__init__(f"OBS refused {request}: {comment or f'code {code}'}")
        self.code = code


class ObsAbsentError(ObsRefusedError):
    """OBS has no such thing; the text says what it has."""

    def __init__(self, text: str) -> None:
        ObsError.__init__(self, text)
        self.code = NOT_FOUND


class ObsFinalError(ObsError):
    """OBS will not have us; trying again by itself would be a nuisance."""

    retryable = False


class _Client(ObsClient):  # type: ignore[misc]  # the library ships no types
    """The library's client, closing its socket when it cannot be built and telling why OBS closed it."""

    def __init__(self, host: str, port: int, password: str, timeout_s: float, events: int) -> None:
        try:
            super().__init__(host=host, port=port, password=password, timeout=timeout_s, subs=events)
            self.ws.recv = self.receive
        except BaseException:
            self.shutdown()
            raise

    def receive(self) -> str:
        """Return the next message; tell why OBS closed the connection when it did."""
        opcode, data = self.ws.recv_data()
        if opcode == ABNF.OPCODE_CLOSE:
            # websocket-client hands out an empty string here, and with it the reason is lost.
            payload = bytes(data)
            code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 0
            if code in _FINAL:
                raise ObsFinalError(_FINAL[code])
            raise ObsError(f"OBS closed the connection ({payload[2:].decode(errors='replace') or code})")
        return bytes(data).decode()

    def raise_if_closed(self) -> None:
        """Read why OBS closed the connection meanwhile; sending first would bury it under a broken pipe."""
        if select.select([self.ws.sock], [], [], 0)[0]:
            self.receive()
            raise ObsError("OBS said something unasked")

    def shutdown(self) -> None:
        if (ws := getattr(self, "ws", None)) is not None:
            ws.shutdown()


def parse_url(url: str) -> tuple[str, int]:
    """Return host and port of an obs-websocket address.

    Raises:
        ObsError: the address is not of the form ws://HOST:PORT.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 4455
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "ws" or not parts.hostname:
        raise ObsError("the address of OBS must look like ws://127.0.0.1:4455")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return host, port


class ObsLink:
    """A connection to OBS for one thread, good until its first error other than a refusal."""

    def __init__(self, url: str, password: str = "", *, timeout_s: float = 3.0, events: int = 0) -> None:
        """Connect and identify.

        Args:
            url: ws://HOST:PORT.
            password: of OBS's WebSocket server; empty where it asks for none.
            timeout_s: for connecting and for every reply.
            events: what to listen to (`METERS`); a link that listens makes no requests.

        Raises:
            ObsFinalError: wrong or missing password, or a version that does not fit.
            ObsError: OBS is not there or does not answer.
        """
        host, port = parse_url(url)
        try:
            self._client = _Client(host, port, password, timeout_s, events)
        except WebSocketTimeoutException:
            # obs-websocket 4, for OBS 27 and before, waits for the client to speak first.
            raise ObsError(
                f"what listens at {url} says nothing: either it hangs, or it is older than OBS {OLDEST_OBS} "
                f"(obs-websocket 5), which is needed"
            ) from None
        except (OSError, WebSocketException, ValueError, KeyError) as error:
            raise ObsError(f"no OBS answers at {url} ({_short(error)})") from None
        try:
            hello = self._client.server_hello["d"]
            if "authentication" in hello and not password:
                raise ObsFinalError(f"OBS asks for a password: set OBS_PASSWORD ({_WHERE})")
            self._client.authenticate()
        except ObsError:
            self.close()
            raise
        except (OSError, WebSocketException, OBSSDKError, ValueError, KeyError, TypeError) as error:
            self.close()
            raise ObsError(f"what answers at {url} does not behave like OBS ({_short(error)})") from None

    def request(self, name: str, **data: Any) -> dict[str, Any]:
        """Send a request and return its answer.

        Raises:
            ObsRefusedError: OBS understood and said no.
            ObsError: the connection is lost, late or out of step; it is closed.
        """
        try:
            self._client.raise_if_closed()
            answer = self._client.req(name, data)
            # A late reply to an earlier request would be taken for this one's for ever after.
            if answer["requestType"] != name:
                raise ObsError(f"OBS answered {name} with {answer['requestType']}")
            status = answer["requestStatus"]
        except ObsError:
            self.close()
            raise
        except (OSError, WebSocketException, OBSSDKError, ValueError, KeyError, TypeError) as error:
            self.close()
            raise ObsError(f"OBS did not answer {name} ({_short(error)})") from None
        if not status["result"]:
            # Names only: a setting may hold a stream key.
            about = "".join(f" with {key}={value!r}" for key, value in data.items() if key.endswith("Name"))
            raise ObsRefusedError(name + about, int(status["code"]), str(status.get("comment", "")))
        found: dict[str, Any] = answer.get("responseData") or {}
        return found

    def event(self) -> tuple[str, dict[str, Any]]:
        """Wait for the next event; return its name and what it says.

        Raises:
            ObsError: the connection is lost, or nothing came within the timeout; it is closed.
        """
        try:
            told = json.loads(self._client.receive())["d"]
            return str(told["eventType"]), told.get("eventData") or {}
        except ObsError:
            self.close()
            raise
        except (OSError, WebSocketException, ValueError, KeyError, TypeError) as error:
            self.close()
            raise ObsError(f"OBS tells nothing any more ({_short(error)})") from None

    def close(self) -> None:
        """Close the connection, without waiting for OBS."""
        self._client.shutdown()


def version_of(link: ObsLink) -> str:
    """Return the version of OBS.

    Raises:
        ObsFinalError: it is too old.
        ObsError: the connection is lost.
    """
    version = str(link.request("GetVersion").get("obsVersion", ""))
    major = version.split(".")[0]
    if major.isdecimal() and int(major) < OLDEST_OBS:
        raise ObsFinalError(f"this is OBS {version}: OBS {OLDEST_OBS} or later is needed")
    return version


def _short(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return " ".join(str(error).split()) or type(error).__name__
