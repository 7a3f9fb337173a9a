"""Slow down guessing: how often an account, and an address, may try to sign in.

The allowances are rows, so that they hold over all server processes, and each attempt is counted
in one statement before the password is looked at, so that many at once do not get past.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import TooMany
from assay.identity.sessions.models import LoginLimit


@dataclass(frozen=True, slots=True)
class Allowance:
    """`burst` attempts at once, then one more every `every`."""

    burst: int
    every: timedelta


ACCOUNT = Allowance(10, timedelta(seconds=30))
ADDRESS = Allowance(30, timedelta(seconds=3))

# The generic cell rate algorithm: `due` moves on by `every` with each attempt, and may be at most
# `burst` times that ahead. An attempt over the limit moves nothing and gives no row.
_TAKE = text("""
    INSERT INTO identity.login_limits AS held (subject, due)
    VALUES (:subject, clock_timestamp() + :every)
    ON CONFLICT (subject) DO UPDATE
    SET due = greatest(held.due, clock_timestamp()) + :every
    WHERE greatest(held.due, clock_timestamp()) + :every <= clock_timestamp() + :every * :burst
    RETURNING due
""")
_WAIT = text("""
    SELECT extract(epoch FROM due - clock_timestamp() - CAST(:every AS interval) * (:burst - 1))
    FROM identity.login_limits WHERE subject = :subject
""")


_GIVE_BACK = text("""
    UPDATE identity.login_limits SET due = due - CAST(:every AS interval) WHERE subject = :subject
""")


class TooManyAttempts(TooMany):
    """Too many attempts to sign in; wait a little."""

    code = "too_many_attempts"


async def count_attempt(session: AsyncSession, email: str, address: str | None) -> float | None:
    """Count an attempt against its address and its account; commit it whatever comes of it.

    An unknown account is counted like one that exists. Nothing that was sent is stored, only
    hashes: people type passwords where the address goes.

    Returns:
        `None` where it may go on, or the seconds to wait for the next one.
    """
    for subject, allowance in _subjects(email, address):
        values = {"subject": subject, "every": allowance.every, "burst": allowance.burst}
        if await session.scalar(_TAKE, values) is None:
            return max(1.0, float(await session.scalar(_WAIT, values) or 0))
    return None


async def forgive(session: AsyncSession, email: str, address: str | None) -> None:
    """A sign-in went well: its account has its whole allowance back, its address this attempt."""
    for subject, allowance in _subjects(email, address):
        if allowance is ACCOUNT:
            await session.execute(delete(LoginLimit).where(LoginLimit.subject == subject))
        else:
            await session.execute(_GIVE_BACK, {"subject": subject, "every": allowance.every})


def _subjects(email: str, address: str | None) -> Iterator[tuple[bytes, Allowance]]:
    if address is not None:
        yield _subject("address", address), ADDRESS
    yield _subject("account", email), ACCOUNT


def _subject(kind: str, value: str) -> bytes:
    return hashlib.sha256(f"{kind} {value}".encode()).digest()
