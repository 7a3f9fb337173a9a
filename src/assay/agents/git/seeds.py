"""What sandboxes begin with: a commit and the history behind it, as one packed file of git.

The file goes into the sandbox with its index, so that git there has nothing to compute; of a bundle
it would have to look at every object first (13 MB: 1.8 s in place of 0.2). A small repository
goes in whole, so that `git log`, `git blame` and a merge work as they do elsewhere. Of a large one
only the last commits go in: writing the whole history into each sandbox would cost more than it is
good for.
"""

import asyncio
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from assay.agents.git.errors import GitFailed
from assay.agents.git.mirrors import BaseCommit, Mirrors
from assay.agents.git.program import LONG_SECONDS
from assay.agents.git.remotes import Remote

WHOLE_BYTES = 32 * 1024 * 1024
"""A history that takes more than this, packed, is cut."""
DEPTH = 50
"""What is left of a history that is cut: commits behind the first, along every line."""
MAX_BYTES = 512 * 1024 * 1024
CACHE_BYTES = 4 * 1024**3
_IN_USE_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Seed:
    """What a sandbox begins with, in files on the server's disk.

    Attributes:
        base: the commit, and the branch that it is of.
        pack: its objects; the file stays for a quarter of an hour at least.
        shallow: the commits that the history is cut behind; none where it is whole.
    """

    base: BaseCommit
    pack: Path
    shallow: tuple[str, ...] = ()

    @property
    def index(self) -> Path:
        """Where in the pack is what."""
        return self.pack.with_suffix(".idx")


async def make_seed(
    mirrors: Mirrors, remote: Remote, base: BaseCommit, *, whole_bytes: int = WHOLE_BYTES
) -> Seed:
    """The seed of a commit that is in the mirror; made once, and then taken from the cache.

    Raises:
        GitFailed: the commit is not in the mirror (`refresh` first), or too large.
        GitTimeout
    """
    mirror, folder = mirrors.path(remote), mirrors.home / "seeds"
    pack = folder / f"{mirror.stem}-{base.sha}-{whole_bytes}.pack"
    if not await asyncio.to_thread(_touched, pack):
        async with mirrors.holding(remote) as lock:
            if not await asyncio.to_thread(_touched, pack):
                await _keep(mirrors, remote, base.sha, lock)
                await _make(mirrors, mirror, base.sha, pack, whole_bytes)
        await asyncio.to_thread(_evict, folder)
    shallow = await asyncio.to_thread(pack.with_suffix(".shallow").read_text)
    return Seed(base, pack, tuple(shallow.split()))


async def _keep(mirrors: Mirrors, remote: Remote, sha: str, lock: int) -> None:
    """Keep the commit, even where the branch is forced to elsewhere."""
    kept = await mirrors.git.run(
        "update-ref", _kept_ref(sha), sha, at=mirrors.path(remote), lock=lock
    )
    if kept.exit_code:
        raise GitFailed(
            f"The commit {sha} is not in the mirror of {remote.url} any more. Start again from the "
            "branch."
        )


def _kept_ref(sha: str) -> str:
    return f"refs/assay/bases/{sha}"


async def _make(mirrors: Mirrors, mirror: Path, sha: str, pack: Path, whole_bytes: int) -> None:
    git = mirrors.git
    making = mirrors.home / "making" / secrets.token_hex(8)
    await asyncio.to_thread(making.mkdir, parents=True)
    try:
        counting = ("rev-list", "--disk-usage", "--objects", sha)
        size = (await git.run(*counting, at=mirror, seconds=LONG_SECONDS)).checked()
        source = mirror
        if int(size.text) > whole_bytes:
            source = making / "shallow.git"
            await _cut(mirrors, mirror, sha, source)
        packed = await git.run(
            *("pack-objects", "--quiet", "--revs", "--delta-base-offset", str(making / "new")),
            at=source,
            stdin=f"{sha}\n".encode(),
            seconds=LONG_SECONDS,
        )
        new = making / f"new-{packed.checked().text}.pack"
        await asyncio.to_thread(_publish, new, source / "shallow", pack)
    finally:
        await asyncio.to_thread(shutil.rmtree, making, ignore_errors=True)


async def _cut(mirrors: Mirrors, mirror: Path, sha: str, source: Path) -> None:
    git, ref = mirrors.git, _kept_ref(sha)
    (await git.run("init", "--quiet", "--bare", str(source))).checked()
    fetched = await git.run(
        *("fetch", "--quiet", "--no-tags", f"--depth={DEPTH}", f"file://{mirror}", f"{ref}:{ref}"),
        at=source,
        settings=[("protocol.file.allow", "always")],
        seconds=LONG_SECONDS,
    )
    fetched.checked()


def _publish(new: Path, shallow: Path, pack: Path) -> None:
    if (size := new.stat().st_size) > MAX_BYTES:
        raise GitFailed(
            f"The repository is too large for a sandbox: its last {DEPTH} commits take "
            f"{size:,} bytes, and {MAX_BYTES:,} are possible."
        )
    pack.parent.mkdir(parents=True, exist_ok=True)
    # The pack last, so that there is never a pack without the others.
    pack.with_suffix(".shallow").write_text(shallow.read_text() if shallow.exists() else "")
    new.with_suffix(".idx").rename(pack.with_suffix(".idx"))
    new.rename(pack)
    pack.touch()


def _touched(pack: Path) -> bool:
    """Whether it is there; the cache keeps what was used last."""
    try:
        os.utime(pack)
    except FileNotFoundError:
        return False
    return True


def _evict(folder: Path) -> None:
    """Remove what was not used for longest, until the rest fits."""
    found = [(pack, pack.stat()) for pack in folder.glob("*.pack")]
    total = sum(stat.st_size for _, stat in found)
    for pack, stat in sorted(found, key=lambda entry: entry[1].st_mtime):
        if total <= CACHE_BYTES or stat.st_mtime > time.time() - _IN_USE_SECONDS:
            return
        for ending in (".pack", ".idx", ".shallow"):
            pack.with_suffix(ending).unlink(missing_ok=True)
        total -= stat.st_size
