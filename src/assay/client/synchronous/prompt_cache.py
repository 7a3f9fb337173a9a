# Written by `make client` from assay/client/asynchronous/prompt_cache.py: change that.

"""Prompts in memory: fresh for a while, then stale while they are fetched anew."""

import logging
import time
from dataclasses import dataclass, replace

from assay.client.concurrency import Flights
from assay.client.errors import ClientError, Conflict, NotFound, ServerError, TooMany
from assay.client.fetched import FetchedPrompt, Wanted, fetched_prompt
from assay.client.synchronous.transport import Transport
from assay.client.wire import Call, at
from assay.playground.prompts.schemas import PromptRead
from assay.playground.prompts.versions.schemas import VersionRead

log = logging.getLogger("assay.client")

# A server that was away is not asked for a prompt again before this.
AWAY_SECONDS = 5.0
_AWAY = (ServerError, TooMany)


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is known of one prompt; never changed, so that any thread may read it."""

    prompt: FetchedPrompt | None = None
    fetched_at: float = 0.0
    ask_again_at: float = 0.0
    away: bool = False


class PromptCache:
    """The prompts that were fetched by one client."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        # Who has something else to take does not wait for a server that does not answer.
        self._once = transport.without_retries()
        self._entries: dict[Wanted, _Entry] = {}
        self._ids: dict[Wanted, str] = {}
        self._first = Flights[None]()
        self._again = Flights[None]()

    def fetch(
        self, wanted: Wanted, max_age: float, fallback: FetchedPrompt | None
    ) -> FetchedPrompt:
        """As `client.prompts.fetch` says."""
        entry = self._entries.get(wanted, _Entry())
        now = time.monotonic()
        if entry.prompt is None:
            return self._fetch_first(wanted, fallback, wait=now < entry.ask_again_at)
        if now - entry.fetched_at < max_age:
            return entry.prompt
        if now >= entry.ask_again_at:
            self._again.begin(wanted, lambda: self._renew(wanted))
        return replace(entry.prompt, stale=True)

    def close(self) -> None:
        """End what goes on in the background."""
        self._first.close()
        self._again.close()

    def _fetch_first(
        self, wanted: Wanted, fallback: FetchedPrompt | None, *, wait: bool
    ) -> FetchedPrompt:
        if wait and fallback is not None:
            return fallback
        try:
            transport = self._transport if fallback is None else self._once
            self._first.run(wanted, lambda: self._load_unless_there(wanted, transport))
        except _AWAY as error:
            if fallback is None:
                raise
            self._note_away(wanted, error)
            return fallback
        prompt = self._entries[wanted].prompt
        assert prompt is not None
        return prompt

    def _load_unless_there(self, wanted: Wanted, transport: Transport) -> None:
        # Somebody else may have had it loaded between our look and our turn.
        if self._entries.get(wanted, _Entry()).prompt is None:
            self._load(wanted, transport)

    def _renew(self, wanted: Wanted) -> None:
        try:
            self._load(wanted, self._once)
        except _AWAY as error:
            self._note_away(wanted, error)
        except ClientError as error:
            # An answer, and so the truth: whoever asks next is told.
            self._entries.pop(wanted, None)
            log.warning("%s is no longer served: %s", wanted, error)

    def _load(self, wanted: Wanted, transport: Transport) -> None:
        prompt_id = self._id_of(wanted, transport)
        call = Call("GET", at("prompts", prompt_id, "versions", wanted.label))
        try:
            version = transport.read(VersionRead, call)
        except NotFound:
            # The name may stand for another prompt by now.
            self._ids.pop(wanted, None)
            raise
        found = fetched_prompt(version, wanted.label)
        self._entries[wanted] = _Entry(found, fetched_at=time.monotonic())

    def _id_of(self, wanted: Wanted, transport: Transport) -> str:
        if wanted.use_case_id is None:
            return wanted.prompt
        if wanted in self._ids:
            return self._ids[wanted]
        path = at("use-cases", wanted.use_case_id, "prompts")
        named = transport.pages(PromptRead, path, search=wanted.prompt)
        ids = [str(each.id) for each in named if each.name == wanted.prompt]
        if not ids:
            raise NotFound(f"There is no prompt {wanted.prompt!r} in this use case.")
        if len(ids) > 1:
            raise Conflict(
                f"{len(ids)} prompts of this use case are called {wanted.prompt!r}; "
                f"take an id: {', '.join(ids)}"
            )
        self._ids[wanted] = ids[0]
        return ids[0]

    def _note_away(self, wanted: Wanted, error: ClientError) -> None:
        entry = self._entries.get(wanted, _Entry())
        if not entry.away:
            log.warning("%s cannot be fetched anew, what is at hand is served: %s", wanted, error)
        ask_again_at = time.monotonic() + AWAY_SECONDS
        self._entries[wanted] = replace(entry, ask_again_at=ask_again_at, away=True)
