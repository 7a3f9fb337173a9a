"""Reading and writing files in a sandbox, also where it means harm."""

import asyncio
import contextlib
from pathlib import Path

import pytest
from tests.agents.sandboxes.providers.local.conftest import Sh

from assay.agents.sandboxes.providers.local.sandbox import LocalSandbox
from assay.agents.sandboxes.providers.types import Command, NoSuchFile
from assay.core.errors import Invalid


async def test_what_is_written_is_read(sandbox: LocalSandbox, sh: Sh) -> None:
    content = bytes(range(256)) * 5000
    await sandbox.write_file("/work/new/folder/-file name", content)
    assert await sandbox.read_file("new/folder/-file name") == content
    assert await sandbox.read_file("new/folder/-file name", limit=300) == content[:300]
    await sandbox.write_file("new/folder/-file name", b"")
    assert await sandbox.read_file("new/folder/-file name") == b""
    assert (await sh("echo x >>'new/folder/-file name'")).exit_code == 0


async def test_what_is_no_file_is_not_read(sandbox: LocalSandbox, sh: Sh) -> None:
    await sh(
        "mkfifo pipe; mkdir folder; ln -s /dev/zero zero; ln -s loop loop; touch no; chmod 0 no"
    )
    for path in ("pipe", "folder", "zero", "loop", "missing", "/dev/zero", "no", "/proc/kcore"):
        with pytest.raises(NoSuchFile, match=path):
            await sandbox.read_file(path)


async def test_what_is_no_file_is_not_written(sandbox: LocalSandbox, sh: Sh) -> None:
    await sh("mkfifo pipe; mkdir folder; touch file")
    for path in ("pipe", "folder", "file/below", "/usr/bin/x", "/dev/null"):
        with pytest.raises(Invalid, match="cannot be written"):
            await sandbox.write_file(path, b"x")


async def test_a_path_that_is_none_is_refused(sandbox: LocalSandbox) -> None:
    for path in ("", "a\0b"):
        with pytest.raises(Invalid):
            await sandbox.read_file(path)


async def test_a_path_that_changes_meanwhile_leads_nowhere_out(
    sandbox: LocalSandbox, tmp_path: Path
) -> None:
    """A file, a link to the host's, a pipe, a folder: in turn at the same place, many times."""
    secret = tmp_path / "secret"
    secret.write_text("secret of the host")
    program = (
        "import os, sys, time\n"
        "end = time.monotonic() + 6\n"
        "os.makedirs('d', exist_ok=True); print('ready', flush=True)\n"
        "while time.monotonic() < end:\n"
        "    for target in (sys.argv[1], '/etc/shadow', '/etc/passwd', '/usr/bin/env'):\n"
        "        try:\n"
        "            open('new', 'w').close(); os.replace('new', 'd/f')\n"
        "            os.symlink(target, 'new'); os.replace('new', 'd/f')\n"
        "            os.rename('d', 'e'); os.symlink(os.path.dirname(target), 'd')\n"
        "            os.unlink('d'); os.rename('e', 'd')\n"
        "        except OSError: pass\n"
    )
    ready = asyncio.Event()

    async def take(piece: bytes) -> None:
        ready.set()

    command = Command(("python3", "-c", program, str(secret)), seconds=30.0)
    changing = asyncio.create_task(sandbox.run(command, take))
    await ready.wait()
    tried = 0
    while not changing.done():
        with contextlib.suppress(Invalid):
            await sandbox.write_file("d/f", b"planted")
        with contextlib.suppress(NoSuchFile):
            content = await sandbox.read_file("d/f")
            assert b"secret of the host" not in content
            assert b"daemon" not in content
        tried += 1
    assert tried > 5
    assert secret.read_text() == "secret of the host"
    assert (await changing).exit_code == 0
