"""From the player's samples through OBS to the file that a streaming service recorded."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import numpy as np
import pytest

from streaming.obs.director import ObsDirector
from tests.air.conftest import Chain
from tests.air.processes import until
from tests.air.recording import Recording, read
from tests.air.studio import FPS

pytestmark = pytest.mark.air

# An eighth of a second is what people notice in a film; a picture roll over a beat shows less.
MOST_OFFSET_MS = 80.0
ON_AIR_S = 12


async def record(chain: Chain, director: ObsDirector, seconds: float) -> Path:
    """Be on air for a while and return what the service recorded."""
    before = set(chain.ingest.recordings())
    director.wanted(streaming=True)
    await until(lambda: director.state.streaming, "stream")
    await asyncio.sleep(seconds)
    director.wanted(streaming=False)
    await until(lambda: not director.state.streaming, "end of the stream")
    new = [path for path in chain.ingest.recordings() if path not in before]
    assert len(new) == 1
    return new[0]


def on_air(recording: Recording, seconds: float) -> None:
    """Check that a recording is the programme: pictures that move on, sound, both together."""
    # The recording starts with the stream; OBS needs a moment to begin and to end.
    assert recording.duration_s > seconds - 2
    assert len(recording.frames) > (seconds - 2) * FPS * 0.9
    steps = recording.steps
    assert np.mean(steps == 1) > 0.8, "most pictures follow one another"
    assert steps.min() >= 0, "no picture goes back"
    assert abs(steps.sum() / len(steps) - 1.0) < 0.05, "the pictures keep the time"
    assert len(recording.beeps_s) >= seconds - 3
    offsets = recording.offsets_ms
    assert len(offsets) >= seconds - 3, "flashes and beeps are there, a pair a second"
    assert np.abs(offsets).max() < MOST_OFFSET_MS


def report(what: str, recording: Recording, **more: float) -> None:
    """Print the figures as one line of JSON (pytest -s shows it)."""
    offsets, steps = recording.offsets_ms, recording.steps
    print(
        json.dumps(
            {
                "measured": what,
                "seconds": round(recording.duration_s, 2),
                "pictures": len(recording.frames),
                "shown_twice": int((steps == 0).sum()),
                "left_out": int((steps[steps > 1] - 1).sum()),
                "offset_ms_median": round(float(np.median(offsets)), 1),
                "offset_ms_min": round(float(offsets.min()), 1),
                "offset_ms_max": round(float(offsets.max()), 1),
                "beeps": len(recording.beeps_s),
                "rms_db": round(recording.rms_db, 1),
                **{name: round(value, 2) for name, value in more.items()},
            }
        )
    )


async def test_the_recording_has_moving_picture_and_sound_in_time_with_each_other(
    chain: Chain, director: ObsDirector
) -> None:
    async with chain.readers(director) as readers:
        assert await director.start()
        await until(lambda: 1 in readers[-1:], "OBS at the feed")
        # Past the start of the input, which OBS buffers its way through.
        await asyncio.sleep(2)
        assert chain.studio.obs is not None
        obs_s, feed_s, start_s = chain.studio.obs.cpu_s(), chain.feed.cpu_s(), time.monotonic()
        path = await record(chain, director, ON_AIR_S)
        span_s = time.monotonic() - start_s
        obs_share, feed_share = (chain.studio.obs.cpu_s() - obs_s) / span_s, (chain.feed.cpu_s() - feed_s) / span_s
    recording = read(path)
    report("on air", recording, obs_cpu=obs_share, feed_cpu=feed_share)
    on_air(recording, ON_AIR_S)


async def test_after_obs_was_killed_and_started_again_the_show_is_on_air_again(
    chain: Chain, director: ObsDirector
) -> None:
    async with chain.readers(director) as readers:
        director.wanted(scene="Break", now="Dawn", streaming=True)
        assert await director.start()
        await until(lambda: director.state.streaming, "stream")
        before = set(chain.ingest.recordings())
        assert chain.studio.obs is not None
        chain.studio.obs.kill()
        await until(lambda: not director.available, "notice of the loss")
        await asyncio.to_thread(chain.studio.start_obs)
        listening_s = time.monotonic()
        await until(lambda: director.available and director.state.streaming, "stream after the restart")
        recovered_s = time.monotonic() - listening_s
        assert director.state.scene == "Break", "OBS itself starts with another"
        # The programme is in the scene it was made in; a break's scene is a person's own.
        director.wanted(scene="Main")
        await until(lambda: 1 in readers[-1:], "OBS at the feed")
        await asyncio.sleep(8)
        director.wanted(streaming=False)
        await until(lambda: not director.state.streaming, "end of the stream")
    new = [path for path in chain.ingest.recordings() if path not in before]
    recording = read(new[-1])
    report("after a restart of OBS", recording, recovered_s=recovered_s)
    assert len(recording.beeps_s) >= 5
    assert np.mean(recording.steps[-5 * FPS :] == 1) > 0.8


async def test_after_the_feed_was_killed_and_started_again_obs_shows_it_again(
    chain: Chain, director: ObsDirector
) -> None:
    async with chain.readers(director) as readers:
        assert await director.start()
        await until(lambda: 1 in readers[-1:], "OBS at the feed")
        chain.feed.kill()
        # Long enough for OBS to be refused, after which OBS 29 often never tries again.
        await asyncio.sleep(3)
        await asyncio.to_thread(chain.start_feed)
        back_s = time.monotonic()
        readers.clear()
        await until(lambda: 1 in readers[-1:], "OBS at the feed")
        recovered_s = time.monotonic() - back_s
        await asyncio.sleep(2)
        path = await record(chain, director, 6)
    recording = read(path)
    report("after a restart of the feed", recording, recovered_s=recovered_s)
    assert len(recording.beeps_s) >= 3
    assert np.mean(recording.steps == 1) > 0.8
    assert np.abs(recording.offsets_ms).max() < MOST_OFFSET_MS
