"""What was drawn once and is kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streaming.picture.kept import Kept


def test_a_thing_is_made_once_while_there_is_room_for_it() -> None:
    made: list[str] = []

    def make(key: str) -> tuple[str, int]:
        made.append(key)
        return key.upper(), 40

    kept: Kept[str, str] = Kept(100)
    assert [kept.get(key, lambda key=key: make(key)) for key in "aabab"] == list("AABAB")  # type: ignore[misc]
    assert made == ["a", "b"]
    # The longest unused makes room, and that is not what came first.
    for key in "acab":
        kept.get(key, lambda key=key: make(key))  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 70))))
def test_it_never_holds_more_than_it_may_but_for_one_thing(wanted: list[tuple[int, int]]) -> None:
    kept: Kept[tuple[int, int], bytes] = Kept(100)
    for number, size in wanted:
        assert len(kept.get((number, size), lambda size=size: (bytes(size), size))) == size  # type: ignore[misc]
        assert kept.bytes <= 100 or len(kept) == 1
