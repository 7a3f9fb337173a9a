"""The system calls that a sandbox goes without, as a program for the kernel's filter.

Namespaces leave gaps that these close: a socket of the family AF_VSOCK reaches the host of a
virtual machine past the network namespace, io_uring opens sockets past this filter, and the memory
of a memfd, or of large System V segments, semaphores and queues, belongs to no process, so that
nobody could count it. Of one call of fallocate a disk is full before anybody has looked. The others
show something of the machine, or are parts of the kernel with a history of holes, of no use to
somebody who works on code.
"""

import errno
import platform
import struct
from collections.abc import Iterator
from functools import cache

_LOAD, _IS, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND, _SECOND_HIGH, _THIRD = 0, 4, 16, 24, 28, 32
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_OTHER_ABI = 0x40000000
_FAMILIES = {"unix": 1, "inet": 2, "inet6": 10, "netlink": 16}
_LARGEST_SEGMENT = 64 * 1024
"""PostgreSQL needs a segment of some bytes; the 4096 that there may be must not fill a memory."""

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_DENIED = {
    "x86_64": {
        "memfd_create": 319,
        "memfd_secret": 447,
        "io_uring_setup": 425,
        "bpf": 321,
        "perf_event_open": 298,
        "userfaultfd": 323,
        "add_key": 248,
        "request_key": 249,
        "keyctl": 250,
        "msgget": 68,
        "syslog": 103,
    },
    "aarch64": {
        "memfd_create": 279,
        "memfd_secret": 447,
        "io_uring_setup": 425,
        "bpf": 280,
        "perf_event_open": 241,
        "userfaultfd": 282,
        "add_key": 217,
        "request_key": 218,
        "keyctl": 219,
        "msgget": 186,
        "syslog": 116,
    },
}
_SOCKETS = {"x86_64": (41, 53), "aarch64": (198, 199)}
"""Those that make a socket, and a pair of them."""
_FALLOCATE = {"x86_64": 285, "aarch64": 47}
_SHMGET = {"x86_64": 29, "aarch64": 194}
_SEMGET = {"x86_64": 64, "aarch64": 190}
_SETSOCKOPT = {"x86_64": 54, "aarch64": 208}
_SOL_SOCKET = 1
_SIZES = {"SO_SNDBUF": 7, "SO_RCVBUF": 8}
_LARGEST_SET = 32
"""There may be 32000 sets; what uses them at all takes some semaphores each."""
MACHINES = tuple(_ARCHITECTURES)
"""The machines that a filter can be made for."""


@cache
def program(machine: str = platform.machine()) -> bytes:
    """The filter for a machine of `MACHINES`, as an array of `struct sock_filter`.

    What it refuses fails as if the kernel did not have it, so that programs take another way.
    """
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in _instructions(machine))


def _instructions(machine: str) -> Iterator[tuple[int, int, int, int]]:
    absent = (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)
    allowed = (_RETURN, 0, 0, _ALLOW)
    yield (_LOAD, 0, 0, _ARCHITECTURE)
    yield (_IS, 1, 0, _ARCHITECTURES[machine])
    yield absent
    yield (_LOAD, 0, 0, _NUMBER)
    yield (_AT_LEAST, 0, 1, _OTHER_ABI)
    yield absent
    for number in _DENIED[machine].values():
        yield (_IS, 0, 1, number)
        yield absent
    yield (_IS, 0, 1, _FALLOCATE[machine])
    # What a file system says that cannot do it: programs write instead.
    yield (_RETURN, 0, 0, _ERRNO | errno.EOPNOTSUPP)
    for number in _SOCKETS[machine]:
        yield (_IS, 0, 2 * len(_FAMILIES) + 2, number)
        yield (_LOAD, 0, 0, _FIRST)
        for family in _FAMILIES.values():
            yield (_IS, 0, 1, family)
            yield allowed
        yield (_RETURN, 0, 0, _ERRNO | errno.EAFNOSUPPORT)
    yield from _sizes_as_they_are(machine)
    yield (_IS, 0, 4, _SEMGET[machine])
    yield (_LOAD, 0, 0, _SECOND)
    yield (_AT_LEAST, 0, 1, _LARGEST_SET + 1)
    yield absent
    yield allowed
    yield (_IS, 0, 5, _SHMGET[machine])
    yield (_LOAD, 0, 0, _SECOND_HIGH)
    yield (_IS, 0, 2, 0)
    yield (_LOAD, 0, 0, _SECOND)
    yield (_AT_LEAST, 0, 1, _LARGEST_SEGMENT + 1)
    yield absent
    yield allowed


def _sizes_as_they_are(machine: str) -> Iterator[tuple[int, int, int, int]]:
    """What sets how much a socket may hold succeeds, and does nothing.

    No process holds what is in sockets, so each counts for the size that it begins with.
    """
    yield (_IS, 0, 2 * len(_SIZES) + 4, _SETSOCKOPT[machine])
    yield (_LOAD, 0, 0, _SECOND)
    yield (_IS, 0, 2 * len(_SIZES) + 1, _SOL_SOCKET)
    yield (_LOAD, 0, 0, _THIRD)
    for option in _SIZES.values():
        yield (_IS, 0, 1, option)
        yield (_RETURN, 0, 0, _ERRNO)
    yield (_RETURN, 0, 0, _ALLOW)
