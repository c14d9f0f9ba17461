"""Random FastAPI apps and requests for them; the same ones for the same seed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, FastAPI, Request, Security
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate import (
    AnyCaller,
    Caller,
    Condition,
    Identity,
    all_of,
    any_of,
    at_edge,
    claim,
    fastgate,
    group,
    not_,
    requires,
    role,
    scope,
)
from fastgate.compile.endpoints.endpoint import Endpoint
from fastgate.compile.endpoints.listing import endpoints
from fastgate.compile.policy import CannotCompile, RouteDocument, compile_routes
from fastgate.routes.framework import WEBSOCKET

UUID = "01234567-89ab-cdef-0123-456789abcdef"
SEGMENTS = (
    *("a", "b", "me", "orders", "v1", "a b", "é", "50%", "x;y", "7", UUID),
    *("{}", "{}", "{}", "{:int}", "{:float}", "{:uuid}", "{}.csv", "v{}", "v{:int}.x"),
)
VALUES = (
    *("a", "b", "me", "orders", "v1", "a b", "é", "e\u0301", "50%", "x;y", "x.csv", "v7.x", "v7"),
    *("7", "007", "1.5", "1.", "-1", "٣", UUID, UUID.replace("-", ""), "0" * 32, "%2e", ".x", "🦊"),
)
METHODS = ("GET", "GET", "GET", "POST", "PUT")
FORWARDED: tuple[object, ...] = (
    *("groups", "roles", {"claim": "x"}, {"claim": "tctx"}, {"claim": "cnf"}, {"claim": "iss"}),
    *({"claim": "rctx", "as": "é 🦊"}, {"claim": ["x", "a"], "as": "inner"}, {"claim": "n"}),
    *({"claim": ["tctx", "host"], "as": "host"}, {"claim": "sub", "as": "__proto__"}),
)
"""Entries of `forward` in generated apps; no two give one name to two claims."""
SCALARS = ("a", "é", "7", "1", "true", UUID, "", 1, 7, 0, 2**53 + 1, True, False)
"""Values with which generated conditions compare claims."""


@dataclass
class Rules:
    """The rules that the generator wrote into an endpoint, to compare with the compiled ones."""

    access: str
    scopes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Seen:
    """What an endpoint saw when it ran. The scope has a list for it under `seen`."""

    name: str
    caller: Identity | None
    method: str
    host: list[str]
    parameters: dict[str, object]


@dataclass
class GeneratedApp:
    """An app that compiles, and the data that it was made from."""

    app: FastAPI
    rules: dict[str, Rules]
    routes: list[RouteDocument]
    endpoints: list[Endpoint]
    """In the order in which the app's router tries them, with its mounts."""
    left_out: int
    """The number of endpoints that were removed so that the rest compiles."""


def generated_app(dice: Random, *, requiring: bool = False) -> GeneratedApp:
    """Make an app with nested routers, mounts and overlapping routes that the edge can enforce.

    With `requiring`, endpoints also use `requires(…)` and `forward`.
    """
    seed, forbidden = dice.getrandbits(64), set[str]()
    while True:  # each iteration removes an endpoint, or compiles
        app, rules = _Maker(Random(seed), forbidden, requiring=requiring).app()  # noqa: S311
        try:
            routes = compile_routes(app)
        except CannotCompile as error:
            forbidden |= {fault.endpoint.name for fault in error.faults}
        else:
            return GeneratedApp(app, rules, routes, list(endpoints(app)), len(forbidden))


def generated_target(
    dice: Random,
    routes: list[RouteDocument],
    other_methods: tuple[str, ...] = ("GET", "HEAD", "DELETE"),
) -> tuple[str, str]:
    """Return method and request target; most are near one of the routes, many oddly spelled.

    The method of an opening handshake is `WEBSOCKET`.
    """
    route = dice.choice(routes)
    parts = [_filled(dice, part) for part in str(route["path"]).split("/")[1:]]
    if dice.random() < 0.3:
        place = dice.randrange(len(parts) + 1)
        change = dice.randrange(3)
        parts[place : place + (change > 0)] = [] if change == 1 else [dice.choice(VALUES)]
    if dice.random() < 0.05:
        parts.append("")
    methods = route["methods"]
    assert isinstance(methods, list)
    if route.get("websocket"):
        methods = [WEBSOCKET]
    method = dice.choice([*methods, *methods, *other_methods])
    return method, "/" + "/".join(_spelled(dice, part) for part in parts)


def _filled(dice: Random, part: str) -> str:
    if part.endswith(":path}"):
        return "/".join(dice.choices(VALUES, k=dice.randint(1, 3)))
    if "{" not in part:
        return part
    prefix, _, rest = part.partition("{")
    name, _, suffix = rest.partition("}")
    fitting = {"int": ("7", "007"), "float": ("1.5", "7"), "uuid": (UUID, "0" * 32)}
    values = fitting.get(name.partition(":")[2], VALUES)
    return prefix + dice.choice(VALUES if dice.random() < 0.2 else values) + suffix


def _spelled(dice: Random, text: str) -> str:
    """Encode the characters that must be encoded, and some of the others."""
    spelled = []
    for char in text:
        if char == "/" or (dice.random() < 0.9 and quote(char, safe="~!$&'()*+,;=:@") == char):
            spelled.append(char)
        else:
            octets = (f"%{octet:02X}" for octet in char.encode())
            spelled += [octet if dice.random() < 0.5 else octet.lower() for octet in octets]
    return "".join(spelled)


class _Maker:
    def __init__(self, dice: Random, forbidden: set[str], *, requiring: bool) -> None:
        self._dice, self._forbidden = dice, forbidden
        self._requiring = requiring
        self._count = 0
        self._rules: dict[str, Rules] = {}

    def app(self) -> tuple[FastAPI, dict[str, Rules]]:
        app = FastAPI(openapi_url=None, redirect_slashes=self._dice.random() < 0.8)
        self._fill(app, depth=0)
        return app, self._rules

    def _fill(self, router: APIRouter | FastAPI, depth: int) -> None:
        for _ in range(self._dice.randint(3, 9)):
            kind = self._dice.random()
            if depth < 2 and kind < 0.15:
                inner = APIRouter(prefix=self._path(1, rest=False))
                self._fill(inner, depth + 1)
                router.include_router(inner, prefix=self._dice.choice(["", "/v1"]))
            elif depth < 2 and kind < 0.25 and isinstance(router, FastAPI):
                self._mount(router, depth)
            else:
                self._declare(router)

    def _mount(self, router: FastAPI, depth: int) -> None:
        path, name = self._path(2, rest=False), self._name()
        mounted: ASGIApp
        if self._dice.random() < 0.3:
            self._rules[name] = Rules("public")
            mounted = at_edge(access="public", methods=["GET", "PUT"], id=name)(_Named(name))
        else:
            mounted = FastAPI(openapi_url=None)
            self._fill(mounted, depth + 1)
        if name not in self._forbidden:
            router.mount(path, mounted, name=name)

    def _declare(self, router: APIRouter | FastAPI) -> None:
        path, method, name = self._path(3), self._dice.choice(METHODS), self._name()
        kind, endpoint, rules = self._dice.random(), *self._endpoint(name, path)
        if name in self._forbidden:
            return
        if kind < 0.1:
            self._rules[name] = rules
            router.add_api_websocket_route(path, endpoint, name=name)
        elif kind < 0.28 and isinstance(router, FastAPI):
            self._rules[name] = Rules("public")
            plain = at_edge(access="public", id=name)(_starlette(name))
            router.router.routes.append(Route(path, plain, methods=[method], name=name))
        else:
            self._rules[name] = rules
            router.add_api_route(path, endpoint, methods=[method], name=name)

    def _endpoint(self, name: str, path: str) -> tuple[Callable[..., Any], Rules]:
        forward = []
        if self._requiring:
            forward = self._dice.sample(FORWARDED, k=self._dice.choice([0, 1, 2, 5]))
        mark = {"id": name, "forward": forward} if forward else {"id": name}
        if self._requiring and self._dice.random() < 0.5:
            return self._requiring_endpoint(name, path, mark)
        scopes = self._dice.sample(["a:read", "a:write", "b"], k=self._dice.randint(0, 2))

        @at_edge(**mark)
        async def known(
            request: HTTPConnection, caller: Annotated[Caller, Security(fastgate, scopes=scopes)]
        ) -> None:
            _ran(request, name, caller)

        @at_edge(**mark)
        async def anybody(request: HTTPConnection, caller: AnyCaller) -> None:
            _ran(request, name, caller)

        if self._dice.random() < 0.3:
            return anybody, Rules("optional")
        return known, Rules("authenticated", scopes)

    def _requiring_endpoint(
        self, name: str, path: str, mark: dict[str, Any]
    ) -> tuple[Callable[..., Any], Rules]:
        dice, parts = self._dice, path.split("{")[1:]
        parameters = [part.partition("}")[0].partition(":")[0] for part in parts]
        conditions = [self._condition(parameters) for _ in range(dice.choice([0, 1, 1, 2]))]
        members: dict[str, Any] = {}
        if dice.random() < 0.2:
            members["role"] = dice.choice(["admin", "é"])
        if dice.random() < 0.2:
            members["scope"] = dice.choice(["a:read", "b"])
        if dice.random() < 0.15:
            members["bound"] = True
        if dice.random() < 0.2:
            members["acr"] = dice.choice([["urn:mfa"], ["urn:mfa", "1"]])
        if dice.random() < 0.2 or not (conditions or members):
            members["max_age"] = dice.choice([60, 5000])
        dependency = requires(*conditions, **members)

        @at_edge(**mark)
        async def required(
            request: HTTPConnection, caller: Annotated[Identity, Depends(dependency)]
        ) -> None:
            _ran(request, name, caller)

        return required, Rules("authenticated")

    def _condition(self, parameters: list[str], depth: int = 0) -> Condition:
        dice = self._dice
        kind = dice.random()
        if depth < 3 and kind < 0.3:
            parts = [self._condition(parameters, depth + 1) for _ in range(dice.randint(1, 3))]
            return dice.choice([all_of, any_of])(*parts)
        if depth < 3 and kind < 0.45:
            return not_(self._condition(parameters, depth + 1))
        if kind < 0.6:
            word = dice.choice([role, group, scope])
            return word("a:read" if word is scope else dice.choice(["admin", "é", "staff"]))
        tested = claim(dice.choice(["x", "n", "tctx", ["x", "a"], "tenant"]))
        if parameters and kind < 0.75:
            return dice.choice([tested.equals_path, tested.contains_path])(dice.choice(parameters))
        if kind < 0.8:
            return tested.is_in(dice.sample(SCALARS, k=3))
        return dice.choice([tested.equals, tested.contains])(dice.choice(SCALARS))

    def _path(self, most: int, *, rest: bool = True) -> str:
        parts = self._dice.choices(SEGMENTS, k=self._dice.randint(1, most))
        if rest and self._dice.random() < 0.15:
            parts[self._dice.randrange(len(parts))] = "{:path}"
        named = [part.replace("{", f"{{p{self._next()}_") for part in parts]
        slash = "/" if rest and self._dice.random() < 0.1 else ""
        return "/" + "/".join(part.replace("_}", "}").replace("_:", ":") for part in named) + slash

    def _name(self) -> str:
        return f"e{self._next()}"

    def _next(self) -> int:
        self._count += 1
        return self._count


class _Named:
    """An ASGI app that records its name, if the request has one of its methods."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") in ("GET", "PUT"):
            _ran(HTTPConnection(scope), self._name)
        await PlainTextResponse("")(scope, receive, send)


def _starlette(name: str) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> PlainTextResponse:
        _ran(request, name)
        return PlainTextResponse("")

    return endpoint


def _ran(connection: HTTPConnection, name: str, caller: Identity | None = None) -> None:
    scope = connection.scope
    scope["ran"].append(name)
    if "seen" in scope:
        method, host = scope.get("method", WEBSOCKET), connection.headers.getlist("host")
        scope["seen"].append(Seen(name, caller, method, host, dict(connection.path_params)))
