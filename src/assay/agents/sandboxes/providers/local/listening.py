"""Listens inside of a sandbox's network, for the server outside of it. Run as a program.

Takes the number of a process in the sandbox, a port, and the descriptor of a socket to the server,
which gets the listening socket. A process of its own, since one with threads cannot change its user
namespace; and nothing of it is in the sandbox, where a command could reach it.
"""

import ctypes
import fcntl
import os
import socket
import sys

_NS_GET_USERNS = 0xB701


def main(pid: int, port: int, server: int) -> None:
    """Enter the network of process `pid`, and give the socket that listens there to `server`."""
    network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    _enter(fcntl.ioctl(network, _NS_GET_USERNS))
    _enter(network)
    with socket.create_server(("127.0.0.1", port)) as listening, socket.socket(fileno=server) as to:
        socket.send_fds(to, [b"!"], [listening.fileno()])


def _enter(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
