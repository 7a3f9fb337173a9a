"""A kind of sandbox that is known, and cannot be used here."""

from collections.abc import Mapping
from typing import NoReturn

from assay.agents.sandboxes.providers.types import Sandbox, SandboxLimits, SandboxUnusable


class UnusableProvider:
    """Says of everything that is asked of it what mends it."""

    def __init__(self, name: str, reason: str) -> None:
        """Take the name of the kind, and a sentence that says what is wrong and what mends it."""
        self.name = name
        self._reason = reason

    async def check(self) -> None:
        """Raise SandboxUnusable."""
        self._refuse()

    async def create(self, label: str, limits: SandboxLimits) -> Sandbox:
        """Raise SandboxUnusable."""
        self._refuse()

    async def open(self, sandbox_id: str, limits: SandboxLimits) -> Sandbox:
        """Raise SandboxUnusable."""
        self._refuse()

    async def pause(self, sandbox_id: str) -> None:
        """Raise SandboxUnusable."""
        self._refuse()

    async def destroy(self, sandbox_id: str) -> None:
        """Raise SandboxUnusable."""
        self._refuse()

    async def labels(self) -> Mapping[str, str]:
        """Raise SandboxUnusable."""
        self._refuse()

    async def close(self) -> None:
        """There is nothing to let go of."""

    def _refuse(self) -> NoReturn:
        raise SandboxUnusable(self._reason)
