# Written by `make client` from assay/client/asynchronous/transport.py: change that.

"""Sends calls: waits and sends again where that helps, and turns faults into errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from datetime import UTC, datetime
from itertools import count
from typing import Any, Self

import httpx2

from assay.client.concurrency import pause
from assay.client.errors import ClientError, NotFound, error_of, no_answer
from assay.client.retrying import Retries
from assay.client.settings import ServerAddress
from assay.client.wire import Call, Read, next_cursor, read, read_list
from assay.core.retry_after import read_retry_after


class Transport:
    """One server, with a pool of connections to it."""

    def __init__(
        self,
        server: ServerAddress,
        *,
        timeout: float,
        retries: int,
        http: httpx2.BaseTransport | None,
    ) -> None:
        """Nothing is opened before the first call."""
        self._url = server.url
        self._retries = Retries(retries)
        self._timeout = timeout
        self._http = httpx2.Client(headers=server.headers, timeout=timeout, transport=http)

    def without_retries(self) -> Self:
        """The same connections, for calls that are made once."""
        other = copy(self)
        other._retries = Retries(0)  # noqa: SLF001  # of our own kind
        return other

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def send(self, call: Call, *, stream: bool = False) -> httpx2.Response:
        """The answer to a call; with `stream` its body is still to be read.

        Raises:
            ClientError: the kind that fits the status, or ServerUnavailable.
        """
        for attempt in count(1):
            try:
                response = self._http.send(self._request(call), stream=stream)
                if response.is_success:
                    return response
                response.read()
                wait = read_retry_after(response.headers.get("retry-after"), datetime.now(UTC))
                error: ClientError = error_of(response, wait)
            except httpx2.RequestError as fault:
                error = no_answer(fault, self._url)
            else:
                if attempt > 1 and call.method == "DELETE" and isinstance(error, NotFound):
                    # An earlier attempt has done it, and its answer was lost.
                    return response
            seconds = self._retries.wait(call, error, attempt)
            if seconds is None:
                raise error
            pause(seconds)
        raise AssertionError("counting does not end")

    def read(self, kind: type[Read], call: Call) -> Read:
        """The object that a call gives.

        Raises:
            ClientError: as `send`, or the object has another form.
        """
        return read(kind, self.send(call))

    def read_list(self, kind: type[Read], call: Call) -> list[Read]:
        """The objects that a call gives, where they come all at once.

        Raises:
            ClientError: as `send`, or they have another form.
        """
        return read_list(kind, self.send(call))

    def pages(
        self, kind: type[Read], path: str, *, limit: int | None = None, **params: Any
    ) -> Iterator[Read]:
        """All objects of a list, asked for page by page as they are taken.

        Args:
            kind: what they are.
            path: of the list.
            limit: objects in a page, 1 to 200.
            params: of the query.

        Raises:
            ClientError: as `read_list`.
        """
        cursor: str | None = None
        while True:
            query = {**params, "limit": limit, "cursor": cursor}
            response = self.send(Call("GET", path, query))
            yield from read_list(kind, response)
            cursor = next_cursor(response)
            if cursor is None:
                return

    @contextmanager
    def stream(self, call: Call) -> Iterator[httpx2.Response]:
        """The answer to a call, whose body is read inside of the context.

        Raises:
            ClientError: as `send`, also where the body breaks off.
        """
        response = self.send(call, stream=True)
        try:
            yield response
        except httpx2.RequestError as fault:
            raise no_answer(fault, self._url) from fault
        finally:
            response.close()

    def _request(self, call: Call) -> httpx2.Request:
        timeout = httpx2.Timeout(self._timeout, read=call.read_seconds or self._timeout)
        content = call.content() if callable(call.content) else call.content
        return self._http.build_request(
            call.method,
            self._url + call.path,
            params=call.query,
            headers=dict(call.headers),
            content=content,
            timeout=timeout,
        )
