"""Logging in and out, and who one is."""

from __future__ import annotations

import asyncio
from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, StrictStr, StringConstraints, ValidationError

from conductor.console.answers import Refusal, read_object
from conductor.console.guard import Guard, somebody_of
from conductor.console.sessions import LONGEST_S, Busy
from conductor.setlist.yamlfile import explain
from conductor.show.chronicle import Chronicle

# The same for a wrong name and a wrong password.
_WRONG = "name or password is wrong"
_WRONG_WAIT_S = 0.5


class Credentials(BaseModel):
    """What somebody logs in with."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[StrictStr, StringConstraints(max_length=64)]
    password: Annotated[StrictStr, StringConstraints(max_length=256)]


class Login:
    """The routes of logging in.

    Args:
        guard: whose sessions they are.
        chronicle: told who came and went.
    """

    def __init__(self, guard: Guard, chronicle: Chronicle) -> None:
        self._guard, self._chronicle = guard, chronicle

    def routes(self) -> list[web.RouteDef]:
        """Return what is served."""
        return [
            web.post("/api/login", self._post),
            web.post("/api/logout", self._post_out),
            web.get("/api/me", self._get_me),
        ]

    async def _post(self, request: web.Request) -> web.Response:
        body = await read_object(request)
        sessions = self._guard.sessions
        if sessions is None:
            raise Refusal(409, "this console has no logins: whoever sits at this machine may do everything")
        try:
            said = Credentials.model_validate(body)
        except ValidationError as error:
            details = error.errors(include_input=False)[0]
            # Not even a wrong password is repeated.
            reason = explain({**details, "input": "what was given"})
            raise Refusal(400, f"not understood: {reason}", field=str(details["loc"][0])) from None
        try:
            token = await sessions.log_in(said.name, said.password)
        except Busy:
            raise Refusal(429, "too many log in at once: again in 2 s", {"Retry-After": "2"}) from None
        if token is None:
            self._chronicle.log("login", detail=f"refused, from {request.remote}")
            await asyncio.sleep(_WRONG_WAIT_S)
            raise Refusal(401, _WRONG)
        somebody = sessions.whose(token)
        if somebody is None:
            raise Refusal(401, _WRONG)
        self._chronicle.log("login", detail=f"{somebody.who} ({somebody.role}), from {request.remote}")
        response = web.json_response({"ok": True, "who": somebody.who, "role": str(somebody.role)})
        response.set_cookie(
            self._guard.cookie, token, max_age=int(LONGEST_S), path="/", httponly=True, samesite="Strict",
            # A console by itself speaks plain HTTP; a proxy before it that speaks HTTPS says so.
            secure=request.secure or request.headers.get("X-Forwarded-Proto") == "https",
        )  # fmt: skip
        return response

    async def _post_out(self, request: web.Request) -> web.Response:
        who = somebody_of(request).who
        if self._guard.sessions is not None:
            self._guard.sessions.log_out(request.cookies.get(self._guard.cookie, ""))
            self._chronicle.log("logout", detail=who)
        response = web.json_response({"ok": True})
        response.del_cookie(self._guard.cookie, path="/", httponly=True, samesite="Strict")
        return response

    async def _get_me(self, request: web.Request) -> web.Response:
        somebody = somebody_of(request)
        body = {"who": somebody.who, "role": str(somebody.role), "login": self._guard.sessions is not None}
        return web.json_response(body)
