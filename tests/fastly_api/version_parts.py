"""The parts of a version: domains, backends, log endpoints, resource links and the package."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fastly_api import packages
from fastly_api.errors import no_record, refused
from fastly_api.reading import last_segment, members, state_of
from fastly_api.services import editable, service_of, version_of
from fastly_api.state import Backend, Link, State, Version

_BACKEND_MEMBERS = frozenset(
    [
        "address",
        "port",
        "name",
        "comment",
        "override_host",
        "ssl_cert_hostname",
        "ssl_sni_hostname",
        "use_ssl",
        "ssl_check_cert",
        "ssl_ca_cert",
        "ssl_client_cert",
        "ssl_client_key",
        "ssl_ciphers",
        "min_tls_version",
        "max_tls_version",
        "connect_timeout",
        "first_byte_timeout",
        "between_bytes_timeout",
        "fetch_timeout",
        "max_conn",
        "weight",
        "shield",
        "healthcheck",
        "auto_loadbalance",
        "request_condition",
        "keepalive_time",
        "error_threshold",
        "max_use",
        "max_lifetime",
        "prefer_ipv6",
        "tcp_keepalive_enable",
        "tcp_keepalive_interval",
        "tcp_keepalive_probes",
        "tcp_keepalive_time",
        "share_key",
    ]
)

_OTHER_LOGGING = frozenset(
    [
        "s3",
        "gcs",
        "bigquery",
        "datadog",
        "splunk",
        "newrelic",
        "newrelicotlp",
        "grafanacloudlogs",
        "honeycomb",
        "elasticsearch",
        "sumologic",
        "syslog",
        "kafka",
        "kinesis",
        "pubsub",
        "azureblob",
        "papertrail",
        "loggly",
        "scalyr",
        "logshuttle",
        "logentries",
        "heroku",
        "cloudfiles",
        "digitalocean",
        "openstack",
        "sftp",
        "ftp",
    ]
)


def _place(request: Request) -> dict[str, object]:
    return {"service_id": service_of(request).id, "version": version_of(request).number}


async def add_domain(request: Request) -> Response:
    """Add a domain, which no other service may have."""
    version, form = editable(request), await members(request)
    name, service = form.get("name", ""), service_of(request)
    if "." not in name or name != name.lower():
        raise refused(400, "Bad request", f"Domain '{name}' is not a valid domain")
    if name in version.domains:
        raise refused(409, "Duplicate record", f"Duplicate domain: '{name}'")
    for other in state_of(request).services.values():
        if other is not service and any(name in each.domains for each in other.versions):
            raise refused(409, "Conflict", f"Domain '{name}' is already taken")
    version.domains.append(name)
    return JSONResponse({"name": name, "comment": form.get("comment", ""), **_place(request)})


async def domains(request: Request) -> Response:
    """List the domains."""
    place = _place(request)
    names = version_of(request).domains
    return JSONResponse([{"name": name, "comment": "", **place} for name in names])


async def remove_domain(request: Request) -> Response:
    """Remove a domain."""
    version, name = editable(request), last_segment(request)
    if name not in version.domains:
        raise no_record("domain", name)
    version.domains.remove(name)
    return JSONResponse({"status": "ok"})


def _checked(form: dict[str, str]) -> dict[str, str]:
    unknown = form.keys() - _BACKEND_MEMBERS
    if unknown:
        raise refused(400, "Bad request", f"Unknown parameters: {', '.join(sorted(unknown))}")
    port = form.get("port", "80")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise refused(400, "Bad request", f"Port '{port}' is not valid")
    return form


async def add_backend(request: Request) -> Response:
    """Add a backend."""
    version, form = editable(request), _checked(await members(request))
    if not form.get("name") or not form.get("address"):
        raise refused(400, "Bad request", "Name or address can't be blank")
    if any(each.name == form["name"] for each in version.backends):
        raise refused(409, "Duplicate record", f"Duplicate backend: '{form['name']}'")
    backend = Backend(name=form["name"], members=form)
    version.backends.append(backend)
    return JSONResponse(_shown_backend(request, backend))


def _shown_backend(request: Request, backend: Backend) -> dict[str, object]:
    sent = backend.members
    shown: dict[str, object] = {name: value or None for name, value in sent.items()}
    shown["name"] = backend.name
    shown["port"] = int(sent.get("port", "80"))
    shown["hostname"] = sent["address"]
    # Documented: "setting port to 443 will force TLS".
    shown["use_ssl"] = sent.get("use_ssl") in {"1", "true"} or shown["port"] == 443
    return {**shown, **_place(request)}


async def backends(request: Request) -> Response:
    """List the backends."""
    return JSONResponse([_shown_backend(request, each) for each in version_of(request).backends])


def _backend(request: Request, version: Version) -> Backend:
    name = last_segment(request)
    for backend in version.backends:
        if backend.name == name:
            return backend
    raise no_record("backend", name)


async def get_backend(request: Request) -> Response:
    """Describe a backend."""
    return JSONResponse(_shown_backend(request, _backend(request, version_of(request))))


async def change_backend(request: Request) -> Response:
    """Change members of a backend."""
    backend, form = _backend(request, editable(request)), await members(request)
    backend.members = _checked({**backend.members, **form})
    backend.name = backend.members["name"]
    return JSONResponse(_shown_backend(request, backend))


async def remove_backend(request: Request) -> Response:
    """Remove a backend."""
    version = editable(request)
    version.backends.remove(_backend(request, version))
    return JSONResponse({"status": "ok"})


async def add_logging(request: Request) -> Response:
    """Add a log endpoint that is an HTTPS server."""
    version, form = editable(request), await members(request)
    if not form.get("name") or not form.get("url", "").startswith("https://"):
        raise refused(400, "Bad request", "Name can't be blank, or the URL is not https")
    if any(each.name == form["name"] for each in version.logging):
        raise refused(409, "Duplicate record", f"Duplicate logging_https: '{form['name']}'")
    version.logging.append(Backend(name=form["name"], members=form))
    return JSONResponse({**form, **_place(request)})


async def logging(request: Request) -> Response:
    """List the log endpoints."""
    place = _place(request)
    return JSONResponse([{**each.members, **place} for each in version_of(request).logging])


async def other_logging(request: Request) -> Response:
    """List the log endpoints of another kind; 404 for a kind that does not exist."""
    kind, place = last_segment(request), _place(request)
    if kind not in _OTHER_LOGGING:
        raise no_record("logging", kind)
    listed = version_of(request).other_logging.get(kind, [])
    return JSONResponse([{"name": name, **place} for name in listed])


def _resource_type(state: State, resource_id: str) -> str:
    if resource_id in state.kv_stores:
        return "kv-store"
    if resource_id in state.secret_stores:
        return "secret-store"
    if resource_id in state.acls:
        return "acl"
    raise no_record("resource", resource_id)


def _shown_link(request: Request, link: Link) -> dict[str, object]:
    return {**link.model_dump(), **_place(request)}


async def add_link(request: Request) -> Response:
    """Link a store or an ACL."""
    version, form = editable(request), await members(request)
    resource_id = form.get("resource_id", "")
    kind = _resource_type(state_of(request), resource_id)
    name = form.get("name", "")
    if not name:
        raise refused(400, "Bad request", "Name can't be blank")
    if any((each.name, each.resource_type) == (name, kind) for each in version.links):
        raise refused(409, "Duplicate record", f"Duplicate resource: '{name}'")
    link = Link(name=name, resource_id=resource_id, resource_type=kind)
    version.links.append(link)
    return JSONResponse(_shown_link(request, link))


async def links(request: Request) -> Response:
    """List the links."""
    return JSONResponse([_shown_link(request, each) for each in version_of(request).links])


async def remove_link(request: Request) -> Response:
    """Remove a link."""
    version, wanted = editable(request), last_segment(request)
    kept = [link for link in version.links if link.id != wanted]
    if len(kept) == len(version.links):
        raise no_record("resource", wanted)
    version.links = kept
    return JSONResponse({"status": "ok"})


def _shown_package(request: Request) -> dict[str, object]:
    version = version_of(request)
    if version.package is None:
        raise no_record("package", str(version.number))
    return {"id": "package", "metadata": packages.described(version.package), **_place(request)}


async def put_package(request: Request) -> Response:
    """Replace the package."""
    editable(request).package = await packages.uploaded(request)
    return JSONResponse(_shown_package(request))


async def get_package(request: Request) -> Response:
    """Describe the package."""
    return JSONResponse(_shown_package(request))


_VERSION = "/service/{service}/version/{version}"
ROUTES = [
    Route(_VERSION + "/domain", add_domain, methods=["POST"]),
    Route(_VERSION + "/domain", domains, methods=["GET"]),
    Route(_VERSION + "/domain/{name}", remove_domain, methods=["DELETE"]),
    Route(_VERSION + "/backend", add_backend, methods=["POST"]),
    Route(_VERSION + "/backend", backends, methods=["GET"]),
    Route(_VERSION + "/backend/{name:path}", get_backend, methods=["GET"]),
    Route(_VERSION + "/backend/{name:path}", change_backend, methods=["PUT"]),
    Route(_VERSION + "/backend/{name:path}", remove_backend, methods=["DELETE"]),
    Route(_VERSION + "/logging/https", add_logging, methods=["POST"]),
    Route(_VERSION + "/logging/https", logging, methods=["GET"]),
    Route(_VERSION + "/logging/{kind}", other_logging, methods=["GET"]),
    Route(_VERSION + "/resource", add_link, methods=["POST"]),
    Route(_VERSION + "/resource", links, methods=["GET"]),
    Route(_VERSION + "/resource/{link}", remove_link, methods=["DELETE"]),
    Route(_VERSION + "/package", put_package, methods=["PUT"]),
    Route(_VERSION + "/package", get_package, methods=["GET"]),
]
