"""A provider that the SDK leads to the stand-in, and a sandbox of it."""

import pytest
from tests.agents.sandboxes.providers.e2b.account import E2B, KEY

from assay.agents.sandboxes.providers.e2b.provider import E2BProvider
from assay.agents.sandboxes.providers.e2b.sandbox import E2BSandbox
from assay.agents.sandboxes.providers.types import SandboxLimits


@pytest.fixture
def provider(e2b: E2B) -> E2BProvider:
    """The provider, with the right key."""
    assert not e2b.sandboxes
    return E2BProvider(KEY)


@pytest.fixture
async def sandbox(provider: E2BProvider) -> E2BSandbox:
    """A sandbox."""
    return await provider.create("assay-test-1", SandboxLimits())
