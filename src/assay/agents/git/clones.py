"""The clone inside a sandbox: git there, told what to do by commands.

What is in the clone belongs to the sandbox: a hook or a filter in it may run, for it runs where
everything else of the task does. So that it at least does not change what we ask for, hooks,
monitors, signing and other outside programs are off for our own commands, and the folders are named
to git and not found by it. Everything that comes back is only text, or a bundle that is checked.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from assay.agents.git.errors import CloneBroken, CommitsRefused
from assay.agents.git.receiving import MAX_BUNDLE_BYTES
from assay.agents.git.seeds import Seed
from assay.agents.sandboxes.providers.types import WORK, Command, Ran, Sandbox
from assay.core.outbound_http import clean

CLONE_SECONDS = 600.0
COMMIT_SECONDS = 300.0
DIFF_BYTES = 512 * 1024
STATUS_BYTES = 16 * 1024
_GIT: Final = f"{WORK}/.git"
_OUT: Final = f"{_GIT}/assay-out.bundle"
_SHA = re.compile(r"[0-9a-f]{40}")
_NOTHING = 21
_REWRITTEN = 22
_TOO_LARGE = 23
_NO_GIT = 127

_PINS = {
    "advice.addEmbeddedRepo": "false",
    "commit.gpgSign": "false",
    "commit.template": "",
    "core.excludesFile": "",
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.pager": "cat",
    "core.quotePath": "false",
    "core.untrackedCache": "false",
    "diff.external": "",
    "gc.auto": "0",
    "init.templateDir": "",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    # Where the sandbox's user is not the one who owns the folder.
    "safe.directory": "*",
    "submodule.recurse": "false",
}

# Git that was stopped in its middle, with its worker or for its time, leaves its locks.
_UNLOCK = """
if test -d "$GIT_DIR/refs"; then
  find "$GIT_DIR" -maxdepth 1 -name '*.lock' -delete
  find "$GIT_DIR/refs" -name '*.lock' -delete
fi
"""
_CLONE = f"""{_UNLOCK}
test -e "$GIT_DIR/config" || git init --quiet
git update-ref "refs/remotes/origin/$1" "$2"
git update-ref "refs/heads/$1" "$2"
git checkout --quiet --force --no-track -B "$3" "$2"
git config user.name "$4"
git config user.email "$5"
"""
_COMMIT = f"""{_UNLOCK}
git add --all
if git rev-parse --verify --quiet MERGE_HEAD >/dev/null; then :
elif git diff --cached --quiet --no-ext-diff; then exit {_NOTHING}; fi
git commit --quiet --no-verify --cleanup=whitespace --file=- >&2
git rev-parse --verify HEAD
"""
_TAKE = f"""
head=$(git rev-parse --verify 'HEAD^{{commit}}')
if test "$head" = "$1"; then exit {_NOTHING}; fi
git merge-base --is-ancestor "$1" "$head" || exit {_REWRITTEN}
rm -f "$2"
git bundle create --quiet "$2" "$1..HEAD"
if test "$(wc -c < "$2")" -gt "$3"; then rm -f "$2"; exit {_TOO_LARGE}; fi
"""
# In a copy of the index, so that what the model has staged stays as it is.
_DIFF = """
export GIT_INDEX_FILE="$GIT_DIR/assay-index"
rm -f "$GIT_INDEX_FILE" "$GIT_INDEX_FILE.lock"
if test -f "$GIT_DIR/index"; then cp "$GIT_DIR/index" "$GIT_INDEX_FILE"; fi
git add --all
git diff --cached --no-color --no-ext-diff --no-textconv --find-renames "$1"
rm -f "$GIT_INDEX_FILE"
"""


@dataclass(frozen=True, slots=True)
class Author:
    """Who commits."""

    name: str
    email: str


async def clone_into(sandbox: Sandbox, seed: Seed, branch: str, author: Author) -> None:
    """Make `WORK` a clone from the seed, on the new branch `branch`, with `author` as its user.

    The branch that it is made from is there as well, under its own name and as
    `origin/<name>`; there is no remote. Once more makes the clone anew, as far as git tracks it.

    Raises:
        CloneBroken: git is missing in the sandbox, or cannot do it.
        SandboxLimit, SandboxGone
    """
    # They are there before git makes the repository around them: one command less to wait for.
    pack = f"{_GIT}/objects/pack/pack-{seed.base.sha}"
    contents = await asyncio.to_thread(lambda: (seed.pack.read_bytes(), seed.index.read_bytes()))
    await asyncio.gather(
        sandbox.write_file(f"{pack}.pack", contents[0]),
        sandbox.write_file(f"{pack}.idx", contents[1]),
    )
    if seed.shallow:
        cut = "".join(f"{sha}\n" for sha in seed.shallow)
        await sandbox.write_file(f"{_GIT}/shallow", cut.encode())
    base, who = seed.base, _plain(author)
    arguments = (base.branch, base.sha, branch, who.name, who.email)
    ran = await _run(sandbox, _CLONE, *arguments, seconds=CLONE_SECONDS)
    _check(ran, "clone")


async def commit_all(sandbox: Sandbox, message: str, author: Author) -> str | None:
    """Commit whatever differs from the last commit, new files too; gives the commit, if any.

    Files that `.gitignore` names stay out. A merge that was begun is ended.

    Raises:
        CloneBroken, SandboxGone
    """
    who = _plain(author)
    names = {
        "GIT_AUTHOR_NAME": who.name,
        "GIT_AUTHOR_EMAIL": who.email,
        "GIT_COMMITTER_NAME": who.name,
        "GIT_COMMITTER_EMAIL": who.email,
    }
    stdin = message.replace("\0", "").encode(errors="replace")
    ran = await _run(sandbox, _COMMIT, stdin=stdin, environment=names, seconds=COMMIT_SECONDS)
    if ran.exit_code == _NOTHING:
        return None
    _check(ran, "commit")
    return _sha_in(ran)


async def head(sandbox: Sandbox) -> str:
    """The commit that the clone is at.

    Raises:
        CloneBroken, SandboxGone
    """
    ran = await _run(sandbox, "git rev-parse --verify 'HEAD^{commit}'")
    _check(ran, "rev-parse")
    return _sha_in(ran)


async def take_commits(
    sandbox: Sandbox, base_sha: str, *, limit: int = MAX_BUNDLE_BYTES
) -> bytes | None:
    """The commits behind `base_sha` up to the one that the clone is at, as a bundle.

    On whatever branch it is. None where there are no new ones. For `receive`, which trusts
    nothing of it.

    Raises:
        CommitsRefused: the history does not go on from `base_sha`, or takes more than `limit`
            bytes; the message says what to do, also for the model.
        CloneBroken, SandboxGone
    """
    ran = await _run(sandbox, _TAKE, base_sha, _OUT, str(limit), seconds=COMMIT_SECONDS)
    if ran.exit_code == _NOTHING:
        return None
    if ran.exit_code == _REWRITTEN:
        raise CommitsRefused(
            f"The branch does not go on from {base_sha}: its history was rewritten (by amend, "
            "rebase or reset). Put the changes on top of that commit: "
            f"`git reset --soft {base_sha}`, and commit again."
        )
    if ran.exit_code == _TOO_LARGE:
        raise CommitsRefused(
            f"The commits take more than {limit:,} bytes. Leave out what a build makes and large "
            f"files: name them in .gitignore, `git reset {base_sha}`, and commit again."
        )
    _check(ran, "bundle")
    content = await sandbox.read_file(_OUT, limit=limit)
    await _run(sandbox, f"rm -f {_OUT}")
    return content


async def diff(sandbox: Sandbox, base_sha: str, *, limit: int = DIFF_BYTES) -> str:
    """What differs from `base_sha`, committed or not, as a unified diff; cut in the middle.

    Raises:
        CloneBroken, SandboxGone
    """
    ran = await _run(sandbox, _DIFF, base_sha, seconds=COMMIT_SECONDS, limit=limit)
    _check(ran, "diff")
    return _text(ran)


async def status(sandbox: Sandbox) -> str:
    """The branch and the files that differ from the last commit, in git's short form.

    Raises:
        CloneBroken, SandboxGone
    """
    ran = await _run(sandbox, "git status --short --branch", limit=STATUS_BYTES)
    _check(ran, "status")
    return _text(ran)


async def _run(
    sandbox: Sandbox,
    script: str,
    *arguments: str,
    stdin: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = 60.0,
    limit: int = 8192,
) -> Ran:
    return await sandbox.run(
        Command(
            ("sh", "-ec", script, "sh", *arguments),
            environment={**_environment(), **(environment or {})},
            stdin=stdin,
            seconds=seconds,
            output_bytes=limit,
        )
    )


def _environment() -> dict[str, str]:
    environment = {
        "GIT_CONFIG_COUNT": str(len(_PINS)),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_DIR": _GIT,
        "GIT_EDITOR": "true",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_PAGER": "cat",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_WORK_TREE": WORK,
        "LC_ALL": "C",
    }
    for place, (name, value) in enumerate(_PINS.items()):
        environment[f"GIT_CONFIG_KEY_{place}"] = name
        environment[f"GIT_CONFIG_VALUE_{place}"] = value
    return environment


def _plain(author: Author) -> Author:
    """Without what git would drop, so that the name is never empty."""

    def kept(text: str) -> str:
        return re.sub(r"[\x00-\x1f\x7f<>]", "", text).strip(" .,:;'\"\\")

    return Author(kept(author.name) or "Assay agent", kept(author.email) or "agent@assay.invalid")


def _check(ran: Ran, what: str) -> None:
    if ran.exit_code == 0:
        return
    if ran.timed_out:
        raise CloneBroken(f"`git {what}` in the sandbox was stopped for its time.")
    if ran.limit:
        raise CloneBroken(f"`git {what}` in the sandbox ran into a limit: {ran.limit}.")
    if ran.exit_code == _NO_GIT:
        raise CloneBroken("There is no git in the sandbox: its system has to bring one.")
    said = clean(_text(ran).strip(), 1000) or f"exit code {ran.exit_code}"
    raise CloneBroken(f"`git {what}` in the sandbox failed: {said}")


def _sha_in(ran: Ran) -> str:
    """The commit in the last line; warnings may stand before it."""
    lines = _text(ran).split()
    if not lines or not _SHA.fullmatch(lines[-1]):
        raise CloneBroken(f"Git in the sandbox gave no commit, but {clean(_text(ran), 200)!r}.")
    return lines[-1]


def _text(ran: Ran) -> str:
    return ran.output.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
