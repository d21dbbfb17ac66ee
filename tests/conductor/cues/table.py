"""Every state of a cue and every verb: what happens, as a table for `docs/operator.md`.

`python -m tests.conductor.cues.table` writes it there; a test holds it true.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

from conductor import cues as c
from conductor.setlist import Cue
from tests.conductor.cues.stage import Stage, ready, stage

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "operator.md"
BEGIN, END = "<!-- table: verbs -->\n", "<!-- end of table -->\n"
# The cue that is spoken of.
ID = "c2"


def _planned() -> Stage:
    return stage("hold", "hold", ahead=1)


def _composing() -> Stage:
    s = stage("hold", "hold", ahead=2)
    s.compose()
    return s


def _checked() -> Stage:
    s = _composing()
    request = s.asked.popleft()
    # The player has not been given it yet.
    s.state, _ = c.step(s.state, c.Took(ID, request.order, 60.0, 10), s.now_s)
    return s


def _recalling() -> Stage:
    s = ready("hold", "hold")
    s.prompt_library = False
    s.send(c.Choose(ID, 2))
    return s


def _ready() -> Stage:
    return ready("hold", "hold")


def _armed() -> Stage:
    s = ready("auto", "hold")
    s.now_s += 60.0
    return s


def _starting() -> Stage:
    s = _armed()
    s.send(c.Go())
    s.now_s += 1.0
    return s


def _live() -> Stage:
    s = _starting()
    s.obey()
    s.ring_out()
    return s


def _aired() -> Stage:
    s = _live()
    s.piece_ends()
    return s


def _failed() -> Stage:
    s = stage("hold", "hold", library=False)
    s.compose()
    while s.slot(ID).phase is not c.Phase.FAILED:
        s.compose(works=False) if s.asked else s.pass_time(60.0)
    return s


def _skipped() -> Stage:
    s = ready("hold", "hold")
    s.send(c.Skip(ID))
    return s


STATES: dict[str, Callable[[], Stage]] = {
    "planned": _planned,
    "composing": _composing,
    "recalling": _recalling,
    "checked": _checked,
    "ready": _ready,
    "armed": _armed,
    "starting": _starting,
    "live": _live,
    "aired": _aired,
    "failed": _failed,
    "skipped": _skipped,
}
OF_A_CUE: dict[str, c.Verb] = {
    "go CUE": c.Go(ID, 10.0),
    "standby CUE": c.Standby(ID),
    "skip CUE": c.Skip(ID),
    "again CUE": c.Again(ID),
    "regenerate CUE": c.Regenerate(ID),
    "move CUE 1": c.Move(ID, 1),
    "edit CUE (its name)": c.Edit(ID, (("name", "Other"),)),
    "edit CUE (its length)": c.Edit(ID, (("duration_s", 90.0),)),
    "take CUE 2": c.Choose(ID, 2),
}
OF_THE_SHOW: dict[str, c.Verb] = {
    "go": c.Go(None, 10.0),
    "hold": c.Hold(),
    "release": c.Release(),
    "skip": c.Skip(),
    "fade": c.FadeOut(4.0),
    "panic": c.Panic(),
    "change": c.Change((("style", "jazz"),), 10.0, tuple((n, 2.0 * n) for n in range(6, 30))),
    "back": c.Back(),
    "insert": c.Insert(Cue("new", "9", "New"), 1),
    "endless off": c.SwitchEndless(on=False),
    "lock on": c.Lock(on=True),
    "undo": c.Undo(10.0),
    "redo": c.Redo(10.0),
}


def _held() -> Stage:
    s = _live()
    s.send(c.Hold())
    return s


def _panicked() -> Stage:
    s = _live()
    s.send(c.Panic())
    return s


def _locked() -> Stage:
    s = _live()
    s.send(c.Lock())
    return s


def _without(worker: c.Event) -> Callable[[], Stage]:
    def made() -> Stage:
        s = ready("hold", "hold")
        s.now_s += 60.0
        if isinstance(worker, c.PlayerLost):
            s.player_dies()
        else:
            s.send(worker)
        return s

    return made


SHOWS: dict[str, Callable[[], Stage]] = {
    "waiting for GO": _ready,
    "on air": _live,
    "on air, held": _held,
    "after panic": _panicked,
    "locked": _locked,
    "player away": _without(c.PlayerLost()),
    "composer away": _without(c.ComposerLost()),
}
_DONE = {
    c.Play: "starts now",
    c.FadeNow: "fades out",
    c.StopComposing: "composing stops",
    c.StartComposing: "another is composed",
    c.Recall: "its music is recalled",
    c.Give: "told to player and picture",
    c.StartChange: "the rest is composed anew",
}


def outcome(made: Callable[[], Stage], verb: c.Verb) -> str:
    """Return what a verb does in a state, or why it is refused."""
    s = made()
    s.prompt_library = False
    before = s.state
    try:
        after, actions = c.step(before, verb, s.now_s)
    except c.RefusalError as error:
        return f"*{error}*"
    said = list(dict.fromkeys(_DONE[type(action)] for action in actions if type(action) in _DONE))
    for slot in after.slots:
        was = before.find(slot.cue.id)
        if was is None:
            said.append(f"{slot.cue.name} {slot.cue.number} is {slot.phase}")
        elif slot.phase is not was.phase and was.cue.id == ID:
            said.append(f"now {slot.phase}")
    if [x.cue.id for x in after.upcoming] != [x.cue.id for x in before.upcoming] and after.standby:
        said.append(f"next is {after.standby.cue.name}")
    switches = (("held", "held", "not held"), ("panicked", "", ""), ("locked", "locked", "open"))
    for name, on, off in switches:
        if getattr(before, name) != getattr(after, name) and on:
            said.append(on if getattr(after, name) else off)
    return ", ".join(said) or "done"


def table(states: dict[str, Callable[[], Stage]], verbs: dict[str, c.Verb], head: str) -> list[str]:
    """Return a table: a row for each verb, a column for each state."""
    lines = ["| " + " | ".join((head, *states)) + " |", "| --- " * (len(states) + 1) + "|"]
    for name, verb in verbs.items():
        cells = [outcome(made, verb) for made in states.values()]
        lines.append("| " + " | ".join((f"`{name}`", *cells)) + " |")
    return lines


def _templates(node: ast.expr, tree: ast.Module) -> list[str]:
    """Return a text as it is written down, with ... for what differs from time to time; each of two it may be."""
    match node:
        case ast.Constant(value=str(words)):
            return [words]
        case ast.JoinedStr(values=parts):
            return ["".join(str(part.value) if isinstance(part, ast.Constant) else "..." for part in parts)]
        case ast.IfExp(body=one, orelse=other):
            return [*_templates(one, tree), *_templates(other, tree)]
        case ast.Name(id=name):
            given = [n for n in ast.walk(tree) if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == name]
            return [text for each in given for text in _templates(each.value, tree)]
    raise AssertionError(f"line {node.lineno}: a reason that nobody can look up: {ast.unparse(node)}")


def refusals() -> dict[str, set[str]]:
    """Return every reason for which the rules refuse something, and the rooms that give it."""
    found: dict[str, set[str]] = {}
    conductor = ROOT / "conductor"
    for path in [*(conductor / "cues").glob("*.py"), conductor / "operating" / "vocabulary.py"]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "RefusalError":
                for reason in _templates(node.args[0], tree):
                    found.setdefault(reason, set()).add(path.stem)
    return found


def text() -> str:
    """Return the tables."""
    of_cue = table(STATES, OF_A_CUE, "Cue 2 is")
    of_show = table(SHOWS, OF_THE_SHOW, "The show is")
    reasons = ["| Refused, with 409, as | by the rules of |", "| --- | --- |"]
    reasons += [f"| *{reason}* | {', '.join(sorted(rooms))} |" for reason, rooms in sorted(refusals().items())]
    return "\n".join([*of_cue, "", *of_show, "", *reasons]) + "\n"


def main() -> None:
    """Write the tables into the page."""
    page = PAGE.read_text(encoding="utf-8")
    head, rest = page.split(BEGIN)
    PAGE.write_text(head + BEGIN + text() + END + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
