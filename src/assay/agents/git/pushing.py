"""Pushing one commit to one branch, so that it can be done again."""

from assay.agents.git.branches import check_branch
from assay.agents.git.errors import BranchMoved, GitFailed, PushRefused
from assay.agents.git.mirrors import Mirrors
from assay.agents.git.program import LONG_SECONDS
from assay.agents.git.remotes import Access, Remote
from assay.agents.git.saying import MAX_SAID, remote_error, said_of
from assay.core.outbound_http import clean


async def remote_sha(mirrors: Mirrors, remote: Remote, branch: str) -> str | None:
    """The commit that a branch of the remote is at, or None where there is no such branch.

    Raises:
        RemoteRefused, RepositoryNotFound, SignInRefused, RemoteUnreachable, GitTimeout, GitFailed
    """
    return await _sha(mirrors, remote, await mirrors.remotes.access(remote), branch)


async def push(
    mirrors: Mirrors, remote: Remote, sha: str, branch: str, expected_old_sha: str | None
) -> None:
    """Bring a commit of the mirror to a branch of the remote; nothing where it is there already.

    It takes effect only while the branch is at `expected_old_sha`, or, for None, is not there.

    Raises:
        BranchMoved: somebody else has pushed to the branch, or made it.
        PushRefused: a rule or a hook of the remote is against it.
        RemoteRefused, RepositoryNotFound, SignInRefused, RemoteUnreachable, GitTimeout, GitFailed
    """
    access = await mirrors.remotes.access(remote)
    at = await _sha(mirrors, remote, access, branch)
    if at == sha:
        return
    if at != expected_old_sha:
        raise _moved(remote, branch, at, expected_old_sha)
    mirror = mirrors.path(remote)
    if expected_old_sha:
        goes_on = await mirrors.git.run(
            "merge-base", "--is-ancestor", expected_old_sha, sha, at=mirror
        )
        if goes_on.exit_code:
            raise GitFailed(f"{sha} does not go on from {expected_old_sha}, so it is not pushed.")
    ref = f"refs/heads/{branch}"
    output = await mirrors.git.run(
        *("push", "--porcelain", "--no-verify"),
        # With the check above it cannot take anything back. It makes the remote hold the branch
        # against what is expected in the same moment in which it moves it.
        f"--force-with-lease={ref}:{expected_old_sha or ''}",
        *("--", remote.url, f"{sha}:{ref}"),
        at=mirror,
        settings=access.settings,
        seconds=LONG_SECONDS,
    )
    if output.exit_code == 0:
        return
    # It may have arrived all the same: by a process of ours that was killed, or over a connection
    # that broke off at the end.
    at = await _sha(mirrors, remote, access, branch)
    if at == sha:
        return
    if at != expected_old_sha:
        raise _moved(remote, branch, at, expected_old_sha)
    refused = [line for line in output.text.splitlines() if line.startswith("!")]
    if refused:
        reason = clean(access.redact(refused[0][1:].strip()), MAX_SAID)
        raise PushRefused(
            f"{remote.url} does not take {branch}: {reason}. Git said: {said_of(access, output)}"
        )
    raise remote_error(remote, access, output)


async def _sha(mirrors: Mirrors, remote: Remote, access: Access, branch: str) -> str | None:
    ref = f"refs/heads/{check_branch(branch)}"
    found, _ = await mirrors.heads(remote, access, ref)
    return found.get(ref)


def _moved(remote: Remote, branch: str, at: str | None, expected: str | None) -> BranchMoved:
    return BranchMoved(
        f"The branch {branch} of {remote.url} is at {at or 'no commit'}, and was expected at "
        f"{expected or 'no commit'}: somebody else has pushed to it. Start the task again, or move "
        "the branch back."
    )
