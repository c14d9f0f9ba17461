"""Mutation tests: does a test fail when a line of the code is changed?

    python3 dev/mutants rust identity/token [--minutes 60]    cargo-mutants and the native tests
    python3 dev/mutants python verify [--minutes 60]          cosmic-ray and tests of the package

The code is changed in a copy below target/, so the working tree does not change. The results are
written to tests/mutants/. Each survivor stays there until a test kills it or a person adds the
reason why no test can. Exits 0 if every survivor has a reason, 1 if one has none, 2 if the run
failed. Standard library only.
"""

import argparse
import signal
import sys

import cargo
import cosmic
from record import MutantsError


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="dev/mutants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("language", choices=("rust", "python"))
    parser.add_argument(
        "module", help="identity, identity/token, request/path, …; verify, routes.check, …"
    )
    parser.add_argument(
        "--again", action="store_true", help="rust: only those that survived before"
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="for one run at most")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))  # so that cleanup code runs
    try:
        if arguments.language == "rust":
            return cargo.run(arguments.module, arguments.minutes, again=arguments.again)
        return cosmic.run(arguments.module, arguments.minutes)
    except MutantsError as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
