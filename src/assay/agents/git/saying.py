"""What git says about a remote, in our words."""

import re

from assay.agents.git.errors import (
    GitFailed,
    RemoteRefused,
    RemoteUnreachable,
    RepositoryNotFound,
    SignInRefused,
)
from assay.agents.git.program import Output
from assay.agents.git.remotes import Access, Remote

MAX_SAID = 1000
_SIGN_IN = re.compile(
    r"could not read (Username|Password)|Authentication failed|terminal prompts disabled"
    r"|returned error: 40[13]|Permission .* denied|unable to get password"
)
_MISSING = re.compile(
    r"repository .* not found|Repository not found|returned error: 404"
    r"|does not appear to be a git repository|not a git repository"
    r"|no such file or directory|not valid: is this a git repository",
    re.IGNORECASE,
)
_UNREACHABLE = re.compile(
    r"Could not resolve|Failed to connect|Connection (refused|reset|timed out)|Operation too slow"
    r"|Network is unreachable|returned error: 5\d\d|RPC failed|hung up unexpectedly|early EOF"
    r"|SSL|certificate|Recv failure|Send failure|Empty reply"
)
_REDIRECTED = re.compile(r"unable to update url base from redirection|returned error: 30\d")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def remote_error(remote: Remote, access: Access, output: Output) -> GitFailed | RemoteRefused:
    """The error for what git said when it failed to speak with a remote; without secrets."""
    said = said_of(access, output)
    if _REDIRECTED.search(said):
        return RemoteRefused(f"{remote.url} has moved: give the address that it leads to. {said}")
    if _SIGN_IN.search(said):
        given = "refuses the token that Assay has" if access.secrets else "asks who is there"
        return SignInRefused(
            f"{remote.url} {given}. The operator sets a token that may read and write this "
            f"repository: GITHUB_TOKEN for GitHub, GIT_TOKENS for other hosts. Git said: {said}"
        )
    if _MISSING.search(said):
        return RepositoryNotFound(
            f"There is no repository at {remote.url}, or it is not open to the credentials that "
            f"Assay has. Check the address, and the token's repositories. Git said: {said}"
        )
    if _UNREACHABLE.search(said):
        return RemoteUnreachable(f"{remote.url} cannot be reached. Git said: {said}")
    return GitFailed(f"`git {output.command}` of {remote.url} failed: {said}")


def said_of(access: Access, output: Output) -> str:
    """The end of what git said, as text that can be stored and shown."""
    said = access.redact(output.stderr.strip() or f"exit code {output.exit_code}")
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", said)[-MAX_SAID:]
