"""Real repositories on disk, made with git itself."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Somebody",
    "GIT_AUTHOR_EMAIL": "somebody@example.com",
    "GIT_COMMITTER_NAME": "Somebody",
    "GIT_COMMITTER_EMAIL": "somebody@example.com",
    "LC_ALL": "C",
}


def git(*arguments: str, at: Path, stdin: bytes | None = None) -> str:
    """Run git in a folder; gives its output without the last line feed."""
    ran = subprocess.run(
        ["git", *arguments], cwd=at, env=ENVIRONMENT, input=stdin, capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return ran.stdout.decode().rstrip("\n")


@dataclass(frozen=True, slots=True)
class Origin:
    """A bare repository, and a work folder that commits go through."""

    path: Path
    work: Path

    @property
    def url(self) -> str:
        """Its address on this machine."""
        return f"file://{self.path}"

    def commit(
        self, files: Mapping[str, str], message: str = "A change", *, branch: str = "main"
    ) -> str:
        """Commit files to a branch, which is made from where the work folder is, and push it."""
        git("checkout", "-q", "-B", branch, at=self.work)
        for name, content in files.items():
            (self.work / name).parent.mkdir(parents=True, exist_ok=True)
            (self.work / name).write_text(content)
        git("add", "--all", at=self.work)
        git("commit", "-q", "-m", message, at=self.work)
        git("push", "-q", str(self.path), f"+HEAD:refs/heads/{branch}", at=self.work)
        return git("rev-parse", "HEAD", at=self.work)

    def sha(self, branch: str) -> str | None:
        """Where a branch is, or None."""
        ref = f"refs/heads/{branch}"
        return git("for-each-ref", "--format=%(objectname)", ref, at=self.path) or None


def make_origin(folder: Path) -> Origin:
    """A repository with two commits on `main`."""
    origin = Origin(folder / "origin.git", folder / "work")
    git("init", "-q", "--bare", "-b", "main", str(origin.path), at=folder)
    git("init", "-q", "-b", "main", str(origin.work), at=folder)
    origin.commit({"README.md": "Hello\n"}, "Begin")
    origin.commit({"src/app.py": "print('hello')\n"}, "Add the program")
    return origin
