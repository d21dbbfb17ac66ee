"""The composer does all the wrong things, one after the other, in one show: the audience never notices."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

import pytest

from tests.faults.house import House

pytestmark = [pytest.mark.faults, pytest.mark.timeout(700)]

PLAYS_ON = "what is armed plays on"
# A block is silent by chance where a note ends as another begins; more is a hole.
NO_GAP = 1


@dataclass(frozen=True)
class Case:
    """A mood of the composer.

    Attributes:
        fault: in words.
        mood, times: see `tests.faults.muse`.
        says: what must be said of it.
        then: what follows when it is over.
        hears: what the audience does.
        gap: blocks that may be silent.
        patience_s: how long all of it may take.
    """

    fault: str
    mood: str
    says: str
    then: str = r"ready  "
    times: int = 1
    hears: str = PLAYS_ON
    gap: int = NO_GAP
    patience_s: float = 90.0


CASES = (
    Case("composer raises", "raises", r"planned .*RuntimeError: CUDA error"),
    Case("composer returns an empty piece", "empty", r"planned .*the piece came back empty"),
    Case("composer returns notes at NaN", "nan", r"planned .*"),
    Case("composer returns a short piece", "short", r"(ready|planned) .*", then=r"live  [\s\S]*live  "),
    Case("composer returns a short piece to its gate", "gated short", r"planned .*too short"),
    Case("composer returns a looping piece to its gate", "gated looping", r"planned .*loop"),
    Case("composer returns a silent piece to its gate", "gated silent", r"planned .*silence"),
    Case("composer refuses three times", "raises", r"could not be composed", then=r"stands in", times=3),
    Case("composer is 10x slower", "slow", r"composing  ", then=r"live  [\s\S]*live  ", times=3),
)


def test_a_piece_of_silence_that_nobody_refused(house: House) -> None:
    """The gate is passed by: what plays is silent, and that is heard at the output."""
    row, _ = house.suffer(
        "a silent piece is on air", lambda: house.mood("silent"), hears="silence until it is noticed, then more",
        says=r"not heard|nothing has been heard", patience_s=90.0,
        healed=lambda mark: house.says(r"(not heard|nothing has been heard)[\s\S]*live  ", mark),
    )  # fmt: skip
    assert row.gap is not None
    # Five seconds until it is noticed, one until the next is there.
    assert row.gap <= 6 * 48_000 / 256


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault.replace(" ", "-"))
def test_whatever_the_composer_returns(house: House, case: Case) -> None:
    def healed(mark: int) -> bool:
        return re.search(f"{case.says}[\\s\\S]*{case.then}", house.said[mark:]) is not None

    row, _ = house.suffer(
        case.fault, lambda: house.mood(case.mood, case.times), hears=case.hears, says=case.says, healed=healed,
        patience_s=case.patience_s,
    )  # fmt: skip
    assert row.gap is not None
    assert row.gap <= case.gap


def test_a_composer_that_is_killed(house: House) -> None:
    row, _ = house.suffer(
        "composer SIGKILL", lambda: house.signal("composer", signal.SIGKILL), hears=PLAYS_ON,
        says=r"the composer is gone", healed=lambda mark: house.says(r"the composer is back", mark),
    )  # fmt: skip
    assert row.gap is not None
    assert row.gap <= NO_GAP


def test_a_composer_that_stands_still(house: House) -> None:
    row, _ = house.suffer(
        "composer SIGSTOP", lambda: house.signal("composer", signal.SIGSTOP), hears=PLAYS_ON,
        says=r"the composer is gone", healed=lambda mark: house.says(r"the composer is back", mark),
    )  # fmt: skip
    assert row.gap is not None
    assert row.gap <= NO_GAP


def test_a_composer_that_never_answers_a_request(house: House) -> None:
    """Its process is alive and answers everything else: only the request shows no progress."""
    row, _ = house.suffer(
        "composer hangs in a request", lambda: house.mood("hangs"), hears="pieces of the library, or the bed",
        says=r"no progress|overdue|too late", patience_s=320.0,
        healed=lambda mark: re.search(r"(no progress|overdue|too late)[\s\S]*ready  ", house.said[mark:]) is not None,
    )  # fmt: skip
    assert row.gap is not None
    assert row.gap <= NO_GAP
