"""The errors of sound and picture, as a tree.

StreamingError
├── SynthError       the orchestra cannot be built or played
│   ├── PatchError   a patch file is wrong; says where
│   └── SoundFontError   a SoundFont cannot be read or played
├── RingError        the shared ring of audio cannot be made or opened
├── EmergencyError   the music for when no player is heard is not there
├── ThemeError       a theme is not there, or its file is wrong; says where
├── EncodeError      a file or stream cannot be written (disk full, no permission)
├── FeedError        a listener or a port cannot be served
│   ├── OfferError   what a viewer sent is no offer of WebRTC
│   ├── UnservableError  a viewer takes no H.264 with Opus
│   ├── FullError    there are as many viewers as may watch (retryable)
│   └── GoneError    a viewer's session is not there (any more)
├── PublishError     a destination cannot be published to (retryable)
│   ├── RefusedError    it answers, and does not take us
│   └── ClosedError     it ended the connection without a word
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


class EmergencyError(StreamingError):
    """The music for when no player is heard cannot be read; nothing starts without it."""


class ThemeError(StreamingError):
    """A theme is not there, or something in its file is wrong; says where."""


class EncodeError(StreamingError):
    """A recording or stream cannot be written."""


class FeedError(StreamingError):
    """A port or a viewer cannot be served."""


class PublishError(StreamingError):
    """A destination cannot be published to, for now; its text holds no key."""

    retryable = True


class RefusedError(PublishError):
    """A destination answers, and does not take us."""


class ClosedError(PublishError):
    """A destination ended the connection without a word: it may not like the key, or has been ended itself."""


class OfferError(FeedError):
    """What a viewer sent is no offer of WebRTC, or no part of one."""


class UnservableError(FeedError):
    """A viewer cannot be served: it does not take what there is."""


class FullError(FeedError):
    """There are as many viewers as may watch."""

    retryable = True


class GoneError(FeedError):
    """A viewer's session is not there, or not any more."""


class MidiPortError(StreamingError):
    """A MIDI port is not there, or takes nothing."""

    retryable = True


class ObsError(StreamingError):
    """OBS cannot be reached, or refused a request."""

    retryable = True
