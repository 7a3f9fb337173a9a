"""The client library: `Client` for threads, `AsyncClient` for an event loop.

Both have the same methods. The one for threads is made from the other by `make client`.
"""

from assay.client.asynchronous.client import AsyncClient
from assay.client.errors import (
    BrokenDownload,
    ClientError,
    Conflict,
    Forbidden,
    Invalid,
    Misconfigured,
    NotFound,
    ServerError,
    ServerUnavailable,
    TimedOut,
    TooLarge,
    TooMany,
    Unauthorized,
)
from assay.client.fetched import FetchedPrompt
from assay.client.synchronous.client import Client

__all__ = [
    "AsyncClient",
    "BrokenDownload",
    "Client",
    "ClientError",
    "Conflict",
    "FetchedPrompt",
    "Forbidden",
    "Invalid",
    "Misconfigured",
    "NotFound",
    "ServerError",
    "ServerUnavailable",
    "TimedOut",
    "TooLarge",
    "TooMany",
    "Unauthorized",
]
