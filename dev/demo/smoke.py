"""`smoke`: makes the requests, judges the answers, shows each verdict."""

from collections.abc import Sequence

from callers import GARBAGE, TOKENS
from chapters import CHAPTERS
from checks import Check, Outcome
from children import Children
from edge_log import EdgeLog
from layout import LOGS, ROOT
from machine import is_own
from rehearsal import Pasted, rehearse
from words import bold, dim, green, red

WIDEST = 62  # of the column with the requests; a longer one pushes the others aside


def smoke(children: Children) -> int:
    log = EdgeLog()
    children.report_requests(log.report)
    tokens = {name: request.token() for name, request in TOKENS.items()}
    tokens[GARBAGE] = GARBAGE
    verdicts: list[bool] = []
    strange: set[str] = set()
    for chapter in CHAPTERS:
        print(f"\n{bold(chapter.title)}")
        for check in chapter.checks:
            if is_own(check.source):
                outcome = check.run(tokens, log)
                verdicts.append(outcome.passed)
                print_outcome(outcome)
            else:
                strange.add(check.source)
                print_left_out(check)
    print(f"\n{bold('The lines of `make demo`, in a shell')}")
    for pasted in rehearse():
        verdicts.append(pasted.passed)
        print_pasted(pasted)
    children.check_alive()
    print_sum(verdicts, strange)
    return 0 if all(verdicts) else 1


def print_outcome(outcome: Outcome) -> None:
    check = outcome.check
    print_row(check.label(), check.expected(), "" if outcome.passed else outcome.got)


def print_pasted(pasted: Pasted) -> None:
    expected, got = (", ".join(map(str, some)) for some in (pasted.line.statuses, pasted.statuses))
    print_row(pasted.line.comment, expected, "" if pasted.passed else got or "no answer")


def print_row(label: str, expected: str, wrong: str) -> None:
    print(f"{red('✗') if wrong else green('✓')} {label:<{WIDEST}}  {expected}", flush=True)
    if wrong:
        print(f"  {'':<{WIDEST}}  {red('but got ' + wrong)}")


def print_left_out(check: Check) -> None:
    print(f"  {check.label():<{WIDEST}}  {dim('left out')}")


def print_sum(verdicts: Sequence[bool], strange: set[str]) -> None:
    print()
    if strange:
        print(f"left out: what calls from {' '.join(sorted(strange))}, which this machine is not;")
        print("on macOS, `sudo ifconfig lo0 alias ADDRESS` makes it that")
    failed = verdicts.count(False)
    if failed:
        print(red(f"{failed} of {len(verdicts)} failed"))
        print(f"logs: {LOGS.relative_to(ROOT)}/")
    else:
        print(green(f"all {len(verdicts)} as expected"))
