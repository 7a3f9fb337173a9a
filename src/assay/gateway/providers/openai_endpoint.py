"""What all endpoints of the OpenAI protocol have in common: headers, and how they say no."""

from collections.abc import Mapping
from typing import Any, ClassVar

import aiohttp
import orjson
from aiohttp.http import HttpProcessingError

from assay.gateway.errors import (
    MalformedResponse,
    ModelError,
    ModelTimeout,
    ModelUnavailable,
)
from assay.gateway.providers.catalog import Provider
from assay.gateway.providers.endpoint import CONNECT_SECONDS, Endpoint
from assay.gateway.providers.refusals import refusal

Json = dict[str, Any]
CONNECTION_FAULTS = (aiohttp.ClientError, TimeoutError, HttpProcessingError)
"""What `Endpoint` raises."""


class OpenAIModel:
    """One model behind one path of a base URL that speaks the OpenAI protocol."""

    _path: ClassVar[str]
    # What is expected of it, for the message when something else comes.
    _answer: ClassVar[str]

    def __init__(self, provider: Provider, model: str, session: aiohttp.ClientSession) -> None:
        """Take where and whom to ask, and the session, which stays the caller's."""
        if provider.base_url is None:
            raise ValueError(f"provider {provider.name} has no base URL")
        self.name = f"{provider.name}/{model}"
        self._model = model
        self._key = provider.api_key
        self._address = provider.base_url
        headers = {"User-Agent": "assay", "Accept": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        self._endpoint = Endpoint(session, provider.base_url / self._path, headers)

    async def _post(self, body: bytes) -> bytes:
        """The body of an answer with status 200.

        Raises:
            ModelError: there was none.
        """
        try:
            status, headers, answer = await self._endpoint.post(body)
        except CONNECTION_FAULTS as error:
            raise self._broken(error) from error
        if status != 200:
            raise self._refused(status, answer, headers)
        return answer

    def _error_in(self, error: Json) -> ModelError:
        """The error that came with status 200, as some routers send it."""
        code = error.get("code")
        status = code if isinstance(code, int) and code >= 400 else 502
        return refusal(self.name, status, str(error.get("message", "")), secret=self._key)

    def _refused(self, status: int, answer: bytes, headers: Mapping[str, str]) -> ModelError:
        message, code = answer.decode("utf-8", "replace"), None
        try:
            error = orjson.loads(answer)["error"]
            message, code = error["message"], error.get("code")
        except (ValueError, LookupError, TypeError, AttributeError):
            pass  # not every server writes its errors as OpenAI does; then its body is the message
        return refusal(
            self.name, status, str(message), code=code, headers=headers, secret=self._key
        )

    def _broken(self, error: Exception) -> ModelError:
        if isinstance(error, aiohttp.ClientConnectorError):
            return ModelUnavailable(
                f"{self.name} cannot be reached at {self._address}: "
                f"{error.strerror or error}; is the server running?"
            )
        if isinstance(error, TimeoutError):
            return ModelTimeout(
                f"{self.name} could not be connected to within {CONNECT_SECONDS:g} s"
            )
        if isinstance(error, HttpProcessingError | aiohttp.ClientResponseError):
            return MalformedResponse(f"{self.name} answered something that is not HTTP")
        return ModelUnavailable(f"{self.name} broke the connection ({type(error).__name__})")

    def _malformed(self, answer: bytes) -> MalformedResponse:
        return MalformedResponse(
            f"{self.name} answered 200 with {len(answer)} bytes that are not {self._answer}"
        )
