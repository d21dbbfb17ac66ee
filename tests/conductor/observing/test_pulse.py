"""Audible means that something is heard: no lamp is green because a process lives."""

from __future__ import annotations

import pytest

from conductor.observing.pulse import FEED_STILL_S, HEALING_S, SILENT_S, STILL_S, Pulse

LOUD_DB, SILENT_DB = -12.0, -120.0
RATE = 48_000


def played(pulse: Pulse, from_s: float, to_s: float, *, player: bool = True, feed: bool = True,
           out_db: float | None = LOUD_DB, player_db: float = LOUD_DB) -> float:  # fmt: skip
    """Let seconds pass in which player and feed tell what they do; return the time."""
    now_s = from_s
    while now_s < to_s:
        if player:
            pulse.player(int(now_s * RATE), player_db, now_s)
        if feed:
            pulse.feed(int(now_s * RATE), out_db, now_s, bridging=not player)
        now_s += 0.5
    return to_s


def test_a_programme_that_plays_is_heard() -> None:
    pulse = Pulse(0.0)
    verdict = pulse.judge(played(pulse, 0.0, 10.0))
    assert (verdict.audible, verdict.reasons, verdict.healing) == (True, (), True)


def test_before_the_first_sound_nothing_is_heard_and_all_that_lacks_is_told() -> None:
    verdict = Pulse(0.0).judge(1.0)
    assert not verdict.audible
    assert verdict.reasons == ("player: not there yet", "feed: not there yet", "nothing has been heard yet")
    assert verdict.healing, "it is only beginning"


def test_a_silent_piece_is_not_heard_though_everything_runs() -> None:
    pulse = Pulse(0.0)
    now_s = played(pulse, 0.0, 10.0)
    now_s = played(pulse, now_s, now_s + SILENT_S - 1.0, out_db=SILENT_DB)
    assert pulse.judge(now_s).audible, "a pause between two pieces is no silence"
    now_s = played(pulse, now_s, now_s + 3.0, out_db=SILENT_DB)
    verdict = pulse.judge(now_s)
    assert [reason.split(":")[0] for reason in verdict.reasons] == ["silence"]


def test_what_goes_out_counts_and_not_what_the_player_says() -> None:
    pulse = Pulse(0.0)
    now_s = played(pulse, 0.0, 20.0, out_db=SILENT_DB, player_db=LOUD_DB)
    assert not pulse.judge(now_s).audible


@pytest.mark.parametrize(("who", "limit_s"), [("player", STILL_S), ("feed", FEED_STILL_S)])
def test_a_process_that_stands_still_is_told_by_name(who: str, limit_s: float) -> None:
    pulse = Pulse(0.0)
    now_s = played(pulse, 0.0, 10.0)
    last_s = now_s - 0.5
    now_s = played(pulse, now_s, last_s + limit_s, player=who != "player", feed=who != "feed")
    assert pulse.judge(now_s).audible
    verdict = pulse.judge(now_s + 1.0)
    assert not verdict.audible
    assert [reason.split(":")[0] for reason in verdict.reasons] == [who]
    assert verdict.bridged is (who == "player"), "the feed has music of its own, the player has no other way out"


def test_a_process_that_talks_without_progress_stands_still() -> None:
    pulse = Pulse(0.0)
    now_s = played(pulse, 0.0, 10.0)
    for _ in range(40):
        now_s += 0.5
        pulse.player(9 * RATE, LOUD_DB, now_s)
        pulse.feed(int(now_s * RATE), LOUD_DB, now_s)
    assert [reason.split(":")[0] for reason in pulse.judge(now_s).reasons] == ["player"]


def test_what_heals_in_time_may_live_and_what_does_not_may_not() -> None:
    pulse = Pulse(0.0)
    now_s = played(pulse, 0.0, 10.0)
    assert pulse.judge(now_s).audible
    assert pulse.judge(now_s + HEALING_S - 1.0).healing
    lost = pulse.judge(now_s + HEALING_S + 1.0)
    assert not lost.healing
    assert lost.lost_s > HEALING_S
    now_s = played(pulse, now_s + HEALING_S + 1.0, now_s + HEALING_S + 5.0)
    assert pulse.judge(now_s).healing, "heard again, it begins anew"
