"""Pull requests, on the hosts that have them."""

from collections.abc import Sequence
from typing import Protocol

from assay.agents.git.remotes import Remote
from assay.core.outbound_http import clean

MAX_TITLE = 250
MAX_BODY = 60_000


class PullRequests(Protocol):
    """One kind of host. All calls may be repeated."""

    def serves(self, remote: Remote) -> bool:
        """Whether this repository is there."""
        ...

    async def ensure(self, remote: Remote, branch: str, base: str, title: str, body: str) -> str:
        """The URL of the open pull request of `branch` into `base`; opened where there is none.

        Raises:
            PullRequestFailed: the host says no, with its reason.
            SignInRefused: the token is missing, or may not do this.
            RemoteUnreachable: there is no answer that can be understood.
        """
        ...


class AnyHost:
    """Pull requests wherever the repository is; plain git has none."""

    def __init__(self, hosts: Sequence[PullRequests]) -> None:
        """Take the kinds of hosts that there are; the first that serves a remote has it."""
        self._hosts = hosts

    def serves(self, remote: Remote) -> bool:
        """Whether the host of this repository has pull requests."""
        return any(host.serves(remote) for host in self._hosts)

    async def ensure(
        self, remote: Remote, branch: str, base: str, title: str, body: str
    ) -> str | None:
        """As `PullRequests.ensure`; None where the host has no pull requests.

        A title becomes one line, and it and the body are cut where they are too long.
        """
        line = clean(" ".join(title.split()), MAX_TITLE) or branch
        for host in self._hosts:
            if host.serves(remote):
                return await host.ensure(remote, branch, base, line, body[:MAX_BODY])
        return None
