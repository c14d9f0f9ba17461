"""`demo`: prints lines to paste, and then each request that the edge logs."""

import json
import time

from children import POLL_SECONDS, REQUESTS, Children
from layout import LOGS, ROOT
from paste import GROUPS
from words import bold, dim, green, red

# Members that are of little interest on a terminal. The log file has the whole lines.
QUIET = frozenset(
    {"time", "request_id", "method", "status", "verdict", "steps", "recorded", "key_id", "keys"}
)


def demo(children: Children) -> int:
    print("\nTry, in another terminal, in this folder:")
    for group in GROUPS:
        print(f"\n{bold(group.title)}")
        for line in group.lines:
            print(f"{dim(line.remark())}\n{line.command}")
    requests, others = REQUESTS.relative_to(ROOT), LOGS.relative_to(ROOT)
    print(f"\nEvery request shows below (whole lines: {requests}; other output: {others}/).")
    print(f"{bold('Ctrl-C')} stops all of them.\n")
    children.report_requests(print_request)
    try:
        while True:
            children.check_alive()
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:  # Ctrl-C is the regular end
        print()
        return 0


def print_request(text: str) -> None:
    """Prints one request of the edge's log: its outcome, and other facts of interest."""
    try:
        facts = json.loads(text)
    except ValueError:
        print(text.rstrip(), flush=True)  # truncated or malformed, but still output of the edge
        return
    status, path = facts.get("status"), (facts.get("recorded") or {}).get("path", "?")
    paint = green if isinstance(status, int) and status < 400 else red
    words = [paint(str(status)), str(facts.get("method")), path, bold(str(facts.get("verdict")))]
    words += [
        f"{dim(name + '=')}{shown(fact)}" for name, fact in facts.items() if name not in QUIET
    ]
    print(" ".join(words), flush=True)


def shown(fact: object) -> str:
    if isinstance(fact, list):
        return ", ".join(map(shown, fact))
    return fact if isinstance(fact, str) else json.dumps(fact)
