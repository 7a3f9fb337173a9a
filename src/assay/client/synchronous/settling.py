# Written by `make client` from assay/client/asynchronous/settling.py: change that.

"""Asks people and waits for the end of it, however often the server goes away meanwhile."""

import logging
import math
import time

from assay.client.concurrency import pause
from assay.client.errors import ClientError, ServerError, TimedOut, TooMany
from assay.client.question import Question, StillPending
from assay.client.synchronous.client import Client
from assay.consults.requests.models import RequestStatus
from assay.consults.requests.schemas import RequestRead

log = logging.getLogger("assay.asking")

# The server holds an answer for about as long in one go.
LOOK_SECONDS = 50.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0


def settled(question: Question, client: Client | None) -> RequestRead:
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
        with Client() as own:
            return settled(question, own)
    request = client.requests.create(
        question.title, question.kind, idempotency_key=question.key, **question.options
    )
    try:
        return at_end(client, request, question.timeout)
    except BaseException:
        if question.cancel_on_exit:
            _withdraw(client, request)
        raise


def at_end(
    client: Client,
    request: RequestRead,
    timeout: float | None,  # its end is told with how it stands
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
            return client.requests.wait(request.id, timeout=min(left, LOOK_SECONDS))
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
        pause(min(seconds, left))


def _withdraw(client: Client, request: RequestRead) -> None:
    try:
        client.requests.cancel(request.id, reason="The program that asked has ended")
    except ClientError as error:
        log.warning("request %s could not be taken back: %s", request.id, error)
