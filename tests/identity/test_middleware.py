"""How often callers may ask, and how often somebody may send wrong keys."""

from collections.abc import AsyncIterator

import pytest
from tests.identity.people import Installation, installed
from tests.identity.signing_in import ME, problem

from assay.core.config import Settings
from assay.core.database import Database
from assay.identity.actor import Role, Scope
from assay.identity.tokens import new_key

PER_MINUTE = 5


@pytest.fixture
async def slow(settings: Settings, own_database: Database) -> AsyncIterator[Installation]:
    """An installation that answers each caller only a few times a minute."""
    changes = {"database_url": own_database.dsn, "requests_per_minute": PER_MINUTE}
    async with installed(settings, **changes) as slow:
        yield slow


async def test_each_caller_has_an_allowance_of_their_own(slow: Installation) -> None:
    person, other = [await slow.person(Role.viewer) for _ in range(2)]
    by_key = await slow.with_key(person, Scope.playground_read)
    codes = [(await person.client.get(ME)).status_code for _ in range(PER_MINUTE)]
    assert codes == [200] * (PER_MINUTE - 1) + [429], "making the key was the first"
    refused = await person.client.get("/nothing")
    assert problem(refused) == (429, "too_many")
    assert 1 <= int(refused.headers["retry-after"]) <= 12
    assert "REQUESTS_PER_MINUTE" in refused.json()["detail"]
    for client in (other.client, by_key):
        codes = [(await client.get(ME)).status_code for _ in range(PER_MINUTE + 1)]
        assert codes == [200] * PER_MINUTE + [429]
    assert (await person.client.get("/health")).status_code == 200


async def test_two_sign_ins_of_one_person_share_the_allowance(slow: Installation) -> None:
    person = await slow.person(Role.viewer)
    token = await slow.access_token(person.id)
    clients = [person.client, await slow.client(Authorization=f"Bearer {token}")]
    codes = [(await clients[n % 2].get(ME)).status_code for n in range(PER_MINUTE + 1)]
    assert codes == [200] * PER_MINUTE + [429]


async def test_no_limit_where_none_is_set(settings: Settings, own_database: Database) -> None:
    changes = {"database_url": own_database.dsn, "requests_per_minute": 0}
    async with installed(settings, **changes) as installation:
        person = await installation.person(Role.viewer)
        codes = {(await person.client.get(ME)).status_code for _ in range(50)}
    assert codes == {200}


async def test_an_address_that_sends_wrong_keys_is_slowed_and_others_are_not(
    settings: Settings, own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.identity.middleware.REFUSALS_PER_MINUTE", 10)
    async with installed(settings, database_url=own_database.dsn) as installation:
        person = await installation.person(Role.viewer)
        guesser = await installation.client(address="192.0.2.1")
        wrong = [new_key(), "token", new_key()[:-1]] * 4
        answers = [
            await guesser.get(ME, headers={"Authorization": f"Bearer {key}"}) for key in wrong
        ]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
        assert problem(answers[-1]) == (429, "too_many")
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 6
        other = await installation.client(address="192.0.2.2")
        assert (await other.get(ME)).status_code == 401
        good = person.client.headers["Authorization"]
        from_there = await installation.client(address="192.0.2.1", Authorization=good)
        assert (await from_there.get(ME)).status_code == 200
