"""Fastgate on your machine: identity providers, a FastAPI origin and the edge in front of it.

    python3 dev/demo demo     start them, show what to try, run until Ctrl-C
    python3 dev/demo smoke    start them, make requests, check the responses

`make demo` and `make smoke` build everything first. The ports are fixed, because fastly.toml and
policy.json name them. Standard library only: this runs before anything is installed.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Mapping

from children import STOP_SIGNALS, Children
from layout import DemoError
from show import demo
from smoke import smoke
from words import red

ACTIONS: Mapping[str, Callable[[Children], int]] = {"demo": demo, "smoke": smoke}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="dev/demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=ACTIONS)
    action = ACTIONS[parser.parse_args().action]
    for number in STOP_SIGNALS:
        signal.signal(number, signal.default_int_handler)
    try:
        with Children() as children:
            return action(children)
    except KeyboardInterrupt:
        return 130
    except DemoError as error:
        print(red(f"\n{error}"), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
