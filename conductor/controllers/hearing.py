"""What comes in at MIDI ports, for a person who tries a controller out or teaches it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from conductor.errors import UsageError
from streaming.errors import MidiPortError
from streaming.midi.heldport import HeldInput
from streaming.midi.ports import InPorts, SystemInPorts

_POLL_S = 0.002
_LOOK_S = 0.5
_MOST_MESSAGES = 256


def hearing(
    port: str | None,
    seconds: float,
    *,
    say: Callable[[bool, str], None],
    ports: InPorts | None = None,
) -> Iterator[tuple[str, list[bytes]]]:
    """Yield what comes, with the name of its port; now and then nothing, so that time can be told.

    Args:
        port: its name, or a part of it; None: all that are there, and those that come.
        seconds: how long.
        say: told whether a port is heard now, and a line; called from another thread.
        ports: of the machine.
    """
    looker = ports or SystemInPorts("controller")
    held: dict[str, HeldInput] = {}
    until_s, look_s = time.monotonic() + seconds, float("-inf")
    told = False

    try:
        while (now_s := time.monotonic()) < until_s:
            if now_s >= look_s:
                look_s = now_s + _LOOK_S
                try:
                    names = [port] if port else looker.names()
                except MidiPortError as error:
                    raise UsageError(str(error)) from None
                for name in names:
                    if name not in held:
                        held[name] = HeldInput(name, ports or SystemInPorts("controller"), say, "hearing")
                        held[name].start()
                if not held and not told:
                    told = True
                    say(False, f"{looker.missing()} (waiting for one)")
            came = False
            for name, each in held.items():
                if messages := each.receive(_MOST_MESSAGES):
                    came = True
                    yield each.name or name, messages
            if not came:
                yield "", []
                time.sleep(_POLL_S)
    finally:
        for each in held.values():
            each.close()
