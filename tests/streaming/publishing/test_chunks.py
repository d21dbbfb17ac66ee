from __future__ import annotations

import asyncio
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.publishing import chunks
from streaming.publishing.chunks import ChunkReader, Message, cut


async def read_back(data: bytes, count: int) -> list[Message]:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    parts = ChunkReader(reader)
    return [await parts.message() for _ in range(count)]


@given(
    st.lists(
        st.builds(
            Message,
            kind=st.sampled_from([8, 9, 18, 20]),
            body=st.binary(max_size=700),
            stream_id=st.integers(0, 2**32 - 1),
            time_ms=st.integers(0, 2**32 - 1),
        ),
        max_size=5,
    ),
    st.integers(1, 300),
)
def test_messages_come_out_of_their_chunks_as_they_went_in(messages: list[Message], size: int) -> None:
    said = cut(Message(chunks.SET_CHUNK_SIZE, struct.pack(">I", size)), channel=2)
    said += b"".join(cut(message, channel=4, size=size) for message in messages)
    assert asyncio.run(read_back(said, len(messages) + 1))[1:] == messages


def test_a_time_of_days_has_a_field_of_its_own_in_every_chunk() -> None:
    late = 48 * 3600 * 1000
    data = cut(Message(9, bytes(10), 1, late), channel=4, size=5)
    assert data[1:4] == b"\xff\xff\xff"
    assert data.count(struct.pack(">I", late)) == 2
    assert len(data) == 12 + 4 + 5 + 1 + 4 + 5


def test_chunks_of_several_streams_may_mix() -> None:
    one = cut(Message(20, b"a" * 200, 1), channel=5, size=128)
    two = cut(Message(20, b"b" * 200, 1), channel=6, size=128)
    mixed = one[: 12 + 128] + two[: 12 + 128] + one[12 + 128 :] + two[12 + 128 :]
    assert [message.body[:1] for message in asyncio.run(read_back(mixed, 2))] == [b"a", b"b"]


@pytest.mark.parametrize("data", [b"\xc4", b"\x04\x00\x00\x00\xff\xff\xff\x14\x00\x00\x00\x00"])
def test_what_is_no_rtmp_is_refused(data: bytes) -> None:
    with pytest.raises((ValueError, asyncio.IncompleteReadError)):
        asyncio.run(read_back(data, 1))


@given(st.binary(max_size=300))
def test_rubbish_of_a_server_is_never_worse_than_refused(data: bytes) -> None:
    with pytest.raises((ValueError, asyncio.IncompleteReadError)):
        asyncio.run(read_back(data, 1000))
