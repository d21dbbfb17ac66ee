"""What viewers offer: refused here, with a reason, before a connection is made for it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aiortc import RTCIceCandidate
from aiortc.sdp import MediaDescription, SessionDescription, candidate_from_sdp

from streaming.errors import OfferError, UnservableError

MAX_CANDIDATES = 32
_CODECS = {"audio": ("audio/opus", "Opus"), "video": ("video/h264", "H.264")}
_ICE_NAME = re.compile(r"[A-Za-z0-9+/]{4,256}")


@dataclass(frozen=True, slots=True)
class Offer:
    """A viewer's offer that can be answered.

    Attributes:
        sdp: without the addresses below.
        hidden: addresses behind names that only their own network knows (mDNS).
        user: of its ICE session.
    """

    sdp: str
    hidden: tuple[RTCIceCandidate, ...]
    user: str


@dataclass(frozen=True, slots=True)
class Fragment:
    """Addresses that a viewer tells of later (RFC 8840).

    Attributes:
        user: of the ICE session they belong to; empty: not told.
        candidates: where the viewer may be reached.
    """

    user: str
    candidates: tuple[RTCIceCandidate, ...]


def read_offer(sdp: str) -> Offer:
    """Return an offer, looked through.

    Raises:
        OfferError: it is no offer of WebRTC.
        UnservableError: it does not ask for a picture in H.264 with sound in Opus.
    """
    if not sdp.startswith("v=0"):
        raise OfferError("not an SDP offer: it does not begin with v=0")
    try:
        session = SessionDescription.parse(sdp)
    except Exception as error:
        # aiortc raises whatever its parser stumbled over.
        raise OfferError(f"the offer cannot be read: {str(error) or 'a line is missing or cut off'}") from error
    for kind, (mime, name) in _CODECS.items():
        _check([media for media in session.media if media.kind == kind], kind, mime, name)
    kept, hidden = _split_hidden(sdp)
    first = session.media[0].ice
    return Offer(kept, hidden, first.usernameFragment or "" if first else "")


def _check(sections: list[MediaDescription], kind: str, mime: str, name: str) -> None:
    wanted = [media for media in sections if media.port]
    if not wanted:
        raise UnservableError(f"the offer has no {kind}: ask for one video in H.264 and one audio in Opus")
    if len(wanted) > 1:
        raise UnservableError(f"the offer asks for {len(wanted)} {kind} streams: there is one")
    media = wanted[0]
    if media.direction not in ("recvonly", "sendrecv", None):
        raise UnservableError(f"the offer's {kind} is {media.direction}: a viewer receives (a=recvonly)")
    codecs = [codec.mimeType for codec in media.rtp.codecs]
    if mime not in [codec.lower() for codec in codecs]:
        said = ", ".join(dict.fromkeys(codec.partition("/")[2] for codec in codecs)) or "nothing"
        raise UnservableError(f"the offer takes no {name} for {kind}, only {said}")
    if not media.dtls or not media.dtls.fingerprints:
        raise OfferError(f"the offer's {kind} has no a=fingerprint: WebRTC is always encrypted")
    if not media.ice or not _ICE_NAME.fullmatch(media.ice.usernameFragment or "") or not media.ice.password:
        raise OfferError(f"the offer's {kind} has no a=ice-ufrag and a=ice-pwd")


def read_fragment(text: str) -> Fragment:
    """Return what a viewer tells after its offer (`application/trickle-ice-sdpfrag`).

    Raises:
        OfferError: it cannot be read.
    """
    user, section = "", -1
    candidates: list[RTCIceCandidate] = []
    for line in text.splitlines():
        name, _, value = line.strip().partition(":")
        if name.startswith("m="):
            section += 1
        elif name == "a=ice-ufrag":
            user = value
        elif name == "a=candidate":
            # All streams share the first one's connection.
            candidates += _candidate(value, max(0, section))
    return Fragment(user, tuple(candidates[:MAX_CANDIDATES]))


def _candidate(value: str, section: int) -> list[RTCIceCandidate]:
    try:
        candidate = candidate_from_sdp(value)
    except (AssertionError, ValueError, IndexError) as error:
        raise OfferError(f"not an ICE candidate: {value[:80]!r}") from error
    candidate.sdpMLineIndex = section
    return [candidate] if candidate.protocol.lower() == "udp" else []


def _split_hidden(sdp: str) -> tuple[str, tuple[RTCIceCandidate, ...]]:
    """Return an offer without the addresses that a browser hides behind mDNS names, and those."""
    kept: list[str] = []
    hidden: list[RTCIceCandidate] = []
    section, seen = -1, 0
    for line in sdp.splitlines():
        section += line.startswith("m=")
        if line.startswith("a=candidate:"):
            seen += 1
            if seen > MAX_CANDIDATES:
                continue
            if line.split()[4:5] and line.split()[4].endswith(".local"):
                hidden += _candidate(line.removeprefix("a=candidate:"), section)
                continue
        # The end of candidates is never told: a connection that does not come up is given up all the same.
        if line != "a=end-of-candidates":
            kept.append(line)
    return "\r\n".join(kept) + "\r\n", tuple(hidden)
