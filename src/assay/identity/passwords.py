"""Hash and verify passwords (argon2id), off the event loop and a few at a time."""

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

# Each takes 64 MiB and a core for tens of milliseconds.
AT_ONCE = 2
_hasher = PasswordHash((Argon2Hasher(),))
_threads = ThreadPoolExecutor(AT_ONCE, "password")


async def hash_password(password: str) -> str:
    """What is stored of a password."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, password)


async def verify_password(password: str, stored: str | None) -> tuple[bool, str | None]:
    """Whether `password` is the one, and a new hash where the stored one is out of date.

    Where nothing is stored it takes as long as otherwise: who is a user must not show in time.
    """
    right, renewed = await asyncio.get_running_loop().run_in_executor(
        _threads, _verify, password, stored
    )
    return right and stored is not None, renewed


def _verify(password: str, stored: str | None) -> tuple[bool, str | None]:
    # Also where it is not needed: the first unknown user must not take longer than a known one.
    nobodys = _nobodys_hash()
    return _hasher.verify_and_update(password, stored or nobodys)


@cache
def _nobodys_hash() -> str:
    return _hasher.hash(secrets.token_urlsafe(32))
