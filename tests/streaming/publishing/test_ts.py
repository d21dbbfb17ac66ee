from __future__ import annotations

import json
import subprocess
from fractions import Fraction
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from streaming.publishing.ts import PACKET_BYTES, TransportStream
from tests.air.processes import program


def packets(data: bytes) -> list[bytes]:
    assert len(data) % PACKET_BYTES == 0
    return [data[at : at + PACKET_BYTES] for at in range(0, len(data), PACKET_BYTES)]


def payload(packet: bytes) -> bytes:
    assert packet[0] == 0x47
    adaptation = packet[4] + 1 if packet[3] & 0x20 else 0
    return packet[4 + adaptation :]


@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=900)), min_size=1, max_size=12))
def test_units_of_any_length_come_out_whole_and_in_step(units: list[tuple[bool, bytes]]) -> None:
    stream = TransportStream()
    made: dict[int, bytes] = {}
    counters: dict[int, int] = {}
    for index, (picture, data) in enumerate(units):
        at_s = Fraction(index, 30)
        for packet in packets(
            stream.video(data, at_s, keyframe=index % 5 == 0) if picture else stream.audio(data, at_s)
        ):
            pid = int.from_bytes(packet[1:3], "big") & 0x1FFF
            counter = packet[3] & 0x0F
            assert counter == counters.get(pid, -1) + 1 & 0x0F
            counters[pid] = counter
            made[pid] = made.get(pid, b"") + payload(packet)
    for picture, pid, head in ((True, 0x100, 14 + 6), (False, 0x101, 14 + 7)):
        expected = [data for is_picture, data in units if is_picture is picture]
        left = made.get(pid, b"")
        for data in expected:
            assert left[:3] == b"\x00\x00\x01"
            assert left[head : head + len(data)] == data
            left = left[head + len(data) :]
        assert left == b""


def test_a_time_of_days_wraps_as_the_clock_does() -> None:
    stream = TransportStream()
    for hours in (0, 26, 27, 48, 400):
        assert packets(stream.video(b"\x00\x00\x01\x65", Fraction(hours * 3600), keyframe=True))


def test_ffprobe_finds_both_streams_and_their_times_and_has_no_complaint(tmp_path: Path) -> None:
    # AAC of silence, as the encoder makes it.
    silence = bytes.fromhex("21100500a01bffc000000000000000000000000000000000000000000000000000000000000037a7")
    stream, out = TransportStream(), tmp_path / "out.ts"
    data = b""
    for index in range(100):
        at_s = Fraction(index * 1024, 48_000)
        data += stream.video(b"\x00\x00\x01\x09\xf0", at_s, keyframe=index == 0) if index % 2 == 0 else b""
        data += stream.audio(silence, at_s)
    out.write_bytes(data)
    command = [program("ffprobe"), "-v", "warning", "-of", "json", "-show_packets", "-show_programs", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    streams = told["programs"][0]["streams"]
    assert [s["codec_name"] for s in streams] == ["h264", "aac"]
    times_s = [float(p["pts_time"]) for p in told["packets"] if p["codec_type"] == "audio"]
    assert len(times_s) == 100
    assert abs(times_s[-1] - times_s[0] - 99 * 1024 / 48_000) < 0.001
    assert "corrupt" not in done.stderr
    assert "discontinuity" not in done.stderr
