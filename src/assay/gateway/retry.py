"""Asks again after an error that may pass."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from assay.gateway.errors import ModelError, RateLimited
from assay.gateway.types import Model, ModelRequest, ModelResponse, StreamPart


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to keep asking.

    The wait after the n-th error is `base * factor ** (n - 1)` seconds, at most `longest`, and
    then, so that callers do not come back all at once, between half of that and all of it.

    Attributes:
        attempts: at most, for what fails with anything but a rate limit.
        patience: seconds of waiting in all, which is what ends a rate limit.
        base: seconds.
        factor: by which each wait is longer than the one before.
        longest: seconds.
    """

    attempts: int = 6
    patience: float = 600.0
    base: float = 0.25
    factor: float = 2.5
    longest: float = 30.0


class RetryingModel:
    """A model that is asked again after transient errors; no slot is held while it waits."""

    def __init__(self, inner: Model, policy: RetryPolicy) -> None:
        """Take the policy."""
        self.name = inner.name
        self._inner = inner
        self._policy = policy

    async def complete(self, request: ModelRequest) -> ModelResponse:
        """Answer in one piece; `attempts` of the answer counts all."""
        trial: _Trial | None = None
        while True:
            try:
                response = await self._inner.complete(request)
            except ModelError as error:
                trial = trial or _Trial(self._policy)
                await asyncio.sleep(trial.wait_after(error))
            else:
                if trial is not None:
                    response.attempts = trial.attempts + 1
                return response

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamPart]:
        """Answer piece by piece; once a piece is out, an error is final."""
        trial = _Trial(self._policy)
        started = False
        while True:
            try:
                async with aclosing(self._inner.stream(request)) as parts:
                    async for part in parts:
                        started = True
                        if isinstance(part, ModelResponse):
                            part.attempts = trial.attempts + 1
                        yield part
                return
            except ModelError as error:
                wait = trial.wait_after(error, final=started)
            await asyncio.sleep(wait)


class _Trial:
    """The attempts at one request."""

    def __init__(self, policy: RetryPolicy) -> None:
        self.attempts = 0
        self._policy = policy
        self._failures = 0
        self._waited = 0.0

    def wait_after(self, error: ModelError, *, final: bool = False) -> float:
        """Seconds until the next attempt; raises the error when there shall be none."""
        policy = self._policy
        self.attempts += 1
        self._failures += not isinstance(error, RateLimited)
        error.attempts = self.attempts
        if final or not error.transient or self._failures >= policy.attempts:
            raise error
        wait = min(policy.longest, policy.base * policy.factor ** min(self.attempts - 1, 20))
        wait *= random.uniform(0.5, 1.0)  # noqa: S311  # spreads load, guards nothing
        wait = max(wait, error.retry_after or 0.0)
        if self._waited + wait > policy.patience:
            raise error
        self._waited += wait
        return wait
