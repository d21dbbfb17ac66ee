"""What viewers offer: each kind of rubbish is refused with its own reason, before anything is made for it."""

from __future__ import annotations

import re

import pytest
from aiortc import RTCPeerConnection
from hypothesis import given
from hypothesis import strategies as st

from streaming.errors import FeedError, OfferError, UnservableError
from streaming.programme.offer import MAX_CANDIDATES, read_fragment, read_offer


@pytest.fixture
async def offer() -> str:
    peer = RTCPeerConnection()
    for kind in ("video", "audio"):
        peer.addTransceiver(kind, direction="recvonly")
    # Without candidates: not gathered yet, as trickling players do.
    sdp = (await peer.createOffer()).sdp
    await peer.close()
    # The description that is not set yet says of a BUNDLE's streams what the set one does.
    return sdp


def without(sdp: str, *starts: str) -> str:
    return "".join(line for line in sdp.splitlines(keepends=True) if not line.startswith(starts))


def section(sdp: str, kind: str) -> str:
    """Return the session's lines and one section."""
    head, *rest = re.split(r"(?m)^(?=m=)", sdp)
    return head + "".join(part for part in rest if part.startswith(f"m={kind}"))


async def test_an_offer_of_both_is_taken(offer: str) -> None:
    taken = read_offer(offer)
    assert taken.user in offer
    assert taken.hidden == ()


@pytest.mark.parametrize(
    ("sdp", "reason"),
    [
        ("", "does not begin with v=0"),
        ("GET / HTTP/1.1", "does not begin with v=0"),
        ("v=0\r\nm=video nonsense\r\n", "cannot be read"),
        ("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96\r\n", "cannot be read"),
    ],
)
def test_what_is_no_offer_is_told_so(sdp: str, reason: str) -> None:
    with pytest.raises(OfferError, match=reason):
        read_offer(sdp)


async def test_what_cannot_be_served_is_told_so(offer: str) -> None:
    for changed, reason in {
        section(offer, "audio"): "the offer has no video",
        section(offer, "video"): "the offer has no audio",
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n": "the offer has no audio",
        offer.replace("H264/90000", "AV1/90000"): "the offer takes no H.264 for video, only VP8, rtx, AV1",
        offer.replace("opus/48000/2", "speex/48000/2"): "the offer takes no Opus for audio, only speex",
        offer.replace("a=recvonly", "a=sendonly"): "a viewer receives",
        offer + offer[offer.index("m=audio") :].replace("a=mid:1", "a=mid:2"): "asks for 2 audio streams",
    }.items():
        with pytest.raises(UnservableError, match=reason):
            read_offer(changed)


async def test_an_offer_without_keys_or_names_is_none(offer: str) -> None:
    for starts, reason in {"a=fingerprint": "no a=fingerprint", "a=ice-ufrag": "no a=ice-ufrag"}.items():
        with pytest.raises(OfferError, match=reason):
            read_offer(without(offer, starts))


async def test_reasons_are_one_line(offer: str) -> None:
    for sdp in ("v=0\r\nm=video\r\n", section(offer, "audio"), "v=0\r\nm=a\nb\r\n"):
        with pytest.raises(FeedError) as refused:
            read_offer(sdp)
        assert "\n" not in str(refused.value)


@given(st.text(max_size=300), st.lists(st.sampled_from(["m=", "a=candidate:", "a=rtpmap:", "\r\n", " 1 udp 9 "])))
def test_rubbish_is_refused_and_nothing_else_happens(text: str, parts: list[str]) -> None:
    with pytest.raises(FeedError):
        read_offer("v=0\r\n" + text.join(parts))


async def test_addresses_behind_names_wait_and_no_more_than_some_are_looked_at(offer: str) -> None:
    lines = [f"a=candidate:1 1 udp 2113937151 192.0.2.{n} 4{n:03} typ host\r\n" for n in range(60)]
    hidden = "a=candidate:2 1 udp 2113937151 8a1c.local 40000 typ host\r\n"
    at = offer.index("m=audio")
    taken = read_offer(offer[:at] + hidden + "".join(lines) + "a=end-of-candidates\r\n" + offer[at:])
    assert [candidate.ip for candidate in taken.hidden] == ["8a1c.local"]
    assert taken.sdp.count("a=candidate") == MAX_CANDIDATES - 1
    assert "end-of-candidates" not in taken.sdp


def test_addresses_that_come_later_are_read() -> None:
    fragment = read_fragment(
        "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
        "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0\r\n"
        "a=candidate:3471623853 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active\r\n"
        "a=end-of-candidates\r\n"
    )
    assert fragment.user == "EsAw"
    assert [(candidate.ip, candidate.port) for candidate in fragment.candidates] == [("192.0.2.1", 61764)]


@pytest.mark.parametrize("line", ["a=candidate:", "a=candidate:1 1 udp x y z", "a=candidate:1 1 udp 1 host x typ host"])
def test_an_address_that_is_none_is_told_so(line: str) -> None:
    with pytest.raises(OfferError, match="not an ICE candidate"):
        read_fragment(f"m=audio 9 RTP/AVP 0\r\n{line}\r\n")
