"""ACLs of Compute: `/resources/acls`."""

import ipaddress

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fastly_api.errors import store_refused
from fastly_api.reading import document, last_segment, state_of, text_member
from fastly_api.state import Acl


def _acl(request: Request) -> Acl:
    acl = state_of(request).acls.get(request.path_params["acl"])
    if acl is None:
        raise store_refused(404, "ACL not found")
    return acl


def described(acl: Acl) -> dict[str, object]:
    """Return an ACL as the API shows it."""
    return {"id": acl.id, "name": acl.name}


async def create(request: Request) -> Response:
    """Create an ACL; its name is unique."""
    state, name = state_of(request), text_member(await document(request), "name")
    if any(acl.name == name for acl in state.acls.values()):
        raise store_refused(409, "Conflict: an ACL of that name already exists")
    acl = Acl(name=name)
    state.acls[acl.id] = acl
    return JSONResponse(described(acl))


async def acls(request: Request) -> Response:
    """List the ACLs."""
    data = [described(acl) for acl in state_of(request).acls.values()]
    return JSONResponse({"data": data, "meta": {"total": len(data)}})


async def get(request: Request) -> Response:
    """Describe an ACL."""
    return JSONResponse(described(_acl(request)))


async def delete(request: Request) -> Response:
    """Delete an ACL."""
    del state_of(request).acls[_acl(request).id]
    return Response(status_code=204)


async def change(request: Request) -> Response:
    """Change entries, all or none of them."""
    acl, operations = _acl(request), (await document(request)).get("entries")
    if not isinstance(operations, list):
        raise store_refused(400, "Bad Request: entries is missing")
    entries = dict(acl.entries)
    for each in operations:
        _apply(entries, each)
    acl.entries = entries
    return Response(status_code=202)


def _apply(entries: dict[str, str], operation: object) -> None:
    if not isinstance(operation, dict):
        raise store_refused(400, "Bad Request: invalid entry")
    try:
        prefix = str(ipaddress.ip_network(str(operation.get("prefix"))))
    except ValueError:
        raise store_refused(400, "Bad Request: invalid prefix") from None
    action = operation.get("action")
    match operation.get("op"):
        case "delete" if prefix in entries:
            del entries[prefix]
        case "create" if prefix not in entries and action in {"ALLOW", "BLOCK"}:
            entries[prefix] = str(action)
        case "update" if prefix in entries and action in {"ALLOW", "BLOCK"}:
            entries[prefix] = str(action)
        case _:
            raise store_refused(400, "Bad Request: invalid entry")


async def entries(request: Request) -> Response:
    """List the entries."""
    listed = _acl(request).entries.items()
    data = [{"prefix": prefix, "action": action} for prefix, action in sorted(listed)]
    return JSONResponse({"entries": data, "meta": {"limit": 100}})


async def entry(request: Request) -> Response:
    """Return the entry with the longest prefix of an address, or 204."""
    address = ipaddress.ip_address(last_segment(request))
    listed = _acl(request).entries.items()
    found = [(ipaddress.ip_network(prefix), action) for prefix, action in listed]
    containing = [each for each in found if address in each[0]]
    if not containing:
        return Response(status_code=204)
    prefix, action = max(containing, key=lambda each: each[0].prefixlen)
    return JSONResponse({"prefix": str(prefix), "action": action})


ROUTES = [
    Route("/resources/acls", create, methods=["POST"]),
    Route("/resources/acls", acls, methods=["GET"]),
    Route("/resources/acls/{acl}", get, methods=["GET"]),
    Route("/resources/acls/{acl}", delete, methods=["DELETE"]),
    Route("/resources/acls/{acl}/entries", change, methods=["PATCH"]),
    Route("/resources/acls/{acl}/entries", entries, methods=["GET"]),
    Route("/resources/acls/{acl}/entry/{address}", entry, methods=["GET"]),
]
