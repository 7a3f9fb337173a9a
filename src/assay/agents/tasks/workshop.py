"""What a process has to work on tasks with: models, sandboxes, repositories, people."""

from dataclasses import dataclass

from assay.agents.git.github import GitHubPullRequests
from assay.agents.git.mirrors import Mirrors
from assay.agents.git.pull_requests import AnyHost
from assay.agents.git.remotes import Remote, Remotes
from assay.agents.people import People
from assay.agents.sandboxes.lifecycle import Sandboxes
from assay.agents.sandboxes.providers.types import SandboxProvider
from assay.core.config import Settings
from assay.gateway.service import Gateway


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a process has to work on tasks with."""

    settings: Settings
    gateway: Gateway
    sandboxes: Sandboxes
    mirrors: Mirrors
    pull_requests: AnyHost
    people: People

    def provider(self, name: str) -> SandboxProvider:
        """The provider of sandboxes of this name.

        Raises:
            SandboxUnusable: there is none.
        """
        return self.sandboxes.provider(name)

    def remote(self, url: str, *, is_owner: bool = True) -> Remote:
        """The repository at this address.

        `is_owner` says whether whoever names it has this machine. What is not theirs to name was
        refused when the task was started, so that it need not be asked again.

        Raises:
            RemoteRefused: Assay does not work with such an address.
        """
        return self.mirrors.remotes.parse(url, place="task.repo_url", is_owner=is_owner)


def open_workshop(
    settings: Settings, gateway: Gateway, sandboxes: Sandboxes, people: People
) -> Workshop:
    """The workshop of a process, as it is set up."""
    return Workshop(
        settings,
        gateway,
        sandboxes,
        Mirrors(settings.assay_home / "git", Remotes.of(settings)),
        AnyHost([GitHubPullRequests(settings)]),
        people,
    )
