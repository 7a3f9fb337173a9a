"""A prompt for a judge in the author's own words: the `rubricPrompt` of an assertion."""

import contextlib
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import JsonValue

from assay.core.templates import Template, TemplateFault, compile_template
from assay.grading.checks import CheckFault
from assay.grading.questions import Message

FIELD = "rubricPrompt"
_ROLES = frozenset({"system", "user", "assistant"})
_SHAPE = 'Write a text, or a list of messages such as {"role": "user", "content": "..."}.'


class OwnPrompt:
    """Messages that are templates."""

    def __init__(self, messages: list[tuple[str, Template]]) -> None:
        self._messages = messages

    def render(self, variables: Mapping[str, object]) -> list[Message]:
        """Fill in the variables.

        Raises:
            CheckFault: one is missing.
        """
        try:
            return [
                {"role": role, "content": template.render(variables)}
                for role, template in self._messages
            ]
        except TemplateFault as fault:
            raise CheckFault(f"The {FIELD} cannot be filled in. {fault.detail}") from None


def compile_prompt(given: JsonValue) -> OwnPrompt:
    """Compile a text, a list of messages, or, as promptfoo takes it, such a list as JSON text.

    Raises:
        CheckFault: it is neither, or a template cannot be read; its `field` names the place.
    """
    if isinstance(given, str) and given.lstrip().startswith("["):
        with contextlib.suppress(orjson.JSONDecodeError):  # prose may begin so too
            given = orjson.loads(given)
    if isinstance(given, str):
        if not given.strip():
            raise CheckFault("This must be a text that is not empty.", FIELD)
        return OwnPrompt([("user", _template(given, FIELD))])
    if not isinstance(given, list) or not given:
        raise CheckFault(_SHAPE, FIELD)
    return OwnPrompt([_message(entry, f"{FIELD}[{i}]") for i, entry in enumerate(given)])


def _message(entry: Any, place: str) -> tuple[str, Template]:
    if not isinstance(entry, dict) or entry.keys() != {"role", "content"}:
        raise CheckFault(_SHAPE, place)
    role, content = entry["role"], entry["content"]
    if role not in _ROLES or not isinstance(content, str):
        raise CheckFault(f"{_SHAPE} A role is one of {', '.join(sorted(_ROLES))}.", place)
    return role, _template(content, f"{place}.content")


def _template(text: str, place: str) -> Template:
    try:
        return compile_template(text)
    except TemplateFault as fault:
        raise CheckFault(fault.detail, place) from None
