"""A show with a player, a composer and a library that do at once, or when told, what real ones do in time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from conductor import cues as c
from conductor.cues import State, step
from conductor.setlist import Cue, Endless, Setlist
from conductor.setlist.values import Follow


def setlist(*follows: str, ahead: int = 2, endless: Endless | None = None) -> Setlist:
    kinds = {"auto": Follow(), "hold": Follow("hold"), "hang": Follow("hang", 3.0)}
    cues = tuple(Cue(f"c{n}", str(n), f"Cue {n}", seed=n, follow=kinds[f]) for n, f in enumerate(follows, start=1))
    return Setlist("Test", cues, endless, ahead)


@dataclass
class Stage:
    """A show with stand-ins for its workers.

    Attributes:
        keeps: whether the library can store pieces.
        library, prompt_library: whether it has any piece to stand in, and answers at once.
        candidates: how many pieces are composed for a cue; the last of them is refused.
        lost: pieces whose files are gone.
        asked, recalls: what composer and library still owe an answer to.
        loaded: what the player has in memory.
        playing: what it plays; `ringing`: what fades out under that, and has not been told as ended.
        started: all that ever began.
    """

    state: State
    now_s: float = 0.0
    library: bool = True
    prompt_library: bool = True
    keeps: bool = True
    candidates: int = 3
    asked: deque[c.StartComposing] = field(default_factory=deque)
    recalls: deque[c.Recall] = field(default_factory=deque)
    pieces: dict[int, str] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    loaded: set[int] = field(default_factory=set)
    queue: list[int] = field(default_factory=list)
    orders: deque[c.Action] = field(default_factory=deque)
    events: deque[c.Event] = field(default_factory=deque)
    playing: int = 0
    ringing: list[int] = field(default_factory=list)
    started: list[int] = field(default_factory=list)
    from_s: list[float] = field(default_factory=list)
    given: list[str] = field(default_factory=list)

    def send(self, event: c.Event) -> None:
        """Let the rules answer; what an action leads to comes after the actions still to be done."""
        self.events.append(event)
        if len(self.events) > 1:
            return
        try:
            while self.events:
                self.state, actions = step(self.state, self.events[0], self.now_s)
                for action in actions:
                    self._do(action)
                self.events.popleft()
        finally:
            self.events.clear()

    def _do(self, action: c.Action) -> None:
        match action:
            case c.StartComposing():
                self.asked.append(action)
            case c.StopComposing(cue_id, order):
                self.asked = deque(a for a in self.asked if (a.cue.id, a.order) != (cue_id, order))
            case c.Borrow(cue, order, reason):
                if self.library:
                    self.send(c.Took(cue.id, order, 60.0, 10, reason))
                else:
                    self.send(c.Missed(cue.id, order, reason))
            case c.Recall():
                self.recalls.append(action)
                if self.prompt_library:
                    self.recall()
            case c.Keep(cue_id, number):
                self.loaded.add(number)
                slot = self.state.find(cue_id)
                if slot and slot.piece is not None:
                    self.send(c.Kept(cue_id, number, slot.piece))
                elif self.keeps:
                    ids = [len(self.pieces) + n + 1 for n in range(self.candidates)]
                    self.pieces.update(dict.fromkeys(ids, cue_id))
                    takes = tuple(c.Candidate(n, -float(n), "copied" if n == ids[-1] else "") for n in ids)
                    self.send(c.Kept(cue_id, number, ids[0], takes))
                else:
                    self.send(c.Kept(cue_id, number))
            case c.Give(cue_ids):
                self.given += cue_ids
                self.loaded |= {slot.number for slot in self.state.slots if slot.cue.id in cue_ids and slot.number}
            case c.Play() | c.QueueUp() | c.FadeNow() | c.Forget():
                self.orders.append(action)

    def compose(self, works: bool = True) -> None:
        """The composer answers the oldest request."""
        request = self.asked.popleft()
        if works:
            self.send(c.Took(request.cue.id, request.order, 60.0, 10))
        else:
            self.send(c.Missed(request.cue.id, request.order, "no inspiration"))

    def recall(self) -> None:
        """The library answers the oldest request."""
        request = self.recalls.popleft()
        if request.piece in self.lost:
            self.send(c.Missed(request.cue.id, request.order, "the file is gone", retryable=False))
        else:
            self.send(c.Took(request.cue.id, request.order, 60.0, 10))

    def obey(self) -> None:
        """The player carries out what it was told, as `streaming.playing.playout` does."""
        while self.orders:
            match self.orders.popleft():
                case c.QueueUp(numbers):
                    self.queue = [n for n in numbers if n in self.loaded]
                case c.Play(number, _, from_s):
                    # As the player says of what it does not have, the show goes on without.
                    if number in self.loaded:
                        self.queue = [n for n in self.queue if n != number]
                        self._begin(number, from_s)
                case c.FadeNow():
                    self._end()
                case c.Forget(number):
                    self.loaded.discard(number)
                    self.queue = [n for n in self.queue if n != number]
        if not self.playing and self.queue:
            self._begin(self.queue.pop(0))

    def _begin(self, number: int, from_s: float = 0.0) -> None:
        # What begins once more while it still fades has not ended.
        self.ringing = [n for n in self.ringing if n != number]
        old, self.playing = self.playing, number
        if old:
            self.ringing.append(old)
        self.started.append(number)
        self.from_s.append(from_s)
        self.send(c.Began(number))

    def ring_out(self) -> None:
        """What faded under another piece has ended."""
        while self.ringing:
            self.send(c.Finished(self.ringing.pop(0)))

    def _end(self) -> None:
        if self.playing:
            old, self.playing = self.playing, 0
            self.send(c.Finished(old))

    def piece_ends(self) -> None:
        """What plays comes to its end, and the player goes on by itself."""
        self._end()
        self.obey()

    def player_dies(self) -> None:
        """The player is gone with all it had."""
        self.loaded.clear()
        self.queue.clear()
        self.orders.clear()
        self.ringing.clear()
        self.playing = 0
        self.send(c.PlayerLost())

    def pass_time(self, seconds: float) -> None:
        """Time goes by; the player is prompt and did before what it was told."""
        self.obey()
        self.ring_out()
        self.now_s += seconds
        self.send(c.Tick())
        self.obey()
        self.ring_out()

    def phases(self) -> list[str]:
        """Return where each cue is."""
        return [str(slot.phase) for slot in self.state.slots]

    def coming(self) -> list[str]:
        """Return the ids of what is to come."""
        return [slot.cue.id for slot in self.state.upcoming]

    def slot(self, cue_id: str) -> c.Slot:
        """Return the slot of a cue, which there is."""
        found = self.state.find(cue_id)
        assert found is not None
        return found


def stage(*follows: str, **options: object) -> Stage:
    ahead = options.pop("ahead", 2)
    endless = options.pop("endless", None)
    unattended = bool(options.pop("unattended", False))
    assert isinstance(ahead, int)
    assert endless is None or isinstance(endless, Endless)
    made = Stage(c.begin(setlist(*follows, ahead=ahead, endless=endless), seed=5, unattended=unattended), **options)  # type: ignore[arg-type]
    made.send(c.PlayerUp())
    made.send(c.ComposerUp())
    return made


def ready(*follows: str, **options: object) -> Stage:
    """Return a show whose near pieces are composed and whose player is prompt."""
    made = stage(*follows, **options)
    while made.asked:
        made.compose()
        made.obey()
    return made
