"""`conductor ctl` with a running show: every verb, what it prints, and its exit status."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest

from conductor.cli import main
from conductor.console import finding
from conductor.cues import Phase
from conductor.operating.vocabulary import VERBS
from tests.conductor.console.stage import PASSWORD, consoled, operators_file
from tests.conductor.refusals import Printed
from tests.conductor.show.test_show import PATIENCE_S, Running

LIST = (
    "cues: [{id: one, style: bach, duration: 3m, follow: hold}, {id: two, style: jazz, duration: 3m, follow: hold},"
    " {id: three, style: folk, duration: 60s, follow: hold}, {id: four, style: folk, duration: 60s, follow: hold}]\n"
    "endless: {styles: {jazz: 1}}"
)
# Said one after another, all verbs of a show; with the exit status: 1 where the rules refuse.
SCENE = [
    ("hold", 0), ("release", 0), ("release", 1), ("lock on", 0), ("edit three name=Late", 1), ("lock off", 0),
    ("edit three name=Late notes=softly", 0), ("undo", 0), ("redo", 0), ("move three 1", 0), ("standby one", 0),
    ("standby nobody", 1), ("take one 3", 1), ("take one 1", 0), ("regenerate three", 0), ("skip four", 0),
    ("insert style=bach duration=60s at=4", 0), ("again three tempo=90", 0), ("standby one", 0), ("endless off", 0),
    ("preview", 0), ("reload", 1), ("change energy=high", 1), ("fade 3", 0), ("panic", 0), ("panic", 0), ("back", 1),
]  # fmt: skip


class Told:
    """What a command has printed."""

    def __init__(self, it: Running, printed: Printed) -> None:
        self._it, self._printed = it, printed
        self.out = self.err = ""

    async def ctl(self, said: str, *options: str) -> int:
        """Say something to the show; return the exit status."""
        self._printed.readouterr()
        status = await asyncio.to_thread(
            main, ["ctl", *said.split(), *(options or ("--data", str(self._it.show.options.data)))]
        )
        self.out, self.err = self._printed.readouterr()
        return status


async def test_every_verb_is_said_and_its_exit_status_tells_what_came_of_it(tmp_path: Path, capsys: Printed) -> None:
    async with consoled(tmp_path, LIST, composer="--candidates", player="--speed 1") as it:
        told = Told(it, capsys)
        await it.until(lambda: it.phase("one") is Phase.ARMED and it.phase("two") is Phase.READY)
        said = set()
        for words, status in SCENE:
            said.add(words.split()[0])
            assert await told.ctl(words) == status, (words, told.err)
            if words.startswith(("take", "standby one")):
                await it.until(lambda: it.phase("one") is Phase.ARMED)
            if status:
                assert told.out == ""
                assert told.err.startswith("conductor: ")
                assert told.err.count("\n") == 1
            elif words != "preview":
                assert re.fullmatch(rf"Trial: {words.split()[0]} \(revision \d+\)\n", told.out)
        assert await told.ctl("release") == 0
        assert await told.ctl("go") == 0
        await it.until(lambda: it.phase("one") is Phase.LIVE)
        for verb in VERBS.keys() - said - {"go"}:
            assert await told.ctl(verb) in (0, 1, 2)
            assert told.err.count("\n") <= 1
        assert len(said) >= 20
        who = [line.detail for line in it.library.as_run(1000) if line.event == "go" and line.detail]
        assert " via ctl: go" in who[0]

        # What is told of the show. Pieces that come in move the revision too, whenever they like.
        revision = it.show.revision
        assert await told.ctl("state") == 0
        lines = told.out.splitlines()
        assert lines[0] in [f"Trial, revision {n}" for n in range(revision, it.show.revision + 1)]
        assert lines[1].startswith("on air  1 Bach, 0:0")
        assert [">", "1", "one", "live"] in [line.split()[:4] for line in lines]
        assert "Late" in told.out
        assert await told.ctl("state --json") == 0
        assert json.loads(told.out)["state"]["live"] == "one"
        assert await told.ctl("setlist") == 0
        assert told.out == "show.yaml: as it is played\n"
        it.show.setlist.path.write_text("version: 1\ncues: [{style: barch}]\n")
        assert await told.ctl("setlist") == 1
        assert told.out.startswith('show.yaml:2:16: style: the style "barch" is unknown')

        # Beside the arguments: what the order is said about, and once.
        revision, held = it.show.revision, it.events().count(("hold", ""))
        assert await told.ctl("hold --request-id x") == await told.ctl("hold --request-id x") == 0
        assert it.events().count(("hold", "")) == held + 1
        assert await told.ctl(f"release --revision {revision}") == 1
        assert "the show has changed" in told.err
        assert await told.ctl("release --expect-standby nobody") == 1
        revision = it.show.revision
        assert await told.ctl("release --json") == 0
        assert json.loads(told.out) in [{"ok": True, "revision": n} for n in range(revision, it.show.revision + 1)]
        for words, reason in (
            ("goo", 'there is no verb "goo" - did you mean "go"?'), ("fade 0", "greater than 0 - fade [SECONDS]"),
            ("hold x", "one too many"), ("state x", "takes no arguments"), ("completion fish", "bash and zsh"),
            ("change", "nothing is to be different"), ("release --as ada", "CONDUCTOR_PASSWORD"),
        ):  # fmt: skip
            assert await told.ctl(words) == 2
            assert reason in told.err


async def test_watch_prints_what_happens_until_it_is_told_to_end(tmp_path: Path) -> None:
    async with consoled(tmp_path) as it:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "conductor.cli", "ctl", "watch", "--url", it.url,
            stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        assert child.stdout
        async with asyncio.timeout(PATIENCE_S):
            assert (await child.stdout.readline()).startswith(b"Trial, revision ")
            it.show.chronicle.log("fault", detail="the lights went out")
            it.show._notify()
            while b"the lights went out" not in (line := await child.stdout.readline()):
                assert line
            child.send_signal(2)
            assert await child.wait() == 130


async def test_another_console_asks_for_a_login(
    tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "run_folders", list)
    operators = operators_file(tmp_path, carl="control")
    async with consoled(tmp_path, operators=operators) as it:
        told = Told(it, capsys)
        assert await told.ctl("hold", "--url", it.url) == 2
        assert "log in first" in told.err
        assert await told.ctl("watch", "--url", it.url) == 2
        assert "log in first (--as NAME)" in told.err
        monkeypatch.setenv("CONDUCTOR_PASSWORD", PASSWORD)
        assert await told.ctl("hold", "--url", it.url, "--as", "carl") == 0
        assert await told.ctl("lock", "--url", it.url, "--as", "carl") == 2
        assert "takes the role edit" in told.err
        monkeypatch.setenv("CONDUCTOR_PASSWORD", "another password")
        assert await told.ctl("hold", "--url", it.url, "--as", "carl") == 2
        assert await told.ctl("hold") == 2
        assert "no show is running here" in told.err


def test_help_verbs_and_completion_need_no_show(capsys: Printed) -> None:
    with pytest.raises(SystemExit) as end:
        main(["ctl", "--help"])
    assert end.value.code == 0
    assert "conductor ctl fade 3" in capsys.readouterr().out
    assert main(["ctl", "verbs"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(VERBS)
    assert main(["ctl", "verbs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out).keys() == VERBS.keys()
    for shell in ("bash", "zsh"):
        assert main(["ctl", "completion", shell]) == 0
        script = capsys.readouterr().out
        assert "complete -o default -F _conductor_ctl conductor" in script
        assert all(f" {verb} " in f" {script} ".replace('"', " ") for verb in VERBS)
