"""The addresses of this machine."""

import socket


def is_own(address: str) -> bool:
    """Whether clients can use this address: all of 127.0.0.0/8 on Linux, only some on macOS."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True
