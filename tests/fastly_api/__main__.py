"""`python -m fastly_api`: runs the stand-in until it is stopped."""

import argparse
from pathlib import Path

from fastly_api.app import StandIn
from fastly_api.running import listener, server


def main() -> None:
    """Print the address and serve."""
    parser = argparse.ArgumentParser(prog="python -m fastly_api", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--state", type=Path, help="a JSON file that keeps the state")
    arguments = parser.parse_args()
    web, opened = server(StandIn(arguments.state)), listener(arguments.port)
    print(f"http://127.0.0.1:{opened.getsockname()[1]}", flush=True)
    web.run([opened])


if __name__ == "__main__":
    main()
