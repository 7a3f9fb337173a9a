"""A sandbox's own network, which nothing leaves: a socket in it that the server listens on."""

import array
import contextlib
import os
import socket
import sys
from pathlib import Path
from subprocess import STDOUT

from assay.agents.sandboxes.providers.local import listening
from assay.agents.sandboxes.providers.types import SandboxUnusable
from assay.core.programs import start_program

PORT = 3128
_ADDRESS = f"http://127.0.0.1:{PORT}"
_PROXIES = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), _ADDRESS)
_DIRECT = dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1,::1")
ENVIRONMENT = {**_PROXIES, **_DIRECT}
"""What tells the programs in a sandbox of the proxy."""

_PROGRAM = str(Path(listening.__file__))


async def listen_within(pid: int) -> socket.socket:
    """A socket that listens on `PORT` in the network of process `pid`; others cannot reach it.

    Raises:
        SandboxUnusable: this server may not enter the network.
    """
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            arguments = ("-I", "-S", _PROGRAM, str(pid), str(PORT), str(theirs.fileno()))
            program = start_program(
                sys.executable,
                *arguments,
                env=os.environ,
                cwd="/",
                stdin=False,
                stderr=STDOUT,
                pass_fds=(theirs.fileno(),),
            )
        with contextlib.closing(program):
            try:
                said = await program.stdout.read_all()
                exit_code = await program.wait()
            finally:
                program.kill()
        if exit_code != 0:
            reason = said.decode(errors="replace").strip().rpartition("\n")[2]
            raise SandboxUnusable(
                f"The network of a sandbox cannot be entered ({reason}): run the server as a user "
                "that may, or allow no hosts (SANDBOX_NETWORK)."
            )
        ours.setblocking(False)
        _, ancillary, _, _ = ours.recvmsg(1, socket.CMSG_LEN(array.array("i").itemsize))
    descriptor = array.array("i", ancillary[0][2])[0]
    listener = socket.socket(fileno=descriptor)
    listener.setblocking(False)
    return listener
