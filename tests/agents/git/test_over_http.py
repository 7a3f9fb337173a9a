"""Remotes over HTTP: signing in, and where the token is not seen."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from tests.agents.git.repositories import Origin
from tests.agents.git.smart_http import TOKEN, GitHost, serving

from assay.agents.git.errors import (
    GitFailed,
    RemoteRefused,
    RemoteUnreachable,
    RepositoryNotFound,
    SignInRefused,
)
from assay.agents.git.pushing import push, remote_sha
from assay.agents.git.remotes import Remotes


@pytest.fixture
async def host(origin: Origin, tmp_path: Path) -> AsyncIterator[GitHost]:
    async with serving(tmp_path) as host:
        yield host


async def test_clones_and_pushes_with_the_token(
    host: GitHost, origin: Origin, tmp_path: Path
) -> None:
    mirrors = host.mirrors(tmp_path / "home")
    remote = mirrors.remotes.parse(host.url)
    base = await mirrors.refresh(remote)
    assert base.sha == origin.sha("main")
    await push(mirrors, remote, base.sha, "copy", None)
    assert origin.sha("copy") == base.sha
    assert await remote_sha(mirrors, remote, "copy") == base.sha
    assert await remote_sha(mirrors, remote, "none") is None


async def test_token_is_in_no_file_and_in_no_command_line(host: GitHost, tmp_path: Path) -> None:
    mirrors = host.mirrors(tmp_path / "home")
    remote = mirrors.remotes.parse(host.url)
    host.held.clear()
    refreshing = asyncio.create_task(mirrors.refresh(remote))
    await host.reached.wait()
    children = psutil.Process().children(recursive=True)
    lines = [" ".join(child.cmdline()) for child in children]
    host.held.set()
    await refreshing
    assert any("fetch" in line for line in lines)
    seen = "\n".join(lines).encode()
    seen += b"".join(path.read_bytes() for path in mirrors.home.rglob("*") if path.is_file())
    (access,) = [await mirrors.remotes.access(remote)]
    assert TOKEN in access.secrets
    assert not [secret for secret in access.secrets if secret.encode() in seen]
    assert TOKEN not in repr(access)
    assert TOKEN not in repr(mirrors.remotes)


@pytest.mark.parametrize(
    ("token", "says"), [("ghp_wrong", "refuses the token"), (None, "asks who is there")]
)
async def test_refused_sign_in(host: GitHost, tmp_path: Path, token: str | None, says: str) -> None:
    mirrors = host.mirrors(tmp_path / "home", token)
    with pytest.raises(SignInRefused, match=says) as caught:
        await mirrors.refresh(mirrors.remotes.parse(host.url))
    assert "GIT_TOKENS" in str(caught.value)
    assert "ghp_wrong" not in str(caught.value)


async def test_unknown_repository(host: GitHost, tmp_path: Path) -> None:
    mirrors = host.mirrors(tmp_path / "home")
    with pytest.raises(RepositoryNotFound, match=r"There is no repository at http://127\.0\.0\.1"):
        await mirrors.refresh(mirrors.remotes.parse(f"http://{host.authority}/other.git"))


async def test_nobody_listens(host: GitHost, tmp_path: Path) -> None:
    mirrors = host.mirrors(tmp_path / "home")
    with pytest.raises(RemoteUnreachable, match="cannot be reached"):
        await mirrors.refresh(mirrors.remotes.parse("http://127.0.0.1:1/origin.git"))


async def test_redirection_is_not_followed(host: GitHost, tmp_path: Path) -> None:
    async with serving(tmp_path) as other:
        host.moved_to = f"http://{other.authority}"
        mirrors = host.mirrors(tmp_path / "home")
        with pytest.raises(RemoteRefused, match="has moved"):
            await mirrors.refresh(mirrors.remotes.parse(host.url))
        assert other.asked == []


async def test_token_goes_to_its_host_alone(host: GitHost, tmp_path: Path) -> None:
    async with serving(tmp_path) as other:
        mirrors = host.mirrors(tmp_path / "home")
        with pytest.raises(SignInRefused, match="asks who is there"):
            await mirrors.refresh(mirrors.remotes.parse(other.url))


async def test_address_inside_is_refused(host: GitHost, tmp_path: Path) -> None:
    remotes = Remotes()
    with pytest.raises(RemoteRefused, match="GIT_ALLOWED_NETWORKS"):
        remotes.parse(host.url)
    # By a name, which is only looked up when it is used.
    with pytest.raises(RemoteRefused, match="GIT_ALLOWED_NETWORKS"):
        await remotes.access(remotes.parse(f"http://localhost:{host.port}/origin.git"))
    assert host.asked == []


async def test_cancelling_stops_git(host: GitHost, tmp_path: Path) -> None:
    mirrors = host.mirrors(tmp_path / "home")
    host.held.clear()
    refreshing = asyncio.create_task(mirrors.refresh(mirrors.remotes.parse(host.url)))
    await host.reached.wait()
    started = psutil.Process().children(recursive=True)
    refreshing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await refreshing
    gits = [child for child in started if child.is_running() and child.name().startswith("git")]
    assert not psutil.wait_procs(gits, timeout=5)[1]
    host.held.set()
    # Nothing half-made is in the way of the next.
    await mirrors.refresh(mirrors.remotes.parse(host.url))
    assert not list((mirrors.home / "repositories").glob("*.new"))


async def test_git_error_shows_no_credentials(host: GitHost, tmp_path: Path) -> None:
    mirrors = host.mirrors(tmp_path / "home", "user:s3cret-word")
    with pytest.raises(GitFailed) as caught:
        await mirrors.refresh(mirrors.remotes.parse(host.url))
    access = await mirrors.remotes.access(mirrors.remotes.parse(host.url))
    assert access.redact("x s3cret-word https://user:pw@h/p") == "x *** https://h/p"
    assert "s3cret-word" not in str(caught.value)
