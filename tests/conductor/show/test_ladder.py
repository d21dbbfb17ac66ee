"""The ladder on a virtual clock: every rung is reached, in its order and in its time, and told once."""

from __future__ import annotations

from dataclasses import replace

from conductor.show.ladder import (
    AGAIN_S,
    AWAY_S,
    FILLER_S,
    GOOD_S,
    LOST_S,
    OUT_S,
    PATIENCE_S,
    QUIET_S,
    Cleared,
    Ladder,
    Next,
    Raised,
    Rebuild,
    Seen,
    Step,
)

TICK_S = 0.2
WELL = Seen(player=True, feed=True, number=7, lufs=-16.0, slate=False, level_db=-3.0)
MUTE = replace(WELL, lufs=-120.0)


class Watch:
    """A ladder that is looked at five times a second."""

    def __init__(self) -> None:
        self.ladder, self.now_s = Ladder(), 1000.0
        self.steps: list[tuple[float, Step]] = []

    def see(self, seen: Seen, seconds: float) -> list[Step]:
        """Let the programme be like this for so long; return what is to be done."""
        begun_s, found = self.now_s, []
        while self.now_s < begun_s + seconds:
            for step in self.ladder.look(seen, self.now_s):
                found.append(step)
                self.steps.append((self.now_s - begun_s, step))
            self.now_s += TICK_S
        return found


def kinds(steps: list[Step]) -> list[str]:
    return [type(step).__name__ for step in steps]


def test_of_a_programme_that_sounds_nothing_is_said_for_two_days() -> None:
    watch = Watch()
    watch.now_s = 0.0
    ladder = watch.ladder
    assert not any(ladder.look(WELL, float(at_s)) for at_s in range(0, 48 * 3600, 5))


def test_a_pause_between_two_pieces_and_a_rest_are_no_silence() -> None:
    watch = Watch()
    for _ in range(20):
        assert not watch.see(MUTE, QUIET_S - 0.5)
        assert not watch.see(WELL, 1.0)


def test_a_silent_piece_is_left_then_the_player_is_built_anew_ever_more_seldom_and_all_is_told_once() -> None:
    watch = Watch()
    first = watch.see(MUTE, QUIET_S + 1.0)
    assert kinds(first) == ["Raised", "Next"]
    assert isinstance(first[1], Next)
    assert first[1].number == 7
    # The next is as silent.
    later = watch.see(replace(MUTE, number=8), PATIENCE_S + 1.0)
    assert kinds(later) == ["Rebuild"]
    assert isinstance(later[0], Rebuild)
    assert later[0].worker == "player"
    # It is away, and comes back no better: nobody is told again, and it is tried again.
    watch.see(replace(MUTE, player=False, lufs=None), 3.0)
    again = watch.see(MUTE, 4 * AGAIN_S)
    assert set(kinds(again)) == {"Rebuild"}
    assert 1 <= len(again) <= 2
    cleared = watch.see(WELL, GOOD_S + 1.0)
    assert kinds(cleared) == ["Cleared"]
    assert kinds(watch.see(MUTE, QUIET_S + 1.0)) == ["Raised", "Next"], "it may begin anew"


def test_a_silent_bed_cannot_be_left_for_anything_but_another_player() -> None:
    assert kinds(Watch().see(replace(MUTE, number=0), QUIET_S + 1.0)) == ["Raised", "Rebuild"]


def test_one_good_second_does_not_clear_an_alarm() -> None:
    watch = Watch()
    watch.see(MUTE, QUIET_S + 1.0)
    assert not watch.see(WELL, 1.0)
    assert "Cleared" not in kinds(watch.see(MUTE, 2.0))


def test_a_player_that_the_feed_does_not_hear_is_built_anew_and_its_absence_becomes_an_alarm() -> None:
    watch = Watch()
    lost = replace(WELL, slate=True)
    assert kinds(watch.see(lost, LOST_S + 0.5)) == ["Rebuild"]
    assert kinds(watch.see(replace(lost, player=False, lufs=None), AWAY_S - LOST_S)) == ["Raised"]
    assert kinds(watch.see(WELL, GOOD_S + 1.0)) == ["Cleared"]


def test_a_player_that_took_long_to_start_is_given_its_time_to_be_heard() -> None:
    watch = Watch()
    watch.see(replace(WELL, player=False, lufs=None, slate=True), 60.0)
    assert not watch.see(replace(WELL, slate=True), LOST_S - 0.5)


def test_a_feed_that_sends_silence_is_built_anew() -> None:
    steps = Watch().see(replace(WELL, level_db=-120.0), OUT_S + 1.0)
    assert kinds(steps) == ["Raised", "Rebuild"]
    assert isinstance(steps[1], Rebuild)
    assert steps[1].worker == "feed"


def test_the_bed_where_a_piece_should_be_is_an_alarm_and_where_none_is_wanted_it_is_not() -> None:
    bed = replace(WELL, number=0, lufs=-32.0)
    assert not Watch().see(bed, 2 * FILLER_S)
    watch = Watch()
    stuck = watch.see(replace(bed, waits=True), 2 * FILLER_S)
    assert kinds(stuck) == ["Raised"]
    assert isinstance(stuck[0], Raised)
    assert stuck[0].what == "filler"
    cleared = watch.see(WELL, GOOD_S + 1.0)
    assert isinstance(cleared[0], Cleared)
    assert cleared[0].what == "filler"


def test_with_nothing_told_nothing_is_done() -> None:
    assert not Watch().see(Seen(player=True, feed=True), 600.0)
