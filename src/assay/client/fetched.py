"""A prompt as a program takes it: which version it is, and how to fill it in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self
from uuid import UUID

import orjson

from assay.client.errors import Misconfigured
from assay.client.wire import Id, as_json
from assay.gateway.types import Message
from assay.playground.prompts.models import PromptType
from assay.playground.prompts.rendering import PromptRenderer
from assay.playground.prompts.variables import require_fitting
from assay.playground.prompts.versions.schemas import VersionRead

Template = str | Sequence[Mapping[str, Any]]
"""A text, or the messages of a chat."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which prompt is wanted: by its id, or by its name where there is a use case."""

    prompt: str
    use_case_id: str | None
    label: str

    @classmethod
    def of(cls, prompt: Id, use_case_id: Id | None, label: str) -> Self:
        """The prompt with this id or name.

        Raises:
            Misconfigured: a name without a use case.
        """
        if _is_id(prompt):
            return cls(str(UUID(str(prompt))), None, label)
        if use_case_id is None:
            raise Misconfigured(f"{prompt!r} is no id; for a name, say use_case_id as well")
        return cls(str(prompt), str(use_case_id), label)

    def __str__(self) -> str:
        return f"The prompt {self.prompt!r} with the label {self.label!r}"


@dataclass(frozen=True)
class FetchedPrompt:
    """The version of a prompt that has a label.

    Attributes:
        label: the label.
        version: as the server gave it; None for a fallback.
        type: "text", or "chat" for one of messages.
        template_text: the template of a text.
        template_messages: the templates of a chat.
        stale: it is older than was wanted: it is being fetched anew, or the server is away.
    """

    label: str
    version: VersionRead | None
    type: PromptType
    template_text: str | None
    template_messages: Sequence[Mapping[str, Any]] | None
    renderer: PromptRenderer = field(repr=False, compare=False)
    stale: bool = False

    @property
    def version_number(self) -> int | None:
        """The number of the version; None for a fallback."""
        return self.version.version_number if self.version else None

    @property
    def is_fallback(self) -> bool:
        """Whether it is the caller's own, as the server was away."""
        return self.version is None

    def render(self, /, **variables: Any) -> list[Message]:
        """The messages with the variables filled in, exactly as the server would.

        A text makes one message of the user.

        Raises:
            VariablesFault: a variable is missing, or does not fit the version's schema.
            TemplateFault: the template cannot be filled in with these.
        """
        schema = self.version.variables_schema if self.version else None
        require_fitting(self.renderer, schema, variables)
        return self.renderer.render(variables)

    def render_text(self, /, **variables: Any) -> str:
        """The text with the variables filled in, for a prompt of type text.

        Raises:
            Misconfigured: it is one of messages.
            VariablesFault, TemplateFault: as `render`.
        """
        if self.type is not PromptType.text:
            raise Misconfigured("This prompt is a chat; render gives its messages")
        [message] = self.render(**variables)
        return str(message["content"])


def template_fields(template: Template) -> dict[str, Any]:
    """The fields of a version with this template."""
    if isinstance(template, str):
        return {"type": PromptType.text, "template_text": template}
    return {"type": PromptType.chat, "template_messages": [dict(each) for each in template]}


def fetched_prompt(version: VersionRead, label: str) -> FetchedPrompt:
    """A version, ready to be filled in."""
    messages = version.template_messages
    templates: Sequence[Mapping[str, Any]] | None = (
        None if messages is None else [dict(each) for each in messages]
    )
    renderer = PromptRenderer(version.type, version.template_text, templates)
    return FetchedPrompt(label, version, version.type, version.template_text, templates, renderer)


def fallback_prompt(template: Template, label: str) -> FetchedPrompt:
    """A template of the caller's own, in place of a version; it counts as stale.

    Raises:
        TemplateFault: it cannot be one.
    """
    return _compiled_fallback(as_json(template), label)


@lru_cache(maxsize=256)
def _compiled_fallback(template: bytes, label: str) -> FetchedPrompt:
    # It comes along with every fetch, and compiling it takes a hundred times as long as that.
    fields = template_fields(orjson.loads(template))
    kind: PromptType = fields["type"]
    text, messages = fields.get("template_text"), fields.get("template_messages")
    renderer = PromptRenderer(kind, text, messages)
    return FetchedPrompt(label, None, kind, text, messages, renderer, stale=True)


def _is_id(value: Id) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True
