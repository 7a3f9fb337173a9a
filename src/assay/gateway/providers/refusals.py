"""From the way a provider says no to our errors."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from assay.core.retry_after import read_retry_after
from assay.gateway.errors import ModelError, ModelUnavailable, RateLimited, RequestRefused

# Codes of a 429 that waiting does not mend: an empty account.
_SPENT = frozenset({"insufficient_quota", "billing_not_active", "billing_hard_limit_reached"})
# 4xx that are about the moment and not about the request: request timeout, conflict with another
# request on the same resource, too early. The SDKs of the providers try these again too.
_PASSING = frozenset({408, 409, 425})
_LONGEST_MESSAGE = 600
_MILLISECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]+)?")


def refusal(
    model: str,
    status: int,
    message: str,
    *,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
    secret: str | None = None,
) -> ModelError:
    """The error for an HTTP status.

    Args:
        model: `provider/model`.
        status: of the answer, anything but 200.
        message: the provider's own words.
        code: the provider's own code for the error.
        headers: of the answer; lower-case names, or a mapping that ignores case.
        secret: the key, which is cut out should the provider repeat it.
    """
    message = " ".join(message.split())
    if secret:
        message = message.replace(secret, "[key]")
    if len(message) > _LONGEST_MESSAGE:
        message = message[:_LONGEST_MESSAGE] + "…"
    detail = f"{model} answered {status}: {message or 'without a word'}"
    wait = retry_after(headers or {})
    if status == 429 and code not in _SPENT:
        return RateLimited(detail, retry_after=wait)
    if status >= 500 or status in _PASSING:
        return ModelUnavailable(detail, retry_after=wait)
    if 300 <= status < 400:
        return RequestRefused(f"{detail}; it points elsewhere, so check the base URL")
    return RequestRefused(detail)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the provider asked to wait, or `None`.

    Reads `retry-after-ms` (OpenAI's own) and `Retry-After`.
    """
    milliseconds = headers.get("retry-after-ms", "")
    if _MILLISECONDS.fullmatch(milliseconds):
        return float(milliseconds) / 1000.0
    return read_retry_after(headers.get("retry-after"), datetime.now(UTC))
