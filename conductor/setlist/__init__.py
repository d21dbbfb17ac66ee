"""The setlist: what a person writes about a show."""

from conductor.setlist.plan import Controls, Cue, Endless, Setlist
from conductor.setlist.reading import load_setlist
from conductor.setlist.values import Follow

__all__ = ["Controls", "Cue", "Endless", "Follow", "Setlist", "load_setlist"]
