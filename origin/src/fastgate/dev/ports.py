"""Sockets on the loopback address, bound before anything is started.

Input: ports. Output: listening sockets, or an error that says which port is in use and what to do.
"""

import errno
import socket
from collections.abc import Mapping

from fastgate.wrong_call import WrongCall

HOST = "127.0.0.1"


def refuse_equal(ports: Mapping[str, int]) -> None:
    """Raise `WrongCall` if two options choose the same port; 0 chooses another one each time."""
    known: dict[int, str] = {}
    for option, port in ports.items():
        if port and (other := known.setdefault(port, option)) != option:
            raise WrongCall(f"{other} and {option} are both {port}: choose another {option}")


def bound(port: int, option: str) -> socket.socket:
    """Return a socket that listens on a port; 0 chooses one. Connections wait for a server.

    Args:
        port: the port.
        option: the option of the command line that chooses it.

    Raises:
        WrongCall: the port cannot be used.

    """
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((HOST, port))
        made.listen()
    except (OSError, OverflowError) as error:
        made.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise WrongCall(
                f"port {port} is in use: end the program that uses it, or choose another one with "
                f"{option}"
            ) from error
        raise WrongCall(
            f"port {port} cannot be used ({error}): choose one with {option}"
        ) from error
    made.set_inheritable(True)
    return made


def free_address(port: int, option: str) -> str:
    """Return the address for another process of ours, which can bind it; 0 chooses a port.

    Raises:
        WrongCall: the port cannot be used.

    """
    with bound(port, option) as listening:
        return address_of(listening)


def address_of(listening: socket.socket) -> str:
    """Return `127.0.0.1:PORT`."""
    host, port = listening.getsockname()
    return f"{host}:{port}"
