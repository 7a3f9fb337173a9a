"""Prompts, their versions and labels."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Unpack

from assay.client.asynchronous.prompt_cache import AsyncPromptCache
from assay.client.asynchronous.resource import AsyncResource
from assay.client.asynchronous.transport import AsyncTransport
from assay.client.fetched import FetchedPrompt, Template, Wanted, fallback_prompt, template_fields
from assay.client.options import PromptChanges, VersionOptions
from assay.client.wire import Call, Id, at, given, patch, post, put
from assay.playground.prompts.schemas import PromptRead
from assay.playground.prompts.versions.schemas import MessageRead, RenderResult, VersionRead


class AsyncVersions(AsyncResource):
    """`client.prompts.versions`."""

    def list(self, prompt_id: Id, *, limit: int | None = None) -> AsyncIterator[VersionRead]:
        """All versions of a prompt, newest first; `limit` is how many a request brings."""
        return self._transport.pages(VersionRead, at("prompts", prompt_id, "versions"), limit=limit)

    async def create(
        self, prompt_id: Id, template: Template, **options: Unpack[VersionOptions]
    ) -> VersionRead:
        """Make the next version of a prompt.

        Args:
            prompt_id: the prompt.
            template: a text, or the messages of a chat, each `{"role": …, "content": …}`.
            options: beside it.
        """
        body = {**template_fields(template), **options}
        call = post(at("prompts", prompt_id, "versions"), body)
        return await self._transport.read(VersionRead, call)

    async def get(self, prompt_id: Id, reference: int | str) -> VersionRead:
        """Read the version of a prompt that a number or a label names."""
        path = at("prompts", prompt_id, "versions", str(reference))
        return await self._transport.read(VersionRead, Call("GET", path))


class AsyncPrompts(AsyncResource):
    """`client.prompts`."""

    def __init__(self, transport: AsyncTransport) -> None:
        """Send calls by `transport`; nothing is fetched as yet."""
        super().__init__(transport)
        self.versions = AsyncVersions(transport)
        self._cache = AsyncPromptCache(transport)

    def list(
        self,
        use_case_id: Id,
        *,
        search: str | None = None,
        tags_all: Sequence[str] = (),
        tags_any: Sequence[str] = (),
        limit: int | None = None,
    ) -> AsyncIterator[PromptRead]:
        """The prompts of a use case, newest first.

        Args:
            use_case_id: the use case.
            search: what is in the name, in whatever case.
            tags_all: only those that have all of these.
            tags_any: only those that have one of these.
            limit: how many a request brings.
        """
        path = at("use-cases", use_case_id, "prompts")
        filters = {"search": search, "tags_all": [*tags_all], "tags_any": [*tags_any]}
        return self._transport.pages(PromptRead, path, limit=limit, **filters)

    async def create(
        self,
        use_case_id: Id,
        name: str,
        *,
        description: str | None = None,
        tags: Sequence[str] = (),
    ) -> PromptRead:
        """Make a prompt; its text comes with its first version."""
        body = given(name=name, description=description, tags=tags)
        return await self._transport.read(
            PromptRead, post(at("use-cases", use_case_id, "prompts"), body)
        )

    async def get(self, prompt_id: Id) -> PromptRead:
        """Read a prompt."""
        return await self._transport.read(PromptRead, Call("GET", at("prompts", prompt_id)))

    async def update(self, prompt_id: Id, **changes: Unpack[PromptChanges]) -> PromptRead:
        """Change what is said; the rest stays as it is. Its text changes with a new version."""
        return await self._transport.read(PromptRead, patch(at("prompts", prompt_id), changes))

    async def delete(self, prompt_id: Id) -> None:
        """Delete a prompt with its versions and their runs."""
        await self._transport.send(Call("DELETE", at("prompts", prompt_id)))

    async def set_label(self, prompt_id: Id, label: str, version_number: int) -> VersionRead:
        """Put a label on a version, and take it off the one that had it.

        Raises:
            Conflict: the label is protected, and its gate is not met.
        """
        call = put(at("prompts", prompt_id, "labels", label), {"version_number": version_number})
        return await self._transport.read(VersionRead, call)

    async def render(self, version_id: Id, variables: Mapping[str, Any]) -> Sequence[MessageRead]:
        """Let the server fill in a version's templates: the messages as a model gets them.

        `fetch` gives a prompt that is filled in here.
        """
        sent = post(at("prompt-versions", version_id, "render"), {"variables": variables})
        call = Call("POST", sent.path, headers=sent.headers, content=sent.content, reads=True)
        return (await self._transport.read(RenderResult, call)).messages

    async def fetch(
        self,
        prompt: Id,
        *,
        label: str = "production",
        use_case_id: Id | None = None,
        max_age: float = 60.0,
        fallback: Template | None = None,
    ) -> FetchedPrompt:
        """The version of a prompt that has a label, from memory where it was fetched before.

        One that is older than `max_age` is given at once, while it is fetched anew in the
        background; where the server is away, it is given for as long as that lasts. Many who
        want the same at once make one request.

        Args:
            prompt: its id; or its name, with the use case it is in.
            label: which version.
            use_case_id: for a name.
            max_age: seconds for which nothing is asked.
            fallback: a text or messages to take where the server is away and there is no version
                in memory.

        Raises:
            NotFound: there is no such prompt or label.
            Conflict: several prompts of the use case have this name.
            ServerUnavailable: the server is away, and there is nothing to take instead.
        """
        wanted = Wanted.of(prompt, use_case_id, label)
        substitute = None if fallback is None else fallback_prompt(fallback, label)
        return await self._cache.fetch(wanted, max_age, substitute)

    async def aclose(self) -> None:
        """End what goes on in the background."""
        await self._cache.aclose()
