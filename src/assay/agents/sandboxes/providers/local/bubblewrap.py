"""How bubblewrap is called: what a sandbox sees of this machine, and as whom it runs.

A server that runs as root does not run sandboxes as root, not even as a root that is somebody else
inside: the kernel counts no processes for that user, and the files of the system are its own. So
there bubblewrap is started as a user without rights, who finds the sandbox's folder at a place that
can be reached in a mount namespace made for it.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.agents.sandboxes.providers.local.leftovers import mark
from assay.agents.sandboxes.providers.types import WORK, SandboxLimits, SandboxUnusable

HOME = "/home/agent"
FOLDERS = {"work": WORK, "tmp": "/tmp", "home": HOME}  # noqa: S108  # a sandbox's own
"""What a sandbox may write, each a folder within its own, so that it lasts between commands."""

UNPRIVILEGED = 65533
"""Whom sandboxes run as where the server is root: nobody, in any list of 16 bits of users."""

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_INSIDE = 1000
_SHARED_MEMORY = 64 * 1024**2
_OPEN_FILES = 8192
_MEETING = "/mnt"
# Each takes the place of the one before it, so that no process of root's is left to be killed.
_BRING = '"$1" --bind -- "$2" "$3" && shift 3 && exec "$@"'
READY = b"\n"
"""What comes before all output, as soon as the sandbox would die with the server."""

# Where the server dies before it has let the command begin, no line comes, and it never does.
_GATE = 'echo && read -r _ && exec "$@"'
_ETC = {
    "passwd": (
        "root:x:0:0:root:/root:/usr/sbin/nologin\n"
        f"agent:x:{_INSIDE}:{_INSIDE}:agent:{HOME}:/bin/sh\n"
    ),
    "group": f"root:x:0:\nagent:x:{_INSIDE}:\n",
    "hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
_OF_THE_HOST = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
    "/etc/localtime",
)
_PROGRAMS = {
    "bwrap": "bubblewrap",
    "prlimit": "util-linux",
    "choom": "util-linux",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
}
_LINKS = ("/bin", "/sbin", "/lib", "/lib64", "/lib32")
_ENVIRONMENT = {
    "PATH": PATH,
    "HOME": HOME,
    "USER": "agent",
    "LOGNAME": "agent",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "TMPDIR": FOLDERS["tmp"],
}


@dataclass(frozen=True, slots=True)
class Call:
    """How to start bubblewrap: its arguments, those that it reads from a file, its environment.

    The second are in no list of processes, and nothing of the server is among the others.
    """

    arguments: tuple[str, ...]
    read: bytes
    environment: Mapping[str, str]


def programs() -> Mapping[str, str]:
    """Where the programs are that a sandbox is made with.

    Raises:
        SandboxUnusable: one is missing; says how it is installed.
    """
    found = {}
    for name, package in _PROGRAMS.items():
        path = shutil.which(name)
        if path is None:
            raise SandboxUnusable(
                f"Sandboxes on this machine need {name}, which is not installed: "
                f"apt-get install {package} (or the same with your system's packages)."
            )
        found[name] = path
    return found


def make_folders(folder: Path) -> None:
    """Make what a sandbox consists of; what is there stays."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    etc = folder / "etc"
    etc.mkdir(mode=0o755, exist_ok=True)
    for name, content in _ETC.items():
        (etc / name).write_text(content)
        (etc / name).chmod(0o644)
    for name in FOLDERS:
        (folder / name).mkdir(mode=0o755, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(folder / name, UNPRIVILEGED, UNPRIVILEGED)
    for path in (folder, etc):
        path.chmod(0o755)


def call(
    folder: Path,
    arguments: Sequence[str],
    *,
    limits: SandboxLimits,
    cwd: str,
    environment: Mapping[str, str],
    fds: Mapping[str, int],
    stdin: bool = False,
    keeper: bool = False,
) -> Call:
    """How to run `arguments` in the sandbox that is in `folder`.

    Args:
        folder: made by `make_folders`.
        arguments: the program and its arguments.
        limits: those that the kernel holds for each process or user.
        cwd: where, in the sandbox.
        environment: added to the sandbox's own.
        fds: the descriptors that bubblewrap gets, by its options without dashes; `args` is one.
        stdin: whether the command reads what comes behind the line that it waits for.
        keeper: whether it may read and remove whatever the sandbox has hidden from itself. For
            programs of ours only.

    Raises:
        SandboxUnusable: a program is missing.
        SandboxGone: the folder is gone.
    """
    found = programs()
    source = folder
    # Outside, since within it cannot be set any more; by root, so that only root can set it back.
    before: tuple[str, ...] = (found["choom"], "-n", "1000", "--")
    if os.geteuid() == 0:
        source = Path(_MEETING)
        user = str(UNPRIVILEGED)
        before = (
            *before,
            *(found["unshare"], "--mount", "--", "/bin/sh", "-c", _BRING, "sh"),
            *(found["mount"], str(folder), _MEETING),
            *(found["setpriv"], "--reuid", user, "--regid", user, "--clear-groups", "--"),
        )
    files = [*_files(source), *_hidden(folder.parent.parent), "--remount-ro", "/"]
    options = [*_namespaces(keeper), *files, "--chdir", cwd, "--clearenv"]
    for name, value in {**_ENVIRONMENT, **environment}.items():
        options += ["--setenv", name, value]
    for name, descriptor in fds.items():
        if name != "args":
            options += [f"--{name}", str(descriptor)]
    gate = ("/bin/sh", "-c", _GATE if stdin else f"{_GATE} </dev/null", "sh")
    inner = (found["bwrap"], "--args", str(fds["args"]), "--", *gate, *_limited(limits, found))
    read = b"".join(os.fsencode(option) + b"\0" for option in options)
    return Call((*before, *inner, *arguments), read, mark(folder))


def _namespaces(keeper: bool) -> list[str]:
    options = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"]
    options += ["--new-session", "--hostname", "sandbox", "--cap-drop", "ALL"]
    options += ["--uid", str(_INSIDE), "--gid", str(_INSIDE)]
    if keeper:
        options += ["--cap-add", "CAP_DAC_OVERRIDE", "--cap-add", "CAP_FOWNER"]
    return options


def _files(source: Path) -> list[str]:
    options = ["--ro-bind", "/usr", "/usr"]
    for link in map(Path, _LINKS):
        if link.is_symlink():
            options += ["--symlink", str(link.readlink()), str(link)]
        elif link.is_dir():
            options += ["--ro-bind", str(link), str(link)]
    for path in _OF_THE_HOST:
        options += ["--ro-bind-try", path, path]
    for name in _ETC:
        options += ["--ro-bind", str(source / "etc" / name), f"/etc/{name}"]
    options += ["--proc", "/proc", "--dev", "/dev"]
    options += ["--size", str(_SHARED_MEMORY), "--tmpfs", "/dev/shm"]  # noqa: S108  # its own
    # Else a process could set back that the kernel ends it first when memory runs out.
    options += ["--remount-ro", "/dev", "--remount-ro", "/proc"]
    for name, place in FOLDERS.items():
        options += ["--bind", str(source / name), place]
    return options


def _hidden(home: Path) -> Iterator[str]:
    """What takes the server's own files away, where they are below a folder that sandboxes see."""
    seen = [Path(path).resolve() for path in ("/usr", *_LINKS, *_OF_THE_HOST)]
    if any(home.is_relative_to(path) for path in seen):
        yield from ("--size", "4096", "--tmpfs", str(home), "--remount-ro", str(home))
    settings = Path.cwd() / ".env"
    if settings.exists() and any(settings.is_relative_to(path) for path in seen):
        yield from ("--ro-bind", os.devnull, str(settings))


def _limited(limits: SandboxLimits, found: Mapping[str, str]) -> list[str]:
    # One file gets just over the limit of all, so that the watch sees that it was reached. A core
    # has one byte: with none, a machine that hands cores to a program of root's still does so.
    size, processes = limits.disk_bytes + 4096, limits.processes + 2
    return [
        *(found["prlimit"], f"--nproc={processes}:{processes}", f"--fsize={size}:{size}"),
        *("--core=1:1", f"--nofile=1024:{_OPEN_FILES}", "--"),
    ]
