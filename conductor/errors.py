"""The errors of the show, as a tree.

ConductorError
├── SetlistError      a setlist has mistakes (all of them, each with file:line:column)
│   └── MapError      the map of a controller has
├── WireError         a process sent what is not a message, or went away
├── WorkerError       a process did not start or keeps dying
├── LibraryError      the show's database or folder cannot be used
└── UsageError        the command line asks for what cannot be done
"""


class ConductorError(Exception):
    """Root of what can go wrong in `conductor`. Its text is for a person."""

    retryable = False


class SetlistError(ConductorError):
    """A setlist has mistakes; the text holds one line for each."""


class MapError(SetlistError):
    """A controller's map has mistakes; the text holds one line for each."""


class WireError(ConductorError):
    """A message could not be read, or the process at the other end is gone."""

    retryable = True


class WorkerError(ConductorError):
    """A process did not start, or died more often than is allowed."""


class LibraryError(ConductorError):
    """The database or the folder of pieces cannot be read or written."""


class UsageError(ConductorError):
    """The command line asks for something that cannot be done."""
