"""What cannot be seen or done from inside of a sandbox."""

import asyncio
import os
import platform
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.agents.sandboxes.providers.local.conftest import LIMITS, Sh

from assay.agents.sandboxes.providers.local import bubblewrap
from assay.agents.sandboxes.providers.local.provider import LocalProvider
from assay.agents.sandboxes.providers.local.sandbox import LocalSandbox
from assay.agents.sandboxes.providers.types import Command, NoSuchFile
from assay.core.errors import Invalid

HERE = str(Path.cwd())
SECRET = "sk-never-to-be-seen-by-anybody"


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text(SECRET)
    return path


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that the user of sandboxes can reach too; those of pytest are its own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
async def neighbour() -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of this machine with a secret in its environment."""
    process = await asyncio.create_subprocess_exec("sleep", "60", env={"KEY": SECRET, **os.environ})
    yield process
    if process.returncode is None:
        process.kill()
    await process.wait()


async def test_files_of_the_host_are_not_there(sh: Sh, secret_file: Path) -> None:
    hidden = (str(secret_file), "/etc/shadow", "/root", "/run", "/sys", "/var", HERE)
    for path in hidden:
        ran = await sh('ls "$1" || cat "$1"', path)
        assert ran.exit_code != 0, path
        assert b"No such file" in ran.output, path


async def test_files_of_the_host_cannot_be_written(sh: Sh) -> None:
    tried = [
        "/usr/bin/planted",
        "/etc/passwd",
        "/etc/planted",
        "/planted",
        "/dev/planted",
        "/bin/sh",
    ]
    for path in tried:
        ran = await sh('echo x >>"$1"', path)
        assert ran.exit_code != 0, path
    assert "planted" not in os.listdir("/usr/bin")  # noqa: PTH208  # not a walk


async def test_the_servers_environment_and_processes_are_not_seen(
    sh: Sh, monkeypatch: pytest.MonkeyPatch, neighbour: asyncio.subprocess.Process
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    assert neighbour.returncode is None
    ran = await sh("env; cat /proc/*/environ /proc/*/cmdline; ps aux; readlink /proc/*/exe")
    assert b"HOME=/home/agent" in ran.output
    assert SECRET.encode() not in ran.output
    assert HERE.encode() not in ran.output
    ran = await sh("ls -d /proc/[0-9]* | wc -l")
    assert int(ran.output) <= 6


async def test_processes_of_the_host_cannot_be_reached(
    sh: Sh, neighbour: asyncio.subprocess.Process
) -> None:
    ran = await sh('cat "/proc/$1/environ" || ls "/proc/$1/root/"', str(neighbour.pid))
    assert ran.exit_code != 0
    ran = await sh('kill -9 "$1"; kill -9 -1; true', str(neighbour.pid))
    assert neighbour.returncode is None
    os.kill(neighbour.pid, 0)


async def test_the_first_process_leads_nowhere(sh: Sh) -> None:
    ran = await sh("ls /proc/1/root/; cat /proc/1/root/etc/shadow; cat /proc/1/root/etc/passwd")
    assert b"No such file" in ran.output
    assert b"agent:x:1000" in ran.output
    assert b"daemon" not in ran.output


async def test_network_of_the_host_is_not_reached(python: Sh) -> None:
    abstract = f"\0assay-test-{os.getpid()}"
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        unix.bind(abstract)
        unix.listen()
        ran = await python(
            "import socket, sys\n"
            "def reach(family, address):\n"
            "    try:\n"
            "        socket.socket(family).connect(address)\n"
            "    except OSError as error:\n"
            "        print(type(error).__name__)\n"
            "    else:\n"
            "        print('reached')\n"
            "reach(socket.AF_INET, ('127.0.0.1', int(sys.argv[1])))\n"
            "reach(socket.AF_INET, ('1.1.1.1', 53))\n"
            "reach(socket.AF_INET, ('169.254.169.254', 80))\n"
            "reach(socket.AF_UNIX, '\\0' + sys.argv[2])\n"
            "try:\n"
            "    socket.getaddrinfo('example.com', 80)\n"
            "except OSError as error:\n"
            "    print(type(error).__name__)\n"
            "print(open('/proc/net/dev').read())\n",
            str(listening.getsockname()[1]),
            abstract[1:],
        )
    lines = ran.output.decode().splitlines()
    assert lines[:5] == [
        "ConnectionRefusedError",
        "OSError",
        "OSError",
        "ConnectionRefusedError",
        "gaierror",
    ]
    assert [line.split(":")[0].strip() for line in lines[5:] if ":" in line] == ["lo"]


async def test_sockets_past_the_network_namespace_are_refused(python: Sh) -> None:
    ran = await python(
        "import socket, os, ctypes, errno\n"
        "for family in (40, 17, 38):\n"
        "    try:\n"
        "        socket.socket(family, socket.SOCK_STREAM)\n"
        "    except OSError as error:\n"
        "        print(errno.errorcode[error.errno])\n"
        "for family in (40, 17, 38):\n"
        "    try:\n"
        "        socket.socketpair(family, socket.SOCK_STREAM)\n"
        "    except OSError as error:\n"
        "        print(errno.errorcode[error.errno])\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "print(libc.syscall(425, 8, 0), errno.errorcode[ctypes.get_errno()])\n"
        "socket.socketpair(); socket.socket(); socket.socket(socket.AF_INET6)\n"
    )
    assert ran.output.decode().split() == ["EAFNOSUPPORT"] * 6 + ["-1", "ENOSYS"]
    assert ran.exit_code == 0


async def test_memory_that_belongs_to_no_process_is_refused(python: Sh) -> None:
    ran = await python(
        "import os, ctypes\n"
        "libc = ctypes.CDLL(None)\n"
        "try:\n"
        "    os.memfd_create('x')\n"
        "except OSError as error:\n"
        "    print(error.strerror)\n"
        "print(libc.shmget(0, ctypes.c_size_t(1 << 20), 0o1600))\n"
        "print(libc.shmget(0, ctypes.c_size_t(1 << 32), 0o1600))\n"
        "print(libc.shmget(0, ctypes.c_size_t(56), 0o1600) >= 0)\n"
        "print(libc.semget(0, 33, 0o1600), libc.semget(0, -1, 0o1600), libc.msgget(0, 0o1600))\n"
        "print(libc.semget(0, 32, 0o1600) >= 0)\n"
    )
    lines = ["Function not implemented", "-1", "-1", "True", "-1 -1 -1", "True"]
    assert ran.output.decode().splitlines() == lines


async def test_the_kernel_ends_sandboxes_first(sh: Sh) -> None:
    ran = await sh(
        "echo 0 >/proc/self/oom_score_adj; echo 0 >/proc/1/oom_score_adj; "
        "cat /proc/self/oom_score_adj /proc/1/oom_score_adj"
    )
    assert ran.output.decode().splitlines()[-2:] == ["1000", "1000"]


async def test_nothing_of_the_kernel_is_told_or_set(sh: Sh, python: Sh) -> None:
    ran = await python(
        "import ctypes, errno\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "text = ctypes.create_string_buffer(1000)\n"
        "print(libc.klogctl(3, text, 1000), errno.errorcode[ctypes.get_errno()])\n"
        "for number in (321, 298, 323, 248, 250, 319):\n"
        "    print(libc.syscall(number, 0, 0, 0, 0, 0), errno.errorcode[ctypes.get_errno()])\n"
    )
    assert ran.output.decode().splitlines()[0] == "-1 ENOSYS"
    if platform.machine() == "x86_64":
        assert set(ran.output.decode().splitlines()) == {"-1 ENOSYS"}
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory"):
        assert (await sh('echo x >"$1"', path)).exit_code != 0
    assert (
        await sh("ls /dev/kmsg /dev/mem /dev/vda /dev/loop0 /dev/fuse 2>&1 | grep -v No")
    ).exit_code


async def test_no_descriptor_of_the_server_comes_in(sh: Sh, secret_file: Path) -> None:
    with secret_file.open() as held:
        os.set_inheritable(held.fileno(), True)
        ran = await sh(
            "for fd in /proc/[0-9]*/fd/*; do readlink $fd; done | sort -u; ls /proc/self/fd"
        )
    *links, first, second, third, own = ran.output.decode().split()
    assert (first, second, third, own) == ("0", "1", "2", "3")
    assert all(it.startswith(("pipe:", "/dev/null", "anon_inode:", "/proc/")) for it in links), (
        links
    )


async def test_keystrokes_cannot_be_put_into_a_terminal(python: Sh) -> None:
    ran = await python(
        "import fcntl, os\n"
        "for path in ('/dev/tty', '/dev/console', '/dev/tty0'):\n"
        "    try: fcntl.ioctl(os.open(path, os.O_RDWR), 0x5412, b'x')\n"
        "    except OSError: print('no')\n"
    )
    assert ran.output.decode().split() == ["no"] * 3


async def test_a_home_among_the_systems_files_is_hidden(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a server has it that lives in /usr/src/app, settings and all."""
    system = open_folder
    home = system / "app" / "home"
    home.mkdir(parents=True)
    (system / "program").write_text("seen")
    (home / "key").write_text(SECRET)
    (system / "app" / ".env").write_text(SECRET)
    (system / "app" / ".env").chmod(0o644)
    monkeypatch.chdir(system / "app")
    monkeypatch.setattr(bubblewrap, "_OF_THE_HOST", (*bubblewrap._OF_THE_HOST, str(system)))
    # That of the sandbox would lie over the test's.
    monkeypatch.setitem(bubblewrap.FOLDERS, "tmp", "/var/tmp")
    provider = LocalProvider(home)
    sandbox = await provider.create("one", LIMITS)
    script = 'cd "$1"; cat program app/.env app/home/key; ls -A app/home; touch app/home/x; id -u'
    ran = await sandbox.run(Command(("sh", "-c", script, "sh", str(system))))
    await provider.destroy("one")
    text = ran.output.decode()
    assert text.startswith("seen")
    assert text.endswith("\n1000\n")
    assert SECRET not in text
    assert "sandboxes" not in text
    assert text.count("Read-only file system") == 1


async def test_nobody_becomes_root(sh: Sh) -> None:
    ran = await sh(
        "id -u; grep -E 'Cap(Eff|Prm|Bnd)|NoNewPrivs|Seccomp:' /proc/self/status; "
        "su -c id 2>&1; mount -t tmpfs none /tmp 2>&1; umount /work 2>&1; "
        "mount -o remount,rw /usr 2>&1; mknod /tmp/disk b 254 0 2>&1; chroot / true 2>&1; "
        "cp /bin/sh /tmp/sh && chmod u+s /tmp/sh && /tmp/sh -p -c 'id -u'"
    )
    text = ran.output.decode()
    assert text.splitlines()[0] == text.splitlines()[-1] == "1000"
    assert "uid=0" not in text
    assert text.count("0000000000000000") == 3
    assert "NoNewPrivs:\t1" in text
    assert "Seccomp:\t2" in text


async def test_there_are_no_user_namespaces_within(sh: Sh) -> None:
    # Without a map too: what is needed for one cannot be written within.
    for options in ("", "--map-root-user"):
        ran = await sh(f"unshare --user {options} true")
        assert ran.exit_code != 0
        assert b"unshare failed" in ran.output
    ran = await sh("nsenter -t 1 -m -U true")
    assert ran.exit_code != 0


async def test_a_debugger_works(python: Sh) -> None:
    program = (
        "import ctypes, os, time\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    time.sleep(30)\n"
        "libc = ctypes.CDLL(None)\n"
        "print(libc.ptrace(16, child, 0, 0))\n"
    )
    ran = await python(program)
    assert ran.output.split()[0] == b"0"


async def test_a_hard_link_leads_nowhere_out(sh: Sh) -> None:
    for path in ("/usr/bin/env", "/etc/passwd"):
        ran = await sh('ln "$1" /work/linked', path)
        assert ran.exit_code != 0, path


async def test_a_symbolic_link_shows_what_the_sandbox_sees(
    sandbox: LocalSandbox, sh: Sh, secret_file: Path
) -> None:
    await sh(
        'ln -s "$1" secret; ln -s /etc/shadow shadow; ln -s /etc/passwd passwd', str(secret_file)
    )
    for name in ("secret", "shadow"):
        with pytest.raises(NoSuchFile):
            await sandbox.read_file(name)
    assert b"agent:x:1000" in await sandbox.read_file("passwd")
    assert b"daemon" not in await sandbox.read_file("passwd")


def _texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


async def test_writing_through_a_link_changes_nothing_outside(
    sandbox: LocalSandbox, sh: Sh, secret_file: Path
) -> None:
    await sh('ln -s "$1" out; ln -s "$2" folder', str(secret_file), str(secret_file.parent))
    for path in ("out", "folder/planted"):
        with pytest.raises(Invalid, match="cannot be written"):
            await sandbox.write_file(path, b"planted")
    assert _texts(secret_file.parent) == {"secret.txt": SECRET}
