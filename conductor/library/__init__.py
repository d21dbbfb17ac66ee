"""The show's memory: pieces with their provenance, the as-run log, the state.

`show.db` is one SQLite file with one writer; whatever moment the power goes, at most the last second of it is lost.
Beside each piece lies what is known of it, so that a database that is spoilt is made anew from what is there.
"""

from conductor.library.library import Library
from conductor.library.values import AsRun, Kept

__all__ = ["AsRun", "Kept", "Library"]
