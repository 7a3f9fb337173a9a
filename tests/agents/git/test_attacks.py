"""More that a sandbox may hand out to harm the machine that takes it."""

import asyncio
import contextlib
import hashlib
import struct
import time
import zlib
from pathlib import Path
from uuid import uuid4

import pytest
from tests.agents.git.repositories import Origin, git
from tests.agents.git.test_receiving import blob, bundled, commit_of, everything_in

from assay.agents.git import clones
from assay.agents.git.errors import CloneBroken, CommitsRefused, GitFailed
from assay.agents.git.mirrors import Mirrors
from assay.agents.git.receiving import receive
from assay.agents.git.remotes import Remote
from assay.agents.git.seeds import make_seed
from assay.agents.sandboxes.providers.types import Command, NoSuchFile, Sandbox
from assay.core.errors import Invalid

AGENT = clones.Author("Ada", "ada@agents.example.com")
NOBODY = "A <a@example.com> 1 +0000"


@pytest.fixture
async def base(mirrors: Mirrors, remote: Remote) -> str:
    """The commit that the sandbox began with."""
    return (await mirrors.refresh(remote)).sha


async def refused(mirrors: Mirrors, remote: Remote, content: bytes, base: str) -> str:
    """It is refused, and the mirror is as it was; gives the reason."""
    before = everything_in(mirrors.path(remote))
    with pytest.raises(CommitsRefused) as caught:
        await receive(mirrors, remote, content, uuid4(), base)
    assert everything_in(mirrors.path(remote)) == before
    assert not everything_in(mirrors.home / "incoming")
    return str(caught.value)


@pytest.mark.parametrize(
    "name", [".Git", "GIT~1", ".g\u200cit", ".git::$INDEX_ALLOCATION", ".git.", ".git\\hooks"]
)
async def test_names_that_some_system_takes_for_git_s_own(
    origin: Origin, mirrors: Mirrors, remote: Remote, base: str, name: str
) -> None:
    tree = git("mktree", at=origin.work, stdin=f"100755 blob {blob(origin, 'x')}\tx\n".encode())
    commit_of(origin, base, f"40000 tree {tree}\t{name}\n")
    assert "Git refuses" in await refused(mirrors, remote, bundled(origin, f"{base}..evil"), base)


@pytest.mark.parametrize(
    "modules",
    [
        '[submodule "../../hooks"]\n\tpath = x\n\turl = https://example.com/x\n',
        '[submodule "x"]\n\tpath = -x\n\turl = https://example.com/x\n',
        '[submodule "x"]\n\tpath = x\n\turl = -oProxyCommand=evil\n',
        '[submodule "x"]\n\tpath = x\n\turl = https://example.com/%0ahost=evil\n',
        '[submodule "x"]\n\tpath = x\n\turl = x\n\tupdate = !evil\n',
    ],
    ids=["name", "path", "option", "line", "update"],
)
async def test_submodules_that_would_harm_who_clones(
    origin: Origin, mirrors: Mirrors, remote: Remote, base: str, modules: str
) -> None:
    entries = f"100644 blob {blob(origin, modules)}\t.gitmodules\n160000 commit {base}\tx\n"
    commit_of(origin, base, entries)
    assert "gitmodules" in await refused(mirrors, remote, bundled(origin, f"{base}..evil"), base)


async def test_submodules_in_a_link(
    origin: Origin, mirrors: Mirrors, remote: Remote, base: str
) -> None:
    commit_of(origin, base, f"120000 blob {blob(origin, '/etc/passwd')}\t.gitmodules\n")
    assert "gitmodules" in await refused(mirrors, remote, bundled(origin, f"{base}..evil"), base)


def _packed(head: str, objects: list[tuple[int, bytes]]) -> bytes:
    """A bundle of these objects: their type, 1 a commit and 2 a tree, and what is in them."""
    pack = b"PACK" + struct.pack(">II", 2, len(objects))
    for kind, content in objects:
        size, first = len(content) >> 4, (kind << 4) | (len(content) & 15)
        header = bytearray([first])
        while size:
            header[-1] |= 128
            header.append(size & 127)
            size >>= 7
        pack += bytes(header) + zlib.compress(content, 1)
    pack += hashlib.sha1(pack, usedforsecurity=False).digest()
    return f"# v2 git bundle\n{head} refs/heads/x\n\n".encode() + pack


def _hash(kind: str, content: bytes) -> bytes:
    head = f"{kind} {len(content)}\0".encode()
    return hashlib.sha1(head + content, usedforsecurity=False).digest()


async def test_a_name_with_a_slash(mirrors: Mirrors, remote: Remote, base: str) -> None:
    """Git itself makes no such tree."""
    empty = b""
    tree = b"40000 ../../hooks\0" + _hash("tree", empty)
    commit = (
        f"tree {_hash('tree', tree).hex()}\nparent {base}\nauthor {NOBODY}\ncommitter {NOBODY}\n\nx"
    ).encode()
    content = _packed(_hash("commit", commit).hex(), [(1, commit), (2, tree), (2, empty)])
    assert "fullPathname" in await refused(mirrors, remote, content, base)


async def test_folders_within_each_other_without_end(
    mirrors: Mirrors, remote: Remote, base: str
) -> None:
    """A program that goes down into them may not get back; the mirror is there all the same."""
    objects, below = [(2, b"")], _hash("tree", b"")
    for _ in range(20_000):
        tree = b"40000 d\0" + below
        objects.append((2, tree))
        below = _hash("tree", tree)
    commit = (
        f"tree {below.hex()}\nparent {base}\nauthor {NOBODY}\ncommitter {NOBODY}\n\nx"
    ).encode()
    content = _packed(_hash("commit", commit).hex(), [*objects, (1, commit)])
    started = time.monotonic()
    with contextlib.suppress(GitFailed):
        await receive(mirrors, remote, content, uuid4(), base)
    assert time.monotonic() - started < 100
    assert not everything_in(mirrors.home / "incoming")
    # The mirror works on for all others.
    assert (await mirrors.refresh(remote)).sha == base


async def test_a_large_file_that_packs_small_takes_no_room(
    origin: Origin, mirrors: Mirrors, remote: Remote, base: str
) -> None:
    (origin.work / "zeros").write_bytes(bytes(64 * 1024**2))
    origin.commit({}, "Zeros", branch="x")
    content = bundled(origin, f"{base}..x")
    assert len(content) < 1024**2 // 2
    await receive(mirrors, remote, content, uuid4(), base)
    mirror = mirrors.path(remote)
    assert sum((mirror / name).stat().st_size for name in everything_in(mirror)) < 4 * 1024**2


@pytest.mark.parametrize(
    "harm",
    [
        "rm -rf .git; mkfifo .git",
        "rm -f .git/HEAD; ln -s /dev/zero .git/HEAD",
        "mv .git /tmp/elsewhere; echo 'gitdir: ../../../../tmp/none' > .git",
    ],
    ids=["fifo", "device", "file"],
)
async def test_a_repository_that_is_none(
    sandbox: Sandbox, mirrors: Mirrors, remote: Remote, harm: str
) -> None:
    at = await mirrors.refresh(remote)
    await clones.clone_into(sandbox, await make_seed(mirrors, remote, at), "assay/1-x", AGENT)
    await sandbox.run(Command(("sh", "-c", harm)))
    for call in (clones.head(sandbox), clones.take_commits(sandbox, at.sha)):
        with pytest.raises(CloneBroken, match="in the sandbox"):
            await call


async def test_a_bundle_that_was_laid_out_as_a_link(
    sandbox: Sandbox, mirrors: Mirrors, remote: Remote, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("sk-secret")
    at = await mirrors.refresh(remote)
    await clones.clone_into(sandbox, await make_seed(mirrors, remote, at), "assay/1-x", AGENT)
    script = 'ln -s "$1" .git/assay-out.bundle; echo 1 > a; git add a; git commit -qm One'
    await sandbox.run(Command(("sh", "-c", script, "sh", str(secret))))
    content = await clones.take_commits(sandbox, at.sha)
    assert content is not None
    await receive(mirrors, remote, content, uuid4(), at.sha)
    assert secret.read_text() == "sk-secret"


async def test_a_path_that_changes_under_who_goes_over_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """A folder that is a link to a folder of the host, every other moment."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("sk-secret")
    # Both have whom sandboxes run as, if they came to see them.
    outside.chmod(0o777)
    (outside / "file").chmod(0o666)
    script = (
        'mkdir real; echo mine > real/file; ln -s "$1" link; touch ready\n'
        "while :; do ln -sfn real folder; ln -sfn link folder; done"
    )
    command = Command(("sh", "-c", script, "sh", str(outside)), seconds=60.0)
    swapping = asyncio.create_task(sandbox.run(command))
    seen = set()
    try:
        for _ in range(25):
            try:
                seen.add(await sandbox.read_file("folder/file"))
                await sandbox.write_file("folder/file", b"mine\n")
            except (NoSuchFile, Invalid):
                seen.add(b"")
    finally:
        swapping.cancel()
        await asyncio.wait({swapping})
    assert seen <= {b"mine\n", b""}
    assert [path.name for path in outside.iterdir()] == ["file"]
    assert (outside / "file").read_text() == "sk-secret"
