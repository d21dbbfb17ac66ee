"""The API as an OpenAPI document, made of the classes by which requests are checked.

Source: OpenAPI Specification 3.1.0.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel

from conductor.console.acting import About
from conductor.console.login import Credentials
from conductor.console.roles import Role, role_for
from conductor.console.setlistfile import Checking, Writing
from conductor.operating.vocabulary import VERBS, Verb

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
_FLAG: Schema = {"type": "boolean"}


def _object(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """Return the schema of an object that may hold more than is told here."""
    properties = {**required, **(optional or {})}
    return {"type": "object", "properties": properties, "required": list(required)}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_MISTAKES = _list(_object({"line": _WHOLE, "column": _WHOLE, "text": _TEXT}))
_LINES = _list(_TEXT)
_CUE = _object({
    "id": _TEXT, "number": _TEXT, "name": _TEXT, "style": _TEXT, "phase": _TEXT, "fraction": _NUMBER,
    "duration_s": _NUMBER, "starts": _TEXT, "reason": _TEXT, "piece": _maybe(_WHOLE), "takes": _list(_object({})),
})  # fmt: skip
_POLL = _object({
    "number": _WHOLE, "open": _FLAG, "left_s": _WHOLE, "winner": _TEXT,
    "choices": _list(_object({"style": _TEXT, "votes": _WHOLE})),
})  # fmt: skip
_AS_RUN = _object({
    "wall": _TEXT, "sample": _WHOLE, "event": _TEXT, "cue_id": _TEXT, "title": _TEXT, "piece_id": _maybe(_WHOLE),
    "detail": _TEXT,
})  # fmt: skip
_STATE = _object({
    "title": _TEXT, "revision": _WHOLE, "held": _FLAG, "locked": _FLAG, "panicked": _FLAG, "endless": _maybe(_FLAG),
    "over": _FLAG, "chat": _maybe(_FLAG), "poll": _maybe(_POLL), "live": _maybe(_TEXT), "standby": _maybe(_TEXT),
    "cues": _list(_CUE), "as_run": _list(_AS_RUN),
    "workers": {"type": "object", "additionalProperties": _object({"up": _FLAG, "restarts": _WHOLE})},
})  # fmt: skip
_PIECE = _object({"piece": _WHOLE, "cue": _TEXT, "title": _TEXT, "duration_s": _NUMBER, "midi": _TEXT})
_SCHEMAS: dict[str, Schema] = {
    "Done": _object({"ok": {"const": True}, "revision": _WHOLE}, {"told": _LINES}),
    "Refused": _object(
        {"ok": {"const": False}, "reason": _TEXT}, {"field": _TEXT, "revision": _WHOLE, "mistakes": _MISTAKES}
    ),
    "Whole": _object({"run": _TEXT, "number": _WHOLE, "state": _STATE, "meters": _object({})}),
    "Cues": _object({
        "revision": _WHOLE, "live": _maybe(_TEXT), "standby": _maybe(_TEXT), "cues": _list(_CUE),
    }),
    "Candidates": _object({
        "cue": _TEXT, "name": _TEXT, "piece": _maybe(_WHOLE),
        "takes": _list(_object({"take": _WHOLE, "piece": _WHOLE, "score": _NUMBER, "refused": _TEXT, "chosen": _FLAG})),
    }),
    "AsRun": _object({"lines": _list(_AS_RUN)}),
    "Pieces": _object({"pieces": _list(_PIECE)}),
    "Piece": _object({**_PIECE["properties"], "provenance": _object({})}),
    "Notes": _object({
        "duration_s": _NUMBER, "tempi": _list(_list(_NUMBER)), "instruments": _LINES, "notes": _list(_list(_NUMBER)),
    }),
    "Waiting": _object({"ok": {"const": True}, "fraction": _NUMBER}),
    "Status": _object({
        "title": _TEXT, "ok": _FLAG, "audible": _FLAG, "healing": _FLAG, "reasons": _LINES, "alarms": _LINES,
        "ahead_s": _NUMBER, "workers": _object({}), "outputs": _object({}),
    }),
    "Verbs": _object({
        "verbs": _list(_object({"name": _TEXT, "summary": _TEXT, "role": _TEXT, "schema": _object({})})),
    }),
    "Setlist": _object({"name": _TEXT, "text": _TEXT, "version": _TEXT, "mistakes": _MISTAKES, "news": _LINES}),
    "Checked": _object({"ok": _FLAG, "mistakes": _MISTAKES, "news": _LINES}),
    "Written": _object({"ok": {"const": True}, "revision": _WHOLE, "version": _TEXT, "news": _LINES}),
    "Me": _object({"who": _TEXT, "role": {"enum": [str(role) for role in Role]}, "login": _FLAG}),
    "LoggedIn": _object({"ok": {"const": True}, "who": _TEXT, "role": _TEXT}),
    "LoggedOut": _object({"ok": {"const": True}}),
    "Document": _object({"openapi": _TEXT, "paths": _object({})}),
}  # fmt: skip
_REASONS = {
    400: "not understood",
    401: "log in first",
    403: "not allowed: the role, or a page of another site",
    404: "there is no such thing",
    405: "the wrong method",
    409: "not now: it moved, or the rules refuse",
    413: "too large",
    415: "not application/json",
    426: "a WebSocket: ask for an upgrade",
    429: "too many; Retry-After in seconds",
    503: "something behind it is gone, or too many consoles",
}
_ALWAYS = (401, 403, 429)
_BODY = (400, 413, 415)


def _json(name: str) -> Schema:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _answers(done: Schema, *refused: int) -> Schema:
    responses = {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted({*refused, *_ALWAYS})}
    return {"200": done, **responses}


def _done(name: str) -> Schema:
    return {"description": "done", "content": _json(name)}


def _body(*models: type[BaseModel], required: bool = True) -> Schema:
    """Return a body that holds the fields of all models, and nothing else."""
    properties: dict[str, Schema] = {}
    needed: list[str] = []
    for model in models:
        schema = model.model_json_schema()
        properties |= schema.get("properties", {})
        needed += schema.get("required", [])
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if needed:
        schema["required"] = needed
    return {"required": required and bool(needed), "content": {"application/json": {"schema": schema}}}


def _reading(summary: str, name: str, *parameters: Schema, refused: tuple[int, ...] = ()) -> Schema:
    refused = (*refused, *((400,) if any(p["in"] == "query" and p["schema"] is not _TEXT for p in parameters) else ()))
    operation: Schema = {"summary": summary, "tags": ["reading"], "responses": _answers(_done(name), *refused)}
    if parameters:
        operation["parameters"] = list(parameters)
    return operation


def _query(name: str, schema: Schema, text: str) -> Schema:
    return {"name": name, "in": "query", "required": False, "description": text, "schema": schema}


def _count(most: int) -> Schema:
    return _query("last", {"type": "integer", "minimum": 1, "maximum": most}, "how many")


def _file(summary: str, kind: str) -> Schema:
    done = {"description": "the file", "content": {kind: {"schema": {"type": "string", "format": "binary"}}}}
    return {"summary": summary, "tags": ["reading"], "parameters": [_PIECE_ID], "responses": _answers(done, 404)}


def _sound() -> Schema:
    operation = _file("The sound file of a piece, played by the orchestra of the show.", "audio/wav")
    waiting = {"description": "it is being played: ask again", "content": _json("Waiting")}
    responses = {"202": waiting, "503": {"$ref": "#/components/responses/503"}}
    return {**operation, "responses": {**operation["responses"], **responses}}


_PIECE_ID: Schema = {
    "name": "piece", "in": "path", "required": True, "description": "number of a piece",
    "schema": {"type": "integer", "minimum": 0, "maximum": 999_999_999_999},
}  # fmt: skip


def _verb(verb: Verb) -> Schema:
    # Verbs are understood or not by the rules, too: any can be refused for what it says of a cue.
    return {
        "summary": verb.summary,
        "operationId": verb.name,
        "tags": ["acting"],
        "description": f"Takes the role {role_for(verb.name)}.",
        "requestBody": _body(verb.arguments, About),
        "responses": _answers(_done("Done"), 409, *_BODY),
    }


def _acting(summary: str, name: str, body: Schema | None, *refused: int) -> Schema:
    operation: Schema = {"summary": summary, "tags": ["acting"], "responses": _answers(_done(name), *refused)}
    if body:
        operation["requestBody"] = body
    return operation


@cache
def document() -> Schema:
    """Return the document; plain JSON values."""
    paths: dict[str, Schema] = {
        "/api/state": {"get": _reading("Everything, with the number that events go on from.", "Whole")},
        "/api/cues": {"get": _reading("The cues.", "Cues")},
        "/api/candidates": {
            "get": _reading(
                "The takes of a cue.", "Candidates", _query("cue", _TEXT, "id or number; the next one"), refused=(404,)
            )
        },
        "/api/as-run": {"get": _reading("The log, oldest first.", "AsRun", _count(1000))},
        "/api/pieces": {"get": _reading("The latest pieces.", "Pieces", _count(500))},
        "/api/pieces/{piece}": {"get": _reading("A piece.", "Piece", _PIECE_ID, refused=(404,))},
        "/api/pieces/{piece}.mid": {"get": _file("The MIDI file of a piece.", "audio/midi")},
        "/api/pieces/{piece}.wav": {"get": _sound()},
        "/api/pieces/{piece}/notes": {"get": _reading("The notes of a piece.", "Notes", _PIECE_ID, refused=(404,))},
        "/api/status": {"get": _reading("Whether it is heard, what is on, what keeps it going.", "Status")},
        "/api/verbs": {"get": _reading("What can be said.", "Verbs")},
        "/api/me": {"get": _reading("Who asks, and what they may.", "Me")},
        "/api/openapi.json": {"get": _reading("This document.", "Document")},
        "/api/setlist": {
            "get": _reading("The setlist's file, and its mistakes.", "Setlist", refused=(404,)),
            "put": _acting(
                "Write the setlist's file; it waits to be taken up by reload.", "Written", _body(Writing),
                404, 409, 503, *_BODY,
            ),
        },
        "/api/setlist/check": {
            "post": _acting("Check a setlist; nothing is written.", "Checked", _body(Checking), 503, *_BODY)
        },
        "/api/login": {"post": _acting("Log in.", "LoggedIn", _body(Credentials), 409, *_BODY)},
        "/api/logout": {"post": _acting("Log out.", "LoggedOut", None)},
        **{f"/api/{verb.name}": {"post": _verb(verb)} for verb in VERBS.values()},
    }  # fmt: skip
    responses = {str(status): {"description": text, "content": _json("Refused")} for status, text in _REASONS.items()}
    for status in ("429", "503"):
        responses[status]["headers"] = {"Retry-After": {"description": "seconds", "schema": _WHOLE}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Conductor",
            "version": "1",
            "summary": "The operators of a running show.",
            "description": "`/api/events` is a WebSocket, which this format cannot tell of.",
        },
        "paths": paths,
        "components": {
            "schemas": _SCHEMAS,
            "responses": responses,
            "securitySchemes": {
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "conductor-8080",
                    "description": "Set by /api/login, where the show has operators; -PORT at the end.",
                }
            },
        },
    }  # fmt: skip
