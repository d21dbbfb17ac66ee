"""The errors of the music model, as a tree.

ModelError
├── MidiError                a file is not music we can read
├── TokenError               text or tokens that are not in the language
├── CheckpointError          weights that do not fit this program
├── CorpusError              training data that cannot be used
├── PromptError              a request the composer cannot meet
├── TrainingStoppedError     training cannot go on
├── ComposeError             composing went wrong (retryable: another seed may do)
└── ComposingCancelledError  somebody asked to stop
"""


class ModelError(Exception):
    """Root of what can go wrong in `model`. Its text is one line for a person."""

    retryable = False


class MidiError(ModelError):
    """A MIDI file cannot be read or written."""


class TokenError(ModelError):
    """A token is unknown, or tokens stand where the grammar forbids them."""


class CheckpointError(ModelError):
    """A checkpoint is missing, broken, or speaks another vocabulary."""


class CorpusError(ModelError):
    """A folder of training music cannot be used."""


class PromptError(ModelError):
    """A request contradicts itself or asks for what the checkpoint does not know."""


class TrainingStoppedError(ModelError):
    """Training cannot go on; the last good state is kept."""


class ComposeError(ModelError):
    """Composing failed; another seed may succeed."""

    retryable = True


class ComposingCancelledError(ModelError):
    """The request was cancelled."""


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or its kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]
