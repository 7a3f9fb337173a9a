"""Paths as a model gives them: inside of the repository."""

import posixpath
from difflib import get_close_matches

from pydantic_ai.exceptions import ToolFailed

from assay.agents.sandboxes.providers.types import WORK, Command, NoSuchFile, Sandbox

_LISTING = 2_000_000


def inside(path: str) -> str:
    """A path relative to the repository, without `.` and `..`; `.` for the repository itself.

    Raises:
        ToolFailed: it leads out of the repository.
    """
    if "\x00" in path:
        raise ToolFailed("a path must not contain the NUL character")
    absolute = posixpath.normpath(posixpath.join(WORK, path.strip() or "."))
    if absolute == WORK:
        return "."
    if not absolute.startswith(f"{WORK}/"):
        raise ToolFailed(
            f"{path} is outside of the repository; paths are relative to its root, as src/main.py"
        )
    return absolute.removeprefix(f"{WORK}/")


def absolute(path: str) -> str:
    """The path in the sandbox of one that `inside` gave."""
    return posixpath.normpath(posixpath.join(WORK, path))


async def read(sandbox: Sandbox, path: str, limit: int = 10_000_000) -> bytes:
    """What is in a file of the repository, up to `limit` bytes.

    Raises:
        ToolFailed: there is none at this path; it names those that are alike.
    """
    try:
        return await sandbox.read_file(absolute(path), limit=limit)
    except NoSuchFile:
        raise ToolFailed(await _missing(sandbox, path)) from None


async def _missing(sandbox: Sandbox, path: str) -> str:
    """That there is no file at `path`, and which are meant perhaps."""
    script = (
        'if [ -d "$1" ]; then echo folder; exit; fi\n'
        "git ls-files -co --exclude-standard 2>/dev/null || find . -type f | cut -c3-"
    )
    ran = await sandbox.run(
        Command(("bash", "-c", script, "bash", path), seconds=30.0, output_bytes=_LISTING)
    )
    files = ran.output.decode("utf-8", "replace").splitlines()
    if files == ["folder"]:
        return f"{path} is a folder; list_files shows what is in it"
    name = posixpath.basename(path)
    alike = [file for file in files if posixpath.basename(file) == name]
    alike = alike[:5] or get_close_matches(path, files, n=5, cutoff=0.7)
    meant = f"; did you mean {', '.join(alike)}?" if alike else ""
    return f"there is no file {path}{meant}"
