"""`smoke`: makes the requests, judges the answers, shows each verdict."""

import socket
from collections.abc import Sequence

from callers import GARBAGE, TOKENS
from chapters import CHAPTERS
from checks import Check, Outcome
from children import Children
from edge_log import EdgeLog
from layout import LOGS, ROOT
from words import bold, dim, green, red

WIDEST = 62  # of the column with the requests; a longer one pushes the others aside


def smoke(children: Children) -> int:
    log = EdgeLog()
    children.report_requests(log.report)
    tokens = {name: request.token() for name, request in TOKENS.items()}
    tokens[GARBAGE] = GARBAGE
    outcomes: list[Outcome] = []
    skipped: list[Check] = []
    for chapter in CHAPTERS:
        print(f"\n{bold(chapter.title)}")
        for check in chapter.checks:
            if not is_own(check.source):
                skipped.append(check)
                print(f"  {check.label():<{WIDEST}}  {dim('left out')}")
                continue
            outcomes.append(check.run(tokens, log))
            print_outcome(outcomes[-1])
    children.check_alive()
    print_sum(outcomes, skipped)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def is_own(address: str) -> bool:
    """Whether this machine can call from there: all of 127.0.0.0/8 on Linux, not so on macOS."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True


def print_outcome(outcome: Outcome) -> None:
    mark = green("✓") if outcome.passed else red("✗")
    print(f"{mark} {outcome.check.label():<{WIDEST}}  {outcome.check.expected()}", flush=True)
    if not outcome.passed:
        print(f"  {'':<{WIDEST}}  {red('but got ' + outcome.got)}")


def print_sum(outcomes: Sequence[Outcome], skipped: Sequence[Check]) -> None:
    print()
    if skipped:
        addresses = " ".join(sorted({check.source for check in skipped}))
        print(f"{len(skipped)} left out: this machine has no address {addresses}", end="")
        print("; on macOS: sudo ifconfig lo0 alias ADDRESS")
    failed = sum(not outcome.passed for outcome in outcomes)
    if failed:
        print(red(f"{failed} of {len(outcomes)} failed"))
        print(f"logs: {LOGS.relative_to(ROOT)}/")
    else:
        print(green(f"all {len(outcomes)} as expected"))
