"""The files that a configuration names: of a folder, or of a request, and never any other."""

import re
from collections.abc import Mapping, Sequence
from fnmatch import translate
from pathlib import Path, PurePosixPath
from typing import Protocol

from assay.playground.promptfoo.document import read_text
from assay.playground.promptfoo.suite import SuiteFault

FILE = "file://"
_WILD = re.compile(r"[*?\[]")


class Files(Protocol):
    """Where the text of a named file comes from."""

    def read(self, name: str) -> str:
        """The text of a file.

        Raises:
            SuiteFault: there is none, or it may not be read; says where it is looked for.
        """
        ...

    def matching(self, pattern: str) -> Sequence[str]:
        """The names of files that a pattern with `*` matches, in their order; or the one name."""
        ...


class FolderFiles:
    """The files of the folder that the configuration is in, and below; for the command line."""

    def __init__(self, folder: Path) -> None:
        """Look in `folder` and below, also after links were followed."""
        self._root = folder.resolve()

    def read(self, name: str) -> str:
        """The text of a file, in UTF-8."""
        path = (self._root / name).resolve()
        if not path.is_relative_to(self._root):
            raise SuiteFault(f"{name} is not in the folder of the configuration: {self._root}")
        return read_text(path)

    def matching(self, pattern: str) -> Sequence[str]:
        """The names of files below the folder that match, with `**` for any depth."""
        if not _WILD.search(pattern):
            return [pattern]
        relative = pattern.removeprefix("./")
        if relative.startswith("/") or ".." in PurePosixPath(relative).parts:
            raise SuiteFault(f"{pattern} is not in the folder of the configuration: {self._root}")
        found = (path.relative_to(self._root) for path in self._root.glob(relative))
        return sorted(path.as_posix() for path in found if (self._root / path).is_file())


class GivenFiles:
    """Files that came with the configuration; the server reads no path that it is given."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """`texts`: the text of each file by the name that the configuration uses."""
        self._texts = {_plain(name): text for name, text in texts.items()}

    def read(self, name: str) -> str:
        """The text that was sent under this name."""
        try:
            return self._texts[_plain(name)]
        except KeyError:
            raise SuiteFault(
                f"{name} did not come along: the server reads no files, so send its text under "
                "files, or use assay import."
            ) from None

    def matching(self, pattern: str) -> Sequence[str]:
        """The names that match; `*` matches slashes too."""
        if not _WILD.search(pattern):
            return [pattern]
        matches = re.compile(translate(_plain(pattern).replace("**/", "*"))).match
        return sorted(name for name in self._texts if matches(name))


def _plain(name: str) -> str:
    return str(PurePosixPath(name.removeprefix(FILE)))
