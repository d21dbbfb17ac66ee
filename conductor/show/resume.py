"""A show that broke off is taken up where it was: by the next conductor, with the workers that play on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from conductor import wire
from conductor.clock import minutes
from conductor.cues import OVER, PLAYABLE, Candidate, Coming, Join, Phase, Plan, Slot, Started, State
from conductor.errors import ConductorError, LibraryError
from conductor.library import Library
from conductor.setlist import Cue, Follow, Setlist
from conductor.show.recalling import found_piece, read_kept
from conductor.show.take import Take

LOG = logging.getLogger("conductor.show.resume")

KEY = "show"
PLAYHEAD = "playhead"
PLAYHEAD_EVERY_S = 0.5
# Counters and switches of the state that go on as they were.
_PLAIN = ("next_number", "next_order", "next_change", "drawn", "drawn_until_s", "endless_seed", "endless_on", "kept")
_SWITCHES = ("held", "locked", "panicked")
_SLOT = ("number", "duration_s", "revision", "piece", "copy_of", "inserted", "drawn", "voted", "fading", "reason")


class _Cues:
    """Cues by their place in a list: a plan names the same ones again and again."""

    def __init__(self) -> None:
        self.places: dict[Cue, int] = {}

    def __call__(self, cue: Cue) -> int:
        return self.places.setdefault(cue, len(self.places))

    @property
    def plain(self) -> list[dict[str, Any]]:
        return [{**cue.as_dict(), "follow": asdict(cue.follow)} for cue in self.places]


@dataclass(frozen=True, slots=True)
class Resumed:
    """A show taken up.

    Attributes:
        state: it goes on from; takes: that it has, by cue.
        revision: of the show.
        told: for people, where that is.
        broke_off: whether nobody had ended it.
    """

    state: State
    takes: dict[str, Take]
    revision: int
    told: str
    broke_off: bool


def take_up(fresh: State, library: Library, *, resume: bool) -> Resumed | None:
    """Return a show as an earlier conductor left it; None: there is none to go on with.

    Where the player is gone, too, the piece that was on air goes on within a second of where it was.

    Args:
        fresh: the state of the setlist as it is now.
        library: of the show.
        resume: even where it was ended, not only where it broke off.

    Raises:
        LibraryError: the database cannot be used.
    """
    saved = library.recall(KEY)
    if not isinstance(saved, dict) or "slots" not in saved or (saved.get("ended") and not resume):
        return None
    try:
        state, takes = restore(fresh, saved, library)
        revision = int(saved.get("revision", 0)) + 1
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ConductorError) as error:
        library.set_aside(KEY, f"{type(error).__name__}: {error}")
        return None
    live, at, where = state.live, library.recall(PLAYHEAD), ""
    if live and live.cue.id in takes and isinstance(at, dict) and at.get("cue") == live.cue.id:
        position_s = at.get("position_s")
        if isinstance(position_s, int | float) and 0.0 <= position_s < live.duration_s:
            state = replace(state, resume_s=float(position_s))
            where = f", {minutes(position_s)} into {live.cue.name}"
    broke_off = not saved.get("ended")
    how = "broke off" if broke_off else "was ended"
    return Resumed(state, takes, revision, f"taking up the show where it {how}{where} (--fresh begins anew)", broke_off)


class Playhead:
    """Keeps where the piece on air is, about twice a second.

    Args:
        library: where.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._kept: dict[str, Any] = {}
        self._kept_s = float("-inf")

    def look(self, state: State, levels: wire.Levels | None, now_s: float) -> None:
        """Keep where it is now.

        Args:
            state: of the show.
            levels: the latest of the player.
            now_s: monotonic time.
        """
        live = state.live
        if not live or not levels or levels.number != live.number or now_s - self._kept_s < PLAYHEAD_EVERY_S:
            return
        at = {"cue": live.cue.id, "position_s": round(levels.position_s, 2)}
        if at != self._kept:
            self._kept, self._kept_s = at, now_s
            # Whoever cannot write it says so where the state is saved.
            with suppress(LibraryError):
                self._library.remember(PLAYHEAD, at)


def save(state: State, takes: Mapping[str, Take], setlist: Setlist, revision: int = 0) -> dict[str, Any]:
    """Return what the next conductor must know, as plain values.

    Args:
        state: of the show.
        takes: its pieces, by cue.
        setlist: as it is in force.
        revision: of the show.
    """
    written = {cue.id: cue for cue in setlist.cues}
    cues = _Cues()
    slots = []
    for slot in state.slots:
        take = takes.get(slot.cue.id)
        own = {name: getattr(slot, name) for name in _SLOT}
        # What stands in the setlist is read there, so that an edit of the file counts.
        named = None if slot.cue == written.get(slot.cue.id) else cues(slot.cue)
        own |= {"id": slot.cue.id, "phase": str(slot.phase), "cue": named, "takes": _takes(slot.takes)}
        slots.append({**own, "piece": slot.piece or (take.piece_id if take else None)})
    plans = {name: [_plan(plan, cues) for plan in getattr(state, name)] for name in ("undo", "redo")}
    return {
        "slots": slots,
        **{name: getattr(state, name) for name in (*_PLAIN, *_SWITCHES)},
        **plans,
        "cues": cues.plain,
        "revision": revision,
        # What is long over is in no slot any more, and must not begin again.
        "written": list(written),
    }


def _takes(takes: tuple[Candidate, ...]) -> list[list[Any]]:
    return [[take.piece, take.score, take.refused] for take in takes]


def _plan(plan: Plan, cues: _Cues) -> dict[str, Any]:
    coming = plan.coming and [
        {
            "cue": cues(c.cue), "piece": c.piece, "takes": _takes(c.takes), "joins": c.joins and asdict(c.joins),
            "revision": c.revision, "copy_of": c.copy_of, "inserted": c.inserted, "drawn": c.drawn,
        }
        for c in plan.coming
    ]  # fmt: skip
    # What was drawn before a reload is not written: the setlist that is read next says what is.
    plain = {name: getattr(plan, name) for name in ("verb", "told", "drawn", "held", "endless_on")}
    return {**plain, "coming": coming, "started": plan.started and asdict(plan.started)}


def restore(fresh: State, saved: Mapping[str, Any], library: Library) -> tuple[State, dict[str, Take]]:
    """Return the state a show goes on from, and the takes it has.

    What was over stays over; what was live is live until the player says otherwise;
    pieces that were ready are read again, others are recalled; the rest is composed anew.

    Args:
        fresh: the state of the setlist as it is now.
        saved: what `save` returned.
        library: of the show.
    """
    cues = [Cue.of({**values, "follow": Follow(**values["follow"])}) for values in saved.get("cues", ())]
    takes: dict[str, Take] = {}
    slots: list[Slot] = []
    rest = {slot.cue.id: slot for slot in fresh.slots}
    for old in saved["slots"]:
        slot = rest.pop(old["id"], None)
        own = cues[old["cue"]] if old.get("cue") is not None else None
        if own and (slot or old["inserted"] or (own.drawn and fresh.endless)):
            slot = Slot(own)
        # Taken out of the setlist meanwhile.
        if slot is None:
            continue
        phase = Phase(old["phase"])
        known = {name: old[name] for name in _SLOT if name in old}
        slot = replace(slot, **known, takes=tuple(Candidate(*take) for take in old.get("takes", ())))
        slots.append(_as_it_was(slot, phase, library, takes))
    counters: dict[str, Any] = {name: saved[name] for name in (*_PLAIN, *_SWITCHES) if name in saved}
    plans: dict[str, Any] = {
        name: tuple(_planned(plan, cues) for plan in saved.get(name, ())) for name in ("undo", "redo")
    }
    over = set(saved.get("written", ()))
    new = [slot for slot in rest.values() if slot.cue.id not in over]
    return replace(fresh, slots=(*slots, *new), **counters, **plans), takes


def _as_it_was(slot: Slot, phase: Phase, library: Library, takes: dict[str, Take]) -> Slot:
    """Return a slot in its phase, with its take beside it where it is loaded."""
    loaded = phase is Phase.LIVE or phase in PLAYABLE or (phase is Phase.AIRED and slot.number)
    if loaded and slot.piece is not None:
        try:
            takes[slot.cue.id] = read_kept(found_piece(library, slot.piece), slot.cue)
        except LibraryError as error:
            LOG.warning("%s", error)
    if phase is Phase.LIVE or phase in OVER:
        return replace(slot, phase=phase, fraction=1.0)
    if slot.cue.id in takes:
        return replace(slot, phase=Phase.READY, fraction=1.0)
    # Recalled where there is music, else composed.
    return replace(slot, number=0, duration_s=0.0, fading=False, reason="")


def _planned(plan: Mapping[str, Any], cues: list[Cue]) -> Plan:
    coming = plan["coming"]
    if coming is not None:
        coming = tuple(
            Coming(
                **{
                    **c,
                    "cue": cues[c["cue"]],
                    "takes": tuple(Candidate(*take) for take in c["takes"]),
                    "joins": c["joins"] and Join(**c["joins"]),
                }
            )
            for c in coming
        )
    return Plan(**{**plan, "coming": coming, "started": plan["started"] and Started(**plan["started"])})
