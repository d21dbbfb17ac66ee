"""What the README tells to type can be typed."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from conductor.cli import make_parser

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = [
    shlex.split(line, comments=True)
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]
COMMANDS = [words[1:] for words in LINES if words[0] == "conductor"]
TARGETS = sorted({words[1] for words in LINES if words[0] == "make"})
PATHS = sorted(set(re.findall(r"\]\(([^)#:]+)\)", README)) | set(re.findall(r"\bsetlists/\w+\.yaml", README)))


def test_the_readme_shows_every_kind_of_line_this_file_checks() -> None:
    assert len(COMMANDS) >= 5
    assert {"concert", "test"} <= set(TARGETS)
    assert {words[0] for words in LINES} == {"conductor", "make"}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_program_understands_a_command_of_the_readme(words: list[str]) -> None:
    # argparse ends the process at an unknown option or a missing value.
    args = make_parser(words[0]).parse_args(words)
    assert args.command == words[0]
    assert callable(args.run)


def test_the_readme_tells_of_every_command() -> None:
    parser = make_parser()
    choices = next(action.choices for action in parser._actions if action.dest == "command")
    assert choices is not None
    assert set(choices) == {words[0] for words in COMMANDS}


@pytest.mark.parametrize("command", sorted({words[0] for words in COMMANDS}))
def test_a_command_tells_its_options(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        make_parser(command).parse_args([command, "--help"])
    assert ended.value.code == 0
    assert f"conductor {command}" in capsys.readouterr().out


@pytest.mark.parametrize("target", TARGETS)
def test_make_knows_a_target_of_the_readme(target: str) -> None:
    # -n: tell what would be done; the target is known and so are all it depends on.
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", PATHS)
def test_a_file_that_the_readme_names_is_there(path: str) -> None:
    assert (ROOT / path).exists()
