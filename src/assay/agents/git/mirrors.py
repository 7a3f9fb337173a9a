"""Bare mirrors of repositories: what tasks begin from, and what is pushed from.

A mirror holds the branches that were asked for, under names of its own (`refs/assay/heads/<hash>`):
git cannot keep both `a` and `a/b`, and a branch `a` that is gone there would keep `a/b` out here.
No sandbox ever sees a mirror.
"""

import asyncio
import contextlib
import hashlib
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

import structlog

from assay.agents.git.branches import check_branch
from assay.agents.git.errors import BranchNotFound
from assay.agents.git.locks import locked
from assay.agents.git.program import LONG_SECONDS, Git, Limits, Output
from assay.agents.git.remotes import Access, Remote, Remotes
from assay.agents.git.saying import remote_error
from assay.core.errors import AssayError

_LEFTOVER_SECONDS = 86_400.0
_TIDY_SECONDS = 86_400.0
_FETCHED = Limits(memory=8 * 1024**3, file=16 * 1024**3)
"""What a remote may send, which may be anybody's: the objects are one file."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BaseCommit:
    """Where a branch stood: its name, and the commit (40 hex digits)."""

    branch: str
    sha: str


class Mirrors:
    """The mirrors below the folder `home`; any number of processes share them."""

    def __init__(self, home: Path, remotes: Remotes) -> None:
        """Take the folder, and what may be reached."""
        self.home = home
        self.remotes = remotes
        self.git = Git(home / "empty")
        self._queues: WeakValueDictionary[Path, asyncio.Lock] = WeakValueDictionary()

    def path(self, remote: Remote) -> Path:
        """Where the mirror of a remote is, or is going to be."""
        key = hashlib.sha256(remote.url.encode()).hexdigest()[:32]
        return self.home / "repositories" / f"{key}.git"

    async def refresh(self, remote: Remote, branch: str | None = None) -> BaseCommit:
        """Bring a branch into the mirror, the remote's default branch where none is named.

        A mirror that is up to date costs one question to the remote.

        Raises:
            RemoteRefused, RepositoryNotFound, SignInRefused, RemoteUnreachable
            BranchInvalid, BranchNotFound: there is no such branch, or nothing in it yet.
            GitTimeout, GitFailed
        """
        access = await self.remotes.access(remote)
        base = await self._ask(remote, access, branch)
        mirror, ref = self.path(remote), _head_ref(base.branch)
        if await self._at(mirror, ref) == base.sha:
            await asyncio.to_thread(mirror.with_suffix(".lock").touch)
            return base
        async with self.holding(remote) as lock:
            # Another one may have fetched it while we waited.
            if await self._at(mirror, ref) != base.sha:
                await self._fetch(remote, access, base.branch, lock)
            return BaseCommit(base.branch, await self._at(mirror, ref) or base.sha)

    @contextlib.asynccontextmanager
    async def holding(self, remote: Remote) -> AsyncIterator[int]:
        """Be the only one that writes into a mirror, over all processes; gives the lock."""
        mirror = self.path(remote)
        queue = self._queues.setdefault(mirror, asyncio.Lock())
        await asyncio.to_thread(mirror.parent.mkdir, parents=True, exist_ok=True)
        async with queue, locked(mirror.with_suffix(".lock")) as lock:
            await asyncio.to_thread(_clear, mirror)
            yield lock

    async def tidy(self, *, unused_days: float = 60.0) -> None:
        """Pack what has become many files; remove what a killed process left, and what is unused.

        For a job that runs now and then. A mirror with commits that were taken out of a sandbox
        and not pushed is unused too, once nobody has asked for it in so long.
        """
        now = time.time()
        for leftover in await asyncio.to_thread(_older, self.home, now - _LEFTOVER_SECONDS):
            await asyncio.to_thread(shutil.rmtree, leftover, ignore_errors=True)
        repositories = self.home / "repositories"
        for mirror in await asyncio.to_thread(lambda: list(repositories.glob("*.git"))):
            async with locked(mirror.with_suffix(".lock")) as lock:
                if _modified(mirror.with_suffix(".lock")) < now - unused_days * 86_400:
                    await asyncio.to_thread(shutil.rmtree, mirror, ignore_errors=True)
                    continue
                await asyncio.to_thread(_clear, mirror)
                settings = [("gc.auto", "2000"), ("gc.pruneExpire", "30.days")]
                gc = ("gc", "--auto", "--quiet")
                await self.git.run(
                    *gc, at=mirror, settings=settings, seconds=LONG_SECONDS, lock=lock
                )

    @contextlib.asynccontextmanager
    async def kept_tidy(self) -> AsyncIterator[None]:
        """Tidy up now and every day while the context is open."""
        task = asyncio.create_task(self._keep_tidying())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _keep_tidying(self) -> None:
        while True:
            try:
                await self.tidy()
            except (AssayError, OSError) as error:
                log.warning("mirrors not tidied up", error=str(error))
            await asyncio.sleep(_TIDY_SECONDS)

    async def heads(
        self, remote: Remote, access: Access, *patterns: str
    ) -> tuple[dict[str, str], str | None]:
        """The references of a remote with these names, and the branch that its HEAD names.

        Raises:
            RepositoryNotFound, SignInRefused, RemoteUnreachable, GitTimeout, GitFailed
        """
        output = await self.git.run(
            "ls-remote", "--symref", "--", remote.url, *patterns, settings=access.settings
        )
        if output.exit_code:
            raise remote_error(remote, access, output)
        return _parse_heads(output)

    async def _ask(self, remote: Remote, access: Access, branch: str | None) -> BaseCommit:
        ref = f"refs/heads/{check_branch(branch)}" if branch else None
        found, default = await self.heads(remote, access, ref or "HEAD")
        if ref:
            if ref not in found:
                raise BranchNotFound(
                    f"{remote.url} has no branch {branch!r}. Name one that it has, or none for its "
                    "default branch."
                )
            return BaseCommit(branch or "", found[ref])
        if "HEAD" not in found or default is None:
            raise BranchNotFound(
                f"{remote.url} has no commits on its default branch. Name another branch, or push "
                "a first commit."
            )
        return BaseCommit(check_branch(default), found["HEAD"])

    async def _at(self, mirror: Path, ref: str) -> str | None:
        if not await asyncio.to_thread(mirror.exists):
            return None
        output = await self.git.run("rev-parse", "--verify", "--quiet", ref, at=mirror)
        return output.text if output.exit_code == 0 else None

    async def _fetch(self, remote: Remote, access: Access, branch: str, lock: int) -> None:
        mirror = self.path(remote)
        if await asyncio.to_thread(mirror.exists):
            return await self._fetch_into(mirror, remote, access, branch, lock)
        # Under another name, which nobody takes for a mirror, until it is whole.
        new = mirror.with_suffix(f".{secrets.token_hex(8)}.new")
        try:
            (await self.git.run("init", "--quiet", "--bare", str(new))).checked()
            await self._fetch_into(new, remote, access, branch, lock)
            await asyncio.to_thread(new.rename, mirror)
        finally:
            await asyncio.to_thread(shutil.rmtree, new, ignore_errors=True)

    async def _fetch_into(
        self, mirror: Path, remote: Remote, access: Access, branch: str, lock: int
    ) -> None:
        output = await self.git.run(
            *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", remote.url),
            f"+refs/heads/{branch}:{_head_ref(branch)}",
            at=mirror,
            settings=access.settings,
            seconds=LONG_SECONDS,
            lock=lock,
            limits=_FETCHED,
        )
        if output.exit_code:
            raise remote_error(remote, access, output)


def _head_ref(branch: str) -> str:
    return f"refs/assay/heads/{hashlib.sha256(branch.encode()).hexdigest()[:32]}"


def _parse_heads(output: Output) -> tuple[dict[str, str], str | None]:
    found: dict[str, str] = {}
    default = None
    for line in output.text.splitlines():
        value, _, name = line.partition("\t")
        if value.startswith("ref: refs/heads/") and name == "HEAD":
            default = value.removeprefix("ref: refs/heads/")
        elif not value.startswith("ref: "):
            found[name] = value
    return found, default


def _clear(mirror: Path) -> None:
    """Take away what a killed git has left. We have the lock, so none is at work."""
    for pattern in ("*.lock", "refs/**/*.lock", "objects/info/*.lock", "objects/pack/tmp_*"):
        for path in mirror.glob(pattern):
            path.unlink(missing_ok=True)


def _modified(path: Path) -> float:
    return path.stat().st_mtime


def _older(home: Path, than: float) -> list[Path]:
    """Half-made things that no process is at any more."""
    found = [*home.glob("repositories/*.new"), *home.glob("incoming/*"), *home.glob("making/*")]
    return [path for path in found if _modified(path) < than]
