"""What a setlist says of the audience: where its chat is, and when it is asked."""

from __future__ import annotations

from dataclasses import dataclass

from streaming.publishing.destination import KeySource

NO_TOKEN = KeySource()
TWITCH, TWITCH_PORT = "irc.chat.twitch.tv", 6697
PLAIN_PORT, TLS_PORT = 6667, 6697
# What people may say, and what moderators may say besides.
FOR_ALL = ("vote", "styles", "now", "next", "help")
FOR_MODERATORS = ("skip", "hold", "release", "go", "back", "poll", "close")


@dataclass(frozen=True, slots=True)
class PollPlan:
    """When the audience is asked for a style.

    Attributes:
        every: a poll during each so many drawn pieces; 0: only when an operator opens one.
        choices: how many styles it offers.
        seconds: how long it is open.
    """

    every: int = 3
    choices: int = 3
    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class ChatPlan:
    """Where the chat is, and who may say what.

    Attributes:
        channel: with its `#`, in lower case.
        host, port: of the IRC server.
        tls: whether the connection is encrypted.
        nick: the name it is read by; empty: anonymous, as Twitch allows it.
        token: where the password lies; none: it is read only, on Twitch.
        commands: that are listened to.
        mods: who moderates, beside those whom Twitch says to, in lower case.
        blocked: who is not listened to, in lower case.
        answers: whether anything is said in the chat.
    """

    channel: str
    host: str = TWITCH
    port: int = TWITCH_PORT
    tls: bool = True
    nick: str = ""
    token: KeySource = NO_TOKEN
    commands: tuple[str, ...] = (*FOR_ALL, *FOR_MODERATORS)
    mods: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    answers: bool = True

    @property
    def is_twitch(self) -> bool:
        """Whether the server is Twitch's, where nobody reads without a name but by its anonymous ones."""
        return self.host.endswith(".twitch.tv")

    @property
    def may_speak(self) -> bool:
        """Whether the server lets it say anything."""
        return self.answers and (bool(self.token) or not self.is_twitch)

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.channel} at {self.host}:{self.port}{'' if self.tls else ' (not encrypted)'}"
