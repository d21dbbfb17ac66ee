"""The tables: kept between starts, never trusted when damaged, all of them sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streaming import bank
from streaming.patches import PATCHES
from streaming.percussion import KIT


@pytest.fixture(scope="module")
def computed() -> bank.Bank:
    return bank.compute(seed=0)


def same(one: bank.Bank, two: bank.Bank) -> bool:
    pairs = [(a, b) for name in one for a, b in zip(one[name], two[name], strict=True)]
    return list(one) == list(two) and all(
        np.array_equal(a.samples, b.samples) and (a.hz, a.loops) == (b.hz, b.loops) for a, b in pairs
    )


def test_every_table_is_finite_without_offset_and_quiet_at_its_seams(computed: bank.Bank) -> None:
    assert [len(computed[p.name]) for p in PATCHES] == [len(KIT if p.name == "drums" else p.zones) for p in PATCHES]
    for name, made in computed.items():
        for table in made:
            assert np.isfinite(table.samples).all()
            peak = np.abs(table.samples).max()
            assert 0.05 < peak < 2.0, name
            assert np.abs(table.samples.mean(axis=1)).max() < 0.01 * peak, name
            assert np.abs(table.samples[:, 0]).max() < 0.01 * peak, name
            if not table.loops:
                assert np.abs(table.samples[:, -1]).max() < 1e-3 * peak, name


def test_tables_come_back_from_the_cache_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, computed: bank.Bank
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls: list[int] = []

    def counted(*, seed: int) -> bank.Bank:
        calls.append(seed)
        return computed

    monkeypatch.setattr(bank, "compute", counted)
    assert same(bank.tables(seed=0), computed)
    assert same(bank.tables(seed=0), computed)
    assert calls == [0]
    (kept,) = (tmp_path / "conductor-live").iterdir()
    # A damaged file is computed anew, and mended.
    kept.write_bytes(kept.read_bytes()[:100_000])
    assert same(bank.tables(seed=0), computed)
    assert same(bank.tables(seed=0), computed)
    assert calls == [0, 0]
    for seed in (1, 2, 3):
        bank.tables(seed=seed)
    assert len(list((tmp_path / "conductor-live").iterdir())) == 2


def test_without_a_place_for_a_cache_the_tables_are_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, computed: bank.Bank
) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setattr(bank, "compute", lambda *, seed: computed)  # noqa: ARG005
    assert same(bank.tables(seed=0), computed)
