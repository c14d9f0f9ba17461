"""Services, their versions, activation and purges: `/service`."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fastly_api.errors import no_record, refused
from fastly_api.reading import last_segment, members, state_of
from fastly_api.state import Purge, Service, Version


def service_of(request: Request) -> Service:
    """Return the service that a path names."""
    name = request.path_params["service"]
    if (service := state_of(request).services.get(name)) is None:
        raise no_record("service", name)
    return service


def version_of(request: Request) -> Version:
    """Return the version that a path names."""
    service, number = service_of(request), request.path_params["version"]
    for version in service.versions:
        if str(version.number) == number:
            return version
    raise no_record("version", f"{service.id}/{number}")


def editable(request: Request) -> Version:
    """Return the version that a path names, if it can still be changed."""
    version = version_of(request)
    if version.locked or version.active:
        raise refused(422, "An error occurred while processing your request", "Version is locked")
    return version


def shown_version(service: Service, version: Version) -> dict[str, object]:
    """Return a version as the API shows it."""
    return {
        "service_id": service.id,
        "number": version.number,
        "active": version.active,
        "locked": version.locked,
        "staging": False,
        "testing": False,
        "deployed": False,
        "comment": version.comment,
        "created_at": service.created_at,
        "updated_at": service.created_at,
        "deleted_at": None,
    }


def shown(service: Service) -> dict[str, object]:
    """Return a service as the API shows it."""
    return {
        "id": service.id,
        "name": service.name,
        "type": service.type,
        "comment": service.comment,
        "customer_id": "stand-in",
        "created_at": service.created_at,
        "updated_at": service.created_at,
        "deleted_at": None,
        "versions": [shown_version(service, version) for version in service.versions],
    }


async def create(request: Request) -> Response:
    """Create a service with an empty version 1."""
    state, form = state_of(request), await members(request)
    name, kind = form.get("name", ""), form.get("type", "vcl")
    if not name or kind not in {"vcl", "wasm"}:
        raise refused(400, "Bad request", "Name can't be blank, or the type is unknown")
    if any(service.name == name for service in state.services.values()):
        raise refused(409, "Duplicate record", f"Duplicate service: '{name}'")
    service = Service(name=name, type=kind, comment=form.get("comment", ""))
    state.services[service.id] = service
    return JSONResponse(shown(service))


async def services(request: Request) -> Response:
    """List the services."""
    every = [shown(service) for service in state_of(request).services.values()]
    return JSONResponse(every if request.query_params.get("page", "1") == "1" else [])


async def search(request: Request) -> Response:
    """Find a service by its name."""
    name = request.query_params.get("name", "")
    for service in state_of(request).services.values():
        if service.name == name:
            return JSONResponse(shown(service))
    raise no_record("service", name)


async def get(request: Request) -> Response:
    """Describe a service."""
    return JSONResponse(shown(service_of(request)))


async def details(request: Request) -> Response:
    """Describe a service with its active and its newest version."""
    service = service_of(request)
    answer = shown(service)
    if request.query_params.get("filter[versions.active]") == "true":
        only = [shown_version(service, each) for each in service.versions if each.active]
        answer["versions"] = only
    answer["active_version"] = service.active and shown_version(service, service.active)
    answer["version"] = shown_version(service, service.versions[-1])
    return JSONResponse(answer)


async def managed_domains(request: Request) -> Response:
    """List the domains without a version."""
    wanted = request.query_params.get("service_id")
    data = [
        {"id": fqdn, "fqdn": fqdn, "service_id": service}
        for fqdn, service in state_of(request).managed_domains.items()
        if wanted in {None, service}
    ]
    return JSONResponse({"data": data, "meta": {"limit": 20, "total": len(data)}})


async def delete(request: Request) -> Response:
    """Delete a service; one that serves requests must be deactivated first."""
    service = service_of(request)
    if service.active:
        raise refused(400, "Bad request", "Cannot delete service with an active version")
    del state_of(request).services[service.id]
    return JSONResponse({"status": "ok"})


async def versions(request: Request) -> Response:
    """List the versions of a service."""
    service = service_of(request)
    return JSONResponse([shown_version(service, each) for each in service.versions])


async def get_version(request: Request) -> Response:
    """Describe a version."""
    return JSONResponse(shown_version(service_of(request), version_of(request)))


async def comment(request: Request) -> Response:
    """Change the comment of a version, which a locked one allows."""
    version = version_of(request)
    version.comment = (await members(request)).get("comment", version.comment)
    return JSONResponse(shown_version(service_of(request), version))


async def clone(request: Request) -> Response:
    """Make a new version that is a copy of another."""
    service, version = service_of(request), version_of(request)
    number = service.versions[-1].number + 1
    new = {"number": number, "active": False, "locked": False}
    copy = version.model_copy(update=new, deep=True)
    service.versions.append(copy)
    return JSONResponse(shown_version(service, copy))


async def activate(request: Request) -> Response:
    """Let a version serve requests. It is locked from now on."""
    service, version = service_of(request), version_of(request)
    if not version.domains:
        raise refused(400, "Bad request", "Version has no associated domains")
    if service.type == "wasm" and version.package is None:
        raise refused(400, "Bad request", "Version has no associated package")
    for each in service.versions:
        each.active = each is version
    version.locked = True
    return JSONResponse(shown_version(service, version))


async def deactivate(request: Request) -> Response:
    """Stop a version."""
    service, version = service_of(request), version_of(request)
    if not version.active:
        raise refused(400, "Bad request", "Version is not active")
    version.active = False
    return JSONResponse(shown_version(service, version))


async def validate(request: Request) -> Response:
    """Say whether a version could be activated."""
    version = version_of(request)
    valid = bool(version.domains and version.package)
    return JSONResponse({"status": "ok" if valid else "error", "errors": [], "messages": []})


def _purge(request: Request, keys: list[str | None]) -> bool:
    service = service_of(request)
    soft = request.headers.get("fastly-soft-purge") == "1"
    purges = [Purge(service_id=service.id, key=key, soft=soft) for key in keys]
    state_of(request).purges.extend(purges)
    return soft


async def purge_all(request: Request) -> Response:
    """Purge everything."""
    if request.headers.get("fastly-soft-purge") == "1":
        raise refused(400, "Bad request", "Purge all cannot be soft")
    _purge(request, [None])
    return JSONResponse({"status": "ok"})


async def purge_keys(request: Request) -> Response:
    """Purge the keys of the field `Surrogate-Key`."""
    keys: list[str | None] = [*request.headers.get("surrogate-key", "").split()]
    if not 0 < len(keys) <= 256:
        raise refused(400, "Bad request", "Surrogate-Key must have 1 to 256 keys")
    _purge(request, keys)
    return JSONResponse({str(key): f"purge-{index}" for index, key in enumerate(keys)})


async def purge_key(request: Request) -> Response:
    """Purge the key that the path names."""
    _purge(request, [last_segment(request)])
    return JSONResponse({"status": "ok", "id": "purge-0"})


_ONE = "/service/{service}"
_VERSION = "/service/{service}/version/{version}"
ROUTES = [
    Route("/service", create, methods=["POST"]),
    Route("/service", services, methods=["GET"]),
    Route("/service/search", search, methods=["GET"]),
    Route(_ONE, get, methods=["GET"]),
    Route(_ONE, delete, methods=["DELETE"]),
    Route("/domain-management/v1/domains", managed_domains, methods=["GET"]),
    Route(_ONE + "/details", details, methods=["GET"]),
    Route(_ONE + "/version", versions, methods=["GET"]),
    Route(_VERSION, get_version, methods=["GET"]),
    Route(_VERSION, comment, methods=["PUT"]),
    Route(_VERSION + "/clone", clone, methods=["PUT"]),
    Route(_VERSION + "/activate", activate, methods=["PUT"]),
    Route(_VERSION + "/deactivate", deactivate, methods=["PUT"]),
    Route(_VERSION + "/validate", validate, methods=["GET"]),
    Route(_ONE + "/purge_all", purge_all, methods=["POST"]),
    Route(_ONE + "/purge", purge_keys, methods=["POST"]),
    Route(_ONE + "/purge/{key:path}", purge_key, methods=["POST"]),
]
