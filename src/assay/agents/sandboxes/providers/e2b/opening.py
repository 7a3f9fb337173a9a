"""Sandboxes at E2B as they are set up here."""

from importlib.util import find_spec

from assay.agents.sandboxes.providers.types import SandboxProvider
from assay.agents.sandboxes.providers.unusable import UnusableProvider
from assay.core.config import Settings

NAME = "e2b"


def e2b_provider(settings: Settings) -> SandboxProvider:
    """The provider of sandboxes at E2B.

    Where the extra or the key is missing it is there all the same, and says so when it is used.
    """
    if settings.e2b_api_key is None:
        return UnusableProvider(
            NAME,
            "Sandboxes at E2B need a key: set E2B_API_KEY, which https://e2b.dev/dashboard "
            "gives out, or let the agent use another provider.",
        )
    if find_spec("e2b") is None:
        return UnusableProvider(
            NAME,
            "Sandboxes at E2B need the extra `e2b`, which is not installed: "
            "pip install 'assay[e2b]'",
        )
    # At the top it would take half a second of every start.
    from assay.agents.sandboxes.providers.e2b.provider import (  # noqa: PLC0415  # an extra
        E2BProvider,
    )

    return E2BProvider(
        settings.e2b_api_key.get_secret_value(),
        template=settings.e2b_template,
        longest_seconds=settings.e2b_max_seconds,
    )
