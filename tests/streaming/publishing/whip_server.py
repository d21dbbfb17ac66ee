"""A WHIP ingest made of aiohttp and aiortc: `python -m tests.streaming.publishing.whip_server PORT KEY`.

It decodes what it gets and writes a line of JSON a second: pictures and samples so far, the last stamp, and flashes
and beeps in seconds of RTP's time.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import av
import numpy as np
from aiohttp import web
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from streaming.picture.stamp import read_stamp

KEY = web.AppKey("key", str)
PEERS = web.AppKey("peers", dict[str, RTCPeerConnection])
TOLD = web.AppKey("told", dict[str, Any])


async def _watch(track: MediaStreamTrack, told: dict[str, Any]) -> None:
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        if isinstance(frame, av.VideoFrame):
            told["pictures"] += 1
            told["stamp"] = read_stamp(frame.to_ndarray(format="gray").astype(np.uint8, copy=False))
        elif isinstance(frame, av.AudioFrame):
            told["samples"] += frame.samples
            told["channels"] = len(frame.layout.channels)
            told["peak"] = max(told["peak"], float(np.abs(frame.to_ndarray()).max()) / 32768.0)


async def _post(request: web.Request) -> web.Response:
    key = request.app[KEY]
    if key and request.headers.get("Authorization") != f"Bearer {key}":
        return web.Response(status=401, text="unknown stream key")
    told = request.app[TOLD]
    peer = RTCPeerConnection()
    told["offers"] += 1

    @peer.on("track")
    def on_track(track: MediaStreamTrack) -> None:
        task = asyncio.ensure_future(_watch(track, told))
        told["tasks"].append(task)

    await peer.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    name = str(told["offers"])
    request.app[PEERS][name] = peer
    headers = {"Location": f"/whip/{name}"}
    return web.Response(status=201, text=peer.localDescription.sdp, content_type="application/sdp", headers=headers)


async def _delete(request: web.Request) -> web.Response:
    peer = request.app[PEERS].pop(request.match_info["name"], None)
    if peer is None:
        raise web.HTTPNotFound
    request.app[TOLD]["deleted"] += 1
    await peer.close()
    return web.Response()


async def main(port: int, key: str) -> None:
    """Serve until killed."""
    app = web.Application()
    app[KEY], app[PEERS] = key, {}
    app[TOLD] = told = {
        "offers": 0, "deleted": 0, "pictures": 0, "samples": 0, "channels": 0, "stamp": -1, "peak": 0.0, "tasks": []
    }  # fmt: skip
    app.router.add_post("/whip", _post)
    app.router.add_delete("/whip/{name}", _delete)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    while True:
        print(json.dumps({name: value for name, value in told.items() if name != "tasks"}), flush=True)
        await asyncio.sleep(0.2)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
