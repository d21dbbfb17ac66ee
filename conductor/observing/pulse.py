"""Whether the audience hears something: judged by what went out, not by which processes live.

A programme is heard where its sound is above a floor, its player writes samples, and its feed sends them. A process
that is there and does none of this is no comfort to anybody.
"""

from __future__ import annotations

from dataclasses import dataclass

# Peak, dBFS: what is below it nobody hears in a room.
FLOOR_DB = -60.0
# The pause between two pieces is shorter.
SILENT_S = 8.0
# The player tells its levels ten times a second, the feed its state once.
STILL_S = 3.0
FEED_STILL_S = 5.0
# What takes longer to mend does not mend itself: a player starts in 2 s, without its tables in 10 s.
HEALING_S = 90.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of the programme now.

    Attributes:
        audible: whether the audience hears it.
        reasons: why not, a line each; empty where it does.
        silent_s: seconds since something above the floor went out.
        lost_s: seconds since it was last heard; 0 while it is.
        healing: whether it may still come back by itself; true while it is heard.
        bridged: whether the feed's own sound is heard in place of a player's.
    """

    audible: bool
    reasons: tuple[str, ...]
    silent_s: float
    lost_s: float
    healing: bool
    bridged: bool = False


class _Progress:
    """When a count last grew."""

    def __init__(self) -> None:
        self._count = -1
        self.grew_s: float | None = None

    def take(self, count: int, now_s: float) -> None:
        # Less than before: another programme, which begins anew.
        if count != self._count:
            self._count, self.grew_s = count, now_s


class Pulse:
    """Keeps what player and feed told, and when.

    Args:
        now_s: monotonic time at which the show begins.
    """

    def __init__(self, now_s: float) -> None:
        self._player, self._feed = _Progress(), _Progress()
        self._loud_s: float | None = None
        self._begun_s = now_s
        self._heard_s = now_s
        self._bridging = False
        self._feed_tells = False

    def player(self, sample: int, peak_db: float, now_s: float) -> None:
        """Take in what the player says of itself.

        Args:
            sample: samples written so far.
            peak_db: true peak since the last time, dBTP.
            now_s: monotonic time.
        """
        self._player.take(sample, now_s)
        # What the feed sends is what is heard; the player's own word counts only where the feed gives none.
        if not self._feed_tells and peak_db > FLOOR_DB:
            self._loud_s = now_s

    def feed(self, sample: int, peak_db: float | None, now_s: float, *, bridging: bool = False) -> None:
        """Take in what the feed says of what went out.

        Args:
            sample: of the picture sent last.
            peak_db: highest level since the last time, dBFS; None: it does not tell.
            now_s: monotonic time.
            bridging: whether it has no player to send.
        """
        self._feed.take(sample, now_s)
        self._bridging = bridging
        self._feed_tells = peak_db is not None
        if peak_db is not None and peak_db > FLOOR_DB:
            self._loud_s = now_s

    def judge(self, now_s: float) -> Verdict:
        """Return how it is at a monotonic time."""
        reasons = []
        if reason := _still("player", "no sound is made", self._player, now_s, STILL_S):
            reasons.append(reason + (" (the feed bridges it)" if self._bridging else ""))
        no_player = bool(reasons)
        if reason := _still("feed", "nothing goes out", self._feed, now_s, FEED_STILL_S):
            reasons.append(reason)
        silent_s = now_s - (self._begun_s if self._loud_s is None else self._loud_s)
        if self._loud_s is None:
            reasons.append("nothing has been heard yet")
        elif silent_s > SILENT_S:
            reasons.append(f"silence: nothing above {FLOOR_DB:.0f} dBFS went out for {silent_s:.0f} s")
        if not reasons:
            self._heard_s = now_s
        lost_s = now_s - self._heard_s
        bridged = no_player and len(reasons) == 1 and self._bridging
        return Verdict(not reasons, tuple(reasons), silent_s, lost_s, lost_s < HEALING_S, bridged)


def _still(who: str, what: str, progress: _Progress, now_s: float, limit_s: float) -> str:
    if progress.grew_s is None:
        return f"{who}: not there yet"
    still_s = now_s - progress.grew_s
    return f"{who}: {what} since {still_s:.0f} s" if still_s > limit_s else ""
