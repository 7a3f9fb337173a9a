"""The forms of what people and programs identify themselves with; no database here."""

import base64
import hashlib
import hmac
import secrets
import string
import time
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt

from assay.core.errors import Unauthorized
from assay.core.secrets import SecretKey

ACCESS_LIFETIME = timedelta(minutes=15)
REFRESH_LIFETIME = timedelta(days=30)
CLOCK_SKEW = timedelta(seconds=30)
"""How far the clock of the server that signed a token may be ahead of ours."""
KEY_PREFIX = "ask_"

_ALGORITHM = "HS256"
_ISSUER = "assay"
_AUDIENCE = "assay-api"
_BASE62 = string.digits + string.ascii_letters
_LOOKUP, _RANDOM, _CHECKSUM = 12, 40, 6
SHOWN = len(KEY_PREFIX) + _LOOKUP
"""How many of a key's first characters are stored as they are."""


class NotSignedIn(Unauthorized):
    """Sign in, or send an API key: Authorization: Bearer ask_..."""


class TokenExpired(Unauthorized):
    """The access token has expired; get a new one from /api/v1/auth/refresh."""

    code = "token_expired"


class TokenRefused(Unauthorized):
    """The access token is not valid here; sign in again."""

    code = "token_refused"


class KeyRefused(Unauthorized):
    """The API key is unknown, revoked or expired."""

    code = "key_refused"


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What an access token says: who, by which sign-in."""

    user_id: UUID
    session_id: UUID


class AccessTokens:
    """Signs and reads access tokens: JWT (RFC 7519), HMAC-SHA256."""

    def __init__(self, secret: SecretKey) -> None:
        """Sign with a key derived from SECRET_KEY; those of an older one are refused."""
        self._key = secret.derive("access tokens")

    def sign(self, claims: AccessClaims) -> str:
        """A token that is good for 15 minutes."""
        now = datetime.now(UTC)
        return jwt.encode(
            {
                "iss": _ISSUER,
                "aud": _AUDIENCE,
                "sub": str(claims.user_id),
                "sid": str(claims.session_id),
                "iat": now,
                "exp": now + ACCESS_LIFETIME,
            },
            self._key,
            _ALGORITHM,
        )

    def read(self, token: str) -> AccessClaims:
        """What a token says.

        Raises:
            TokenExpired: it was good once.
            TokenRefused: anything else is wrong with it: its form, signature, algorithm,
                issuer or audience.
        """
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                issuer=_ISSUER,
                options={"require": ["exp", "iat", "sub", "sid"], "verify_iat": False},
            )
            if claims["iat"] > time.time() + CLOCK_SKEW.total_seconds():
                raise TokenRefused
            return AccessClaims(UUID(claims["sub"]), UUID(claims["sid"]))
        except jwt.ExpiredSignatureError:
            raise TokenExpired from None
        except (jwt.InvalidTokenError, ValueError, AttributeError, TypeError):
            raise TokenRefused from None


class RefreshTokens:
    """Makes refresh tokens. Each follows from the one before it, by a key that only we have.

    So when one comes twice at once, both get the same next one, though only hashes are stored.
    """

    def __init__(self, secret: SecretKey) -> None:
        """Derive with a key of SECRET_KEY."""
        self._key = secret.derive("refresh tokens")

    def first(self) -> str:
        """The token of a new sign-in: 256 random bits."""
        return secrets.token_urlsafe(32)

    def next(self, token: str) -> str:
        """The one that follows `token`."""
        digest = hmac.digest(self._key, token.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def refresh_hash(token: str) -> bytes:
    """What is stored of a refresh token; it is random, so a plain SHA-256 tells nothing."""
    return hashlib.sha256(token.encode()).digest()


def new_key() -> str:
    """An API key: `ask_`, 40 random characters (238 bits), 6 of checksum."""
    random = "".join(secrets.choice(_BASE62) for _ in range(_RANDOM))
    return KEY_PREFIX + random + _checksum(random)


def key_lookup(key: str) -> str:
    """The part of an API key by which it is found.

    Raises:
        KeyRefused: it is no key; the checksum finds mistyped ones without a look-up.
    """
    random, checksum = key[len(KEY_PREFIX) : -_CHECKSUM], key[-_CHECKSUM:]
    if len(random) != _RANDOM or not key.isascii() or _checksum(random) != checksum:
        raise KeyRefused("This is not an API key: a part of it is missing or mistyped.")
    return key[:SHOWN]


def key_hash(key: str, pepper: bytes) -> bytes:
    """What is stored of an API key: its HMAC-SHA256 under a secret of this installation."""
    return hmac.digest(pepper, key.encode(), "sha256")


def _checksum(random: str) -> str:
    number, digits = zlib.crc32(random.encode()), ""
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, len(_BASE62))
        digits += _BASE62[digit]
    return digits
