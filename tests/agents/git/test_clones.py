"""Git inside a sandbox, also in a clone that was made to mislead it."""

from uuid import uuid4

import pytest
from tests.agents.git.repositories import Origin, git
from tests.agents.git.shells import shell

from assay.agents.git import clones
from assay.agents.git.errors import CloneBroken, CommitsRefused
from assay.agents.git.mirrors import BaseCommit, Mirrors
from assay.agents.git.receiving import receive
from assay.agents.git.remotes import Remote
from assay.agents.git.seeds import make_seed
from assay.agents.sandboxes.providers.types import Sandbox

AGENT = clones.Author("Ada", "ada@agents.example.com")


@pytest.fixture
async def base(mirrors: Mirrors, remote: Remote, sandbox: Sandbox) -> BaseCommit:
    """What the sandbox has a clone of."""
    base = await mirrors.refresh(remote)
    await clones.clone_into(sandbox, await make_seed(mirrors, remote, base), "assay/1-x", AGENT)
    return base


async def test_clone(sandbox: Sandbox, base: BaseCommit) -> None:
    assert await shell(sandbox, "git branch --show-current") == "assay/1-x"
    assert await shell(sandbox, "git remote") == ""
    assert await shell(sandbox, "git rev-parse main origin/main") == f"{base.sha}\n{base.sha}"
    assert await shell(sandbox, "git config user.name") == "Ada"
    assert await shell(sandbox, "cat src/app.py; git status --short") == "print('hello')"
    assert await shell(sandbox, "ls .git/assay-* 2>/dev/null | wc -l") == "0"
    assert await shell(sandbox, "git log --format=%s") == "Add the program\nBegin"


async def test_clone_again(
    sandbox: Sandbox, base: BaseCommit, mirrors: Mirrors, remote: Remote
) -> None:
    await shell(sandbox, "echo broken > README.md; rm src/app.py")
    seed = await make_seed(mirrors, remote, base)
    await clones.clone_into(sandbox, seed, "assay/1-x", AGENT)
    assert await shell(sandbox, "cat README.md src/app.py") == "Hello\nprint('hello')"


async def test_locks_of_a_git_that_was_killed(
    sandbox: Sandbox, base: BaseCommit, mirrors: Mirrors, remote: Remote
) -> None:
    lock = "touch .git/index.lock .git/HEAD.lock .git/config.lock .git/refs/heads/assay/1-x.lock"
    await shell(sandbox, lock)
    seed = await make_seed(mirrors, remote, base)
    await clones.clone_into(sandbox, seed, "assay/1-x", AGENT)
    await shell(sandbox, f"{lock}; echo 1 > new")
    assert await clones.commit_all(sandbox, "New", AGENT) == await clones.head(sandbox) != base.sha


async def test_branch_that_was_pushed(
    sandbox: Sandbox, origin: Origin, mirrors: Mirrors, remote: Remote
) -> None:
    """A sandbox is made anew, from the task's own branch."""
    sha = origin.commit({"a": "1"}, branch="assay/1-x")
    base = await mirrors.refresh(remote, "assay/1-x")
    await clones.clone_into(sandbox, await make_seed(mirrors, remote, base), "assay/1-x", AGENT)
    assert await clones.head(sandbox) == sha
    assert await shell(sandbox, "git branch --show-current") == "assay/1-x"


async def test_commit_has_all(sandbox: Sandbox, base: BaseCommit) -> None:
    await shell(
        sandbox,
        "echo '*.log' > .gitignore; echo x > a.log; rm README.md; "
        "mkdir -p 'ä b'; echo x > 'ä b/c'; git add .gitignore",
    )
    sha = await clones.commit_all(sandbox, "-m strange\n# not a comment", AGENT)
    assert sha
    names = await shell(sandbox, "git -c core.quotePath=false show --name-status --format=%B HEAD")
    assert "-m strange\n# not a comment" in names
    assert {"A\t.gitignore", "D\tREADME.md", "A\tä b/c"} <= set(names.splitlines())
    assert "a.log" not in names
    assert await clones.commit_all(sandbox, "Nothing", AGENT) is None


async def test_what_the_model_has_committed_counts(
    sandbox: Sandbox, base: BaseCommit, mirrors: Mirrors, remote: Remote
) -> None:
    await shell(sandbox, "echo 1 > a; git add a; git commit -qm One; git checkout -q --detach")
    await shell(sandbox, "echo 2 > a; git commit -qam Two")
    assert await clones.commit_all(sandbox, "Nothing", AGENT) is None
    content = await clones.take_commits(sandbox, base.sha)
    assert content
    received = await receive(mirrors, remote, content, uuid4(), base.sha)
    assert [commit.subject for commit in received.commits] == ["One", "Two"]
    assert received.commits[0].author == "Ada <ada@agents.example.com>"


async def test_merge_that_was_begun(sandbox: Sandbox, base: BaseCommit) -> None:
    await shell(
        sandbox,
        "git checkout -q -b side; echo a > f; git add f; git commit -qm A; git checkout -q main; "
        "echo b > g; git add g; git commit -qm B; git merge -q --no-commit side",
    )
    sha = await clones.commit_all(sandbox, "Merge", AGENT)
    assert sha
    assert len((await shell(sandbox, "git show -s --format=%P HEAD")).split()) == 2


async def test_diff_has_new_files_and_leaves_the_index(sandbox: Sandbox, base: BaseCommit) -> None:
    await shell(
        sandbox, "echo 1 > a; git add a; git commit -qm One; echo 2 > b; echo 3 > c; git add b"
    )
    before = await clones.status(sandbox)
    seen = await clones.diff(sandbox, base.sha)
    assert {"+1", "+2", "+3"} <= set(seen.splitlines())
    assert await clones.status(sandbox) == before
    assert "?? c" in before
    await shell(sandbox, "seq 100000 > large")
    assert len(await clones.diff(sandbox, base.sha, limit=10_000)) < 11_000


HOSTILE = """
mkdir -p .git/hooks
for hook in pre-commit prepare-commit-msg commit-msg post-commit post-index-change \
    reference-transaction post-checkout; do
    printf '#!/bin/sh\necho "$0" >> /work/.git/ran\nexit 1\n' > .git/hooks/$hook
    chmod +x .git/hooks/$hook
done
printf '#!/bin/sh\necho "$0" >> /work/.git/ran\nexit 1\n' > .git/evil; chmod +x .git/evil
git config core.fsmonitor /work/.git/evil
git config core.hooksPath /work/.git/hooks
git config core.worktree /usr
git config core.pager /work/.git/evil
git config core.editor /work/.git/evil
git config commit.gpgSign true
git config gpg.program /work/.git/evil
git config diff.external /work/.git/evil
git config alias.commit '!/work/.git/evil'
git config alias.bundle '!/work/.git/evil'
git config core.attributesFile /work/.git/attributes
git config diff.evil.textconv /work/.git/evil
git config diff.evil.command /work/.git/evil
echo '* diff=evil' > .git/attributes
git config user.name Mallory
git config user.email mallory@example.com
touch .git/index.lock
"""


async def test_hostile_clone(
    sandbox: Sandbox, base: BaseCommit, mirrors: Mirrors, remote: Remote
) -> None:
    await shell(sandbox, HOSTILE + "echo more >> README.md")
    assert "README.md" in await clones.status(sandbox)
    assert "+more" in await clones.diff(sandbox, base.sha)
    sha = await clones.commit_all(sandbox, "Say more", AGENT)
    assert sha == await clones.head(sandbox)
    content = await clones.take_commits(sandbox, base.sha)
    assert content
    received = await receive(mirrors, remote, content, uuid4(), base.sha)
    assert received.head_sha == sha
    assert received.commits[0].author == "Ada <ada@agents.example.com>"
    assert await shell(sandbox, "ls .git/ran 2>/dev/null || true") == ""


async def test_rewritten_history(sandbox: Sandbox, base: BaseCommit) -> None:
    await shell(sandbox, "git commit -q --amend -m Other")
    with pytest.raises(CommitsRefused, match=f"git reset --soft {base.sha}"):
        await clones.take_commits(sandbox, base.sha)
    # The advice mends it.
    await shell(sandbox, f"git reset -q --soft {base.sha}; echo x > x; git add x; git commit -qm X")
    assert await clones.take_commits(sandbox, base.sha)


async def test_too_much(sandbox: Sandbox, base: BaseCommit) -> None:
    await shell(
        sandbox, "head -c 300000 /dev/urandom > random; git add random; git commit -qm Much"
    )
    with pytest.raises(CommitsRefused, match="more than 200,000 bytes"):
        await clones.take_commits(sandbox, base.sha, limit=200_000)
    await shell(
        sandbox, f"echo random > .gitignore; git reset -q {base.sha}; git add .; git commit -qm L"
    )
    assert await clones.take_commits(sandbox, base.sha, limit=200_000)


@pytest.mark.parametrize(
    "harm", ["rm -rf .git", "rm -rf .git; echo gitdir: /usr > .git", "echo x > .git/HEAD"]
)
async def test_broken_clone(sandbox: Sandbox, base: BaseCommit, harm: str) -> None:
    await shell(sandbox, harm)
    with pytest.raises(CloneBroken, match="in the sandbox failed"):
        await clones.head(sandbox)
    with pytest.raises(CloneBroken):
        await clones.take_commits(sandbox, base.sha)
    with pytest.raises(CloneBroken):
        await clones.commit_all(sandbox, "X", AGENT)


async def test_filter_that_hangs(
    sandbox: Sandbox, base: BaseCommit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clones, "COMMIT_SECONDS", 1.0)
    await shell(
        sandbox,
        "git config filter.slow.clean 'sleep 600'; echo '* filter=slow' > .gitattributes; "
        "echo x > x",
    )
    with pytest.raises(CloneBroken, match="stopped for its time"):
        await clones.commit_all(sandbox, "X", AGENT)


@pytest.mark.parametrize(
    ("author", "shown"),
    [
        (clones.Author("", ""), "Assay agent <agent@assay.invalid>"),
        (clones.Author("A <b>\nX", "a@b\n>"), "A bX <a@b>"),
        (clones.Author("\\\\", "\\"), "Assay agent <agent@assay.invalid>"),
        (clones.Author("--Ädä 🤖", "x@y"), "--Ädä 🤖 <x@y>"),
    ],
)
async def test_odd_authors(
    sandbox: Sandbox, base: BaseCommit, author: clones.Author, shown: str
) -> None:
    await shell(sandbox, "echo x > x")
    await clones.commit_all(sandbox, "X", author)
    assert await shell(sandbox, "git show -s --format='%an <%ae>' HEAD") == shown


async def test_nothing_of_the_clone_runs_on_this_side(
    origin: Origin, sandbox: Sandbox, mirrors: Mirrors, remote: Remote
) -> None:
    """A repository that brings attributes and hooks along as files."""
    origin.commit({".gitattributes": "* filter=evil\n", ".gitmodules": "[core]\n\tfsmonitor = x\n"})
    base = await mirrors.refresh(remote)
    await clones.clone_into(sandbox, await make_seed(mirrors, remote, base), "assay/1-x", AGENT)
    config = (mirrors.path(remote) / "config").read_text()
    assert "remote" not in config
    assert git("config", "--list", "--local", at=mirrors.path(remote)).startswith("core.")
