"""Messages between the conductor and its workers.

Each worker listens on a Unix socket in the show's run folder, so that it
outlives a conductor that dies and serves the next one. A message is one line
of JSON with its kind; the newest connection is the one that is answered.
"""

from conductor.wire.composing import Cancel, Change, Compose, Composed, Other, Progress, Refused, Revised
from conductor.wire.link import Link, connect, serve
from conductor.wire.message import Fault, Hello, MarkRow, Message, NoteRow, Ping, Pong, Quit, decode, encode
from conductor.wire.playing import (
    Banks,
    ControlsRow,
    Drop,
    Ended,
    Fade,
    Follow,
    Go,
    Levels,
    Load,
    Replaced,
    Revise,
    ScoreRow,
    Started,
    control_rows,
    controls_of,
)
from conductor.wire.polling import Ballot
from conductor.wire.publishing import DestinationRow, DestinationStatus, Publish, PublishNews
from conductor.wire.sending import PortNews, Route, Tempi
from conductor.wire.showing import Announce, FeedStatus, Next, Record
from conductor.wire.watching import Admit, Answer, Leave, Offer, Trickle

__all__ = [
    "Admit",
    "Announce",
    "Answer",
    "Ballot",
    "Banks",
    "Cancel",
    "Change",
    "Compose",
    "Composed",
    "ControlsRow",
    "DestinationRow",
    "DestinationStatus",
    "Drop",
    "Ended",
    "Fade",
    "Fault",
    "FeedStatus",
    "Follow",
    "Go",
    "Hello",
    "Leave",
    "Levels",
    "Link",
    "Load",
    "MarkRow",
    "Message",
    "Next",
    "NoteRow",
    "Offer",
    "Other",
    "Ping",
    "Pong",
    "PortNews",
    "Progress",
    "Publish",
    "PublishNews",
    "Quit",
    "Record",
    "Refused",
    "Replaced",
    "Revise",
    "Revised",
    "Route",
    "ScoreRow",
    "Started",
    "Tempi",
    "Trickle",
    "connect",
    "control_rows",
    "controls_of",
    "decode",
    "encode",
    "serve",
]
