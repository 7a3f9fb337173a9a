"""What a hostile sandbox may send, and what comes into the mirror of it."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.agents.git.repositories import Origin, git

from assay.agents.git import receiving
from assay.agents.git.errors import CommitsRefused, GitFailed
from assay.agents.git.mirrors import Mirrors
from assay.agents.git.pushing import push
from assay.agents.git.receiving import receive
from assay.agents.git.remotes import Remote

TASK = UUID("01923456-789a-7bcd-8ef0-1234567890ab")


@pytest.fixture
async def base(mirrors: Mirrors, remote: Remote) -> str:
    """The commit that the sandbox began with."""
    return (await mirrors.refresh(remote)).sha


def everything_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def bundled(origin: Origin, *revisions: str) -> bytes:
    """A bundle that git makes of these revisions of the work folder."""
    path = origin.work / ".git" / "out.bundle"
    git("bundle", "create", "--quiet", str(path), *revisions, at=origin.work)
    return path.read_bytes()


def commit_of(origin: Origin, base: str, entries: str) -> str:
    """A commit on `base` whose tree has these entries, as `git mktree` takes them."""
    tree = git("mktree", "--missing", at=origin.work, stdin=entries.encode())
    sha = git("commit-tree", tree, "-p", base, "-m", "Evil", at=origin.work)
    git("update-ref", "refs/heads/evil", sha, at=origin.work)
    return sha


def blob(origin: Origin, content: str) -> str:
    return git("hash-object", "-w", "--stdin", at=origin.work, stdin=content.encode())


async def refused(mirrors: Mirrors, remote: Remote, content: bytes, base: str, says: str) -> None:
    """It is refused, and the mirror is as it was."""
    mirror = mirrors.path(remote)
    before = everything_in(mirror)
    with pytest.raises(CommitsRefused, match=says):
        await receive(mirrors, remote, content, TASK, base)
    assert everything_in(mirror) == before
    assert not everything_in(mirrors.home / "incoming")


async def test_takes_what_goes_on(
    origin: Origin, mirrors: Mirrors, remote: Remote, base: str
) -> None:
    first = origin.commit({"a": "1"}, "One", branch="x")
    second = origin.commit({"a": "2"}, "Two", branch="x")
    content = bundled(origin, f"{base}..x")
    for _ in range(2):
        received = await receive(mirrors, remote, content, TASK, base)
        assert received.head_sha == second
        assert [commit.sha for commit in received.commits] == [first, second]
        assert [commit.subject for commit in received.commits] == ["One", "Two"]
    mirror = mirrors.path(remote)
    assert git("rev-parse", f"refs/assay/tasks/{TASK}", at=mirror) == second
    git("fsck", "--strict", "--full", at=mirror)
    # From the last one that was pushed.
    third = origin.commit({"a": "3"}, "Three", branch="x")
    received = await receive(mirrors, remote, bundled(origin, f"{second}..x"), TASK, second)
    assert [commit.sha for commit in received.commits] == [third]


async def test_only_the_task_gets_a_reference(
    origin: Origin, mirrors: Mirrors, remote: Remote, base: str
) -> None:
    sha = origin.commit({"a": "1"}, branch="x")
    content = bundled(origin, f"{base}..x").replace(b"refs/heads/x", b"../../../hooks/x")
    before = git("for-each-ref", at=mirrors.path(remote))
    await receive(mirrors, remote, content, TASK, base)
    added = git("for-each-ref", at=mirrors.path(remote)).replace(before, "").strip()
    assert added == f"{sha} commit\trefs/assay/tasks/{TASK}"


async def test_merge_of_the_base_branch(
    origin: Origin, mirrors: Mirrors, remote: Remote, base: str
) -> None:
    origin.commit({"a": "1"}, branch="side")
    git("checkout", "-q", "-B", "x", base, at=origin.work)
    origin.commit({"b": "1"}, branch="x")
    git("merge", "-q", "--no-edit", "side", at=origin.work)
    received = await receive(mirrors, remote, bundled(origin, f"{base}..x"), TASK, base)
    assert len(received.commits) == 3


@pytest.mark.parametrize("name", [".git", "..", ".", ".GIT", "git~1", ".git "])
async def test_names_that_lead_elsewhere(
    origin: Origin, mirrors: Mirrors, remote: Remote, base: str, name: str
) -> None:
    commit_of(origin, base, f"100644 blob {blob(origin, 'x')}\t{name}\n")
    content = bundled(origin, f"{base}..evil")
    await refused(mirrors, remote, content, base, "Git refuses the commits")


async def test_submodule_that_is_a_command(
    origin: Origin, mirrors: Mirrors, remote: Remote, base: str
) -> None:
    modules = blob(origin, '[submodule "x"]\n\tpath = x\n\turl = --upload-pack=touch pwned\n')
    commit_of(origin, base, f"100644 blob {modules}\t.gitmodules\n160000 commit {base}\tx\n")
    await refused(mirrors, remote, bundled(origin, f"{base}..evil"), base, "gitmodules")


async def test_submodules_and_links_are_data(
    origin: Origin, mirrors: Mirrors, remote: Remote, base: str, tmp_path: Path
) -> None:
    pwned = tmp_path / "pwned"
    modules = blob(origin, f'[submodule "x"]\n\tpath = x\n\turl = "ext::sh -c touch% {pwned}"\n')
    link = blob(origin, "/etc/passwd")
    entries = f"100644 blob {modules}\t.gitmodules\n120000 blob {link}\tlink\n"
    sha = commit_of(origin, base, f"{entries}160000 commit {base}\tx\n")
    received = await receive(mirrors, remote, bundled(origin, f"{base}..evil"), TASK, base)
    assert received.head_sha == sha
    assert not pwned.exists()


async def test_folders_that_are_each_other_many_times(
    origin: Origin, mirrors: Mirrors, remote: Remote, base: str
) -> None:
    """Ten to the twelfth files, in some hundred bytes."""
    kind, inner = "100644 blob", blob(origin, "x")
    for _ in range(12):
        entries = "".join(f"{kind} {inner}\t{name}\n" for name in "abcdefghij")
        kind, inner = "040000 tree", git("mktree", at=origin.work, stdin=entries.encode())
    sha = commit_of(origin, base, f"{kind} {inner}\tbomb\n")
    received = await receive(mirrors, remote, bundled(origin, f"{base}..evil"), TASK, base)
    assert received.head_sha == sha
    await push(mirrors, remote, sha, "assay/1-x", None)


async def test_files_of_git_are_data(
    origin: Origin, mirrors: Mirrors, remote: Remote, base: str, tmp_path: Path
) -> None:
    """Also where a repository has them at the places that a bare one has them at."""
    pwned = tmp_path / "pwned"
    hook = blob(origin, f"#!/bin/sh\ntouch {pwned}\n")
    config = blob(origin, f"[core]\n\tfsmonitor = touch {pwned}\n\tbare = true\n")
    attributes = blob(origin, "* filter=evil diff=evil export-subst\n")
    hooks = f"100755 blob {hook}\tpost-update\n100755 blob {hook}\tpre-push\n"
    tree = git("mktree", at=origin.work, stdin=hooks.encode())
    entries = f"100644 blob {attributes}\t.gitattributes\n100644 blob {config}\tconfig\n"
    sha = commit_of(origin, base, f"{entries}040000 tree {tree}\thooks\n")
    await receive(mirrors, remote, bundled(origin, f"{base}..evil"), TASK, base)
    await push(mirrors, remote, sha, "assay/1-x", None)
    assert origin.sha("assay/1-x") == sha
    assert not pwned.exists()


async def test_names_of_authors_in_other_encodings(
    origin: Origin, mirrors: Mirrors, remote: Remote, base: str
) -> None:
    """In UTF-7 a line feed and a zero are written with letters."""
    tree = git("rev-parse", "HEAD^{tree}", at=origin.work)
    text = (
        f"tree {tree}\nparent {base}\nauthor Ann+AAo-X <m@x> 1700000000 -0000\n"
        "committer a <a@b> 1700000000 -0000\nencoding UTF-7\n\n"
        f"sub+AAA-{'1' * 40}+AAo-forged+AAo-f@x+AAo-subject\n"
    )
    sha = git("hash-object", "-t", "commit", "-w", "--stdin", at=origin.work, stdin=text.encode())
    git("update-ref", "refs/heads/evil", sha, at=origin.work)
    received = await receive(mirrors, remote, bundled(origin, f"{base}..evil"), TASK, base)
    assert [commit.sha for commit in received.commits] == [sha]


async def test_rewritten_history(
    origin: Origin, mirrors: Mirrors, remote: Remote, base: str
) -> None:
    git("commit", "-q", "--amend", "-m", "Another", at=origin.work)
    content = bundled(origin, "HEAD^..main")
    await refused(mirrors, remote, content, base, f"does not go on from {base}")


async def test_unrelated_history(
    origin: Origin, mirrors: Mirrors, remote: Remote, base: str
) -> None:
    git("checkout", "-q", "--orphan", "other", at=origin.work)
    git("commit", "-q", "-m", "Other", at=origin.work)
    await refused(mirrors, remote, bundled(origin, "other"), base, "does not go on")


async def test_no_commit_at_the_end(
    origin: Origin, mirrors: Mirrors, remote: Remote, base: str
) -> None:
    origin.commit({"a": "1"}, branch="x")
    git("tag", "-a", "-m", "tag", "v1", "x", at=origin.work)
    await refused(mirrors, remote, bundled(origin, f"{base}..v1"), base, "ends in tag")


async def test_several_references(
    origin: Origin, mirrors: Mirrors, remote: Remote, base: str
) -> None:
    origin.commit({"a": "1"}, branch="x")
    origin.commit({"a": "2"}, branch="y")
    content = bundled(origin, "x", "y", f"^{base}")
    await refused(mirrors, remote, content, base, "2 references")


async def test_missing_objects(origin: Origin, mirrors: Mirrors, remote: Remote, base: str) -> None:
    sha = origin.commit({"a": "only here"}, branch="x")
    objects = f"{sha}\n{git('rev-parse', 'x^{tree}', at=origin.work)}\n"
    packed = origin.work / "some"
    git("pack-objects", "--quiet", str(packed), at=origin.work, stdin=objects.encode())
    (pack,) = origin.work.glob("some-*.pack")
    content = f"# v2 git bundle\n-{base} \n{sha} refs/heads/x\n\n".encode() + pack.read_bytes()
    await refused(mirrors, remote, content, base, "did not receive expected object")


def _header_only(sha: str) -> bytes:
    return f"# v2 git bundle\n{sha} refs/heads/x\n\n".encode()


def _bomb(sha: str) -> bytes:
    """A pack with a commit of, so it says, 2 GB."""
    size, head = 2 * 1024**3, bytearray([0x90])
    head[0] |= size & 15
    size >>= 4
    while size:
        head[-1] |= 0x80
        head.append(size & 127)
        size >>= 7
    body = zlib.compress(b"\0" * 1_000_000)
    return _header_only(sha) + b"PACK" + struct.pack(">II", 2, 1) + bytes(head) + body + b"\0" * 20


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda _: b"", "not a bundle"),
        (lambda _: b"PACK\0\0\0\2", "not a bundle"),
        (lambda _: b"# v2 git bundle\n" + b"x" * 5000, "damaged"),
        (lambda _: b"# v2 git bundle\n\n", "0 references"),
        (lambda sha: b"# v2 git bundle\n" + f"-{sha} \n".encode() * 6000, "more than 5,000"),
        (lambda _: _header_only("g" * 40), "no commit"),
        (lambda _: _header_only("--exec=sh"), "0 references"),
        (lambda _: b"# v2 git bundle\n\xff\xfe refs/x\n\n", "no commit"),
        (_header_only, "Git refuses"),
        (lambda sha: _header_only(sha) + b"PACK" + b"\0" * 100, "Git refuses"),
        (_bomb, "memory"),
    ],
)
async def test_damaged(
    mirrors: Mirrors, remote: Remote, base: str, make: Callable[[str], bytes], says: str
) -> None:
    await refused(mirrors, remote, make(base), base, says)


async def test_too_large(
    mirrors: Mirrors, remote: Remote, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "MAX_BUNDLE_BYTES", 1000)
    await refused(mirrors, remote, b"x" * 1001, base, "1,001 bytes")


async def test_too_many_commits(
    origin: Origin, mirrors: Mirrors, remote: Remote, base: str
) -> None:
    commits = "".join(
        f"commit refs/heads/x\ncommitter A <a@b> {n} +0000\ndata 1\nx"
        + (f"\nfrom {base}\n" if n == 0 else "\n")
        for n in range(receiving.MAX_COMMITS + 1)
    )
    git("fast-import", "--quiet", at=origin.work, stdin=commits.encode())
    await refused(mirrors, remote, bundled(origin, f"{base}..x"), base, "1001 new commits")


async def test_texts_of_commits_are_tamed(
    origin: Origin, mirrors: Mirrors, remote: Remote, base: str
) -> None:
    origin.commit({"a": "1"}, "\x1b[31m" + "long " * 1000, branch="x")
    received = await receive(mirrors, remote, bundled(origin, f"{base}..x"), TASK, base)
    (commit,) = received.commits
    assert "\x1b" not in commit.subject
    assert len(commit.subject) <= 500
    assert commit.author == "Somebody <somebody@example.com>"


async def test_mirror_that_is_gone(mirrors: Mirrors, remote: Remote) -> None:
    with pytest.raises(GitFailed, match="refresh"):
        await receive(mirrors, remote, _header_only("0" * 40), uuid4(), "0" * 40)
