"""Memory that the allocator keeps for later, given back to the machine.

Composing needs a hundred megabytes for seconds and then little for minutes; glibc keeps them, in pieces between what
stays, and a process that lives for days is as large as its largest moment ever was.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache


@cache
def _trim() -> Callable[[int], int] | None:
    # Where the C library is another one, it has its own way with what is free.
    try:
        found = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    found.argtypes, found.restype = (ctypes.c_size_t,), ctypes.c_int
    return found


def give_back() -> bool:
    """Give the machine what this process holds and does not use; takes milliseconds, for a calm moment.

    Returns:
        Whether anything was given back.
    """
    trim = _trim()
    return trim is not None and bool(trim(0))
