"""Asks people and waits for the end of it, however often the server goes away meanwhile."""

import logging
import math
import time

from assay.client.asynchronous.client import AsyncClient
from assay.client.concurrency import async_pause
from assay.client.errors import ClientError, ServerError, TimedOut, TooMany
from assay.client.question import Question, StillPending
from assay.consults.requests.models import RequestStatus
from assay.consults.requests.schemas import RequestRead

log = logging.getLogger("assay.asking")

# The server holds an answer for about as long in one go.
LOOK_SECONDS = 50.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0


async def async_settled(question: Question, client: AsyncClient | None) -> RequestRead:
    """Ask, and give the request once it has been answered, has expired or was cancelled.

    Where the wait is broken off, the request stays, unless the question says otherwise.

    Args:
        question: what is asked.
        client: of the server; without one, that of ASSAY_URL and ASSAY_API_KEY.

    Raises:
        StillPending: it was open for longer than the question waits.
        ClientError: the server refuses the question, or cannot be asked at first.
    """
    if client is None:
        async with AsyncClient() as own:
            return await async_settled(question, own)
    request = await client.requests.create(
        question.title, question.kind, idempotency_key=question.key, **question.options
    )
    try:
        return await async_at_end(client, request, question.timeout)
    except BaseException:
        if question.cancel_on_exit:
            await _withdraw(client, request)
        raise


async def async_at_end(
    client: AsyncClient,
    request: RequestRead,
    timeout: float | None,  # noqa: ASYNC109  # its end is told with how it stands
) -> RequestRead:
    """Wait for the end of a request, also while the server is away.

    Args:
        client: of the server.
        request: as it was when it was seen last.
        timeout: seconds; None for as long as it takes.

    Raises:
        StillPending: it is still open.
        ClientError: the server does not let it be read any more.
    """
    if request.status is not RequestStatus.pending:
        return request
    until = math.inf if timeout is None else time.monotonic() + timeout
    log.info("waiting at %s for the answer to request %s", client.url, request.id)
    away = 0
    while True:
        left = max(0.0, until - time.monotonic())
        seconds = 0.0
        try:
            return await client.requests.wait(request.id, timeout=min(left, LOOK_SECONDS))
        except TimedOut:
            away = 0
        except (ServerError, TooMany) as error:
            away += 1
            if away == 1:
                log.warning("cannot look for the answer, will try until it works: %s", error)
            seconds = min(FIRST_PAUSE * 2.0 ** (away - 1), LONGEST_PAUSE)
        left = until - time.monotonic()
        if timeout is not None and left <= 0:
            raise StillPending(request, timeout)
        await async_pause(min(seconds, left))


async def _withdraw(client: AsyncClient, request: RequestRead) -> None:
    try:
        await client.requests.cancel(request.id, reason="The program that asked has ended")
    except ClientError as error:
        log.warning("request %s could not be taken back: %s", request.id, error)
