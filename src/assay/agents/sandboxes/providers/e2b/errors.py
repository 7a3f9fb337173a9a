"""What E2B's SDK raises, in our own words."""

from collections.abc import Iterator
from contextlib import contextmanager

import e2b
import httpx
from connectrpc.errors import ConnectError

from assay.agents.sandboxes.providers.types import (
    SandboxGone,
    SandboxLimit,
    SandboxUnreachable,
    SandboxUnusable,
)

_GONE = (e2b.SandboxNotFoundException, e2b.SandboxNotRunningException)
_BUSY = (e2b.RateLimitException, e2b.ServiceBusyException)
# What is raised where the connection breaks, which the SDK lets through as it is.
_CUT = (httpx.TransportError, ConnectError, OSError)


@contextmanager
def translated(sandbox_id: str) -> Iterator[None]:
    """Turn errors of the SDK into those of sandboxes.

    Raises:
        SandboxGone: E2B does not have the sandbox any more.
        SandboxUnusable: E2B does not take the key, or what was asked of it.
        SandboxUnreachable: E2B or the sandbox does not answer, or has no room.
        SandboxLimit: the disk of the sandbox is full.
    """
    try:
        yield
    except _GONE as error:
        raise SandboxGone(
            f"E2B has no sandbox {sandbox_id} any more: it was destroyed, or its time was over"
        ) from error
    except e2b.AuthenticationException as error:
        raise SandboxUnusable("E2B does not take the key; check E2B_API_KEY") from error
    except e2b.NotEnoughSpaceException as error:
        raise SandboxLimit(f"The disk of sandbox {sandbox_id} is full") from error
    except _BUSY as error:
        raise SandboxUnreachable(f"E2B takes nothing more at the moment: {error}") from error
    except e2b.TimeoutException as error:
        raise SandboxUnreachable(f"Sandbox {sandbox_id} does not answer: {error}") from error
    except e2b.SandboxException as error:
        raise _of_status(error) from error
    except _CUT as error:
        raise SandboxUnreachable(
            f"The connection to E2B was cut ({type(error).__name__}: {error})"
        ) from error


def _of_status(error: e2b.SandboxException) -> SandboxUnusable | SandboxUnreachable:
    status = error.status_code
    if isinstance(error, e2b.InvalidArgumentException | e2b.TemplateException) or (
        status is not None and 400 <= status < 500
    ):
        return SandboxUnusable(f"E2B does not take what it was asked for: {error}")
    return SandboxUnreachable(f"E2B has failed: {error}")
