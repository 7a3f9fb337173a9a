"""How much a unified diff of git changes, by files."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")


@dataclass(slots=True)
class FileChange:
    """What happens to one file; lines of binary files are not counted."""

    path: str
    added: int = 0
    removed: int = 0
    binary: bool = False


def diffstat(diff: str) -> Sequence[FileChange]:
    """The files of a diff with their lines, in its order; what was cut out is not counted."""
    return list(_files(diff))


def _files(diff: str) -> Iterator[FileChange]:
    file: FileChange | None = None
    old = new = 0
    # Other things that Python takes for ends of lines may stand inside of one.
    for line in diff.split("\n"):
        kind = line[:1]
        if file is not None and (old > 0 or new > 0) and kind in " +-\\":
            # Inside a hunk, whose head says how long it is: a removed line may read `-- a/x`.
            file.added += kind == "+"
            file.removed += kind == "-"
            old -= kind in " -"
            new -= kind in " +"
        elif line.startswith("diff --git "):
            if file is not None:
                yield file
            file, old, new = FileChange(_path(line.removeprefix("diff --git "))), 0, 0
        elif file is not None:
            old, new = _read_head(file, line)
    if file is not None:
        yield file


def _read_head(file: FileChange, line: str) -> tuple[int, int]:
    """Take what a line outside of hunks says; gives the lines of the hunk that it begins."""
    if found := _HUNK.match(line):
        return int(found[1] or 1), int(found[2] or 1)
    if line.startswith(("+++ b/", "--- a/")):
        file.path = line[6:].rstrip("\t")
    elif line.startswith("rename to "):
        file.path = line.removeprefix("rename to ")
    elif line.startswith(("Binary files ", "GIT binary patch")):
        file.binary = True
    return 0, 0


def _path(head: str) -> str:
    """The path in `a/path b/path`, which may hold ` b/` itself; a renamed file has two."""
    middle = len(head) // 2
    first, second = head[:middle], head[middle + 1 :]
    return second[2:] if first[2:] == second[2:] else head.rpartition(" b/")[2]
