"""How two versions of a prompt differ."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import FieldFault, Invalid
from assay.identity.actor import Actor
from assay.playground.prompts.diffs.schemas import (
    DiffedVersion,
    MessageDiff,
    TextPiece,
    ValueChange,
    VariablesDiff,
    VersionDiff,
)
from assay.playground.prompts.diffs.texts import TextComparison, WordBudget, find_opcodes
from assay.playground.prompts.diffs.values import find_differences
from assay.playground.prompts.models import PromptVersion
from assay.playground.prompts.rendering import PromptRenderer
from assay.playground.prompts.versions.service import find_version

MAX_CHARACTERS = 500_000
MAX_LINES = 20_000


class TooLongToCompare(Invalid):
    """One of the versions is too long to be compared."""

    code = "too_long"


class _Text(NamedTuple):
    """A message as text; content parts are their JSON."""

    role: str
    text: str


async def diff_versions(
    session: AsyncSession, actor: Actor, prompt_id: UUID, first: str, second: str
) -> VersionDiff:
    """How the second version differs from the first; each named by number or label.

    Raises:
        PromptNotFound, VersionNotFound
        TooLongToCompare: one has more than `MAX_CHARACTERS` or `MAX_LINES`.
    """
    before = await find_version(session, actor, prompt_id, first)
    after = await find_version(session, actor, prompt_id, second)
    # It is slow for long texts, and needs no database.
    return await asyncio.to_thread(_compare, before, after)


def _compare(before: PromptVersion, after: PromptVersion) -> VersionDiff:
    messages = list(_messages(_texts(before, "query.from"), _texts(after, "query.to")))
    variables_before, variables_after = _variables(before), _variables(after)
    defaults = _changes(before.model_defaults, after.model_defaults)
    schema = _changes(before.variables_schema, after.variables_schema)
    return VersionDiff(
        from_=DiffedVersion.model_validate(before),
        to=DiffedVersion.model_validate(after),
        identical=before.type is after.type
        and not (defaults or schema)
        and all(message.change == "equal" for message in messages),
        messages=messages,
        model_defaults=defaults,
        variables_schema=schema,
        variables=VariablesDiff(
            added=sorted(variables_after - variables_before),
            removed=sorted(variables_before - variables_after),
        ),
    )


def _texts(version: PromptVersion, place: str) -> list[_Text]:
    given: Sequence[Mapping[str, Any]] = version.template_messages or [
        {"role": "user", "content": version.template_text or ""}
    ]
    texts = [_Text(message["role"], _content(message["content"])) for message in given]
    characters = sum(len(text) for _, text in texts)
    lines = sum(text.count("\n") + 1 for _, text in texts)
    for count, most, unit in (
        (characters, MAX_CHARACTERS, "characters"),
        (lines, MAX_LINES, "lines"),
    ):
        if count > most:
            message = f"version {version.version_number} has {count:,} {unit}; {most:,} at most"
            raise TooLongToCompare(errors=[FieldFault(place, message)])
    return texts


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content
    return json.dumps(content, ensure_ascii=False, indent=2)


def _variables(version: PromptVersion) -> frozenset[str]:
    renderer = PromptRenderer(version.type, version.template_text, version.template_messages)
    return renderer.variables


def _changes(before: Any, after: Any) -> list[ValueChange]:
    return [
        ValueChange(path=list(path), change=change, from_=old, to=new)
        for path, change, old, new in find_differences(before, after)
    ]


def _messages(before: Sequence[_Text], after: Sequence[_Text]) -> Iterator[MessageDiff]:
    """Messages that stayed are found first; those between them are held together by place."""
    budget = WordBudget()
    for _, a1, a2, b1, b2 in find_opcodes(before, after):
        for step in range(max(a2 - a1, b2 - b1)):
            place_from = a1 + step if a1 + step < a2 else None
            place_to = b1 + step if b1 + step < b2 else None
            old = None if place_from is None else before[place_from]
            new = None if place_to is None else after[place_to]
            compared = TextComparison(old.text if old else "", new.text if new else "")
            yield MessageDiff(
                change=_change(old, new),
                place_from=place_from,
                place_to=place_to,
                role_from=old.role if old else None,
                role_to=new.role if new else None,
                unified=compared.unified(),
                words=[TextPiece(op=op, text=text) for op, text in compared.words(budget)],
            )


def _change(
    old: _Text | None, new: _Text | None
) -> Literal["equal", "changed", "added", "removed"]:
    if old is None:
        return "added"
    if new is None:
        return "removed"
    return "equal" if old == new else "changed"
