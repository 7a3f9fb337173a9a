"""The sandboxes of one account at E2B."""

import math
from collections.abc import Mapping

from e2b import (
    ApiParams,
    AsyncSandbox,
    GuestUnresponsiveException,
    SandboxLifecycle,
    SandboxNetworkOpts,
    SandboxQuery,
)

from assay.agents.sandboxes.providers.e2b.errors import translated
from assay.agents.sandboxes.providers.e2b.sandbox import E2BSandbox
from assay.agents.sandboxes.providers.types import SandboxLimits, SandboxUnusable

LABEL = "assay-label"
"""The name under which a sandbox carries our label in its metadata."""

_NEW = "(new)"
_EVERYWHERE = "0.0.0.0/0"


class E2BProvider:
    """Makes, finds and destroys sandboxes at E2B.

    Memory, disk and processes are those of the template. `E2B_DOMAIN`, `E2B_API_URL` and
    `E2B_SANDBOX_URL` of the environment lead elsewhere; the SDK reads them itself.
    """

    name = "e2b"

    def __init__(
        self, api_key: str, *, template: str | None = None, longest_seconds: int = 3600
    ) -> None:
        """Take the key of the account, a template, and how long a sandbox may live there."""
        self._params = ApiParams(api_key=api_key, debug=False)
        self._template = template
        self._longest_seconds = longest_seconds

    async def check(self) -> None:
        """Make sure that E2B takes the key; see `SandboxProvider`."""
        with translated(_NEW):
            await AsyncSandbox.list(limit=1, **self._params).next_items()

    async def create(self, label: str, limits: SandboxLimits) -> E2BSandbox:
        """A new sandbox, or the one that has this label; see `SandboxProvider`."""
        there = await self._labelled(SandboxQuery(metadata={LABEL: label}))
        if label in there:
            sandbox = await self.open(there[label], limits)
        else:
            sandbox = await self._create(label, limits)
        try:
            # Also one that is there: whoever made it may have come no further.
            await sandbox.prepare()
        except SandboxUnusable:
            await self.destroy(sandbox.id)
            raise
        return sandbox

    async def _create(self, label: str, limits: SandboxLimits) -> E2BSandbox:
        with translated(_NEW):
            made = await AsyncSandbox.create(
                template=self._template,
                timeout=self._seconds(limits),
                metadata={LABEL: label},
                # Two calls that do not see each other's sandbox are given one.
                idempotency_key=label,
                allow_internet_access=bool(limits.network),
                network=_network(limits),
                lifecycle=SandboxLifecycle(on_timeout="kill", auto_resume=False),
                **self._params,
            )
        return E2BSandbox(made)

    async def open(self, sandbox_id: str, limits: SandboxLimits) -> E2BSandbox:
        """A sandbox that is there, resumed if it was paused; see `SandboxProvider`."""
        seconds = self._seconds(limits)
        with translated(sandbox_id):
            try:
                there = await AsyncSandbox.connect(sandbox_id, timeout=seconds, **self._params)
            except GuestUnresponsiveException:
                # Its files are there; what ran in it is not worth having back.
                there = await AsyncSandbox.connect(
                    sandbox_id, timeout=seconds, on_resume="reboot", **self._params
                )
        return E2BSandbox(there)

    async def pause(self, sandbox_id: str) -> None:
        """Let it cost nothing for a while; see `SandboxProvider`."""
        with translated(sandbox_id):
            await AsyncSandbox.pause(sandbox_id, **self._params)

    async def destroy(self, sandbox_id: str) -> None:
        """Destroy a sandbox, or find that it is gone; see `SandboxProvider`."""
        with translated(sandbox_id):
            await AsyncSandbox.kill(sandbox_id, **self._params)

    async def labels(self) -> Mapping[str, str]:
        """All sandboxes of the account that have a label; see `SandboxProvider`."""
        return await self._labelled(None)

    async def close(self) -> None:
        """Nothing: the SDK shares its connections within the process."""

    async def _labelled(self, query: SandboxQuery | None) -> dict[str, str]:
        found = {}
        with translated(_NEW):
            pages = AsyncSandbox.list(query=query, **self._params)
            while pages.has_next:
                for each in await pages.next_items():
                    if label := (each.metadata or {}).get(LABEL):
                        found[label] = each.sandbox_id
        return found

    def _seconds(self, limits: SandboxLimits) -> int:
        return min(math.ceil(limits.seconds), self._longest_seconds)


def _network(limits: SandboxLimits) -> SandboxNetworkOpts | None:
    if not limits.network:
        return None
    return SandboxNetworkOpts(allow_out=list(limits.network), deny_out=[_EVERYWHERE])
