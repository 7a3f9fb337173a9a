import asyncio
import sys
from pathlib import Path

import psutil
import pytest
from tests.agents.git.repositories import Origin, git
from tests.agents.git.smart_http import TOKEN, serving

from assay.agents.git.errors import BranchMoved, GitFailed, PushRefused
from assay.agents.git.mirrors import Mirrors
from assay.agents.git.pushing import push
from assay.agents.git.remotes import Remote

BRANCH = "assay/1-fix"
PUSHER = """
import asyncio, sys
from pathlib import Path
from pydantic import SecretStr
from assay.agents.git.mirrors import Mirrors
from assay.agents.git.pushing import push
from assay.agents.git.remotes import Remotes
from assay.core.outbound import parse_networks

home, url, host, token, sha, branch = sys.argv[1:]
remotes = Remotes({host: SecretStr(token)}, networks=parse_networks(["127.0.0.0/8"]))
mirrors = Mirrors(Path(home), remotes)
asyncio.run(push(mirrors, mirrors.remotes.parse(url), sha, branch, None))
"""


@pytest.fixture
async def shas(origin: Origin, mirrors: Mirrors, remote: Remote) -> list[str]:
    """Three commits of the mirror, each on the one before."""
    third = origin.commit({"a": "1"})
    await mirrors.refresh(remote)
    return [*reversed(git("rev-list", third, at=origin.path).split())]


async def test_again_and_on(
    origin: Origin, mirrors: Mirrors, remote: Remote, shas: list[str]
) -> None:
    await push(mirrors, remote, shas[1], BRANCH, None)
    await push(mirrors, remote, shas[1], BRANCH, None)
    assert origin.sha(BRANCH) == shas[1]
    await push(mirrors, remote, shas[2], BRANCH, shas[1])
    await push(mirrors, remote, shas[2], BRANCH, shas[1])
    assert origin.sha(BRANCH) == shas[2]


async def test_somebody_else_was_there(
    origin: Origin, mirrors: Mirrors, remote: Remote, shas: list[str]
) -> None:
    git("branch", BRANCH, shas[0], at=origin.path)
    # It could be moved on without loss, but it is not what we left.
    for expected in (None, shas[1]):
        with pytest.raises(BranchMoved, match=f"is at {shas[0]}, and was expected at"):
            await push(mirrors, remote, shas[2], BRANCH, expected)
    assert origin.sha(BRANCH) == shas[0]
    git("branch", "-D", BRANCH, at=origin.path)
    with pytest.raises(BranchMoved, match="is at no commit"):
        await push(mirrors, remote, shas[2], BRANCH, shas[0])


async def test_never_takes_anything_back(
    origin: Origin, mirrors: Mirrors, remote: Remote, shas: list[str]
) -> None:
    git("branch", BRANCH, shas[2], at=origin.path)
    with pytest.raises(GitFailed, match="does not go on"):
        await push(mirrors, remote, shas[1], BRANCH, shas[2])
    assert origin.sha(BRANCH) == shas[2]


async def test_hook_of_the_remote_says_no(
    origin: Origin, mirrors: Mirrors, remote: Remote, shas: list[str]
) -> None:
    hook = origin.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'no pushes on Thursdays' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(PushRefused, match="no pushes on Thursdays"):
        await push(mirrors, remote, shas[1], BRANCH, None)


# The one hook that says in its own words why a reference is not taken.
UNKIND = """#!/usr/bin/env python3
import sys
def read():
    lines = []
    while (size := int(sys.stdin.buffer.read(4), 16)) > 4:
        lines.append(sys.stdin.buffer.read(size - 4))
    return lines
def say(*lines):
    for line in lines:
        sys.stdout.buffer.write(b"%04x" % (len(line) + 4) + line)
    sys.stdout.buffer.write(b"0000")
    sys.stdout.buffer.flush()
read()
say(b"version=1\\n")
(command,) = read()
say(b"ng " + command.split()[2] + b" \\x1b[2Jno" + b"x" * 20_000)
"""


async def test_what_a_remote_says_is_tamed(
    origin: Origin, mirrors: Mirrors, remote: Remote, shas: list[str]
) -> None:
    git("config", "receive.procReceiveRefs", "refs/heads/assay", at=origin.path)
    hook = origin.path / "hooks" / "proc-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(UNKIND)
    hook.chmod(0o755)
    with pytest.raises(PushRefused, match="2Jnoxxx") as caught:
        await push(mirrors, remote, shas[1], BRANCH, None)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 3000


async def test_hooks_of_the_mirror_do_not_run(
    origin: Origin, mirrors: Mirrors, remote: Remote, shas: list[str], tmp_path: Path
) -> None:
    hook = mirrors.path(remote) / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/pwned\n")
    hook.chmod(0o755)
    await push(mirrors, remote, shas[1], BRANCH, None)
    assert origin.sha(BRANCH) == shas[1]
    assert not (tmp_path / "pwned").exists()


async def test_unknown_commit(mirrors: Mirrors, remote: Remote, shas: list[str]) -> None:
    with pytest.raises(GitFailed):
        await push(mirrors, remote, "1" * 40, BRANCH, None)


@pytest.mark.parametrize("with_git", [True, False])
async def test_killed_in_the_middle(origin: Origin, tmp_path: Path, with_git: bool) -> None:
    async with serving(tmp_path) as host:
        mirrors = host.mirrors(tmp_path / "home")
        remote = mirrors.remotes.parse(host.url)
        sha = (await mirrors.refresh(remote)).sha
        host.held.clear()
        host.reached.clear()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PUSHER, str(mirrors.home), host.url),
            *(host.authority, TOKEN, sha, BRANCH),
        )
        await host.reached.wait()
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        if with_git:
            for child in children:
                child.kill()
        await process.wait()
        host.held.set()
        await push(mirrors, remote, sha, BRANCH, None)
        assert origin.sha(BRANCH) == sha
