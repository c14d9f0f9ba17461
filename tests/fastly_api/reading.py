"""What a handler reads of a request."""

import base64
import json
from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote

from starlette.requests import Request

from fastly_api.errors import refused, store_refused
from fastly_api.state import State

MAX_PAGE = 1000


def state_of(request: Request) -> State:
    """Return the state of the stand-in that got the request."""
    state = request.app.state.fastly
    assert isinstance(state, State)
    return state


async def members(request: Request) -> dict[str, str]:
    """Return the form or the JSON object that the API for services takes, as text."""
    kind = request.headers.get("content-type", "").partition(";")[0]
    body = await request.body()
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body)))
    if kind == "application/json":
        return {name: _text(value) for name, value in _object(body).items()}
    if not body:
        return {}
    raise refused(415, "Unsupported media type", f"cannot read {kind or 'a body without a type'}")


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


async def document(request: Request) -> dict[str, object]:
    """Return the JSON object that the API for stores takes."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise store_refused(415, "Unsupported Media Type")
    return _object(await request.body())


def _object(body: bytes) -> dict[str, object]:
    try:
        value = json.loads(body)
    except ValueError:
        raise store_refused(400, "Bad Request: the body is not JSON") from None
    if not isinstance(value, dict):
        raise store_refused(400, "Bad Request: the body is not an object")
    return value


def text_member(document: dict[str, object], name: str) -> str:
    """Return a member that must be there, as text."""
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise store_refused(400, f"Bad Request: {name} is missing")
    return value


def last_segment(request: Request) -> str:
    """Return the last segment of the path. A slash in a name arrives as `%2F` and only so."""
    *_, matched = request.path_params.values()
    raw: bytes = request.scope["raw_path"]
    try:
        name = unquote(raw.decode("ascii").rpartition("/")[2], errors="strict")
    except UnicodeDecodeError:
        raise store_refused(400, "Bad Request: a name is not UTF-8") from None
    if name != matched:
        raise store_refused(400, "Bad Request: a slash in a name is written %2F")
    return name


def is_set(request: Request, name: str) -> bool:
    """Whether a switch of the query is `true`."""
    return request.query_params.get(name) == "true"


def page(
    request: Request, names: Iterable[str], default: int
) -> tuple[list[str], dict[str, object]]:
    """Return the names of one page, in order, and its `meta`, which has the cursor of the next."""
    query = request.query_params
    limit = query.get("limit", str(default))
    if not limit.isdecimal() or not 0 < int(limit) <= MAX_PAGE:
        raise store_refused(400, "Bad Request: invalid limit")
    try:
        after = base64.b64decode(query.get("cursor", ""), validate=True).decode()
    except ValueError:
        raise store_refused(400, "Bad Request: invalid cursor") from None
    following = sorted(name for name in names if name > after)
    shown = following[: int(limit)]
    meta: dict[str, object] = {"limit": int(limit)}
    if len(following) > len(shown):
        meta["next_cursor"] = base64.b64encode(shown[-1].encode()).decode()
    return shown, meta
