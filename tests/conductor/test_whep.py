"""WHEP at the console: what each method answers, by HTTP alone; the viewers themselves are tested at the feed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from conductor import wire
from conductor.console.whep import Whep
from conductor.errors import WireError
from conductor.show.audience import Audience
from streaming.programme.ice import Relay, Watching
from streaming.publishing.destination import KeySource
from tests.conductor.show.test_show import running

SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}


class Feed:
    """Answers what a feed would, and keeps what it was asked."""

    def __init__(self) -> None:
        self.up = True
        self.asked: list[Any] = []
        self.refusal = ("", "")
        self.audience: Audience

    def send(self, message: wire.Message) -> None:
        self.asked.append(message)
        if isinstance(message, wire.Offer | wire.Trickle | wire.Leave):
            error, why = self.refusal
            sdp = "v=0 the answer" if isinstance(message, wire.Offer) and not error else ""
            self.audience.hear(wire.Answer(message.request_id, sdp, error, why))


class Site:
    """A server of WHEP alone."""

    def __init__(self, watching: Watching) -> None:
        self.feed = Feed()
        self.feed.audience = Audience(self.feed, watching)  # type: ignore[arg-type]
        self.url = ""

    async def open(self) -> web.AppRunner:
        app = web.Application()
        app.add_routes(Whep(self.feed.audience).routes())
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site(Watching())
    runner = await site.open()
    yield site
    await runner.cleanup()


async def test_an_offer_makes_a_session_that_can_be_told_more_and_deleted(site: Site, http: ClientSession) -> None:
    async with http.post(f"{site.url}/whep", data="v=0 an offer", headers=SDP) as said:
        assert (said.status, said.headers["Content-Type"]) == (201, "application/sdp")
        assert await said.text() == "v=0 the answer"
        assert said.headers["Accept-Patch"] == FRAGMENT["Content-Type"]
        session, tag = said.headers["Location"], said.headers["ETag"]
    offer = site.feed.asked[-1]
    assert (offer.sdp, session) == ("v=0 an offer", f"/whep/{offer.session}")
    assert len(offer.session) > 20, "nobody guesses it"
    async with http.patch(site.url + session, data="a=mid:0", headers={**FRAGMENT, "If-Match": tag}) as said:
        assert said.status == 204
    assert (site.feed.asked[-1].session, site.feed.asked[-1].fragment) == (offer.session, "a=mid:0")
    async with http.delete(site.url + session) as said:
        assert said.status == 200
    assert site.feed.asked[-1] == wire.Leave(site.feed.asked[-1].request_id, offer.session)


@pytest.mark.parametrize(
    ("why", "status"), [("offer", 400), ("media", 406), ("full", 503), ("gone", 404), ("", 503), ("feed", 503)]
)
async def test_a_refusal_has_its_status_and_its_reason(site: Site, http: ClientSession, why: str, status: int) -> None:
    site.feed.refusal = ("this is why", why)
    async with http.post(f"{site.url}/whep", data="v=0", headers=SDP) as said:
        assert said.status == status
        assert (await said.json()) == {"ok": False, "reason": "this is why"}
        assert ("Retry-After" in said.headers) == (status == 503)


async def test_rubbish_is_refused_before_the_feed_hears_of_it(site: Site, http: ClientSession) -> None:
    url = f"{site.url}/whep"
    for data, headers, status in (
        (b"v=0", {"Content-Type": "application/json"}, 415),
        (b"\xff\xfe\x00", SDP, 400),
        (b"\xab" * 1_000_000, SDP, 413),
    ):
        async with http.post(url, data=data, headers=headers) as said:
            assert said.status == status, headers
            assert "\n" not in (await said.json())["reason"]
    for method in ("GET", "PUT"):
        async with http.request(method, url) as said:
            assert said.status == 405
            assert "POST" in said.headers["Allow"]
    assert site.feed.asked == []


async def test_addresses_need_the_tag_of_their_session(site: Site, http: ClientSession) -> None:
    session = f"{site.url}/whep/abc"
    for headers, status in ((FRAGMENT, 428), ({**FRAGMENT, "If-Match": '"other"'}, 412), ({"If-Match": "*"}, 415)):
        async with http.patch(session, data="a=mid:0", headers=headers) as said:
            assert said.status == status
    assert site.feed.asked == []


async def test_a_feed_that_is_away_is_told_with_when_to_come_again(site: Site, http: ClientSession) -> None:
    site.feed.up = False
    async with http.post(f"{site.url}/whep", data="v=0", headers=SDP) as said:
        assert said.status == 503
        assert int(said.headers["Retry-After"]) > 0
    with pytest.raises(WireError, match="being restarted"):
        await site.feed.audience.ask(lambda request_id: wire.Leave(request_id, "x"))


async def test_servers_are_named_to_the_viewer_and_to_the_feed(
    http: ClientSession, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RELAY_PASSWORD", 'pa"ss')
    monkeypatch.delenv("NO_PASSWORD", raising=False)
    relay = Relay("turn:turn.example.org:3478?transport=udp", "eve", KeySource(env="RELAY_PASSWORD"))
    lost = Relay("turn:lost.example.org", "eve", KeySource(env="NO_PASSWORD"))
    site = Site(Watching(viewers=3, stun=("stun:stun.example.org:3478",), turn=(relay, lost)))
    runner = await site.open()
    for method in ("OPTIONS", "POST"):
        async with http.request(method, f"{site.url}/whep", data="v=0", headers=SDP) as said:
            assert said.headers.getall("Link") == [
                '<stun:stun.example.org:3478>; rel="ice-server"',
                '<turn:turn.example.org:3478?transport=udp>; rel="ice-server"; username="eve"; '
                'credential="pa\\"ss"; credential-type="password"',
            ]
    site.feed.audience.feed_up()
    admit = site.feed.asked[-1]
    assert admit == wire.Admit(3, ["stun:stun.example.org:3478"], [(relay.url, "eve", 'pa"ss')])
    # What may be printed holds no password; what is missing is told by name.
    assert "pa" not in repr(admit).replace("example", "")
    assert 'pa"ss' not in repr(site.feed.audience.ways) + caplog.text
    assert "turn:lost.example.org" in caplog.text
    assert "NO_PASSWORD" in caplog.text
    await runner.cleanup()


async def test_pages_of_other_sites_may_watch_where_the_setlist_lists_them(tmp_path: Path) -> None:
    text = "webrtc: {viewers: 2, origins: ['https://hall.example']}\ncues: [{name: Dawn, style: bach, duration: 30s}]"
    async with running(tmp_path, text) as it, ClientSession() as http:
        url = f"{it.url}/whep"
        listed, other = {"Origin": "https://hall.example"}, {"Origin": "https://elsewhere.example"}
        async with http.options(url, headers={**listed, "Access-Control-Request-Method": "POST"}) as said:
            assert said.status == 204
            assert said.headers["Access-Control-Allow-Origin"] == "https://hall.example"
            assert {"POST", "DELETE", "PATCH"} <= set(said.headers["Access-Control-Allow-Methods"].split(", "))
            assert said.headers["Accept-Post"] == "application/sdp"
        async with http.post(url, data="v=0", headers={**listed, **SDP}) as said:
            # The stand-in of a feed has no picture; that is read by the page.
            assert said.status == 503
            assert said.headers["Access-Control-Allow-Origin"] == "https://hall.example"
            assert "Location" in said.headers["Access-Control-Expose-Headers"]
        for method in ("POST", "DELETE", "PATCH", "OPTIONS"):
            target = url if method in ("POST", "OPTIONS") else f"{url}/abc"
            async with http.request(method, target, headers=other) as said:
                assert said.status == 403
                assert "Access-Control-Allow-Origin" not in said.headers
        async with http.post(f"{it.url}/api/go", headers=listed) as said:
            assert said.status == 403, "who may watch may not conduct"
