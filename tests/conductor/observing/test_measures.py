"""What is measured of a programme, and kept."""

from __future__ import annotations

import socket
import threading
import typing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from conductor.observing.bitrates import Bitrates
from conductor.observing.diary import Diary, measures
from conductor.observing.loudness import SILENCE_LUFS, Loudness
from conductor.observing.metrics import PUBLISHING
from conductor.observing.notify import Notifier
from conductor.observing.ringside import look
from conductor.observing.tally import kind_of, style_in
from streaming.publishing.publisher import State
from streaming.ring import Ring
from tests.fakes_feed import RingPlayer


def test_integrated_loudness_is_gated() -> None:
    loudness = Loudness()
    assert loudness.integrated_lufs == SILENCE_LUFS
    for _ in range(100):
        loudness.add(-14.0, -2.0)
    for _ in range(400):
        loudness.add(-90.0)
        loudness.add(-40.0)
    # Neither silence nor what is far below the rest counts.
    assert loudness.integrated_lufs == pytest.approx(-14.0, abs=0.05)
    assert (loudness.peak_dbtp, loudness.blocks) == (-2.0, 900)


def test_a_bitrate_is_that_of_the_last_seconds_and_begins_anew_with_the_feed() -> None:
    rates = Bitrates()
    assert rates.of("a") == 0.0
    for second in range(30):
        rates.take({"a": 750_000 * second if second < 20 else 750_000 * 19}, float(second))
    assert rates.of("a") == pytest.approx(0.0, abs=1.0)
    rates.take({"a": 10}, 31.0)
    rates.take({"a": 250_010}, 32.0)
    assert rates.of("a") == pytest.approx(2e6)


def test_measures_are_kept_within_bounds_and_survive_half_a_line(tmp_path: Path) -> None:
    diary, at = Diary(tmp_path, most_bytes=2000), datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(100):
        diary.write("minute", at, lufs=-14.0, number=number)
    with diary.path.open("a") as file:
        file.write('{"time": "2026-01-')
    found = list(measures(tmp_path))
    assert found[-1]["number"] == 99
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 4500
    assert [each["number"] for each in found] == list(range(100 - len(found), 100)), "oldest first, none missing"


def test_a_folder_that_cannot_be_written_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    diary = Diary(tmp_path / "gone")
    for _ in range(3):
        diary.write("minute", datetime.now(UTC))
    assert len(caplog.records) == 1


def test_labels_stay_few() -> None:
    assert kind_of("loop: repeats 2.0 s of music 9 times") == "loop"
    assert kind_of("whatever a later version says") == "other"
    assert style_in({"prompt": {"style": "chopin"}}) == "chopin"
    assert style_in({"prompt": {"style": {"chopin": 0.6, "jazz": 0.4}}}) == "chopin"
    assert style_in({"prompt": {"style": None}}) == style_in({}) == "any"
    assert style_in({"prompt": {"style": "a title"}}) == "other"
    assert typing.get_args(State) == PUBLISHING


def test_systemd_is_told_in_its_own_words(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        systemd.settimeout(5.0)
        notifier = Notifier({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000"})
        assert notifier.supervised
        notifier.ready()
        notifier.status("on air: Dawn")
        notifier.status("on air: Dawn")
        notifier.alive()
        said = [systemd.recv(1000).decode() for _ in range(3)]
    assert said == ["READY=1", "STATUS=on air: Dawn", "WATCHDOG=1"]
    # Nobody listens any more: no fault.
    notifier.alive()


@pytest.mark.parametrize(
    "given", [{}, {"NOTIFY_SOCKET": "/x"}, {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "9", "WATCHDOG_PID": "1"}]
)
def test_a_watchdog_of_somebody_else_is_not_fed(given: dict[str, str]) -> None:
    assert not Notifier(given).supervised


def test_the_sound_itself_tells_whether_it_goes_out(tmp_path: Path) -> None:
    with Ring.create(tmp_path / "programme.ring") as ring:
        assert look([tmp_path], 0.05) == [], "a ring that does not move is no show"
        with RingPlayer(ring, lambda _, n: np.full((n, 2), 0.1, np.float32)):
            (seen,) = look([tmp_path], 0.2)
            assert (seen.made, seen.sent, seen.audible) == (True, False, False)
            assert seen.reasons[0].startswith("feed:")
            feed = threading.Timer(0.1, lambda: setattr(ring, "read_index", ring.write_index))
            feed.start()
            (seen,) = look([tmp_path], 0.3)
            feed.join()
            assert (seen.made, seen.sent, seen.audible, seen.reasons) == (True, True, True, [])
            assert seen.peak_db == pytest.approx(-20.0, abs=0.1)
