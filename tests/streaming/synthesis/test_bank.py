"""The tables: kept between starts, never trusted when damaged, all of them sound."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from streaming.patches import library, zones
from streaming.synthesis import bank
from streaming.synthesis.wavetables import Table


@pytest.fixture(scope="module")
def computed() -> bank.Bank:
    return bank.compute(seed=0)


def layers(made: bank.Bank) -> Iterator[tuple[str, str, Table]]:
    for key, patch in made.items():
        for sound in patch.sounds:
            for name in ("body", "edge", "extra"):
                if (table := getattr(sound, name)) is not None:
                    yield key, name, table
        if patch.let_go is not None:
            yield key, "let_go", patch.let_go


def same(one: bank.Bank, two: bank.Bank) -> bool:
    pairs = list(zip(layers(one), layers(two), strict=True))
    return len(pairs) > 300 and all(
        a[:2] == b[:2] and np.array_equal(a[2].samples, b[2].samples) and (a[2].hz, a[2].loops) == (b[2].hz, b[2].loops)
        for a, b in pairs
    )


def test_there_is_a_sound_for_every_zone_of_every_patch_and_every_drum(computed: bank.Bank) -> None:
    for key, patch in library().patches.items():
        assert len(computed[key].sounds) == len(patch.kit or zones(patch)), key
        assert (computed[key].let_go is not None) == (patch.let_go is not None)


def test_every_table_is_finite_without_offset_and_quiet_at_its_seams(computed: bank.Bank) -> None:
    for key, layer, table in layers(computed):
        assert np.isfinite(table.samples).all()
        peak = np.abs(table.samples).max()
        assert 1e-5 < peak < 2.0, (key, layer)
        assert np.abs(table.samples.mean(axis=1)).max() < 0.01 * peak, (key, layer)
        step = np.abs(table.samples[:, 0] - table.samples[:, -1]).max()
        if table.loops:
            # The end runs into the start as smoothly as anything runs in it.
            assert step <= 1.01 * np.abs(np.diff(table.samples)).max(), (key, layer)
        else:
            assert np.abs(table.samples[:, 0]).max() < 0.02 * peak, (key, layer)
            assert np.abs(table.samples[:, -1]).max() < 1e-3 * peak, (key, layer)


def test_all_tables_fit_in_a_quarter_of_a_gigabyte(computed: bank.Bank) -> None:
    # The voices keep them as doubles.
    assert sum(table.samples.size * 8 for _, _, table in layers(computed)) < 256e6


def test_tables_come_back_from_the_cache_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, computed: bank.Bank
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls: list[int] = []

    def counted(*, seed: int, patches: object) -> bank.Bank:
        assert patches is library()
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
    monkeypatch.setattr(bank, "compute", lambda *, seed, patches: computed)  # noqa: ARG005
    assert same(bank.tables(seed=0), computed)
