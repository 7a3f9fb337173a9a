"""What hangs on SECRET_KEY: stored secrets, which can be sealed anew, and keys for signing."""

import base64
import os
import secrets as random
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import LargeBinary

from assay.core.config import SHORTEST_SECRET_KEY, Settings
from assay.core.errors import SetupError

FILE = "secret_key"


class Sealed(LargeBinary):
    """The type of a column that holds what `SecretKey.seal` gave.

    `assay secrets rotate` finds such columns by it and seals their values anew.
    """


class SecretKey:
    """The secret that this installation's other secrets hang on.

    Sealing is Fernet (AES-128-CBC with HMAC-SHA256); every key that is used is derived with
    HKDF-SHA256 for its purpose, so that none of them tells anything about another.
    """

    def __init__(self, current: str, previous: Sequence[str] = ()) -> None:
        """Seal with `current`; what was sealed with one of `previous` can still be opened."""
        self._current = current
        self._fernet = MultiFernet([Fernet(_fernet_key(key)) for key in (current, *previous)])

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose, such as signing access tokens; always of the current key."""
        return _derive(self._current, purpose)

    def seal(self, text: str) -> bytes:
        """Encrypt `text` for storing."""
        return self._fernet.encrypt(text.encode())

    def open(self, sealed: bytes) -> str:
        """Decrypt what `seal` gave.

        Raises:
            SetupError: it was sealed with another key.
        """
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            raise _other_key() from None

    def seal_again(self, sealed: bytes) -> bytes:
        """The same secret, sealed with the current key.

        Raises:
            SetupError: it was sealed with a key that is neither current nor previous.
        """
        try:
            return self._fernet.rotate(sealed)
        except InvalidToken:
            raise _other_key() from None


def _other_key() -> SetupError:
    return SetupError(
        "A stored secret was sealed with another SECRET_KEY. Set SECRET_KEY to the one this "
        "database was used with; after a change, set SECRET_KEY_PREVIOUS to the old one and run "
        "`assay secrets rotate`."
    )


def _derive(key: str, purpose: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=f"assay {purpose}".encode()).derive(key.encode())


def _fernet_key(key: str) -> bytes:
    return base64.urlsafe_b64encode(_derive(key, "stored secrets"))


def load_secret_key(settings: Settings) -> SecretKey:
    """SECRET_KEY with SECRET_KEY_PREVIOUS, or else the key in ASSAY_HOME, made when missing.

    Raises:
        SetupError: the key in ASSAY_HOME cannot be read or made.
    """
    if settings.secret_key is None:
        current, *previous = _file_keys(settings.assay_home)
        return SecretKey(current, previous)
    old = settings.secret_key_previous
    return SecretKey(
        settings.secret_key.get_secret_value(), [old.get_secret_value()] if old else []
    )


def _file_keys(home: Path) -> list[str]:
    """The keys in the file, the current one first; a second one is left of a broken rotation."""
    file = home / FILE
    try:
        if not file.exists():
            home.mkdir(parents=True, exist_ok=True)
            _make(file, random.token_urlsafe(48))
        keys = file.read_text().split()
    except OSError as error:
        raise SetupError(
            f"The key that stored secrets are sealed with, {file}, cannot be used "
            f"({error.strerror}). Mend that, or set SECRET_KEY."
        ) from None
    except UnicodeDecodeError:
        keys = []
    if not keys or any(len(key) < SHORTEST_SECRET_KEY for key in keys):
        raise SetupError(
            f"{file} holds no key. Put the right one back, or set SECRET_KEY; without it stored "
            "secrets cannot be opened."
        )
    return keys


def _make(file: Path, key: str) -> None:
    """Write a first key, complete under its name from the first moment, unless there is one."""
    draft = _draft(file, [key])
    try:
        # Of two that start at once the second finds the first one's key.
        with suppress(FileExistsError):
            file.hardlink_to(draft)
    finally:
        draft.unlink()


def _draft(file: Path, keys: Sequence[str]) -> Path:
    """The keys in a file beside `file` that only its owner can read."""
    draft = file.with_name(f"{file.name}.{random.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write("\n".join(keys) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    return draft


class KeyFileRotation:
    """A new key for the file in ASSAY_HOME, in steps of which each can be the last.

    `begin` adds the new key beside the old ones, so that both open what is stored; `end`, after
    everything is sealed anew, leaves the new one alone.
    """

    def __init__(self, home: Path) -> None:
        """Rotate the key of this ASSAY_HOME."""
        self._file = home / FILE
        self._old = _file_keys(home)
        self._new = random.token_urlsafe(48)

    def begin(self) -> SecretKey:
        """Store the new key as the current one, beside the old; gives both."""
        _draft(self._file, [self._new, *self._old]).replace(self._file)
        return SecretKey(self._new, self._old)

    def end(self) -> None:
        """Forget the old keys."""
        _draft(self._file, [self._new]).replace(self._file)
