"""What the conductor asks of the feed about viewers, done and answered; runs in the feed."""

from __future__ import annotations

from conductor import wire
from streaming.errors import FeedError, FullError, GoneError, OfferError, UnservableError
from streaming.programme.ice import Ways
from streaming.programme.webrtc import Viewers

Asked = wire.Offer | wire.Trickle | wire.Leave

_WHY = {OfferError: "offer", UnservableError: "media", FullError: "full", GoneError: "gone"}


def admit(viewers: Viewers, message: wire.Admit) -> None:
    """Let viewers in as the show wants it; who watches already stays."""
    viewers.ways = Ways(message.viewers, tuple(message.stun), tuple(message.turn))


async def attend(viewers: Viewers, link: wire.Link, asked: Asked) -> None:
    """Do what was asked, and say how it went."""
    sdp = ""
    try:
        match asked:
            case wire.Offer(session=session, sdp=offer):
                sdp = await viewers.answer(session, offer)
            case wire.Trickle(session=session, fragment=fragment):
                viewers.add(session, fragment)
            case wire.Leave(session=session):
                await viewers.leave(session)
    except FeedError as error:
        link.send(wire.Answer(asked.request_id, "", str(error), _WHY.get(type(error), "feed")))
    else:
        link.send(wire.Answer(asked.request_id, sdp))
