import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from tests.agents.git.repositories import Origin, git
from tests.agents.git.smart_http import TOKEN, GitHost, serving

from assay.agents.git.errors import (
    BranchInvalid,
    BranchNotFound,
    GitFailed,
    RepositoryNotFound,
)
from assay.agents.git.mirrors import Mirrors
from assay.agents.git.program import Limits
from assay.agents.git.remotes import Remote

WORKER = """
import asyncio, sys
from pathlib import Path
from pydantic import SecretStr
from assay.agents.git.mirrors import Mirrors
from assay.agents.git.remotes import Remotes
from assay.core.outbound import parse_networks

home, url, host, token = sys.argv[1:]
remotes = Remotes({host: SecretStr(token)}, networks=parse_networks(["127.0.0.0/8"]))
mirrors = Mirrors(Path(home), remotes)
print(asyncio.run(mirrors.refresh(mirrors.remotes.parse(url))).sha)
"""


@pytest.fixture
async def host(origin: Origin, tmp_path: Path) -> AsyncIterator[GitHost]:
    async with serving(tmp_path) as host:
        yield host


async def worker(host: GitHost, home: Path) -> asyncio.subprocess.Process:
    """Another process that refreshes the mirror of the host's repository."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WORKER, str(home), host.url, host.authority, TOKEN),
        stdout=asyncio.subprocess.PIPE,
    )


async def test_follows_the_branch(origin: Origin, mirrors: Mirrors, remote: Remote) -> None:
    first = await mirrors.refresh(remote, "main")
    assert await mirrors.refresh(remote) == first
    second = origin.commit({"a": "1"})
    assert (await mirrors.refresh(remote)).sha == second
    # Forced to elsewhere.
    git("reset", "-q", "--hard", first.sha, at=origin.work)
    third = origin.commit({"b": "1"})
    assert (await mirrors.refresh(remote)).sha == third


async def test_other_branches(origin: Origin, mirrors: Mirrors, remote: Remote) -> None:
    feature = origin.commit({"a": "1"}, branch="topic")
    assert (await mirrors.refresh(remote, "topic")).sha == feature
    git("symbolic-ref", "HEAD", "refs/heads/topic", at=origin.path)
    assert (await mirrors.refresh(remote)).branch == "topic"
    # A folder where a branch was.
    git("branch", "-q", "-D", "main", at=origin.path)
    git("branch", "-q", "-m", "topic", "topic/one", at=origin.path)
    git("symbolic-ref", "HEAD", "refs/heads/topic/one", at=origin.path)
    assert await mirrors.refresh(remote) == await mirrors.refresh(remote, "topic/one")
    with pytest.raises(BranchNotFound, match="no branch 'topic'"):
        await mirrors.refresh(remote, "topic")


@pytest.mark.parametrize("branch", ["--upload-pack=x", "a*", "ma[i]n", "../x"])
async def test_names_that_are_none(mirrors: Mirrors, remote: Remote, branch: str) -> None:
    with pytest.raises(BranchInvalid):
        await mirrors.refresh(remote, branch)


async def test_nothing_there(mirrors: Mirrors, tmp_path: Path) -> None:
    with pytest.raises(RepositoryNotFound, match="There is no repository at"):
        await mirrors.refresh(mirrors.remotes.parse(str(tmp_path / "none.git")))
    git("init", "-q", "--bare", "empty.git", at=tmp_path)
    with pytest.raises(BranchNotFound, match="has no commits"):
        await mirrors.refresh(mirrors.remotes.parse(str(tmp_path / "empty.git")))


async def test_a_repository_without_end(
    origin: Origin, mirrors: Mirrors, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mirrors.refresh(remote)
    before = sorted(mirrors.home.rglob("*"))
    monkeypatch.setattr("assay.agents.git.mirrors._FETCHED", Limits(file=100_000))
    origin.commit({"large": os.urandom(300_000).hex()})
    with pytest.raises(GitFailed, match="`git fetch` of file://"):
        await mirrors.refresh(remote)
    async with mirrors.holding(remote):
        assert sorted(mirrors.home.rglob("*")) == before


async def test_settings_of_the_machine_have_no_say(
    origin: Origin,
    mirrors: Mirrors,
    remote: Remote,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = tmp_path / "config"
    config.write_text('[url "file:///nowhere/"]\n\tinsteadOf = file:///\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    assert (await mirrors.refresh(remote)).sha == origin.sha("main")
    assert not (tmp_path / "trace").exists()


async def test_many_at_once_fetch_once(host: GitHost, tmp_path: Path) -> None:
    mirrors = host.mirrors(tmp_path / "home")
    remote = mirrors.remotes.parse(host.url)
    bases = await asyncio.gather(*(mirrors.refresh(remote) for _ in range(8)))
    assert len({base.sha for base in bases}) == 1
    # The questions for references are GETs and POSTs; one more POST takes the objects.
    posts = sum(line.startswith("POST") for line in host.asked)
    gets = sum(line.startswith("GET") for line in host.asked)
    assert (gets, posts) == (9, 8 + 2)


async def test_processes_at_once(host: GitHost, origin: Origin, tmp_path: Path) -> None:
    workers = [await worker(host, tmp_path / "home") for _ in range(2)]
    outputs = [await process.communicate() for process in workers]
    assert [output.decode().strip() for output, _ in outputs] == [origin.sha("main")] * 2
    repositories = tmp_path / "home" / "repositories"
    assert len(list(repositories.glob("*.git"))) == 1
    assert not list(repositories.glob("*.new"))


@pytest.mark.parametrize("with_git", [True, False])
@pytest.mark.parametrize("is_warm", [True, False])
async def test_killed_in_the_middle(
    host: GitHost, origin: Origin, tmp_path: Path, with_git: bool, is_warm: bool
) -> None:
    mirrors = host.mirrors(tmp_path / "home")
    remote = mirrors.remotes.parse(host.url)
    if is_warm:
        await mirrors.refresh(remote)
        origin.commit({"a": "1"})
    host.held.clear()
    host.reached.clear()
    process = await worker(host, tmp_path / "home")
    await host.reached.wait()
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.kill()
    if with_git:
        for child in children:
            child.kill()
    await process.wait()
    host.held.set()
    assert (await mirrors.refresh(remote)).sha == origin.sha("main")
    git("fsck", "--strict", at=mirrors.path(remote))


async def test_lock_files_of_the_dead_are_no_obstacle(
    origin: Origin, mirrors: Mirrors, remote: Remote
) -> None:
    await mirrors.refresh(remote)
    mirror = mirrors.path(remote)
    (ref,) = (mirror / "refs" / "assay" / "heads").iterdir()
    (mirror / "packed-refs.lock").touch()
    ref.with_name(f"{ref.name}.lock").touch()
    sha = origin.commit({"a": "1"})
    assert (await mirrors.refresh(remote)).sha == sha


async def test_tidy(origin: Origin, mirrors: Mirrors, remote: Remote) -> None:
    await mirrors.refresh(remote)
    mirror = mirrors.path(remote)
    left = mirror.with_suffix(".0123.new")
    left.mkdir()
    young = mirror.with_suffix(".4567.new")
    young.mkdir()
    long_ago = time.time() - 100 * 86_400
    os.utime(left, (long_ago, long_ago))
    await mirrors.tidy()
    assert mirror.exists()
    assert young.exists()
    assert not left.exists()
    os.utime(mirror.with_suffix(".lock"), (long_ago, long_ago))
    # Using it is what keeps it.
    await mirrors.refresh(remote)
    await mirrors.tidy()
    assert mirror.exists()
    os.utime(mirror.with_suffix(".lock"), (long_ago, long_ago))
    await mirrors.tidy()
    assert not mirror.exists()
    assert (await mirrors.refresh(remote)).sha == origin.sha("main")
