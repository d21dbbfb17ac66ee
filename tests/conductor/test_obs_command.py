"""`conductor obs` makes OBS ready, tells how it is, and never tells a secret."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from conductor.cli import main
from tests.fakes_obs import PASSWORD, FakeObs

KEY = "live_0123456789abcdef"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OBS_PASSWORD", PASSWORD)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("OBS_STREAM_SERVER", "OBS_STREAM_KEY"):
        monkeypatch.delenv(name, raising=False)


async def conductor(*arguments: str) -> int:
    """Run the command beside the OBS of the test, which answers in this loop."""
    return await asyncio.to_thread(main, ["obs", *arguments])


async def with_obs(*commands: tuple[str, ...]) -> tuple[list[int], FakeObs]:
    obs = FakeObs()
    await obs.start()
    try:
        return [await conductor(*command, "--obs", obs.url) for command in commands], obs
    finally:
        await obs.stop()


async def test_setup_then_status_then_nothing_left_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    codes, obs = await with_obs(("setup", "--nut", "19999"), ("status",), ("setup", "--nut", "19999"))
    assert codes == [0, 0, 0]
    assert obs.inputs["Conductor programme"]["input"] == "tcp://127.0.0.1:19999"
    out = capsys.readouterr().out
    assert "scene 'Pause': made" in out
    assert "on program: Main" in out
    assert out.rstrip().endswith("all of it is there already")


async def test_status_of_an_obs_that_is_not_set_up_is_1_and_says_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    codes, _ = await with_obs(("status",), ("status", "--json"))
    assert codes == [1, 1]
    text, machine = capsys.readouterr().out.rsplit("\n{", 1)
    assert "run `conductor obs setup`" in text
    assert json.loads("{" + machine)["wrong"]


async def test_the_stream_comes_from_the_environment_and_is_not_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OBS_STREAM_SERVER", "Twitch")
    monkeypatch.setenv("OBS_STREAM_KEY", KEY)
    codes, obs = await with_obs(("setup",), ("status", "--json"))
    assert codes == [0, 0]
    assert obs.service["key"] == KEY
    told = capsys.readouterr()
    assert "Twitch" in told.out
    assert KEY not in told.out + told.err


async def test_half_a_stream_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OBS_STREAM_KEY", KEY)
    assert await conductor("setup") == 2
    told = capsys.readouterr().err
    assert told.startswith("conductor: OBS_STREAM_SERVER is not set")
    assert KEY not in told


async def test_a_wrong_password_is_one_line_without_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OBS_PASSWORD", "a wrong one")
    for verb in ("setup", "status", "calibrate"):
        codes, obs = await with_obs((verb,))
        assert codes == [2]
        assert obs.connections == 1
        told = capsys.readouterr().err
        assert told.startswith("conductor: OBS refused the password")
        assert "a wrong one" not in told


async def test_files_for_an_obs_that_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "obs-studio")
    assert await conductor("setup", "--files", "--folder", folder, "--size", "1920x1080", "--fps", "60") == 0
    assert "BaseCX=1920" in (tmp_path / "obs-studio/basic/profiles/Conductor/basic.ini").read_text()
    assert "start OBS with: obs --profile Conductor --collection Conductor" in capsys.readouterr().out
    assert await conductor("setup", "--files", "--folder", folder) == 0
    assert PASSWORD not in capsys.readouterr().out


async def test_files_need_a_password_that_somebody_chose(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OBS_PASSWORD")
    assert await conductor("setup", "--files", "--folder", str(tmp_path)) == 2
    assert "export OBS_PASSWORD" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.ini"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("setup", "--here", "--collection", "x"), "one of them"),
        (("calibrate", "--starts", "0"), "from 1 to 20"),
        (("status", "--obs", "http://x"), "must look like ws://"),
    ],
)
async def test_what_cannot_be_is_one_line(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await conductor(*arguments) == 2
    assert said in capsys.readouterr().err
