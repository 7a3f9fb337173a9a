"""What goes wrong with git; no message holds a password, a token or a key.

::

    Invalid
    ├── RemoteRefused         an address that Assay does not clone from
    └── BranchInvalid         not the name of a branch
    AssayError
    └── GitFailed             git says no, in a way of its own
        ├── RepositoryNotFound
        ├── BranchNotFound
        ├── SignInRefused     the remote wants other credentials
        ├── RemoteUnreachable
        ├── GitTimeout
        ├── BranchMoved       somebody else has pushed to the branch
        ├── PushRefused       a rule or a hook of the remote is against it
        ├── CommitsRefused    what came out of a sandbox is not what may be taken
        ├── CloneBroken       git in the sandbox cannot work with the clone
        └── PullRequestFailed the host of the repository opens no pull request
"""

from assay.core.errors import AssayError, Conflict, FieldFault, Invalid


class RemoteRefused(Invalid):
    """This is not an address that Assay clones from."""

    code = "remote_refused"

    def __init__(self, detail: str | None = None, *, place: str = "repo_url") -> None:
        """Say what is wrong; `place` names the field that the address came in."""
        super().__init__(detail, errors=[FieldFault(place, detail)] if detail else None)


class BranchInvalid(Invalid):
    """This is not the name of a branch."""

    code = "branch_invalid"


class GitFailed(AssayError):
    """Git failed."""

    status = 502
    code = "git_failed"


class RepositoryNotFound(GitFailed):
    """There is no repository at this address."""

    code = "repository_not_found"


class BranchNotFound(GitFailed):
    """The repository has no such branch."""

    code = "branch_not_found"


class SignInRefused(GitFailed):
    """The repository is not open to the credentials that Assay has."""

    code = "git_sign_in_refused"


class RemoteUnreachable(GitFailed):
    """The host of the repository cannot be reached."""

    status = 503
    code = "remote_unreachable"


class GitTimeout(GitFailed):
    """Git took longer than it may."""

    status = 504
    code = "git_timeout"


class BranchMoved(GitFailed):
    """The branch is not where it was left: somebody else has pushed to it."""

    status = Conflict.status
    code = "branch_moved"


class PushRefused(GitFailed):
    """The remote does not take the push."""

    code = "push_refused"


class CommitsRefused(GitFailed):
    """The commits of the sandbox are not taken."""

    status = Invalid.status
    code = "commits_refused"


class CloneBroken(GitFailed):
    """Git in the sandbox cannot work with the clone."""

    code = "clone_broken"


class PullRequestFailed(GitFailed):
    """The pull request was not opened."""

    code = "pull_request_failed"
