"""What goes over the wire: paths, bodies, pages, and what comes back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar
from urllib.parse import parse_qs, quote, urlsplit
from uuid import UUID

import httpx2
import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

from assay.client.errors import Misconfigured, not_understood

Id = UUID | str
Read = TypeVar("Read", bound=BaseModel)

API = "/api/v1"
JSON = {"Content-Type": "application/json"}
IDEMPOTENCY_KEY = "Idempotency-Key"
# What may be sent twice without an effect of its own; a delete that is sent again finds nothing.
_REPEATABLE = {"GET", "HEAD", "PUT", "DELETE"}


@dataclass(frozen=True, slots=True)
class Call:
    """One request, in a form that can be sent again.

    Attributes:
        method: of HTTP.
        path: from the root of the server.
        params: of the query; those that are None are left out.
        headers: beside those of every request.
        content: the body: bytes, or what makes it anew for each attempt.
        reads: whether it changes nothing, though its method could.
        read_seconds: how long an answer may take, where that is longer than usual.
    """

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | Callable[[], Any] | None = None
    reads: bool = False
    read_seconds: float | None = None

    @property
    def repeatable(self) -> bool:
        """Whether it has its effect once, however often it is sent."""
        return self.reads or self.method in _REPEATABLE or IDEMPOTENCY_KEY in self.headers

    @property
    def query(self) -> dict[str, Any]:
        """The parameters as they are sent."""
        return {name: _query(value) for name, value in self.params.items() if value is not None}


def post(path: str, body: object = None, **headers: str) -> Call:
    """A POST with a JSON body; headers are named with `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is None:
        return Call("POST", path, headers=named)
    return Call("POST", path, headers={**JSON, **named}, content=as_json(body))


def put(path: str, body: object) -> Call:
    """A PUT with a JSON body."""
    return Call("PUT", path, headers=JSON, content=as_json(body))


def patch(path: str, changes: object) -> Call:
    """A PATCH with these changes; what they do not name stays as it is."""
    return Call("PATCH", path, headers=JSON, content=as_json(changes))


def at(*parts: Id, root: str = API) -> str:
    """The path of these parts below `root`.

    Raises:
        Misconfigured: a part would lead elsewhere.
    """
    texts = [str(part) for part in parts]
    for text in texts:
        if text in {"", ".", ".."}:
            raise Misconfigured(f"{text!r} is no id")
    return "/".join([root, *(quote(text, safe="") for text in texts)])


def as_json(body: object) -> bytes:
    """A body as JSON; of a model only what was set."""
    return orjson.dumps(body, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def given(**fields: object) -> dict[str, object]:
    """The fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def read(kind: type[Read], response: httpx2.Response) -> Read:
    """The object in a response.

    Raises:
        ClientError: it has another form.
    """
    try:
        # The server writes fields by their names, and reads some from rows by other ones.
        return kind.model_validate_json(response.content, by_alias=True, by_name=True)
    except ValidationError as fault:
        raise not_understood(kind, fault) from None


def read_list(kind: type[Read], response: httpx2.Response) -> list[Read]:
    """The objects in a response.

    Raises:
        ClientError: they have another form.
    """
    try:
        return _list_of(kind).validate_json(response.content, by_alias=True, by_name=True)
    except ValidationError as fault:
        raise not_understood(kind, fault) from None


def next_cursor(response: httpx2.Response) -> str | None:
    """Where a list goes on, from the header `Link`.

    Only the cursor is taken: whatever stands between here and the server may have other names
    for paths, and the key goes nowhere else.
    """
    url = response.links.get("next", {}).get("url", "")
    return next(iter(parse_qs(urlsplit(url).query).get("cursor", [])), None)


@cache
def _list_of(kind: type[Read]) -> TypeAdapter[list[Read]]:
    return TypeAdapter(list[kind])  # type: ignore[valid-type]  # the type is known at run time only


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not a JSON type")


def _query(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Mapping):
        return as_json(value).decode()
    if isinstance(value, list | tuple):
        return [_query(each) for each in value]
    return value
