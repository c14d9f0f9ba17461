"""Kills the backend of a region under load and counts what the clients get."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator

from children import Children
from exchange import send
from layout import EDGE

IN_THE_US = "127.0.0.16"  # by dev/places.json
CLIENTS = 4
PAUSE = 0.05  # seconds between the requests of a client: together they stay below the flood limit
BEFORE, AFTER = 1.0, 2.0  # seconds of load before and after the failure
PATH = "/where"


class Load:
    """Clients in the US that go on sending requests. The response names the region."""

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()
        self._ends = False
        self._lock = threading.Lock()
        self._clients = [threading.Thread(target=self._run) for _ in range(CLIENTS)]
        for client in self._clients:
            client.start()

    def _run(self) -> None:
        while not self._ends:
            found = where()
            with self._lock:
                self.found[found] += 1
            time.sleep(PAUSE)

    def end(self) -> None:
        self._ends = True
        for client in self._clients:
            client.join()


def where() -> str:
    """The region that served a request, or what went wrong."""
    try:
        response = send(EDGE, "GET", PATH, source=IN_THE_US)
    except (OSError, http.client.HTTPException) as error:
        return repr(error)
    body = response.json()
    if response.status != 200 or not isinstance(body, dict):
        return str(response.status)
    return str(body.get("region"))


def failover(children: Children) -> Iterator[tuple[str, str]]:
    """Each claim, and what contradicts it; nothing if it holds."""
    load = Load()
    try:
        time.sleep(BEFORE)
        before = dict(load.found)
        children.stop("origin, us")
        time.sleep(AFTER)
    finally:
        load.end()
    yield "GET /where · from the US · before", "" if set(before) == {"us"} else str(before)
    yield (
        f"GET /where · {load.found.total()} requests · none fails",
        "" if set(load.found) == {"us", "eu"} else str(dict(load.found)),
    )
    after = where()
    yield "GET /where · from the US · afterwards in the EU", "" if after == "eu" else after
