"""Memory that is held and not used goes back to the machine."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from conductor import memory

# Many blocks small enough to come from the heap, every other one freed: glibc keeps what is between the others.
HOLES = """
from pathlib import Path
from conductor.memory import give_back
held = [bytearray(60_000) for _ in range(2_000)]
del held[::2]
def pages():
    return int(Path("/proc/self/statm").read_text().split()[1])
before = pages()
assert give_back()
print(before - pages(), len(held))
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="it is not the GNU C library")
def test_what_lies_free_between_what_is_used_is_given_back() -> None:
    if not hasattr(ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("not the GNU C library")
    done = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True)
    pages, held = map(int, done.stdout.split())
    assert held == 1_000
    # At least two thirds of the 60 MB that were freed, in pages of 4 KiB.
    assert pages > 40_000_000 / 4096


def test_where_the_c_library_has_none_of_it_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_trim", lambda: None)
    assert not memory.give_back()
