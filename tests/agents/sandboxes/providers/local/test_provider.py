"""Making, finding and destroying sandboxes."""

import asyncio
import os
from pathlib import Path

import pytest
from tests.agents.sandboxes.providers.local.conftest import LIMITS

from assay.agents.sandboxes.providers.local.provider import LocalProvider
from assay.agents.sandboxes.providers.types import Command, SandboxGone, SandboxUnusable
from assay.core.errors import Invalid

DEEP = (
    "import os\nfor _ in range(3000):\n    os.mkdir('d'); os.chdir('d')\nopen('f', 'w').close()\n"
)
HIDE = "mkdir -p a/b && touch a/b/c .hidden && chmod 0 a/b/c a/b a && ln -s / root"


def left(provider: LocalProvider) -> list[Path]:
    """What is in the provider's folder."""
    return list(provider.folder.iterdir())


async def test_a_sandbox_is_found_by_its_label(provider: LocalProvider) -> None:
    first = await provider.create("task-1", LIMITS)
    await first.write_file("note", b"kept")
    again = await provider.create("task-1", LIMITS)
    assert again.id == first.id
    other = LocalProvider(Path(provider.folder).parent)
    assert await other.labels() == {"task-1": first.id}
    opened = await other.open(first.id, LIMITS)
    assert await opened.read_file("note") == b"kept"
    await provider.pause(first.id)
    assert (
        await (await provider.open(first.id, LIMITS)).run(Command(("cat", "note")))
    ).exit_code == 0


async def test_sandboxes_do_not_see_each_other(provider: LocalProvider) -> None:
    one, two = [await provider.create(label, LIMITS) for label in ("one", "two")]
    await one.write_file("/tmp/secret", b"mine")
    ran = await two.run(Command(("sh", "-c", "find / -name secret 2>/dev/null")))
    assert ran.output == b""


async def test_what_is_destroyed_is_gone(provider: LocalProvider) -> None:
    sandbox = await provider.create("one", LIMITS)
    assert (await sandbox.run(Command(("sh", "-c", HIDE)))).exit_code == 0
    assert (await sandbox.run(Command(("python3", "-c", DEEP)))).exit_code == 0
    await provider.destroy(sandbox.id)
    assert left(provider) == []
    assert await provider.labels() == {}
    for call in (
        sandbox.run(Command(("true",))),
        sandbox.read_file("a"),
        sandbox.write_file("a", b""),
    ):
        with pytest.raises(SandboxGone):
            await call
    with pytest.raises(SandboxGone):
        await provider.open("one", LIMITS)
    await provider.destroy("one")


async def test_destroying_ends_what_another_process_runs(provider: LocalProvider) -> None:
    sandbox = await provider.create("one", LIMITS)
    ready = asyncio.Event()

    async def take(piece: bytes) -> None:
        ready.set()

    script = "echo ready; while :; do date >$(date +%N); done"
    running = asyncio.create_task(sandbox.run(Command(("sh", "-c", script)), take))
    await ready.wait()
    await LocalProvider(Path(provider.folder).parent).destroy("one")
    with pytest.raises(SandboxGone, match="sandbox one"):
        await running
    assert left(provider) == []


async def test_a_removal_that_was_cut_off_is_found(provider: LocalProvider) -> None:
    sandbox = await provider.create("one", LIMITS)
    await sandbox.write_file("a", b"")
    (provider.folder / "one").rename(provider.folder / ".going.one")
    assert await provider.labels() == {"one": "one"}
    await provider.destroy("one")
    assert left(provider) == []


@pytest.mark.parametrize("label", ["", "..", "a/b", ".going.a", "a b", "-a", "a" * 101, "é"])
async def test_a_label_that_is_none_is_refused(provider: LocalProvider, label: str) -> None:
    for call in (
        provider.create(label, LIMITS),
        provider.open(label, LIMITS),
        provider.destroy(label),
    ):
        with pytest.raises(Invalid, match="label"):
            await call


async def test_a_server_without_bubblewrap_says_what_mends_it(
    provider: LocalProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnusable, match="apt-get install bubblewrap"):
        await provider.check()
    with pytest.raises(SandboxUnusable, match="apt-get install bubblewrap"):
        await provider.create("one", LIMITS)
    monkeypatch.undo()


async def test_a_bubblewrap_that_may_not_says_why(
    provider: LocalProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What bubblewrap says where the kernel gives it no namespaces."""
    reason = "bwrap: No permissions to create new namespace"
    program = tmp_path / "bin" / "bwrap"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{reason}' >&2\nexit 1\n")
    program.chmod(0o755)
    for folder in (tmp_path.parent, tmp_path, program.parent):
        folder.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    with pytest.raises(SandboxUnusable, match="unprivileged_userns"):
        await provider.check()
    assert await provider.labels() == {}
