"""What can be read of a show over HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aiohttp import web

from conductor.console.answers import Refusal, number_of
from conductor.console.guard import somebody_of
from conductor.console.openapi import document
from conductor.console.roles import role_for
from conductor.console.stream import Stream
from conductor.library import Kept
from conductor.operating.vocabulary import VERBS, cue_id
from conductor.show.show import Show
from conductor.show.view import meters
from model.errors import MidiError
from model.midi import read_midi

MOST_LINES = 1000
MOST_PIECES = 500


class Reading:
    """The routes of reading.

    Args:
        show: that is looked at.
        stream: its state, with the numbers that clients go on from.
    """

    def __init__(self, show: Show, stream: Stream) -> None:
        self._show, self._stream = show, stream

    def routes(self) -> list[web.RouteDef]:
        """Return what is served."""
        return [
            web.get("/api/state", self._state),
            web.get("/api/cues", self._cues),
            web.get("/api/candidates", self._candidates),
            web.get("/api/as-run", self._as_run),
            web.get("/api/pieces", self._pieces),
            web.get("/api/pieces/{piece:[0-9]{1,12}}", self._piece),
            web.get("/api/pieces/{piece:[0-9]{1,12}}.mid", self._midi),
            web.get("/api/pieces/{piece:[0-9]{1,12}}/notes", self._notes),
            web.get("/pieces/{piece:[0-9]{1,12}}.mid", self._midi),
            web.get("/api/verbs", self._verbs),
            web.get("/api/openapi.json", self._openapi),
        ]

    async def _state(self, request: web.Request) -> web.Response:
        somebody_of(request)
        return web.json_response({**self._stream.whole, "meters": meters(self._show)})

    async def _cues(self, request: web.Request) -> web.Response:
        somebody_of(request)
        state = self._stream.whole["state"]
        return web.json_response({name: state[name] for name in ("revision", "live", "standby", "cues")})

    async def _candidates(self, request: web.Request) -> web.Response:
        somebody_of(request)
        state = self._show.state
        said = request.query.get("cue")
        slot = state.standby if said is None else state.find(cue_id(state, said))
        if slot is None:
            raise Refusal(404, "nothing is to come" if said is None else "there is no such cue")
        takes = []
        for number, take in enumerate(slot.takes, start=1):
            kept = self._show.library.piece(take.piece)
            takes.append(
                {
                    "take": number,
                    "piece": take.piece,
                    "score": round(take.score, 3),
                    "refused": take.refused,
                    "chosen": take.piece == slot.piece,
                    "duration_s": round(kept.duration_s, 1) if kept else None,
                    "scores": kept.provenance.get("scores") if kept else None,
                }
            )
        return web.json_response({"cue": slot.cue.id, "name": slot.cue.name, "piece": slot.piece, "takes": takes})

    async def _as_run(self, request: web.Request) -> web.Response:
        somebody_of(request)
        lines = self._show.library.as_run(number_of(request, "last", 100, MOST_LINES))
        return web.json_response({"lines": [asdict(line) for line in lines]})

    async def _pieces(self, request: web.Request) -> web.Response:
        somebody_of(request)
        kept = self._show.library.latest(number_of(request, "last", 50, MOST_PIECES))
        return web.json_response({"pieces": [_told(each) for each in kept]})

    async def _piece(self, request: web.Request) -> web.Response:
        somebody_of(request)
        kept = found(self._show, request)
        return web.json_response({**_told(kept), "provenance": kept.provenance})

    async def _midi(self, request: web.Request) -> web.StreamResponse:
        somebody_of(request)
        path = file_of(found(self._show, request))
        return web.FileResponse(path, headers=attachment(path.name, "audio/midi"))

    async def _notes(self, request: web.Request) -> web.Response:
        somebody_of(request)
        path = file_of(found(self._show, request))
        try:
            return web.json_response(await asyncio.to_thread(_notes_of, path))
        except MidiError:
            raise Refusal(404, "its MIDI file cannot be read") from None

    async def _verbs(self, request: web.Request) -> web.Response:
        somebody_of(request)
        verbs = [
            {"name": verb.name, "summary": verb.summary, "role": str(role_for(verb.name)), "schema": verb.schema}
            for verb in VERBS.values()
        ]
        return web.json_response({"verbs": verbs})

    async def _openapi(self, request: web.Request) -> web.Response:
        somebody_of(request)
        return web.json_response(document())


def found(show: Show, request: web.Request) -> Kept:
    """Return the piece that is asked for.

    Raises:
        Refusal: there is none.
    """
    kept = show.library.piece(int(request.match_info["piece"]))
    if kept is None:
        raise Refusal(404, "there is no such piece")
    return kept


def file_of(kept: Kept) -> Path:
    """Return the MIDI file of a piece.

    Raises:
        Refusal: it is not there any more.
    """
    if not kept.midi.is_file():
        raise Refusal(404, "its MIDI file is not there any more")
    return kept.midi


def attachment(name: str, kind: str) -> dict[str, str]:
    """Return the headers of a file that is to be saved under a name."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)
    return {"Content-Disposition": f'attachment; filename="{plain}"', "Content-Type": kind}


def _told(kept: Kept) -> dict[str, Any]:
    return {
        "piece": kept.id,
        "cue": kept.cue_id,
        "title": kept.title,
        "style": kept.style,
        "duration_s": round(kept.duration_s, 1),
        "aired": kept.aired,
        "composed_at": kept.composed_at.isoformat(timespec="seconds"),
        "refused": kept.refused,
        "midi": f"/api/pieces/{kept.id}.mid",
    }


def _notes_of(path: Path) -> dict[str, Any]:
    piece = read_midi(path).piece
    instruments = list(dict.fromkeys(note.instrument for note in piece.notes))
    index = {name: number for number, name in enumerate(instruments)}
    return {
        "duration_s": round(piece.duration_s, 3),
        "tempi": [[round(mark.time_s, 3), round(mark.bpm, 3)] for mark in piece.tempi],
        "instruments": instruments,
        "notes": [
            [round(n.onset_s, 3), round(n.duration_s, 3), n.pitch, n.velocity, index[n.instrument]] for n in piece.notes
        ],
    }
