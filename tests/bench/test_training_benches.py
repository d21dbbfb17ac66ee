"""The benchmarks of training run from end to end: a table, then one line of JSON."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from tests.bench import ablations, options, peer, scaling, training_speed
from tests.bench.runs import name_of, run_once
from tests.bench.variations import VARIATIONS


def told(capsys: pytest.CaptureFixture[str]) -> tuple[str, dict[str, Any]]:
    """The table, and what the line of JSON says; JSON knows no NaN."""

    def refuse(text: str) -> None:
        raise AssertionError(text)

    *lines, last = capsys.readouterr().out.strip().splitlines()
    facts: dict[str, Any] = json.loads(last, parse_constant=refuse)
    assert {"processor", "cores", "threads", "load", "torch", "quick"} <= facts.keys()
    assert facts["quick"] is True
    return "\n".join(lines), facts


def test_ablations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--quick", "--steps", "6", "--out", str(tmp_path), "--seeds", "2", "--only", "full,no-volumes,no-places"]
    assert ablations.main(command) == 0
    table, facts = told(capsys)
    rows = {row["variation"]: row for row in facts["rows"]}
    assert list(rows) == ["full", "no-volumes", "no-places"]
    for row in rows.values():
        assert row["steps"] == 6
        assert row["bits_per_note"] > row["bits_but_volume"] > 5
        assert row["apart"] > 0
        assert sum(row["by_kind"].values()) == pytest.approx(row["bits_per_note"], abs=0.01)
        assert row["variation"] in table
    # What was run is kept: the same command says the same, seconds and all.
    assert ablations.main(command) == 0
    assert told(capsys)[1]["rows"] == facts["rows"]
    assert len(list((tmp_path / "runs").glob("*.json"))) == 6


def test_training_speed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert training_speed.main(["--quick", "--steps", "4", "--out", str(tmp_path)]) == 0
    _, facts = told(capsys)
    rows = {row["what"]: row for row in facts["rows"]}
    assert rows[training_speed.PLAIN]["ratio"] == 1.0
    assert "ours, eager" in rows
    for row in rows.values():
        assert row["ratio_least"] <= row["ratio"] <= row["ratio_most"]
        assert row["tokens_per_s"] > 0


def test_ratios_are_of_steps_side_by_side() -> None:
    seconds = {"plain": [2.0, 4.0, 2.0], "quick": [1.0, 2.0, 2.0]}
    plain, quick = training_speed.rows_of(seconds, {"plain": 1, "quick": 2}, 100, "plain")
    assert (plain["ratio"], plain["tokens_per_s"]) == (1.0, 50)
    assert (quick["ratio_least"], quick["ratio"], quick["ratio_most"]) == (1.0, 2.0, 2.0)


def test_scaling(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--quick", "--seconds", "1", "--processor-clock", "--only", "w16,w32", "--out", str(tmp_path)]
    assert scaling.main(command) == 0
    table, facts = told(capsys)
    assert [row["size"] for row in facts["rows"]] == ["w16"] * 4 + ["w32"] * 4
    assert {o["size"] for o in facts["outlook"]} == {"w16", "w32"}
    assert facts["law"]["error"] > 0
    assert "L(N, D)" in table
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")


def test_peer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("miditok", reason="the peer is an extra")
    pytest.importorskip("transformers", reason="the peer is an extra")
    command = ["--quick", "--processor-clock", "--seconds", "1", "--compose", "3", "--peer-rates", "0.003"]
    assert peer.main([*command, "--out", str(tmp_path)]) == 0
    table, facts = told(capsys)
    ours, remi = facts["rows"]
    assert (ours["what"], remi["what"]) == ("ours", "remi")
    assert ours["notes"] == remi["notes"] > 100
    assert remi["parameters"] == pytest.approx(ours["parameters"], rel=0.03)
    assert ours["bits_bare"] < ours["bits_per_note"]
    assert ours["overlap"]["composed"] == remi["overlap"]["composed"] == 3
    assert len(list((tmp_path / "composed").rglob("*.mid"))) == 6
    assert "overlap" in table


def test_a_peer_that_is_not_installed_is_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "miditok", None)
    assert peer.main(["--quick"]) == 2
    assert "conductor-live[bench]" in capsys.readouterr().err


ROW = {
    "what": "ours", "learned": True, "notes": 100, "parameters": 1000, "keeps": {"lost": 0.0},
}  # fmt: skip


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"learned": False}, "the loss did not fall"),
        ({"notes": 90}, "not read the same notes"),
        ({"parameters": 1100}, "not as many weights"),
        ({"keeps": {"lost": 0.05}}, "5.0% of the notes are lost"),
    ],
)
def test_an_unequal_contest_is_not_reported(other: dict[str, Any], reason: str) -> None:
    assert peer.wrong([ROW, {**ROW, "what": "remi"}]) is None
    assert reason in str(peer.wrong([ROW, {**ROW, "what": "remi", **other}]))


def test_red_tests_are_not_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(options, "green", lambda tests: asked.append(tests))
    assert ablations.main(["--data", str(tmp_path / "nowhere")]) == 1
    assert asked == [options.TESTS]
    assert "nothing is reported" in capsys.readouterr().out


def test_an_unknown_variation_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ablations.main(["--quick", "--only", "full,no-bass"])
    assert "no-bass: it can be full" in capsys.readouterr().err
    assert "no-bass" not in VARIATIONS


def test_a_run_of_other_settings_is_another_run(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> dict[str, Any]:
        made.append(1)
        return {"figure": len(made)}

    assert run_once(tmp_path, "full", {"steps": 1}, make) == {"figure": 1}
    assert run_once(tmp_path, "full", {"steps": 1}, make) == {"figure": 1}
    assert run_once(tmp_path, "full", {"steps": 2}, make) == {"figure": 2}
    assert name_of("full", {"a": 1, "b": 2}) == name_of("full", {"b": 2, "a": 1})


def test_no_corpus_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "green", lambda _tests: True)
    with pytest.raises(SystemExit, match="say what to learn from"):
        ablations.main([])
    assert isinstance(options.parser("ablations", None), argparse.ArgumentParser)
