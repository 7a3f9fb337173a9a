"""Commits that come out of a sandbox: looked at as what a stranger sends, and then taken.

The objects go into a folder of their own beside the mirror's, are unpacked there with all checks
of git (names such as `.git` and `..` in trees, `.gitmodules`, damaged objects), and come into the
mirror only when the history goes on from the commit that it has to. This is what git's own
receiving side does. Nothing is ever checked out here: what files and links hold is only data.
"""

import asyncio
import contextlib
import secrets
import shutil
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from uuid import UUID

from assay.agents.git.errors import CommitsRefused, GitFailed
from assay.agents.git.mirrors import Mirrors
from assay.agents.git.program import Limits, Output
from assay.agents.git.remotes import Remote
from assay.core.outbound_http import clean

MAX_BUNDLE_BYTES = 64 * 1024 * 1024
MAX_COMMITS = 1000
_SIGNATURE = b"# v2 git bundle\n"
_MAX_HEADER_LINE = 1024
_MAX_HEADER_LINES = 5000
_SHA_DIGITS = 40
_CHECK_SECONDS = 120.0
# A pack of some megabytes can say that it is many gigabytes when it is opened.
_LIMITS = Limits(memory=1024**3, file=1024**3)


@dataclass(frozen=True, slots=True)
class ReceivedCommit:
    """One commit; texts are cut and free of control characters."""

    sha: str
    author: str
    subject: str


@dataclass(frozen=True, slots=True)
class ReceivedCommits:
    """What is in the mirror now: the last commit, and the new ones with the oldest first."""

    head_sha: str
    commits: Sequence[ReceivedCommit]


@dataclass(frozen=True, slots=True)
class _Quarantine:
    mirrors: Mirrors
    mirror: Path
    objects: Path
    environment: dict[str, str] = field(repr=False)

    async def git(self, *arguments: str, stdin: bytes | None = None) -> Output:
        return await self.mirrors.git.run(
            *arguments,
            at=self.mirror,
            environment=self.environment,
            stdin=stdin,
            seconds=_CHECK_SECONDS,
            limits=_LIMITS,
        )


async def receive(
    mirrors: Mirrors, remote: Remote, bundle: bytes, task_id: UUID, expected_parent: str
) -> ReceivedCommits:
    """Take the commits of a bundle into the mirror; once more does no harm.

    Args:
        mirrors: the mirrors.
        remote: whose mirror.
        bundle: as `take_commits` gives it; not trusted.
        task_id: the commits are kept in `refs/assay/tasks/<task_id>`.
        expected_parent: the commit that the history has to go on from: that which the sandbox
            began with, or the last one that was pushed.

    Raises:
        CommitsRefused: saying what is wrong with them.
        GitTimeout, GitFailed
    """
    if len(bundle) > MAX_BUNDLE_BYTES:
        raise CommitsRefused(
            f"The commits take {len(bundle):,} bytes, and {MAX_BUNDLE_BYTES:,} are possible. "
            "Leave out what is made by a build, and large files."
        )
    head, start = _read_header(bundle)
    async with _quarantine(mirrors, mirrors.path(remote)) as quarantine:
        await _unpack(quarantine, bundle[start:])
        await _check_history(quarantine, head, expected_parent)
        commits = await _commits(quarantine, head, expected_parent)
        async with mirrors.holding(remote) as lock:
            await asyncio.to_thread(_migrate, quarantine)
            ref = f"refs/assay/tasks/{task_id}"
            kept = await mirrors.git.run("update-ref", ref, head, at=quarantine.mirror, lock=lock)
            kept.checked()
    return ReceivedCommits(head, commits)


def _read_header(bundle: bytes) -> tuple[str, int]:
    """The one commit that the bundle offers, and where the pack begins."""
    stream = BytesIO(bundle)
    if stream.readline(_MAX_HEADER_LINE) != _SIGNATURE:
        raise CommitsRefused("The file is not a bundle of git, version 2.")
    heads = []
    for _ in range(_MAX_HEADER_LINES):
        line = stream.readline(_MAX_HEADER_LINE)
        if line == b"\n":
            break
        if not line.endswith(b"\n"):
            raise CommitsRefused("The head of the bundle is damaged.")
        if not line.startswith(b"-"):
            heads.append(line.partition(b" ")[0])
    else:
        raise CommitsRefused(f"The bundle names more than {_MAX_HEADER_LINES:,} commits.")
    if len(heads) != 1:
        raise CommitsRefused(f"The bundle holds {len(heads)} references, and not one.")
    sha = heads[0].decode(errors="replace")
    if len(sha) != _SHA_DIGITS or set(sha) - set("0123456789abcdef"):
        raise CommitsRefused("The bundle names something that is no commit.")
    return sha, stream.tell()


@contextlib.asynccontextmanager
async def _quarantine(mirrors: Mirrors, mirror: Path) -> AsyncIterator[_Quarantine]:
    if not await asyncio.to_thread(mirror.exists):
        raise GitFailed("The mirror of the repository is gone: refresh it first.")
    objects = mirrors.home / "incoming" / secrets.token_hex(8)
    await asyncio.to_thread((objects / "pack").mkdir, parents=True)
    environment = {
        "GIT_OBJECT_DIRECTORY": str(objects),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(mirror / "objects"),
    }
    try:
        yield _Quarantine(mirrors, mirror, objects, environment)
    finally:
        await asyncio.to_thread(shutil.rmtree, objects, ignore_errors=True)


async def _unpack(quarantine: _Quarantine, pack: bytes) -> None:
    unpacked = await quarantine.git(
        *("index-pack", "--stdin", "--fix-thin", "--strict", "--threads=1"),
        f"--max-input-size={MAX_BUNDLE_BYTES}",
        stdin=pack,
    )
    if unpacked.exit_code:
        said = clean(unpacked.stderr.strip(), 500) or "it was stopped for what it used"
        raise CommitsRefused(f"Git refuses the commits: {said}")


async def _check_history(quarantine: _Quarantine, head: str, parent: str) -> None:
    kind = await quarantine.git("cat-file", "-t", head)
    if kind.text != "commit":
        raise CommitsRefused(f"The bundle ends in {kind.text or 'nothing'}, and not in a commit.")
    goes_on = await quarantine.git("merge-base", "--is-ancestor", parent, head)
    if goes_on.exit_code:
        raise CommitsRefused(
            f"The history does not go on from {parent}: it was rewritten (by amend, rebase or "
            "reset) or is another one. Put the changes on top of that commit."
        )
    # Every object that the new commits need is there.
    whole = await quarantine.git("rev-list", "--objects", "--quiet", head, f"^{parent}")
    if whole.exit_code:
        raise CommitsRefused("The history is not whole: objects of it are missing.")
    count = await quarantine.git("rev-list", "--count", head, f"^{parent}")
    if int(count.checked().text) > MAX_COMMITS:
        raise CommitsRefused(
            f"There are {count.text} new commits, and {MAX_COMMITS:,} are possible. Put them "
            "together into fewer."
        )


async def _commits(quarantine: _Quarantine, head: str, parent: str) -> list[ReceivedCommit]:
    log = await quarantine.git(
        *("log", "-z", "--reverse", "--topo-order", "--no-show-signature", "--no-mailmap"),
        "--format=%H%n%<(100,trunc)%an%n%<(100,trunc)%ae%n%<(500,trunc)%s",
        *(head, f"^{parent}"),
    )
    commits = []
    for entry in log.checked().text.split("\0"):
        if entry:
            lines = (clean(line.rstrip(), 500) for line in (entry + "\n\n\n").split("\n"))
            sha, name, email, subject, *_ = lines
            commits.append(ReceivedCommit(sha, f"{name} <{email}>", subject))
    return commits


def _migrate(quarantine: _Quarantine) -> None:
    """Move the pack over; its index last, for that is when git sees it."""
    target = quarantine.mirror / "objects" / "pack"
    for ending in ("pack", "rev", "idx"):
        for path in (quarantine.objects / "pack").glob(f"*.{ending}"):
            path.rename(target / path.name)
