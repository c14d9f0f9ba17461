"""`demo`: lines to paste, and the edge's log as requests come in."""

import json
import time

from children import POLL_SECONDS, REQUESTS, Children
from layout import LOGS, ROOT
from paste import GROUPS
from words import bold, dim, green, red

# What a person hardly looks at; it is in the file with the whole lines.
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
    print(f"{bold('Ctrl-C')} ends all three.\n")
    children.report_requests(print_request)
    try:
        while True:
            children.check_alive()
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:  # the way a demo ends
        print()
        return 0


def print_request(text: str) -> None:
    """One request of the edge's log: what became of it, and what else is of interest."""
    try:
        facts = json.loads(text)
    except ValueError:
        print(text.rstrip(), flush=True)  # cut short or broken, but still what the edge said
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
