"""Keys, passwords and tokens kept out of the log: the known ones by what they are, others by how they look."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from streaming.errors import PublishError
from streaming.publishing.destination import HIDDEN, Destination, key_inside

# What is shorter is found in ordinary words, too.
_LEAST = 6
_NAMES = re.compile(r"(KEY|TOKEN|PASSWORD|PASSWD|SECRET|CREDENTIAL)S?(_|$)", re.IGNORECASE)
# Each keeps what names the secret, and hides what follows.
_LOOKS = (
    re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]{8,}"),
    re.compile(r"(?i)\b(oauth:)[a-z0-9]{8,}"),
    # The name of a stream is the key of it.
    re.compile(r"(?i)(\brtmps?://[^\s/\"']+/[^\s/\"'?]+/)[^\s\"',;)]+"),
    re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://[^\s/:@\"']+:)[^\s/@\"']+(?=@)"),
    re.compile(r"(?i)([?&](?:key|token|streamkey|streamid|password|secret|auth)=)[^\s&\"']+"),
    re.compile(r"(?i)(\b(?:stream[_ -]?key|password|passwd|token|secret)[\"']?\s*[=:]\s*[\"']?)[^\s\"',;}&]{4,}"),
)


class Redactor:
    """Hides secrets in texts.

    Args:
        secrets: known ones; short ones are passed over.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # The longest first: one may lie within another.
        known = sorted({each for each in secrets if len(each) >= _LEAST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        """Return a text without secrets."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for look in _LOOKS:
            text = look.sub(rf"\g<1>{HIDDEN}", text)
        return text


def secrets_of(
    destinations: Iterable[Destination] = (), *given: str, environment: Mapping[str, str] | None = None
) -> set[str]:
    """Return the secrets that a show knows.

    Args:
        destinations: that it is published to.
        given: others, such as OBS's password.
        environment: whose variables with telling names hold secrets.
    """
    variables = os.environ if environment is None else environment
    found = {value for name, value in variables.items() if _NAMES.search(name)}
    for destination in destinations:
        try:
            key = destination.key.read()
        except PublishError:
            key = ""
        found.add(key)
        if key_inside(destination.url):
            found.update(destination.secrets(key))
    return {each for each in (*found, *given) if each}
