"""One session of `fastgate dev`: start everything, and end everything.

Input: the options of the command line. Output: the edge, the app and the provider on this machine,
until Ctrl-C. The page and the terminal show each request and the faults of the policy.
"""

import json
import signal
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fastgate.dev.app_server import ENDING_SIGNALS, Reloader, ServedApp
from fastgate.dev.edge.installed import installed_programs
from fastgate.dev.edge.manifest import local_server_of
from fastgate.dev.edge.process import LOG, EdgeProcess
from fastgate.dev.page.app import PATH, page_app
from fastgate.dev.page.events import Events
from fastgate.dev.policy.base_check import checked_base
from fastgate.dev.policy.compile_app import Job, NotCompiled
from fastgate.dev.policy.in_force import PolicyInForce
from fastgate.dev.policy.local import Addresses, audiences_of
from fastgate.dev.ports import address_of, bound, free_address, refuse_equal
from fastgate.dev.provider.access_token import DEFAULT_CLIENT
from fastgate.dev.provider.app import DevelopmentProvider
from fastgate.dev.provider.issuer_settings import Client, IssuerSettings
from fastgate.dev.session_folder import session_folder
from fastgate.dev.side_server import PageAndProvider, SideServer
from fastgate.dev.terminal import Terminal
from fastgate.find_app import find_module
from fastgate.stage import stage_of
from fastgate.wrong_call import Failed, WrongCall

_PAGE_ID = PATH.removeprefix("/")
_NOT_YET = "no policy is in force yet: the app is being compiled"
"""Why requests are refused before that, instead of the advice for published services."""


@dataclass(frozen=True, slots=True)
class DevOptions:
    """What the command line says."""

    target: str | None
    folder: Path
    base: Path | None
    """The base policy; None for `edge/policy.base.json`, if there is one."""
    origin: str | None
    stage: Path | None
    """The values of `${NAME}` in the base policy."""
    port: int
    app_port: int
    provider_port: int


def run(options: DevOptions) -> int:
    """Serve until Ctrl-C or SIGTERM. Return 0.

    Raises:
        WrongCall, Failed: something cannot be started. Nothing is left running.

    """
    # While the app is served, uvicorn has handlers of its own. This one removes files of the start.
    # It is not the handler of SIGINT: a shell without job control starts background jobs with
    # SIGINT ignored.
    for each in ENDING_SIGNALS:
        if signal.getsignal(each) != signal.SIG_IGN:
            signal.signal(each, signal.default_int_handler)
    try:
        return _run(options)
    except KeyboardInterrupt:
        return 0


def _run(options: DevOptions) -> int:
    programs = installed_programs()
    find_module(options.target, options.folder)  # a wrong name is found before anything starts
    base = options.base or _existing(options.folder / "edge" / "policy.base.json")
    refuse_equal(
        {
            "--port": options.port,
            "--app-port": options.app_port,
            "--provider-port": options.provider_port,
        }
    )
    app_socket = bound(options.app_port, "--app-port")
    side_socket = bound(options.provider_port, "--provider-port")
    # The last one: it is free until the edge listens, so none of the others can get it.
    edge_address = free_address(options.port, "--port")
    side_address = address_of(side_socket)
    addresses = Addresses(f"http://{edge_address}", f"http://{side_address}")
    local = checked_base(base, stage_of(options.stage), programs.tool, addresses)
    provider = _provider(local, base, addresses)
    events, terminal = Events(), Terminal(sys.stdout)
    manifest = None if base is None else _existing(base.with_name("fastly.toml"))

    def log(line: str) -> None:
        request = _request_in(line)
        if request is not None and "settled" in request:
            events.publish("settlement", settlement=request)
            terminal.settlement(request)
        elif request is not None:
            if policy.state.app is None and "cause" in request:
                request["cause"] = _NOT_YET
            events.publish("request", request=request)
            terminal.request(request)
        else:
            events.publish("edge", text=line)
            terminal.line(f"edge: {line}")

    with session_folder() as folder:
        policy = PolicyInForce(
            programs,
            Job(
                options.target,
                str(options.folder.resolve()),
                None if base is None else str(base),
                addresses.edge,
                addresses.provider,
                options.origin,
                None if options.stage is None else str(options.stage),
            ),
            folder,
            local_server={} if manifest is None else local_server_of(manifest),
            app_url=f"http://{address_of(app_socket)}",
            reload=lambda: edge.reload(),
        )
        edge = EdgeProcess(
            programs,
            policy.manifest,
            folder=folder if manifest is None else manifest.parent,
            listen=edge_address,
            page=side_address,
            log=log,
        )

        def state() -> dict[str, object]:
            issuers = [
                {"id": name, "url": each.url, "audience": each.settings.audience}
                for name, each in provider.issuers.items()
            ]
            return {
                **policy.state.as_json(),
                "edge": addresses.edge,
                "provider": addresses.provider,
                "issuers": issuers,
            }

        def compile_policy() -> bool:
            is_good = policy.compile_again()
            events.publish("policy", **state())
            terminal.policy(policy.state)
            return is_good

        def app_is(ended: str | None) -> None:
            policy.state.ended = ended
            events.publish("policy", **state())
            if ended is not None:
                terminal.line(f"app       {ended}")

        side = SideServer(PageAndProvider(page_app(events, state, provider), provider), side_socket)
        side.start()
        try:
            began = time.time()
            _start_edge_and_compile(edge, policy)
            events.publish("policy", **state())
            app = policy.state.app
            if app is None:
                raise Failed("the app was not compiled")
            terminal.started(addresses, f"http://{address_of(app_socket)}", policy.state)
            terminal.policy(policy.state)
            Reloader(
                ServedApp(app.app, app.folder, app.is_factory),
                addresses.edge,
                app_socket,
                [Path(app.folder)],
                since=began,
                files=[each for each in (base, options.stage) if each is not None],
                before=compile_policy,
                after=lambda: app_is(None),
                ended=app_is,
            ).run()
        finally:
            edge.stop()
            side.stop()
    return 0


def _request_in(line: str) -> dict[str, object] | None:
    """Return the request, or the cost of one, of a line of the edge's log; None for others."""
    try:
        found = json.loads(line.removeprefix(LOG)) if line.startswith(LOG) else None
    except ValueError:  # cut off
        return None
    return found if isinstance(found, dict) else None


def _start_edge_and_compile(edge: EdgeProcess, policy: PolicyInForce) -> None:
    """Start the edge while the app is imported: both take time."""
    with ThreadPoolExecutor(1) as executor:
        started = executor.submit(edge.start)
        try:
            policy.compile()
        except NotCompiled as error:
            raise Failed(str(error)) from error
        started.result()


def _provider(
    local: Mapping[str, object], base: Path | None, addresses: Addresses
) -> DevelopmentProvider:
    try:
        audiences = audiences_of(local)
        if _PAGE_ID in audiences:
            raise ValueError(f"$.issuers.{_PAGE_ID} has the path of the page: name it otherwise")
        clients = {DEFAULT_CLIENT: Client(any_scope=True)}
        issuers = {
            name: IssuerSettings(audience=first, resources=tuple(others), clients=clients)
            for name, (first, *others) in audiences.items()
        }
        return DevelopmentProvider(addresses.provider, issuers)
    except ValueError as error:
        raise WrongCall(f"{base}: {error}") from error


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None
