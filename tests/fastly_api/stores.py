"""What stores of all kinds have in common: unique names, ids, and lists in pages."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse

from fastly_api.errors import store_refused
from fastly_api.reading import page


class Named(Protocol):
    """A store."""

    id: str
    name: str


Store = TypeVar("Store", bound=Named)


def found(request: Request, stores: Mapping[str, Store], kind: str) -> Store:
    """Return the store that the path names."""
    store = stores.get(request.path_params["store"])
    if store is None:
        raise store_refused(404, f"{kind} not found")
    return store


def add(stores: dict[str, Store], store: Store, kind: str) -> None:
    """Add a store; its name is unique."""
    if any(other.name == store.name for other in stores.values()):
        raise store_refused(409, f"Conflict: a {kind} of that name already exists")
    stores[store.id] = store


def listed(
    request: Request,
    stores: Mapping[str, Store],
    default: int,
    described: Callable[[Store], dict[str, object]],
    **more: object,
) -> JSONResponse:
    """Answer with a page of the stores, or with the one that the query names."""
    name = request.query_params.get("name")
    named = (store.id for store in stores.values() if name in {None, store.name})
    shown, meta = page(request, named, default)
    data = [described(stores[each]) for each in shown]
    return JSONResponse({"data": data, "meta": meta | more})
