"""The tools that look and change nothing: they may run side by side."""

from collections import Counter
from typing import Annotated

from pydantic import Field
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.tools import RunContext

from assay.agents.sandboxes.providers.types import Command, Sandbox
from assay.agents.tasks.tools.desk import Desk
from assay.agents.tasks.tools.paths import inside, read

LISTED = 400
"""Files that are named one by one."""

_LONGEST_LINE = 500
_SHOWN_CHARACTERS = 48_000
_FOUND_CHARACTERS = 16_000
_OUTPUT_BYTES = 4_000_000
_SECONDS = 60.0

# What git tracks and what is new, without what it ignores and what is deleted; without git, all.
_LIST = r"""
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files -z -co --exclude-standard --deduplicate -- "$@" |
        while IFS= read -r -d '' file; do
            if [ -e "$file" ] || [ -L "$file" ]; then printf '%s\n' "$file"; fi
        done
else
    # Files without a match of what matches nothing are all files.
    git grep --no-index -L -P -e '(?!)' -- "$@"
fi
"""


async def list_files(ctx: RunContext[Desk], path: str = ".", pattern: str | None = None) -> str:
    """List the files of the repository or of a folder, without what .gitignore leaves out.

    Of many files only the folders are listed, with the number of files in each.

    Args:
        ctx: the run.
        path: The folder, relative to the repository.
        pattern: Only files that match this, as `*.py` (in any folder below) or `tests/**/a_*.py`.
    """
    place = inside(path)
    wanted = _pathspec(place, pattern)
    ran = await ctx.deps.sandbox.run(
        Command(("bash", "-c", _LIST, "bash", wanted), seconds=_SECONDS, output_bytes=_OUTPUT_BYTES)
    )
    files = ran.output.decode("utf-8", "replace").splitlines()
    if not files:
        which = f" that match {pattern}" if pattern else ""
        raise ToolFailed(f"there are no files{which} in {place}")
    if len(files) <= LISTED:
        return "\n".join(files)
    return _folders(place, files)


def _pathspec(place: str, pattern: str | None) -> str:
    if pattern is None:
        return place
    inside(pattern)
    base = "" if place == "." else f"{place}/"
    below = pattern if "/" in pattern else f"**/{pattern}"
    return f":(glob){base}{below}"


def _folders(place: str, files: list[str]) -> str:
    start = 0 if place == "." else len(place) + 1
    counted: Counter[str] = Counter()
    for file in files:
        folders = file[start:].split("/")[:-1][:2]
        counted[file[:start] + "".join(f"{folder}/" for folder in folders) or "./"] += 1
    lines = [f"{folder} {number:,}" for folder, number in sorted(counted.items())]
    more = f"\n... and {len(lines) - LISTED:,} more folders" if len(lines) > LISTED else ""
    head = f"{len(files):,} files, too many to name; the folders and their numbers of files:"
    return "\n".join([head, *lines[:LISTED]]) + more


async def read_file(
    ctx: RunContext[Desk],
    path: str,
    first_line: Annotated[int, Field(ge=1)] = 1,
    lines: Annotated[int, Field(ge=1, le=2000)] = 500,
) -> str:
    """Read a text file, each line with its number in front, which is not part of the file.

    Args:
        ctx: the run.
        path: The file, relative to the repository.
        first_line: Where to begin, from 1.
        lines: How many lines at most.
    """
    place = inside(path)
    content = await read(ctx.deps.sandbox, place)
    if b"\x00" in content[:8000]:
        return f"{place} is a binary file of {len(content):,} bytes"
    every = lines_of(content.decode("utf-8", "replace"))
    if not every:
        return f"{place} is empty"
    if first_line > len(every):
        raise ToolFailed(f"{place} has {len(every):,} lines, so there is no line {first_line:,}")
    return numbered(every, first_line, lines)


def lines_of(text: str) -> list[str]:
    """The lines as git and compilers count them: only a line feed ends one."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def numbered(every: list[str], first: int, count: int) -> str:
    """Lines of a file with their numbers (from 1), and whether it goes on behind them."""
    shown: list[str] = []
    room = _SHOWN_CHARACTERS
    for number, line in enumerate(every[first - 1 : first - 1 + count], first):
        cut = len(line) - _LONGEST_LINE
        text = f"{line[:_LONGEST_LINE]} [... {cut} characters left out]" if cut > 0 else line
        room -= len(text)
        if room < 0 and shown:
            break
        shown.append(f"{number:>6}\t{text}")
    last = first + len(shown) - 1
    if last < len(every):
        shown.append(f"[goes on to line {len(every):,}; read on with first_line={last + 1}]")
    return "\n".join(shown)


async def search(
    ctx: RunContext[Desk],
    pattern: Annotated[str, Field(min_length=1, max_length=1000)],
    path: str = ".",
    *,
    literal: bool = False,
    ignore_case: bool = False,
    context: Annotated[int, Field(ge=0, le=10)] = 0,
) -> str:
    """Search the text of files, without what .gitignore leaves out; lines with their numbers.

    Args:
        ctx: the run.
        pattern: A regular expression (Perl), or a text if `literal`.
        path: The folder or file to search, or a pattern as `*.py`.
        literal: Take the pattern as it stands.
        ignore_case: Take large and small letters for the same.
        context: How many lines to show around each that is found.
    """
    starred = "*" in path
    place = inside(path)
    where = _pathspec(".", place) if starred else place
    options = ["-F"] if literal else ["-P"]
    options += ["-i"] if ignore_case else []
    options += [f"-C{context}"] if context else []
    output = await _grep(ctx.deps.sandbox, options, pattern, where)
    if not output:
        return f"nothing in {place} matches {pattern}"
    return _bounded(output)


async def _grep(sandbox: Sandbox, options: list[str], pattern: str, where: str) -> list[str]:
    script = (
        "git rev-parse --is-inside-work-tree >/dev/null 2>&1 && kind=--untracked"
        " || kind=--no-index\n"
        "exec git --no-pager -c core.quotePath=false grep --no-color $kind -I -n --heading --break"
        ' --max-count=100 "$@"'
    )
    arguments = ("bash", "-c", script, "bash", *options, "-e", pattern, "--", where)
    ran = await sandbox.run(Command(arguments, seconds=_SECONDS, output_bytes=_OUTPUT_BYTES))
    text = ran.output.decode("utf-8", "replace")
    if ran.timed_out:
        raise ToolFailed("the search took too long; narrow the path or the pattern")
    if ran.exit_code not in (0, 1):
        raise ToolFailed(f"the search failed: {text.strip()[:1000]}")
    return text.splitlines()


def _bounded(found: list[str]) -> str:
    room = _FOUND_CHARACTERS
    kept: list[str] = []
    for line in found:
        text = line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} [...]"
        room -= len(text) + 1
        if room < 0:
            left = len(found) - len(kept)
            kept.append(f"[{left:,} more lines are not shown; narrow the path or the pattern]")
            break
        kept.append(text)
    return "\n".join(kept)
