"""How much is said and heard: Twitch's limits, one person's, everybody's."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from conductor.chat.limits import ALL, MODERATOR, PERSON, SPOKEN, SPOKEN_S, Patience, Window


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 10), max_size=120))
def test_no_stretch_of_thirty_seconds_has_more_than_twenty_messages(waits: list[float]) -> None:
    clock = Clock()
    window, said = Window(SPOKEN, SPOKEN_S, clock), list[float]()
    for wait_s in waits:
        clock.now_s += wait_s
        if window.take():
            said.append(clock.now_s)
    for first, later in zip(said, said[SPOKEN:], strict=False):
        assert later - first >= SPOKEN_S
    clock.now_s += window.wait_s()
    assert window.take(), "what it tells to wait is enough"


def test_who_floods_takes_nothing_from_the_others() -> None:
    clock = Clock()
    patience = Patience(clock)
    heard = sum(patience.hears("flooder", moderates=False) for _ in range(5000))
    assert heard == PERSON.burst
    assert patience.hears("another", moderates=False)


def test_a_thousand_people_at_once_leave_a_moderator_heard() -> None:
    clock = Clock()
    patience = Patience(clock)
    heard = sum(patience.hears(f"p{n}", moderates=False) for n in range(1000))
    assert heard == ALL.burst
    assert patience.hears("mod", moderates=True)
    assert sum(patience.hears("mod", moderates=True) for _ in range(100)) == MODERATOR.burst - 1
    assert patience.heard + patience.passed_over == 1101
