"""Sockets on the loopback address, bound before anything is started.

Input: ports. Output: listening sockets, or an error that says which port is in use and what to do.
"""

import errno
import socket

from fastgate.wrong_call import WrongCall

HOST = "127.0.0.1"


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
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise WrongCall(
                f"port {port} is in use: end the program that uses it, or choose another one with "
                f"{option}"
            ) from error
        raise WrongCall(
            f"port {port} cannot be used ({error}): choose one with {option}"
        ) from error
    made.set_inheritable(True)
    return made


def check_free(port: int, option: str) -> None:
    """Raise `WrongCall` unless another process of ours can bind this port."""
    bound(port, option).close()


def address_of(listening: socket.socket) -> str:
    """Return `127.0.0.1:PORT`."""
    host, port = listening.getsockname()
    return f"{host}:{port}"
