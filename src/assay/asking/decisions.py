"""Answers of people, in the types that programs take."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson
from pydantic import TypeAdapter, ValidationError

from assay.asking.errors import InvalidAnswer, NoAnswer, RequestCancelled
from assay.consults.requests.models import DecidedBy, RequestStatus
from assay.consults.requests.schemas import RequestRead, ResponseRead
from assay.core.errors import FieldFault

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Decision(Generic[T]):
    """What people decided.

    Attributes:
        value: the answer.
        request: with all that is known about it.
    """

    value: T
    request: RequestRead

    @property
    def request_id(self) -> UUID:
        """Of the request."""
        return self.request.id

    @property
    def by_default(self) -> bool:
        """Whether nobody answered, and this is the default that was used at the deadline."""
        return self.request.decided_by is DecidedBy.default

    @property
    def deciding(self) -> list[ResponseRead]:
        """The responses that said what was decided: who, when, with which comment."""
        return [each for each in self.request.responses if _same(each.value, self.request.response)]

    @property
    def by(self) -> str:
        """Who decided, by name; for people to read."""
        if self.by_default:
            return "the default at the deadline"
        return ", ".join(each.name or each.user_id for each in self.deciding)

    @property
    def reason(self) -> str | None:
        """What those who decided said about it, each in a line; None where nobody said a thing."""
        return "\n".join(each.comment for each in self.deciding if each.comment) or None


@dataclass(frozen=True, slots=True)
class Approval(Decision[bool]):
    """What people decided about something that was to be approved; true if they approved it.

    Attributes:
        edits: what they changed while approving it, where they might.
    """

    edits: Mapping[str, Any]

    @property
    def approved(self) -> bool:
        """Whether it may be done."""
        return self.value

    def __bool__(self) -> bool:
        return self.value


def decision(request: RequestRead) -> Decision[Any]:
    """The answer of a request that has come to its end, as JSON.

    Raises:
        NoAnswer: it has expired.
        RequestCancelled: it was cancelled.
    """
    if request.status is RequestStatus.answered:
        return Decision(request.response, request)
    if request.status is RequestStatus.cancelled:
        raise RequestCancelled(f"{request.title!r} was cancelled (request {request.id})", request)
    detail = f"Nobody answered {request.title!r} before its deadline (request {request.id})"
    raise NoAnswer(detail, request)


def approval(request: RequestRead) -> Approval:
    """The answer of a request of the kind `approve`.

    Raises:
        NoAnswer, RequestCancelled: as `decision`.
    """
    value = decision(request).value
    # Only what says so itself is an approval.
    return Approval(value["approved"] is True, request, edits=value.get("edits") or {})


def validated(adapter: TypeAdapter[T], value: Any, request: RequestRead, place: str = "") -> T:
    """A value of an answer as an instance of a type.

    Raises:
        InvalidAnswer: the type does not take it.
    """
    try:
        return adapter.validate_json(orjson.dumps(value))
    except ValidationError as error:
        faults = [
            FieldFault(".".join(map(str, filter(None, (place, *fault["loc"])))), fault["msg"])
            for fault in error.errors()
        ]
        raise InvalidAnswer(request, faults) from error


def _same(one: Any, other: Any) -> bool:
    return orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(
        other, option=orjson.OPT_SORT_KEYS
    )
