"""Guessing passwords is slowed, by account and by address."""

import asyncio
import time
from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import update
from tests.identity.people import PASSWORD, Installation
from tests.identity.signing_in import LOGIN, problem

from assay.identity.actor import Role
from assay.identity.login_limits import ACCOUNT, ADDRESS, Allowance, count_attempt
from assay.identity.sessions.models import LoginLimit


class Guesser:
    """Somebody who guesses, from whatever address."""

    def __init__(self, installation: Installation, email: str) -> None:
        self._installation = installation
        self.email = email

    async def guess(self, address: str, password: str = "wrong password") -> httpx2.Response:
        client = await self._installation.client(address=address)
        return await client.post(LOGIN, json={"email": self.email, "password": password})

    async def count(self, times: int, address: str | None = None) -> list[float | None]:
        """Count attempts without the time that verifying takes; gives how long each has to wait."""
        waits = []
        for _ in range(times):
            async with self._installation.database.session() as session:
                waits.append(await count_attempt(session, self.email, address))
        return waits


@pytest.fixture
async def guesser(installation: Installation) -> Guesser:
    return Guesser(installation, (await installation.row(Role.viewer)).email)


async def test_an_account_takes_no_more_attempts_wherever_they_come_from(
    installation: Installation, guesser: Guesser
) -> None:
    await guesser.count(ACCOUNT.burst - 3)
    answers = await asyncio.gather(*(guesser.guess(f"192.0.2.{n}") for n in range(15)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [401] * 3 + [429] * 12, "also those that come at once"
    for answer in answers:
        if answer.status_code == 429:
            assert problem(answer) == (429, "too_many_attempts")
            assert 1 <= int(answer.headers["retry-after"]) <= 30
    assert (await guesser.guess("192.0.2.100", PASSWORD)).status_code == 429, "even the right one"
    other = Guesser(installation, (await installation.row(Role.viewer)).email)
    assert (await other.guess("192.0.2.101", PASSWORD)).status_code == 200


async def test_an_address_makes_no_more_attempts_whatever_the_account(
    installation: Installation,
) -> None:
    address, start = "198.51.100.1", time.monotonic()
    guessers = [Guesser(installation, f"nobody{n}@example.com") for n in range(45)]
    waits = await asyncio.gather(*(each.count(1, address) for each in guessers))
    passed = sum(wait is None for [wait] in waits)
    refilled = (time.monotonic() - start) / ADDRESS.every.total_seconds()
    assert ADDRESS.burst <= passed <= ADDRESS.burst + refilled
    fresh = Guesser(installation, (await installation.row(Role.viewer)).email)
    blocked = await fresh.guess(address, PASSWORD)
    assert problem(blocked) == (429, "too_many_attempts")
    assert 1 <= int(blocked.headers["retry-after"]) <= 3
    assert (await fresh.guess("198.51.100.2", PASSWORD)).status_code == 200


async def test_an_account_that_is_not_there_is_counted_like_one_that_is(
    installation: Installation,
) -> None:
    nobody = Guesser(installation, "somebody.else@example.com")
    await nobody.count(ACCOUNT.burst)
    assert problem(await nobody.guess("203.0.113.1")) == (429, "too_many_attempts")


async def test_after_the_time_that_was_said_one_may_try_again(
    installation: Installation, guesser: Guesser
) -> None:
    waits = await guesser.count(ACCOUNT.burst + 1)
    wait = waits[-1]
    assert waits[:-1] == [None] * ACCOUNT.burst
    assert wait is not None
    assert wait == pytest.approx(ACCOUNT.every.total_seconds(), abs=5)
    await _let_pass(installation, wait - 2)
    assert (await guesser.count(1))[0] is not None
    await _let_pass(installation, 2)
    assert await guesser.count(1) == [None]
    assert (await guesser.count(1))[0] is not None


async def _let_pass(installation: Installation, seconds: float) -> None:
    async with installation.database.session() as session:
        earlier = LoginLimit.due - timedelta(seconds=seconds)
        await session.execute(update(LoginLimit).values(due=earlier))


async def test_a_sign_in_gives_the_account_its_allowance_back(guesser: Guesser) -> None:
    assert await guesser.count(ACCOUNT.burst - 1) == [None] * (ACCOUNT.burst - 1)
    assert (await guesser.guess("203.0.113.2", PASSWORD)).status_code == 200
    waits = await guesser.count(ACCOUNT.burst + 1)
    assert [wait is None for wait in waits] == [True] * ACCOUNT.burst + [False]


async def test_a_sign_in_gives_its_address_only_that_attempt_back(
    installation: Installation, guesser: Guesser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or one good account would let its owner guess at all the others for ever."""
    slow = Allowance(ADDRESS.burst, timedelta(minutes=10))
    monkeypatch.setattr("assay.identity.login_limits.ADDRESS", slow)
    address = "203.0.113.3"
    for number in range(slow.burst - 1):
        other = Guesser(installation, f"other{number}@example.com")
        assert await other.count(1, address) == [None]
    for _ in range(2):
        assert (await guesser.guess(address, PASSWORD)).status_code == 200
    assert (await guesser.guess(address)).status_code == 401
    assert (await guesser.guess(address, PASSWORD)).status_code == 429


async def test_guessing_the_password_to_change_it_counts_as_well(
    installation: Installation,
) -> None:
    person = await installation.person(Role.viewer)
    guesser = Guesser(installation, person.email)
    await guesser.count(ACCOUNT.burst)
    body = {"current": PASSWORD, "new": "another good password"}
    response = await person.client.put("/api/v1/auth/password", json=body)
    assert problem(response) == (429, "too_many_attempts")
    assert int(response.headers["retry-after"]) >= 1
