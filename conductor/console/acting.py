"""The verbs of operators over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, Field, StrictInt, StrictStr, ValidationError

from conductor.console.answers import Refusal, read_object
from conductor.console.finding import CLIENT
from conductor.console.guard import somebody_of
from conductor.console.roles import role_for
from conductor.operating.order import Order
from conductor.operating.vocabulary import VERBS
from conductor.setlist.yamlfile import did_you_mean, explain
from conductor.show.show import Show

# Programs of ours that name themselves; what others say goes into the log as `http`.
_CLIENTS = {"console", "ctl"}


class About(BaseModel):
    """What an order is given with, beside its arguments."""

    request_id: Annotated[
        StrictStr, Field(max_length=200, description="what comes twice with the same one is carried out once")
    ] = ""
    expect_standby: Annotated[
        StrictStr | None, Field(max_length=200, description="id of the cue that is to be next; empty: none")
    ] = None
    revision: Annotated[StrictInt | None, Field(description="of the show as it was seen")] = None


class Acting:
    """The routes of acting.

    Args:
        show: that is acted on.
    """

    def __init__(self, show: Show) -> None:
        self._show = show

    def routes(self) -> list[web.RouteDef]:
        """Return what is served; after all other paths of the API, which are no verbs."""
        return [web.post("/api/{verb}", self._post), web.route("*", "/api/{verb}", self._other)]

    async def _post(self, request: web.Request) -> web.Response:
        verb = request.match_info["verb"]
        if verb not in VERBS:
            raise _unknown(verb)
        somebody = somebody_of(request, role_for(verb), verb)
        client = request.headers.get(CLIENT, "")
        via = client if client in _CLIENTS else "http"
        order = order_of(verb, await read_object(request), somebody.who, via)
        answer = self._show.dispatcher.give(order)
        return web.json_response(answer.plain, status=answer.status)

    async def _other(self, request: web.Request) -> web.Response:
        verb = request.match_info["verb"]
        if verb not in VERBS:
            raise _unknown(verb)
        raise Refusal(405, f"{verb} acts: it is a POST", {"Allow": "POST"})


def order_of(verb: str, body: dict[str, Any], who: str, via: str) -> Order:
    """Return the order that a request gives.

    Raises:
        Refusal: what it holds beside the arguments is not understood.
    """
    about = {name: value for name, value in body.items() if name in About.model_fields}
    try:
        said = About.model_validate(about)
    except ValidationError as error:
        details = error.errors()[0]
        raise Refusal(400, f"not understood: {explain(details)}", field=str(details["loc"][0])) from None
    arguments = {name: value for name, value in body.items() if name not in About.model_fields}
    return Order(verb, arguments, who, via, said.request_id, said.expect_standby, said.revision)


def _unknown(verb: str) -> Refusal:
    return Refusal(404, f'there is no verb "{verb[:100]}"{did_you_mean(verb[:100], VERBS)}')
