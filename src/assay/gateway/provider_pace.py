"""The pace that a provider allows: calls in flight, requests and tokens a minute."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from assay.gateway.bucket import Bucket
from assay.gateway.errors import ModelError, RateLimited
from assay.gateway.slots import Slots
from assay.gateway.types import ModelRequest, ModelResponse, text_of

_CUT = 0.7  # of the calls in flight that are left after a 429
_CUT_SECONDS = 1.0  # one burst of 429s counts once
_GROWTH = 2.0  # calls in flight won back for each round of successes
_LEAST_SHARE = 0.001
_CHARACTERS_A_TOKEN = 4
_ANSWER_TOKENS = 256  # guessed for the first answer


class ProviderPace:
    """The pace of one provider, shared by all its models in this process.

    On a 429 the number of calls in flight is cut to 70%, at most once a second, and grows again
    with each success until it is back at what the slots allow. While the provider asks to wait
    (`Retry-After`) nothing starts.
    """

    def __init__(
        self,
        provider: str,
        slots: Slots,
        *,
        rpm: int | None = None,
        tpm: int | None = None,
        patience: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take the provider's slots and its limits of requests and tokens a minute.

        `patience`: seconds; if the provider asks to wait longer, calls fail at once instead.
        """
        self.slots = slots
        self._provider = provider
        self._requests = Bucket(rpm, clock) if rpm else None
        self._tokens = Bucket(tpm, clock) if tpm else None
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._held_until = self._cut_at = float("-inf")
        self._room = float(slots.limit)
        self._usual_answer = float(_ANSWER_TOKENS)

    async def enter(self, request: ModelRequest) -> float:
        """Wait for a slot, the rates and the provider's leave; gives the tokens reckoned with."""
        slots = self.slots
        if not slots.try_acquire():
            await slots.acquire()
        if self._requests is self._tokens is None and self._clock() >= self._held_until:
            return 0.0
        try:
            return await self._wait(request)
        except BaseException:
            slots.release()
            raise

    async def _wait(self, request: ModelRequest) -> float:
        share = max(self.slots.share, _LEAST_SHARE)
        wait = self._requests.take(1, share) if self._requests else 0.0
        tokens = 0.0
        if self._tokens:
            tokens = _tokens_in(request) + self._usual_answer
            wait = max(wait, self._tokens.take(tokens, share))
        if wait:
            await self._sleep(wait)
        while (held := self._held_until - self._clock()) > 0:
            if held > self._patience:
                raise RateLimited(
                    f"provider {self._provider} asks to wait {held:.0f} s before the next call",
                    retry_after=held,
                )
            await self._sleep(held)
        return tokens

    def succeeded(self, response: ModelResponse, tokens: float) -> None:
        """Learn from an answer; `tokens` is what `enter` gave for it."""
        slots = self.slots
        if self._tokens:
            usage = response.usage
            self._usual_answer += 0.1 * (usage.tokens_out - self._usual_answer)
            used = usage.tokens_in + usage.tokens_out
            self._tokens.settle(used - tokens, max(slots.share, _LEAST_SHARE))
        if slots.cap is not None:
            self._room += _GROWTH / self._room
            room = int(self._room)
            if room >= slots.allowance:
                slots.cap = None
            elif room > slots.cap:
                slots.cap = room

    def failed(self, error: ModelError) -> None:
        """Learn from an error."""
        now = self._clock()
        if error.retry_after:
            self._held_until = max(self._held_until, now + error.retry_after)
        if isinstance(error, RateLimited) and now - self._cut_at >= _CUT_SECONDS:
            self._cut_at = now
            busy = min(self.slots.limit, self.slots.in_flight)
            self._room = max(1.0, busy * _CUT)
            self.slots.cap = int(self._room)


def _tokens_in(request: ModelRequest) -> int:
    """Roughly the tokens of a prompt: a token is about four characters of text."""
    return sum(len(text_of(message)) for message in request.messages) // _CHARACTERS_A_TOKEN + 1
