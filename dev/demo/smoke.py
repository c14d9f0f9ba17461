"""`smoke`: sends the requests, checks the responses, and prints each result."""

from collections.abc import Sequence

from callers import GARBAGE, TOKENS
from chapters import CHAPTERS
from checks import Check, Outcome
from children import Children
from edge_log import EdgeLog
from failover import IN_THE_US, failover
from layout import LOGS, ROOT
from machine import is_own
from pasted import Pasted, run_lines
from words import bold, dim, green, red

WIDEST = 62  # width of the column with the requests; a longer request shifts the other columns


def smoke(children: Children) -> int:
    log = EdgeLog()
    children.report_requests(log.report)
    tokens = {name: request.token() for name, request in TOKENS.items()}
    tokens[GARBAGE] = GARBAGE
    verdicts: list[bool] = []
    missing: set[str] = set()
    for chapter in CHAPTERS:
        print(f"\n{bold(chapter.title)}")
        for check in chapter.checks:
            if is_own(check.source):
                outcome = check.run(tokens, log)
                verdicts.append(outcome.passed)
                print_outcome(outcome)
            else:
                missing.add(check.source)
                print_skipped(check)
    print(f"\n{bold('The lines of `make demo`, in a shell')}")
    for pasted in run_lines():
        verdicts.append(pasted.passed)
        print_pasted(pasted)
    if is_own(IN_THE_US):
        print(f"\n{bold('A region fails under load')}")
        for claim, found in failover(children):
            verdicts.append(found == "")
            print_row(claim, "", found)
    children.check_alive()
    print_sum(verdicts, missing)
    return 0 if all(verdicts) else 1


def print_outcome(outcome: Outcome) -> None:
    check = outcome.check
    print_row(check.label(), check.expected(), "" if outcome.passed else outcome.got)


def print_pasted(pasted: Pasted) -> None:
    expected, got = (", ".join(map(str, some)) for some in (pasted.line.statuses, pasted.statuses))
    print_row(pasted.line.comment, expected, "" if pasted.passed else got or "no response")


def print_row(label: str, expected: str, wrong: str) -> None:
    print(f"{red('✗') if wrong else green('✓')} {label:<{WIDEST}}  {expected}", flush=True)
    if wrong:
        print(f"  {'':<{WIDEST}}  {red('but got ' + wrong)}")


def print_skipped(check: Check) -> None:
    print(f"  {check.label():<{WIDEST}}  {dim('skipped')}")


def print_sum(verdicts: Sequence[bool], missing: set[str]) -> None:
    print()
    if missing:
        print(
            f"skipped: requests from {' '.join(sorted(missing))}, which this machine does not have;"
        )
        print("on macOS, add each address with `sudo ifconfig lo0 alias ADDRESS`")
    failed = verdicts.count(False)
    if failed:
        print(red(f"{failed} of {len(verdicts)} failed"))
        print(f"logs: {LOGS.relative_to(ROOT)}/")
    else:
        print(green(f"all {len(verdicts)} as expected"))
