"""The power law: what was put in is found again, and too little is refused."""

from __future__ import annotations

import numpy as np
import pytest

from tests.bench.power_law import Law, Run, fit, outlook, resampled

TRUE = Law(floor=6.0, a=3.0, alpha=0.4, b=5.0, beta=0.35, error=0.0)
WEIGHTS = {"3M": 3e6, "6M": 6e6, "12M": 12e6, "24M": 24e6}


def runs(noise: float = 0.0) -> list[Run]:
    rng = np.random.default_rng(0)
    found = []
    for size, weights in WEIGHTS.items():
        for seconds in (300.0, 600.0, 1200.0, 2400.0):
            # A model twice as large sees half of the tokens.
            tokens = seconds * 24e9 / weights
            loss = TRUE.loss(weights, tokens) * float(np.exp(noise * rng.standard_normal()))
            found.append(Run(size, int(weights), int(tokens), seconds, loss))
    return found


def test_the_law_behind_the_runs_is_found() -> None:
    law = fit(runs())
    assert law.error < 1e-4
    for weights in WEIGHTS.values():
        assert law.loss(weights, 3e8) == pytest.approx(TRUE.loss(weights, 3e8), rel=5e-3)
    assert (law.alpha, law.beta) == pytest.approx((TRUE.alpha, TRUE.beta), abs=0.05)


def test_the_truth_lies_within_the_uncertainty_of_noisy_runs() -> None:
    noisy = runs(noise=0.004)
    law = fit(noisy)
    others = resampled(noisy, law, 12)
    assert len(others) == 12
    found = outlook(law, others, noisy, 12 * 3600.0, corpus_tokens=15_000_000)
    assert [o.size for o in found] == list(WEIGHTS)
    for o in found:
        run = next(r for r in noisy if r.size == o.size and r.seconds == 2400.0)
        assert o.tokens == pytest.approx(run.tokens * 18)
        assert o.epochs == pytest.approx(o.tokens / 15e6)
        assert o.low - 0.2 < TRUE.loss(run.weights, o.tokens) < o.high + 0.2
        assert 0 < o.high - o.low < 2.0
    assert sum(o.chance for o in found) == pytest.approx(1.0)
    # Seconds buy the larger model too few tokens, or they do not: the law says which.
    best = min(found, key=lambda o: o.loss)
    assert best.chance > 0


def test_runs_too_few_to_tell_are_refused() -> None:
    with pytest.raises(ValueError, match="5 runs"):
        fit(runs()[:5])
    with pytest.raises(ValueError, match="of 1 sizes"):
        fit([r for r in runs() if r.size == "3M"] * 2)
