"""Training by the clock: whoever is slower takes fewer steps, and all end with their rate fallen to nothing."""

from __future__ import annotations

import math

import pytest

from model.learning.trainer import Plan
from tests.bench import timed
from tests.bench.timed import Budget, Spent, told, train


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s

    def process_time(self) -> float:
        # Half of the time somebody else has the processor.
        return self.now_s / 2


class Slow:
    """A learner whose every step takes as long as it is told."""

    def __init__(self, hands: Hands, step_s: float) -> None:
        self.plan = Plan(warmup=2)
        self.step = self.tokens = 0
        self.hands, self.step_s = hands, step_s
        self.rates: list[float] = []

    def train_step(self) -> float:
        self.rates.append(self.plan.rate(self.step))
        self.step += 1
        self.tokens += 10
        self.hands.now_s += self.step_s
        return 5.0 - 0.01 * self.step


@pytest.fixture(name="hands")
def _hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    hands = Hands()
    monkeypatch.setattr(timed, "time", hands)
    return hands


@pytest.mark.parametrize("step_s", [0.1, 0.25, 1.0])
def test_everybody_trains_as_long_and_ends_with_a_rate_near_nothing(hands: Hands, step_s: float) -> None:
    learner = Slow(hands, step_s)
    spent = train(learner, Budget(seconds=50.0))
    assert spent.seconds == pytest.approx(50.0, abs=1.01 * step_s)
    assert spent.steps == learner.step == pytest.approx(50.0 / step_s, abs=1)
    assert spent.tokens == 10 * spent.steps
    assert max(learner.rates) == 1.0
    assert learner.rates[-1] < 0.07
    # It falls in the last part alone.
    assert learner.rates[int(0.55 * spent.steps)] == 1.0
    assert spent.learned


def test_a_neighbours_work_takes_nothing_from_the_processor_clock(hands: Hands) -> None:
    learner = Slow(hands, 0.5)
    spent = train(learner, Budget(seconds=10.0, processor=True))
    assert (spent.seconds, spent.processor_s) == (20.0, 10.0)


def test_a_budget_of_steps_is_kept_to_the_step(hands: Hands) -> None:
    learner = Slow(hands, 0.5)
    assert train(learner, Budget(steps=7)).steps == 7
    assert learner.plan.steps == 7


def test_checks_are_evenly_spread_and_not_on_the_clock(hands: Hands) -> None:
    learner = Slow(hands, 0.5)
    seen: list[tuple[float, float]] = []

    def check(tokens: float, seconds: float) -> None:
        seen.append((tokens, seconds))
        hands.now_s += 1000.0

    spent = train(learner, Budget(seconds=20.0), check=check, checks=4)
    assert [seconds for _, seconds in seen] == [5.0, 10.0, 15.0, 20.0]
    assert seen[-1][0] == spent.tokens == 400
    assert spent.seconds == 20.0


def test_before_the_first_step_the_rate_rises_as_planned() -> None:
    plan = Plan(warmup=4)
    assert told(plan, 0, 0.0).rate(0) == plan.rate(0) == 0.25
    assert told(plan, 50, 0.5).steps == 100


def test_a_loss_that_stays_is_not_learning() -> None:
    assert not Spent(1, 1, 1.0, 1.0, 5.0, 5.0).learned
    assert not Spent(1, 1, 1.0, 1.0, 5.0, math.nan).learned
    assert Spent(1, 1, 1.0, 1.0, 5.0, 4.9).learned


@pytest.mark.parametrize("wrong", [{}, {"seconds": 1.0, "steps": 1}])
def test_a_budget_is_seconds_or_steps(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="either seconds or steps"):
        Budget(**wrong)  # type: ignore[arg-type]
