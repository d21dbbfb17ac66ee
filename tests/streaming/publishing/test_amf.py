from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.publishing import amf

scalars = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=40)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(values, max_size=6))
def test_values_come_out_as_they_went_in(said: list[amf.Value]) -> None:
    assert amf.decode(amf.encode(*said)) == said


def test_a_long_text_and_metadata_are_read_back() -> None:
    assert amf.decode(amf.encode("x" * 70_000)) == ["x" * 70_000]
    assert amf.decode(amf.ecma_array({"width": 1280.0, "stereo": True})) == [{"width": 1280.0, "stereo": True}]


def test_a_connect_is_as_the_specification_writes_it() -> None:
    assert amf.encode("connect", 1.0, {"app": "live"}) == (
        b"\x02\x00\x07connect" b"\x00\x3f\xf0\x00\x00\x00\x00\x00\x00" b"\x03\x00\x03app\x02\x00\x04live\x00\x00\x09"
    )  # fmt: skip


@given(st.binary(max_size=200))
def test_rubbish_is_refused_and_never_worse(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        amf.decode(data)


def test_a_bomb_of_nesting_is_refused() -> None:
    with pytest.raises(ValueError, match=r"deep|cut off"):
        amf.decode(b"\x0a\x00\x00\x00\x01" * 5000)
