"""The errors of sound and picture, as a tree.

StreamingError
├── SynthError       the orchestra cannot be built or played
│   ├── PatchError   a patch file is wrong; says where
│   └── SoundFontError   a SoundFont cannot be read or played
├── RingError        the shared ring of audio cannot be made or opened
├── EncodeError      a file or stream cannot be written (disk full, no permission)
├── FeedError        a listener or a port cannot be served
├── MidiPortError    a MIDI port is not there, or takes nothing (retryable)
└── ObsError         OBS cannot be reached or refused (retryable)
"""


class StreamingError(Exception):
    """Root of what can go wrong in `streaming`. Its text is one line for a person."""

    retryable = False


class SynthError(StreamingError):
    """The orchestra cannot be built or played."""


class PatchError(SynthError):
    """A patch file cannot be read, or something in it is wrong; says where."""


class SoundFontError(SynthError):
    """A SoundFont cannot be read or played; says which and why."""


class RingError(StreamingError):
    """The shared ring of audio cannot be made or opened."""


class EncodeError(StreamingError):
    """A recording or stream cannot be written."""


class FeedError(StreamingError):
    """A port or a viewer cannot be served."""


class MidiPortError(StreamingError):
    """A MIDI port is not there, or takes nothing."""

    retryable = True


class ObsError(StreamingError):
    """OBS cannot be reached, or refused a request."""

    retryable = True
