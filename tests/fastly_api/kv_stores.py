"""KV stores: `/resources/stores/kv`."""

import base64
import binascii
import json
import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fastly_api.errors import Refused, precondition_failed, store_refused
from fastly_api.reading import document, is_set, last_segment, page, state_of, text_member
from fastly_api.state import Item, KvStore, State
from fastly_api.stores import add, found, listed

MAX_KEY = 1024
MAX_VALUE = 25_000_000
MAX_METADATA = 2000
MAX_BATCH = 100 * 1024 * 1024
PAGE = 1000
_NOT_IN_KEYS = re.compile(r"[#;?^|\r\n]")


def _store(request: Request) -> KvStore:
    return found(request, state_of(request).kv_stores, "KV store")


def described(store: KvStore) -> dict[str, object]:
    """Return a store as the API shows it."""
    times = {"created_at": store.created_at, "updated_at": store.created_at}
    return {"id": store.id, "name": store.name, **times}


async def create(request: Request) -> Response:
    """Create a store; its name is unique."""
    state, name = state_of(request), text_member(await document(request), "name")
    if len(name) > 255 or not name.isprintable():
        raise store_refused(400, "Bad Request: invalid store name")
    store = KvStore(name=name)
    add(state.kv_stores, store, "KV store")
    return JSONResponse(described(store), 201)


async def stores(request: Request) -> Response:
    """List the stores."""
    every = state_of(request).kv_stores
    return listed(request, every, PAGE, described, total=len(every))


async def get(request: Request) -> Response:
    """Describe a store."""
    return JSONResponse(described(_store(request)))


async def delete(request: Request) -> Response:
    """Delete a store, which must be empty."""
    store = _store(request)
    if store.items:
        raise store_refused(409, "Conflict: the KV store is not empty")
    del state_of(request).kv_stores[store.id]
    return Response(status_code=204)


async def keys(request: Request) -> Response:
    """List keys, in order, from the cursor on."""
    store, query = _store(request), request.query_params
    consistency = query.get("consistency", "strong")
    if consistency not in {"strong", "eventual"}:
        raise store_refused(400, "Bad Request: invalid consistency")
    prefix = query.get("prefix", "")
    shown, meta = page(request, (key for key in store.items if key.startswith(prefix)), PAGE)
    meta["consistency"] = consistency
    if prefix:
        meta["prefix"] = prefix
    return JSONResponse({"data": shown, "meta": meta})


def check_key(key: str) -> str:
    """Return the key if a store can have it."""
    if key in {"", ".", ".."} or key.startswith(".well-known/acme-challenge/"):
        raise store_refused(400, "Bad Request: invalid key")
    if len(key.encode()) > MAX_KEY or _NOT_IN_KEYS.search(key):
        raise store_refused(400, "Bad Request: invalid key")
    return key


async def read(request: Request) -> Response:
    """Return the value of an item, with its generation and metadata as fields."""
    item = _store(request).items.get(check_key(last_segment(request)))
    if item is None:
        raise store_refused(404, "Item not found")
    return Response(item.value, headers=fields(item), media_type="application/octet-stream")


def fields(item: Item) -> dict[str, str]:
    """Return the fields of the answer that has the item."""
    return {"generation": str(item.generation), "metadata": item.metadata}


def _generation(request: Request) -> int | None:
    text = request.headers.get("if-generation-match")
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,20}", text) or int(text) >= 1 << 64:
        raise store_refused(400, "Bad Request: if-generation-match is not a generation")
    return int(text)


def _metadata(text: str) -> str:
    if len(text.encode()) > MAX_METADATA or "\r" in text or "\n" in text:
        raise store_refused(400, "Bad Request: invalid metadata")
    return text


async def put(request: Request) -> Response:
    """Write an item, if the conditions of the request hold."""
    store, key, value = _store(request), check_key(last_segment(request)), await request.body()
    modes = [name for name in ("add", "append", "prepend") if is_set(request, name)]
    generation, former = _generation(request), store.items.get(key)
    if len(modes) > 1:
        raise store_refused(400, "Bad Request: only one of add, append and prepend")
    if modes == ["add"] and former:
        raise precondition_failed()
    if generation is not None and (former is None or former.generation != generation):
        raise precondition_failed()
    before = former.value if former and modes == ["append"] else b""
    after = former.value if former and modes == ["prepend"] else b""
    life = request.headers.get("time_to_live_sec")
    metadata = request.headers.get("metadata", "")
    write(state_of(request), store, key, before + value + after, metadata, life)
    return Response(status_code=200)


def write(
    state: State, store: KvStore, key: str, value: bytes, metadata: str, life: str | None
) -> None:
    """Put an item into a store, or refuse it."""
    if len(value) > MAX_VALUE:
        raise store_refused(413, "Payload Too Large")
    if life is not None and not re.fullmatch(r"[1-9][0-9]{0,9}", life):
        raise store_refused(400, "Bad Request: invalid time_to_live_sec")
    store.items[check_key(key)] = Item(
        value=value,
        metadata=_metadata(metadata),
        generation=state.next_generation(),
        time_to_live_sec=None if life is None else int(life),
    )


async def batch(request: Request) -> Response:
    """Write many items, each on a line of its own; a line that is refused does not stop others."""
    store, state = _store(request), state_of(request)
    if request.headers.get("content-type") != "application/x-ndjson":
        raise store_refused(415, "Unsupported Media Type")
    body = await request.body()
    if len(body) > MAX_BATCH:
        raise store_refused(413, "Payload Too Large")
    faults: list[dict[str, object]] = []
    for index, line in enumerate(filter(bytes.strip, body.splitlines())):
        try:
            _write_line(state, store, line)
        except Refused as fault:
            reason = fault.body["title"] if fault.body else ""
            faults.append({"code": "invalid", "index": index, "reason": reason})
    status, title = (400, "error") if faults else (200, "success")
    return JSONResponse({"type": "", "title": title, "errors": faults}, status)


def _write_line(state: State, store: KvStore, line: bytes) -> None:
    try:
        entry = json.loads(line)
        value = base64.b64decode(entry["value"], validate=True)
        key, metadata, life = entry["key"], entry.get("metadata"), entry.get("time_to_live_sec")
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        raise store_refused(400, "Bad Request: invalid line") from None
    write(state, store, str(key), value, metadata or "", None if life is None else str(life))


async def remove(request: Request) -> Response:
    """Delete an item; `force=true` accepts that there is none."""
    store, key, generation = _store(request), check_key(last_segment(request)), _generation(request)
    item = store.items.get(key)
    if generation is not None and (item is None or item.generation != generation):
        raise precondition_failed()
    if item is None and not is_set(request, "force"):
        raise store_refused(404, "Item not found")
    store.items.pop(key, None)
    return Response(status_code=204)


_KEY = "/resources/stores/kv/{store}/keys/{key:path}"
ROUTES = [
    Route("/resources/stores/kv", create, methods=["POST"]),
    Route("/resources/stores/kv", stores, methods=["GET"]),
    Route("/resources/stores/kv/{store}", get, methods=["GET"]),
    Route("/resources/stores/kv/{store}", delete, methods=["DELETE"]),
    Route("/resources/stores/kv/{store}/keys", keys, methods=["GET"]),
    Route("/resources/stores/kv/{store}/batch", batch, methods=["PUT"]),
    Route(_KEY, read, methods=["GET"]),
    Route(_KEY, put, methods=["PUT"]),
    Route(_KEY, remove, methods=["DELETE"]),
]
