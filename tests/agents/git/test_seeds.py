import os
import time
from uuid import uuid4

import pytest
from tests.agents.git.repositories import Origin, git
from tests.agents.git.shells import shell

from assay.agents.git import clones, seeds
from assay.agents.git.errors import GitFailed
from assay.agents.git.mirrors import BaseCommit, Mirrors
from assay.agents.git.receiving import receive
from assay.agents.git.remotes import Remote
from assay.agents.git.seeds import make_seed
from assay.agents.sandboxes.providers.types import Sandbox

AGENT = clones.Author("Ada", "ada@agents.example.com")


async def test_made_once(origin: Origin, mirrors: Mirrors, remote: Remote) -> None:
    base = await mirrors.refresh(remote)
    first = await make_seed(mirrors, remote, base)
    made = first.pack.stat().st_ino
    assert await make_seed(mirrors, remote, base) == first
    assert first.pack.stat().st_ino == made
    git("verify-pack", str(first.index), at=origin.work)
    origin.commit({"a": "1"})
    second = await make_seed(mirrors, remote, await mirrors.refresh(remote))
    assert second.pack != first.pack


async def test_commit_that_the_branch_has_left(
    origin: Origin, mirrors: Mirrors, remote: Remote
) -> None:
    base = await mirrors.refresh(remote)
    await make_seed(mirrors, remote, base)
    git("commit", "-q", "--amend", "-m", "Another", at=origin.work)
    origin.commit({"a": "1"})
    await mirrors.refresh(remote)
    git("gc", "-q", "--prune=now", at=mirrors.path(remote))
    assert git("cat-file", "-t", base.sha, at=mirrors.path(remote)) == "commit"


async def test_unknown_commit(mirrors: Mirrors, remote: Remote) -> None:
    await mirrors.refresh(remote)
    with pytest.raises(GitFailed, match="not in the mirror"):
        await make_seed(mirrors, remote, BaseCommit("main", "1" * 40))


async def test_long_history_is_cut(
    origin: Origin,
    mirrors: Mirrors,
    remote: Remote,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(seeds, "DEPTH", 3)
    for number in range(6):
        origin.commit({"a": str(number)}, f"Number {number}")
    base = await mirrors.refresh(remote)
    seed = await make_seed(mirrors, remote, base, whole_bytes=1)
    assert len(seed.shallow) == 1
    await clones.clone_into(sandbox, seed, "assay/1-fix", AGENT)
    assert await shell(sandbox, "git rev-list --count HEAD") == str(seeds.DEPTH)
    assert await shell(sandbox, "git fsck --full --strict 2>&1") == ""
    # And what is made there goes on from it all the same.
    await shell(sandbox, "echo x > x")
    sha = await clones.commit_all(sandbox, "More", AGENT)
    content = await clones.take_commits(sandbox, base.sha)
    assert content
    received = await receive(mirrors, remote, content, uuid4(), base.sha)
    assert received.head_sha == sha
    assert len(received.commits) == 1
    git("fsck", "--strict", "--full", at=mirrors.path(remote))


async def test_cache_is_bounded(
    origin: Origin, mirrors: Mirrors, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for number in range(4):
        origin.commit({"a": str(number)})
        made.append(await make_seed(mirrors, remote, await mirrors.refresh(remote)))
    for number, seed in enumerate(made[:3]):
        long_ago = time.time() - 10_000 + number
        os.utime(seed.pack, (long_ago, long_ago))
    monkeypatch.setattr(seeds, "CACHE_BYTES", sum(it.pack.stat().st_size for it in made[2:]) + 1)
    again = await make_seed(mirrors, remote, made[0].base)
    assert again.pack.exists()
    origin.commit({"b": "1"})
    await make_seed(mirrors, remote, await mirrors.refresh(remote))
    # What was used within the last minutes stays, over the bound too.
    assert [it.pack.exists() for it in made] == [True, False, False, True]
