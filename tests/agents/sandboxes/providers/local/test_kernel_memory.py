"""Memory that the kernel keeps for a sandbox, and that is in none of its processes."""

import os
import platform

import pytest
from tests.agents.sandboxes.providers.local.conftest import Sh

# Each would be far over the limit of 128 MB, and stays within what the machine has.
SOCKETS = """
import socket
pairs = []
for _ in range(300):
    pairs.append(socket.socketpair())
    for end in pairs[-1]:
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        try:
            while end.send(bytes(4096)): pass
        except BlockingIOError: pass
"""
CONNECTIONS = """
import socket
server, ways = socket.create_server(("127.0.0.1", 0)), []
for _ in range(100):
    ways += [socket.create_connection(server.getsockname()), server.accept()[0]]
    for end in ways[-2:]:
        end.setblocking(False)
        try:
            while end.send(bytes(1 << 18)): pass
        except BlockingIOError: pass
"""
NAMES = """
import os
for n in range(200_000): os.close(os.open(f"/dev/shm/{n}", os.O_CREAT | os.O_WRONLY))
"""
PAGE_TABLES = """
import ctypes, mmap
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
size, step = 150 << 30, 2 << 20
place = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, -1, 0)
libc.madvise(place, size, 15)
for at in range(place, place + size, step): ctypes.c_ubyte.from_address(at).value
"""
WAIT = "\nimport time; time.sleep(3)\n"


@pytest.mark.parametrize(
    "program",
    [SOCKETS, CONNECTIONS, NAMES, PAGE_TABLES],
    ids=["sockets", "connections", "names", "page-tables"],
)
async def test_what_the_kernel_keeps_is_counted(python: Sh, program: str) -> None:
    ran = await python(program + WAIT)
    assert (ran.limit, ran.exit_code) == ("memory", 137), ran.output


async def test_a_socket_holds_no_more_than_it_begins_with(python: Sh) -> None:
    ran = await python(
        "import socket\n"
        "end = socket.socket()\n"
        "for size in (socket.SO_SNDBUF, socket.SO_RCVBUF):\n"
        "    before = end.getsockopt(socket.SOL_SOCKET, size)\n"
        "    end.setsockopt(socket.SOL_SOCKET, size, 1 << 20)\n"
        "    print(end.getsockopt(socket.SOL_SOCKET, size) == before)\n"
        "end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)\n"
        "print(end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))\n"
        "end.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)\n"
    )
    assert (ran.exit_code, ran.output) == (0, b"True\nTrue\n1\n")


FILL_THE_FIRST = """
import ctypes, time
libc = ctypes.CDLL(None)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
names = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
         "fs_base gs_base ds es fs gs")
class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in names.split()]
attach, get, put, step = 16, 12, 13, 9
found = Registers()
assert libc.ptrace(attach, 1, None, None) == 0
time.sleep(0.3)
assert libc.ptrace(get, 1, None, ctypes.byref(found)) == 0
# Once more the system call that it waits in, as a mapping of 300 MB that is filled at once.
found.rip -= 2
found.rax, found.orig_rax = 9, 2**64 - 1
found.rdi, found.rsi, found.rdx, found.r10 = 0, 300 << 20, 3, 0x8022
found.r8, found.r9 = 2**64 - 1, 0
assert libc.ptrace(put, 1, None, ctypes.byref(found)) == 0
assert libc.ptrace(step, 1, None, None) == 0
time.sleep(5)
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the registers are those of x86_64")
async def test_the_first_process_holds_nothing_unseen(python: Sh) -> None:
    ran = await python(FILL_THE_FIRST)
    assert (ran.limit, ran.exit_code) == ("memory", 137), ran.output


async def test_no_program_of_the_host_gets_a_core(python: Sh) -> None:
    """By a limit of one byte; a limit of none does not keep a program from getting them."""
    ran = await python("import resource; print(*resource.getrlimit(resource.RLIMIT_CORE))")
    assert ran.output == b"1 1\n"


async def test_the_server_goes_first(python: Sh) -> None:
    ran = await python(
        "import os\n"
        "print(os.getpriority(os.PRIO_PROCESS, 0))\n"
        "try:\n"
        "    os.setpriority(os.PRIO_PROCESS, 0, 0)\n"
        "except PermissionError:\n"
        "    print('no')\n"
    )
    assert ran.output.decode().split() == [
        str(min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)),
        "no",
    ]
