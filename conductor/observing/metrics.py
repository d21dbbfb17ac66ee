"""The show as Prometheus reads it: what happened is counted by `tally`, the rest is looked up at each scrape.

Names and units by the conventions: base units, `_total` for what only grows, one meaning a name. A label's values are
few and known beforehand: workers, phases, styles, destinations of the setlist; never a cue or a title.

Source: Prometheus, "Metric and label naming", "Writing exporters".
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from conductor.observing.ahead import phases
from streaming.timeline import SAMPLE_RATE

if TYPE_CHECKING:
    from conductor import wire
    from conductor.observing.bitrates import Bitrates
    from conductor.show.show import Show
    from streaming.obs.wanted import ObsState

CONTENT_TYPE = CONTENT_TYPE_LATEST
PUBLISHING = ("connecting", "live", "retrying", "refused")
# What a label tells apart, and the values.
Rows = Iterable[tuple[tuple[str, ...], float]]


def exposition(show: Show) -> bytes:
    """Return all metrics of a show as text."""
    return generate_latest(show.observed.registry) + generate_latest(ShowCollector(show))


class ShowCollector(Collector):
    """Looks at a show when it is asked.

    Args:
        show: that is looked at.
    """

    def __init__(self, show: Show) -> None:
        self._show = show

    def collect(self) -> Iterator[Metric]:
        """Yield what there is now."""
        began_s = time.perf_counter()
        show = self._show
        yield from _programme(show)
        yield from _music(show)
        yield from _crew(show)
        if feed := show.crew.heard.feed:
            yield from _audience(feed)
            yield from _published(feed.destinations, show.observed.bitrates)
        if obs := show.on_air.obs:
            yield from _obs(obs)
        yield _gauge("scrape_seconds", "Time that it took to look all this up.", time.perf_counter() - began_s)


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(f"conductor_{name}", told, value=float(value))


def _count(name: str, told: str, value: float) -> Metric:
    return CounterMetricFamily(f"conductor_{name}", told, value=float(value))


def _gauges(name: str, told: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    family = GaugeMetricFamily(f"conductor_{name}", told, labels=labels)
    for values, value in rows:
        family.add_metric(values, float(value))
    return family


def _counts(name: str, told: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    family = CounterMetricFamily(f"conductor_{name}", told, labels=labels)
    for values, value in rows:
        family.add_metric(values, float(value))
    return family


def _programme(show: Show) -> Iterator[Metric]:
    observed, levels, verdict = show.observed, show.crew.heard.levels, show.observed.judge()
    yield _gauge("audible", "Whether the audience hears the programme: 1 or 0.", verdict.audible)
    yield _gauge("silence_seconds", "How long nothing above the floor has gone out.", verdict.silent_s)
    yield _count("inaudible_seconds", "Time in which the audience heard nothing.", observed.silent_total_s)
    told = "Time in which the feed's own sound was heard in place of a player's."
    yield _count("bridged_seconds", told, observed.bridged_total_s)
    yield _gauge("alarms", "What is wrong and was told to a person, until it is well again.", len(show.vigil.alarms))
    yield _count("show_seconds", "Time since the show began.", observed.uptime_s)
    yield _gauge("programme_integrated_lufs", "Loudness of all that was played so far.", observed.integrated_lufs)
    if levels:
        yield _gauge("programme_momentary_lufs", "Loudness of the last 400 ms.", levels.momentary_lufs)
        yield _gauge("programme_true_peak_dbtp", "True peak of the last 100 ms.", levels.peak_dbtp)
        yield _count("player_samples", "Samples that the player wrote, at 48 kHz.", levels.sample)
        yield _count("player_late_blocks", "Blocks of 256 samples written after their moment.", levels.late)
        yield _gauge("player_voices", "Voices that sound.", levels.voices)


def _music(show: Show) -> Iterator[Metric]:
    state, levels = show.state, show.crew.heard.levels
    on_air = "piece" if state.live else "bed" if levels and levels.number == 0 else "nothing"
    kinds = ("piece", "bed", "nothing")
    yield _gauges("on_air", "What plays: 1 for one of them.", ("what",), (((k,), k == on_air) for k in kinds))
    yield _gauges("cues", "Cues, by where they are.", ("phase",), (((k,), n) for k, n in phases(state).items()))
    yield _gauge("ahead_seconds", "Music that is ready without a gap, what is on air included.", show.observed.ahead_s)
    yield _gauge("held", "Whether nothing starts by itself.", state.held)


def _crew(show: Show) -> Iterator[Metric]:
    workers = show.crew.workers
    yield _gauges("worker_up", "Whether it is connected.", ("worker",), (((n,), w.up) for n, w in workers.items()))
    restarts = (((name,), worker.restarts) for name, worker in workers.items())
    yield _counts("worker_restarts", "Times that it was started again.", ("worker",), restarts)
    found = [each for each in show.observed.processes.look(workers) if each.pid]
    label = ("process",)
    memory = (((each.name,), each.memory_bytes) for each in found)
    yield _gauges("process_resident_memory_bytes", "Memory that it holds.", label, memory)
    cpu = (((each.name,), each.cpu_s) for each in found)
    yield _counts("process_cpu_seconds", "Time of the processor that it took.", label, cpu)
    up = (((each.name,), each.up_s) for each in found)
    yield _gauges("process_uptime_seconds", "How long it has lived.", label, up)
    disk = os.statvfs(show.options.data)
    free = disk.f_bavail * disk.f_frsize
    yield _gauge("disk_free_bytes", "Room where the show is kept.", free)


def _audience(feed: wire.FeedStatus) -> Iterator[Metric]:
    yield _gauge("output_peak_dbfs", "Peak of what went out in the last second or two.", feed.level_db)
    yield _count("output_samples", f"Samples that went out, at {SAMPLE_RATE // 1000} kHz.", feed.sample)
    yield _count("pictures", "Pictures sent.", feed.frames)
    yield _count("pictures_dropped", "Pictures left out.", feed.dropped)
    yield _gauge("slate", "Whether the slate is shown since no player is heard.", feed.slate)
    yield _gauge("viewers", "Browsers that watch by WebRTC.", feed.viewers)
    yield _gauge("feed_readers", "Programs that read the programme, such as OBS.", feed.readers)
    yield _gauge("recording", "Whether the programme is recorded.", bool(feed.recording))


def _published(to: list[wire.DestinationStatus], rates: Bitrates) -> Iterator[Metric]:
    states = (((each.name, state), each.state == state) for each in to for state in PUBLISHING)
    yield _gauges("publishing", "How a destination is: 1 for one state.", ("destination", "state"), states)
    label = ("destination",)
    sent = (((each.name,), each.sent_bytes) for each in to)
    yield _counts("publishing_sent_bytes", "Bytes that the ingest took.", label, sent)
    speed = (((each.name,), rates.of(each.name)) for each in to)
    yield _gauges("publishing_bits_per_second", "Speed at which the ingest takes it now.", label, speed)
    dropped = (((each.name,), each.dropped) for each in to)
    yield _counts("publishing_dropped_packets", "Packets left out, being late.", label, dropped)
    again = (((each.name,), each.reconnects) for each in to)
    yield _counts("publishing_reconnects", "Times that it was on air again after a loss.", label, again)


def _obs(obs: ObsState) -> Iterator[Metric]:
    yield _gauge("obs_connected", "Whether OBS is connected and does as wanted.", obs.available)
    yield _gauge("obs_streaming", "Whether OBS streams.", obs.streaming)
    yield _gauge("obs_reconnecting", "Whether OBS tries to reach its ingest again.", obs.reconnecting)
    yield _gauge("obs_recording", "Whether OBS records.", obs.recording)
    yield _count("obs_frames", "Pictures of the stream, by OBS's count.", obs.total_frames)
    yield _count("obs_skipped_frames", "Pictures of the stream that OBS left out.", obs.skipped_frames)
    if obs.level_db is not None:
        yield _gauge("obs_level_dbfs", "Peak of the programme in OBS's mixer.", obs.level_db)
