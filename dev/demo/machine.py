"""What this machine can do."""

import socket


def is_own(address: str) -> bool:
    """Whether clients can call from there: all of 127.0.0.0/8 on Linux, not so on macOS."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True
