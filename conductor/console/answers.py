"""How the console reads what is sent to it, and how it says no."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from aiohttp import web

MAX_BODY_BYTES = 64 * 1024
JSON = "application/json"


class Refusal(Exception):  # noqa: N818 - an answer as good as any other
    """What is asked for is not done.

    Args:
        status: of HTTP.
        reason: one line for a person.
        headers: of the answer.
        more: other keys of the answer.
    """

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers, self.more = status, reason, headers or {}, more

    @property
    def response(self) -> web.Response:
        """The refusal as it is sent."""
        body = {"ok": False, "reason": self.reason, **self.more}
        return web.json_response(body, status=self.status, headers=self.headers)


def too_large(limit: int) -> Refusal:
    """Return the refusal of a body above a limit, in bytes."""
    return Refusal(413, f"the body is too large: at most {limit} bytes")


async def read_object(request: web.Request, limit: int = MAX_BODY_BYTES) -> dict[str, Any]:
    """Return the JSON object that a request holds; without a body an empty one.

    Args:
        request: to be read.
        limit: bytes.

    Raises:
        Refusal: it holds none.
    """
    if not request.can_read_body:
        return {}
    raw = bytearray()
    async for chunk in request.content.iter_any():
        raw += chunk
        if len(raw) > limit:
            raise too_large(limit)
    if not raw.strip():
        return {}
    if request.content_type != JSON:
        raise Refusal(415, f"a body is sent as Content-Type: {JSON}, not {request.content_type}")
    try:
        body = json.loads(raw.decode("utf-8"), parse_constant=_no_number)
        # Half of a pair of surrogates can be escaped and never be written anywhere; 1e999 is no number.
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except UnicodeError:
        raise Refusal(400, "not understood: no UTF-8 text") from None
    except RecursionError:
        raise Refusal(400, "not understood: too deep") from None
    except ValueError as error:
        raise Refusal(400, f"not understood: {error}") from None
    if not isinstance(body, dict):
        raise Refusal(400, "not understood: a JSON object is expected")
    return body


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def number_of(request: web.Request, name: str, default: int, most: int) -> int:
    """Return a number of the query, 1 to `most`.

    Raises:
        Refusal: it is none.
    """
    text = request.query.get(name)
    if text is None:
        return default
    # ASCII alone: int() reads other digits, too.
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and 1 <= int(text) <= most):
        raise Refusal(400, f"{name}: should be a number from 1 to {most}", field=name)
    return int(text)
