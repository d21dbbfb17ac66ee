"""The process that publishes to one destination: `python -m streaming.publishing.child`, its job on its input.

Whatever becomes of the destination, or of a library, happens here and to nobody else.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback

from streaming.errors import ClosedError, PublishError, RefusedError
from streaming.publishing.destination import Destination, redact
from streaming.publishing.job import How, Job, Report, Teller, read_job, read_parcels


async def run(teller: Teller) -> None:
    """Do the job that comes by the input, until that ends."""
    reader = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        job = await read_job(reader)
    except (asyncio.IncompleteReadError, ValueError):
        return
    end = await _publish(job, reader, teller)
    if end is not None:
        teller.tell(end)


async def _publish(job: Job, reader: asyncio.StreamReader, teller: Teller) -> Report | None:
    destination = Destination("", job.url)
    parcels = read_parcels(reader)
    how: How
    try:
        # Each way has libraries of its own, which take their time.
        match destination.method:
            case "rtmp":
                from streaming.publishing import to_rtmp

                await to_rtmp.publish(job, parcels, teller)
            case "whip":
                from streaming.publishing import to_whip

                await to_whip.publish(job, parcels, teller)
            case "mpegts":
                from streaming.publishing import to_mpegts

                await to_mpegts.publish(job, parcels, teller)
        return None
    except PublishError as error:
        how = "refused" if isinstance(error, RefusedError) else "closed" if isinstance(error, ClosedError) else "lost"
        text = str(error)
    except OSError as error:
        how, text = "lost", os.strerror(error.errno).lower() if error.errno else "the connection broke"
    except Exception as error:
        # A mistake of ours or a library's: told with its place, and tried again like any loss.
        place = traceback.extract_tb(error.__traceback__)[-1]
        how, text = "lost", f"{type(error).__name__} in {os.path.basename(place.filename)}:{place.lineno}: {error}"
    return Report(end=how, text=redact(" ".join(text.split())[:300], destination.secrets(job.key)))


def main() -> int:
    """Run the process; return its exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        asyncio.run(run(Teller(sys.stdout)))
    except BrokenPipeError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
