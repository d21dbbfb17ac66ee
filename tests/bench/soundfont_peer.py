"""Somebody else's synthesizer plays a list of MIDI events; run by the Python of its own environment.

    python soundfont_peer.py fluidsynth|tinysoundfont EVENTS.json BANK.sf2

Needs nothing of this project. Prints one line of JSON: seconds of music and of processor time.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

RATE, BLOCK = 48_000, 256


def fluid(bank: str) -> Any:
    """FluidSynth, with its reverb, without its chorus."""
    import ctypes

    import fluidsynth  # type: ignore[import-not-found, unused-ignore]

    synth = fluidsynth.Synth(samplerate=RATE)
    synth.setting("synth.chorus.active", 0)
    synth.setting("synth.reverb.active", 1)
    font = synth.sfload(bank)
    for channel in range(16):
        synth.program_select(channel, font, 128 if channel == 9 else 0, 0)
    out = (ctypes.c_float * (2 * BLOCK))()
    write = fluidsynth._fl.fluid_synth_write_float
    write.argtypes = [ctypes.c_void_p, ctypes.c_int, *[ctypes.c_void_p, ctypes.c_int, ctypes.c_int] * 2]
    return synth, lambda: (write(synth.synth, BLOCK, out, 0, 2, out, 1, 2), out[0])[1]


def tiny(bank: str) -> Any:
    """TinySoundFont, which has no effects."""
    import tinysoundfont  # type: ignore[import-not-found, unused-ignore]

    synth = tinysoundfont.Synth(samplerate=RATE)
    font = synth.sfload(bank)
    for channel in range(16):
        synth.program_select(channel, font, 128 if channel == 9 else 0, 0, channel == 9)
    out = memoryview(bytearray(BLOCK * 8))
    return synth, lambda: (synth.generate(BLOCK, out), out.cast("f")[0])[1]


def main() -> None:
    """Play the events in blocks of the size we play in, each event at the block it falls in."""
    name, path, bank = sys.argv[1:4]
    with open(path, encoding="utf-8") as file:
        events = json.load(file)
    began = time.process_time()
    synth, make = {"fluidsynth": fluid, "tinysoundfont": tiny}[name](bank)
    start_s = time.process_time() - began
    at, heard, began = 0, 0.0, time.process_time()
    blocks = int(events[-1][0] * RATE / BLOCK) + 2 * RATE // BLOCK
    for block in range(blocks):
        while at < len(events) and events[at][0] * RATE < (block + 1) * BLOCK:
            _, kind, channel, one, two = events[at]
            at += 1
            if kind == "on":
                synth.noteon(channel, one, two)
            elif kind == "off":
                synth.noteoff(channel, one)
            else:
                synth.program_change(channel, one)
        heard = max(heard, make())
    cpu_s = time.process_time() - began
    if heard < 0.01:
        raise SystemExit("nothing sounded")
    print(json.dumps({"music_s": blocks * BLOCK / RATE, "cpu_s": cpu_s, "start_s": start_s}))


if __name__ == "__main__":
    main()
