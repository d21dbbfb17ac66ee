from __future__ import annotations

from random import Random

from streaming.backoff import FIRST_S, LONGEST_S, REFUSED_S, Backoff


def test_the_pauses_double_with_jitter_up_to_the_longest_and_never_end() -> None:
    backoff = Backoff(Random(1))
    pauses = [backoff.after_loss() for _ in range(2000)]
    for count, pause_s in enumerate(pauses):
        whole_s = min(LONGEST_S, FIRST_S * 2.0 ** min(count, 20))
        assert whole_s / 2 <= pause_s <= whole_s
    assert len({round(pause_s, 6) for pause_s in pauses[100:]}) > 1000, "not all at the same moment"


def test_the_same_seed_waits_the_same() -> None:
    first, second = Backoff(Random(7)), Backoff(Random(7))
    assert [first.after_loss() for _ in range(9)] == [second.after_loss() for _ in range(9)]


def test_after_a_while_on_air_it_begins_anew() -> None:
    backoff = Backoff(Random(1))
    for _ in range(9):
        backoff.after_loss()
    backoff.reset()
    assert backoff.after_loss() <= FIRST_S


def test_a_refusal_waits_long_at_once() -> None:
    backoff = Backoff(Random(1))
    assert all(0.75 * REFUSED_S <= backoff.after_refusal() <= 1.25 * REFUSED_S for _ in range(50))
