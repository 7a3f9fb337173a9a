"""Signatures by Standard Webhooks (https://www.standardwebhooks.com), version 1."""

import base64
import hashlib
import hmac
import secrets as random
from collections.abc import Sequence

PREFIX = "whsec_"
SECRET_BYTES = 32
_FEWEST, _MOST = 24, 64


def new_secret() -> str:
    """A fresh secret, `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(random.token_bytes(SECRET_BYTES)).decode()


def secret_fault(secret: str) -> str | None:
    """What is wrong with a secret that somebody chose, or None."""
    try:
        length = len(_key(secret))
    except ValueError:
        length = 0
    if secret.startswith(PREFIX) and _FEWEST <= length <= _MOST:
        return None
    return f"Takes {PREFIX} and {_FEWEST} to {_MOST} random bytes in base64"


def signed_headers(
    secrets: Sequence[str], webhook_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """The headers of one attempt.

    Args:
        secrets: each signs; two while one takes the place of the other.
        webhook_id: the same over all attempts.
        timestamp: of this attempt, in seconds.
        body: what is sent, to the byte.
    """
    content = b"%b.%d.%b" % (webhook_id.encode(), timestamp, body)
    macs = (hmac.new(_key(secret), content, hashlib.sha256).digest() for secret in secrets)
    return {
        "Content-Type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(mac).decode()}" for mac in macs),
    }


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
