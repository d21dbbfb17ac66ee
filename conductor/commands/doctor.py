"""`conductor doctor`: what this machine has and lacks for a show."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from conductor.doctor.finding import Check, Finding

_SIGNS = {"good": "ok", "note": "note", "missing": "MISSING"}
EXIT_MISSING = 1
EPILOG = "The exit status is 1 where something is missing that no show does without."


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `doctor`."""
    from conductor.show.stage import DEFAULT_OBS

    doctor = subparsers.add_parser(
        "doctor",
        help="look at this machine: what a show needs, what is there, what to do",
        description="Look at this machine: what a show needs, what is there, and what to do about the rest.",
        epilog=EPILOG,
    )
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.add_argument("--obs", default=DEFAULT_OBS, metavar="URL", help="where OBS listens (default %(default)s)")
    doctor.set_defaults(run=run_doctor)


def checks(obs_url: str) -> list[tuple[str, Check]]:
    """Return everything that is looked at, in order."""
    from conductor.doctor import endurance, program, surroundings

    password = os.environ.get("OBS_PASSWORD", "")
    return [
        ("python", program.python),
        ("cores", surroundings.machine),
        ("torch", program.torch),
        ("decoder", program.decoder),
        ("checkpoint", program.models),
        ("pyo", program.pyo),
        ("codecs", program.codecs),
        ("fonts", program.fonts),
        ("SoundFont", surroundings.soundfonts),
        ("MIDI ports", surroundings.midi),
        ("OBS", lambda: surroundings.obs(obs_url, password)),
        ("disk", lambda: surroundings.disk(Path())),
        ("files", lambda: endurance.files_left(Path())),
        ("clock", surroundings.clock),
        ("limits", endurance.limits),
        ("shared memory", endurance.shared_memory),
        ("memory limit", endurance.allowance),
        ("CPU governor", endurance.governor),
        ("supervision", endurance.supervision),
    ]


def run_doctor(args: argparse.Namespace) -> int:
    """Look at everything and tell."""
    from conductor.doctor.finding import examine

    found = examine(checks(args.obs))
    missing = [finding for finding in found if finding.state == "missing"]
    if args.json:
        print(json.dumps({"ready": not missing, "findings": [finding.as_dict() for finding in found]}))
    else:
        print(told(found))
    return EXIT_MISSING if missing else 0


def told(found: list[Finding]) -> str:
    """Return findings as lines, each with what to do under it, and how it stands on the whole."""
    width = max(len(finding.name) for finding in found)
    lines = []
    for finding in found:
        lines.append(f"{_SIGNS[finding.state]:<7}  {finding.name:<{width}}  {finding.text}")
        if finding.advice:
            lines.append(f"{'':<7}  {'':<{width}}  -> {finding.advice}")
    missing = [finding.name for finding in found if finding.state == "missing"]
    notes = sum(finding.state == "note" for finding in found)
    lines.append("")
    if missing:
        lines.append(f"not ready: {', '.join(dict.fromkeys(missing))} missing")
    else:
        lines.append(f"ready for a show{f'; {notes} notes' if notes else ''}")
    return "\n".join(lines)
