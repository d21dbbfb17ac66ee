"""`conductor ctl`: a running show led from the command line."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conductor.clock import minutes
from conductor.errors import UsageError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from conductor.console.calling import Caller

EXAMPLES = """\
  conductor ctl go                        start the standby cue now
  conductor ctl standby dawn              let a cue be next, by its id or number
  conductor ctl fade 3                    fade to the bed in 3 seconds, and hold
  conductor ctl change energy=high        compose the rest of what is on air anew
  conductor ctl change style=jazz instruments=piano,flute
  conductor ctl take dawn 2               play another candidate of a cue
  conductor ctl insert style=bach duration=2m name="One more"
  conductor ctl state                     what is on air, what is next, all cues
  conductor ctl state --json              everything, for programs
  conductor ctl watch                     a line for everything that happens, until Ctrl-C
  conductor ctl verbs                     all verbs and what they take
  conductor ctl setlist                   what is different in the setlist's file, or wrong with it
  source <(conductor ctl completion bash)    let the shell complete verbs

The show is found by itself where one runs on this machine; --port, --data or --url say which.
The exit status is 0 where it was done, 1 where the show refuses it now, 2 where it was not understood.
"""
REFUSED, WRONG = 1, 2
_OWN = {
    "state": "what is on air, what is next, all cues",
    "watch": "a line for everything that happens",
    "verbs": "all verbs and what they take",
    "setlist": "what is different in the setlist's file, or wrong with it",
    "completion": "a script by which a shell (bash, zsh) completes verbs",
}
_BASH = """\
_conductor_ctl() {{
    local words="{words}"
    if [ "${{COMP_WORDS[1]}}" = ctl ] && [ "$COMP_CWORD" = 2 ]; then
        COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[2]}}"))
    fi
}}
complete -o default -F _conductor_ctl conductor"""
_PASSWORD = "CONDUCTOR_PASSWORD"


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `ctl`."""
    ctl = subparsers.add_parser(
        "ctl",
        help="lead a running show from the command line",
        description="Lead a running show from the command line.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ctl.add_argument("order", metavar="VERB", help="such as go, standby, fade; or state, watch, verbs, setlist")
    ctl.add_argument("words", nargs="*", metavar="ARGUMENT", help="of the verb, in order or as NAME=VALUE")
    ctl.add_argument("--json", action="store_true", help="print JSON")
    ctl.add_argument("--expect-standby", metavar="ID", help="only if this cue is next; '': only if none is")
    ctl.add_argument("--revision", type=int, metavar="N", help="only if the show has not changed since")
    ctl.add_argument("--request-id", metavar="TEXT", default="", help="the same one is carried out once")
    where = ctl.add_argument_group("which show").add_mutually_exclusive_group()
    where.add_argument("--port", type=int, help="of its console, on this machine")
    where.add_argument("--data", type=Path, metavar="DIR", help="its folder")
    where.add_argument("--url", help="of its console, such as http://stage:8080; asks for a login (--as)")
    ctl.add_argument("--as", dest="name", metavar="NAME", help=f"log in; the password is asked for, or in ${_PASSWORD}")
    ctl.set_defaults(run=run_ctl)


def run_ctl(args: argparse.Namespace) -> int:
    """Say a verb, or tell of the show."""
    own: dict[str, Callable[[argparse.Namespace], int]] = {
        "state": _state, "watch": _watch, "verbs": _verbs, "setlist": _setlist, "completion": _completion,
    }  # fmt: skip
    return own.get(args.order, _say)(args)


def _caller(args: argparse.Namespace) -> Caller:
    from conductor.console.calling import caller

    found = caller(port=args.port, url=args.url, data=args.data)
    if args.name:
        password = os.environ.get(_PASSWORD)
        if password is None:
            if not sys.stdin.isatty():
                raise UsageError(
                    f"--as {args.name}: the password is asked for at a terminal, or taken from ${_PASSWORD}"
                )
            password = getpass.getpass(f"password of {args.name}: ")
        found.token = ""
        found.log_in(args.name, password)
    return found


def _say(args: argparse.Namespace) -> int:
    from conductor.operating.spoken import arguments_of, usage
    from conductor.operating.vocabulary import VERBS
    from conductor.setlist.yamlfile import nearest

    verb = VERBS.get(args.order)
    if verb is None:
        near = nearest(args.order, [*VERBS, *_OWN])
        hint = f' - did you mean "{near[0]}"?' if near else " - conductor ctl verbs lists them"
        raise UsageError(f'there is no verb "{args.order}"{hint}')
    body: dict[str, Any] = arguments_of(verb, args.words)
    if args.expect_standby is not None:
        body["expect_standby"] = args.expect_standby
    if args.revision is not None:
        body["revision"] = args.revision
    if args.request_id:
        body["request_id"] = args.request_id
    caller = _caller(args)
    reply = caller.call("POST", f"/api/{verb.name}", body)
    if args.json:
        print(json.dumps(reply.body, ensure_ascii=False))
    elif reply.status == 200:
        done = f"{caller.title or caller.url}: {verb.name} (revision {reply.body['revision']})"
        print("\n".join(reply.body.get("told", [])) or done)
    else:
        hint = f" - {usage(verb)}" if reply.status == 400 and reply.body.get("field") else ""
        print(f"conductor: {reply.reason}{hint}", file=sys.stderr)
    return 0 if reply.status == 200 else REFUSED if reply.status == 409 else WRONG


def _asked(args: argparse.Namespace, path: str) -> dict[str, Any]:
    if args.words:
        raise UsageError(f"{args.order} takes no arguments, not {args.words[0]!r}")
    reply = _caller(args).call("GET", path)
    if reply.status != 200:
        raise UsageError(reply.reason)
    return reply.body


def _state(args: argparse.Namespace) -> int:
    whole = _asked(args, "/api/state")
    print(json.dumps(whole, ensure_ascii=False, indent=2) if args.json else _shown(whole))
    return 0


def _shown(whole: dict[str, Any]) -> str:
    """Return the state as people read it."""
    state, meters = whole["state"], whole["meters"]
    by_id = {cue["id"]: cue for cue in state["cues"]}
    live, standby = by_id.get(state["live"] or ""), by_id.get(state["standby"] or "")
    air = "the bed"
    if live:
        air = f"{live['number']} {live['name']}, {minutes(meters['position_s'])} of {minutes(live['duration_s'])}"
    coming = f"{standby['number']} {standby['name']} ({_phase(standby)})" if standby else "nothing"
    switches = [
        name for name, word in (("on hold", "held"), ("locked", "locked"), ("panicked", "panicked"), ("over", "over"))
        if state[word]
    ]  # fmt: skip
    lines = [f"{state['title']}, revision {state['revision']}{''.join(f', {text}' for text in switches)}"]
    lines += [f"on air  {air}", f"next    {coming}"]
    width = max((len(cue["number"]) for cue in state["cues"]), default=0)
    longest = max((len(cue["id"]) for cue in state["cues"]), default=0)
    for cue in state["cues"]:
        mark = ">" if cue is live else "-" if cue is standby else " "
        reason = f": {cue['reason']}" if cue["reason"] else ""
        head = f"{mark} {cue['number']:>{width}}  {cue['id']:{longest}}  {_phase(cue):14}"
        lines.append(f"{head}  {minutes(cue['duration_s']):>6}  {cue['name']}{reason}")
    down = [name for name, worker in state["workers"].items() if not worker["up"]]
    lines += [f"! the {name} is down" for name in down]
    lines += [f"! {line}" for line in state["setlist"]["trouble"].splitlines()]
    return "\n".join(lines)


def _phase(cue: dict[str, Any]) -> str:
    return f"{cue['phase']} {cue['fraction']:.0%}" if cue["phase"] == "composing" else str(cue["phase"])


def _setlist(args: argparse.Namespace) -> int:
    told = _asked(args, "/api/setlist")
    if args.json:
        print(json.dumps(told, ensure_ascii=False, indent=2))
        return 0
    for mistake in told["mistakes"]:
        print(f"{told['name']}:{mistake['line']}:{mistake['column']}: {mistake['text']}")
    if not told["mistakes"]:
        print("\n".join(told["news"] or [f"{told['name']}: as it is played"]))
    return REFUSED if told["mistakes"] else 0


def _verbs(args: argparse.Namespace) -> int:
    from conductor.operating.spoken import usage
    from conductor.operating.vocabulary import VERBS

    if args.json:
        print(json.dumps({name: {"summary": v.summary, "arguments": v.schema} for name, v in VERBS.items()}, indent=2))
        return 0
    shown = {usage(verb): verb.summary for verb in VERBS.values()}
    width = min(34, max(map(len, shown)))
    print("\n".join(f"{typed:{width}}  {summary}" for typed, summary in shown.items()))
    return 0


def _completion(args: argparse.Namespace) -> int:
    from conductor.operating.vocabulary import VERBS

    shell = args.words[0] if args.words else "bash"
    if shell not in ("bash", "zsh"):
        raise UsageError(f"completion is for bash and zsh, not {shell!r}")
    script = _BASH.format(words=" ".join([*VERBS, *_OWN]))
    print(f"autoload -U +X bashcompinit && bashcompinit\n{script}" if shell == "zsh" else script)
    return 0


def _watch(args: argparse.Namespace) -> int:
    if args.words:
        raise UsageError("watch takes no arguments")
    asyncio.run(_watching(_caller(args), as_json=args.json))
    return 0


async def _watching(caller: Caller, *, as_json: bool) -> None:
    """Print what happens; come back by itself where the connection breaks."""
    from aiohttp import ClientError, ClientSession, WSMsgType, WSServerHandshakeError

    since, wait_s = "", 0.5
    async with ClientSession(headers=caller.headers) as session:
        while True:
            try:
                async with session.ws_connect(f"{caller.url}/api/events{since}", max_msg_size=0) as socket:
                    wait_s = 0.5
                    async for message in socket:
                        if message.type is not WSMsgType.TEXT:
                            break
                        said = json.loads(message.data)
                        if said["kind"] == "state":
                            run = said["run"]
                        if said["kind"] != "meters":
                            since = f"?run={run}&since={said['number']}"
                        if as_json:
                            print(message.data, flush=True)
                        else:
                            for line in _told(said):
                                print(line, flush=True)
                if socket.close_code == 4401:
                    raise UsageError(f"{caller.url}: logged out")
            except WSServerHandshakeError as error:
                if error.status in (401, 403):
                    raise UsageError(f"{caller.url}: log in first (--as NAME)") from None
            except (ClientError, OSError, TimeoutError):
                pass
            print(f"conductor: {caller.url} does not answer; trying again", file=sys.stderr)
            await asyncio.sleep(wait_s)
            wait_s = min(5.0, wait_s * 1.7)


def _told(said: dict[str, Any]) -> list[str]:
    """Return the lines of the log that a message brings."""
    if said["kind"] == "state":
        return [f"{said['state']['title']}, revision {said['state']['revision']}"]
    if said["kind"] != "delta":
        return []
    lines = [each["value"] for each in said["patch"] if each["op"] == "add" and each["path"].startswith("/as_run/")]
    return [
        " ".join(filter(None, (line["wall"][11:19], f"{line['event']:9}", line["title"], line["detail"])))
        for line in lines
    ]
