"""The command: what it prints, what it returns, what it does not import."""

import subprocess
import sys
from pathlib import Path

import pytest

from conductor import cli
from conductor.errors import ConductorError

SETLISTS = Path(__file__).parents[2] / "setlists"


def test_check_prints_a_table_and_returns_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", str(SETLISTS / "concert.yaml")]) == 0
    out = capsys.readouterr().out
    assert "First Light: 4 cues" in out
    assert "then without end: chopin 30%" in out


def test_check_prints_mistakes_to_stderr_and_returns_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("version: 1\ncues: [{style: shopin, durration: 3m}]\n")
    assert cli.main(["check", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        f'{path}:2:16: style: the style "shopin" is unknown; nearest: chopin',
        f'{path}:2:24: unknown key "durration" - did you mean "duration"?',
    ]


def test_check_is_light() -> None:
    program = (
        "import sys; from conductor import cli; code = cli.main(['check', sys.argv[1]]);"
        "heavy = {'torch', 'pyo', 'av', 'skia', 'aiohttp'} & set(sys.modules); print(code, sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(SETLISTS / "short.yaml")], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "nowhere.yaml"], "nowhere.yaml: there is no such file"),
        (["run", str(SETLISTS / "short.yaml"), "--fast"], "add --record"),
        (["run", str(SETLISTS / "radio.yaml"), "--fast", "--record", "x.mp4"], "it would never end"),
        (
            ["run", str(SETLISTS / "short.yaml"), "--obs", "http://x", "--port", "0", "--nut", "39517"],
            "must look like ws://",
        ),
    ],
)
def test_what_cannot_run_is_one_line_and_2(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_debug_shows_where_an_error_came_from() -> None:
    with pytest.raises(ConductorError):
        cli.main(["--debug", "check", "nowhere.yaml"])


def test_what_was_not_expected_is_one_line_and_tells_where_the_log_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        error = ZeroDivisionError("division by zero")
        error.add_note("the log is /tmp/show.log")
        raise error

    monkeypatch.setattr("conductor.commands.show.load_setlist", broken)
    assert cli.main(["check", "x.yaml"]) == 2
    assert (
        capsys.readouterr().err
        == "conductor: unexpected: ZeroDivisionError: division by zero (the log is /tmp/show.log)\n"
    )


def test_a_package_of_another_project_is_told(tmp_path: Path) -> None:
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "__init__.py").touch()
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from conductor.cli import main; sys.exit(main(['check', 'x']))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "the package `kernels` comes from" in done.stderr
