"""The programme to an RTMP ingest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from streaming.publishing import flv, h264
from streaming.publishing.job import Job, Report, Teller
from streaming.publishing.parcels import Origin, Parcel
from streaming.publishing.rtmp import RtmpSession

REPORT_EVERY_S = 0.1


async def publish(job: Job, parcels: AsyncIterator[Parcel], teller: Teller) -> None:
    """Publish until there are no more parcels.

    Raises:
        PublishError: it cannot, or cannot any longer.
    """
    session = RtmpSession(job.url, job.key, bitrate=job.video_bitrate + job.audio_bitrate, ca_file=job.ca_file)
    await session.open()
    sending = asyncio.create_task(_send(session, job, parcels))
    listening = asyncio.create_task(session.listen())
    telling = asyncio.create_task(_tell(session, teller))
    tasks = {sending, listening, telling}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        # What the server said before it went comes before the error of writing to nobody.
        for task in (listening, sending, telling):
            if task in done:
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await session.close()


async def _tell(session: RtmpSession, teller: Teller) -> None:
    while True:
        teller.tell(Report(ready=True, delivered=session.delivered))
        await asyncio.sleep(REPORT_EVERY_S)


async def _send(session: RtmpSession, job: Job, parcels: AsyncIterator[Parcel]) -> None:
    origin = Origin(job.fps)
    filling = h264.Filling(job.video_bitrate, job.fps)
    headers = b""
    async for parcel in parcels:
        at_s = origin.seconds(parcel)
        if at_s is None:
            continue
        time_ms = round(at_s * 1000)
        if parcel.stream == "aac":
            session.send(flv.AUDIO, flv.audio(parcel.data), time_ms)
        elif parcel.stream == "video":
            picture = h264.units(parcel.data)
            if parcel.keyframe and (said := flv.video_header(picture)) != headers:
                if not headers:
                    data = flv.metadata(job.width, job.height, job.fps, job.video_bitrate, job.audio_bitrate)
                    session.send(flv.DATA, data, 0)
                    session.send(flv.AUDIO, flv.audio_header(), 0)
                headers = said
                session.send(flv.VIDEO, headers, time_ms)
            filler = filling.after(len(parcel.data), parcel.pts)
            session.send(flv.VIDEO, flv.video(picture, keyframe=parcel.keyframe, filler=filler), time_ms)
        await session.drain()
