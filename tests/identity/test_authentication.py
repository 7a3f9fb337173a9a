"""Who may what is remembered, and forgotten at once when it changes anywhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

import httpx2
from sqlalchemy import delete, event, text, update
from tests.identity.people import Installation, Person, soon
from tests.identity.signing_in import ME, problem

from assay.identity.actor import Role, Scope
from assay.identity.keys.models import ApiKey
from assay.identity.users.models import User

USERS, PROJECTS = "/api/v1/users", "/api/v1/projects"


async def everywhere(
    client: httpx2.AsyncClient, *servers: Installation
) -> list[httpx2.AsyncClient]:
    """The same credentials, for each of several servers."""
    header = client.headers["Authorization"]
    return [await server.client(Authorization=header) for server in servers]


async def change(admin: Person, user_id: UUID, **fields: object) -> None:
    response = await admin.client.patch(f"{USERS}/{user_id}", json=fields)
    assert response.status_code == 200, response.text


async def test_a_new_role_counts_at_once_on_every_server(
    installation: Installation, twin: Installation, admin: Person
) -> None:
    person = await installation.person(Role.viewer)
    clients = await everywhere(person.client, installation, twin)
    for client in clients:
        assert (await client.get(USERS)).status_code == 403
    await change(admin, person.id, role="admin")
    for client in clients:
        await soon(partial(client.get, USERS), 200)
    await change(admin, person.id, role="viewer")
    for client in clients:
        assert problem(await soon(partial(client.get, USERS), 403)) == (403, "role_too_low")
        assert (await client.get(ME)).json()["role"] == "viewer"


async def test_who_is_switched_off_is_out_at_once_on_every_server(
    installation: Installation, twin: Installation, admin: Person
) -> None:
    person = await installation.person(Role.editor)
    in_person = await everywhere(person.client, installation, twin)
    by_key = await installation.with_key(person, Scope.playground_read)
    keys = await everywhere(by_key, installation, twin)
    for client in (*in_person, *keys):
        assert (await client.get(PROJECTS)).status_code == 200
    await change(admin, person.id, is_active=False)
    for client in in_person:
        answer = await soon(partial(client.get, PROJECTS), 401)
        assert problem(answer) == (401, "token_refused")
    for client in keys:
        assert problem(await soon(partial(client.get, PROJECTS), 401)) == (401, "key_refused")


async def test_a_change_by_hand_in_the_database_counts_as_well(
    installation: Installation, twin: Installation
) -> None:
    person = await installation.person(Role.editor)
    clients = await everywhere(person.client, installation, twin)
    for client in clients:
        assert (await client.get(ME)).json()["role"] == "editor"
    async with installation.database.session() as session:
        await session.execute(update(User).where(User.id == person.id).values(is_active=False))
    for client in clients:
        await soon(partial(client.get, ME), 401)


@contextmanager
def queries(installation: Installation, about: str) -> Iterator[list[str]]:
    """Collects the statements that name a table."""
    found: list[str] = []

    def collect(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if about in statement:
            found.append(statement)

    engine = installation.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", collect)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", collect)


async def test_a_caller_who_is_known_is_not_looked_up_again(fresh: Installation) -> None:
    person = await fresh.person(Role.viewer)
    by_key = await fresh.with_key(person, Scope.playground_read)
    for client, table in ((person.client, "identity.sessions"), (by_key, "identity.api_keys")):
        # Which user it is the answer itself asks, but neither sign-in nor key.
        await client.get(ME)
        await client.get(ME)
        with queries(fresh, table) as found:
            assert (await client.get(ME)).status_code == 200
        assert not found


async def test_nothing_is_remembered_while_nothing_is_heard_of_changes(
    fresh: Installation,
) -> None:
    person = await fresh.person(Role.viewer)
    await person.client.get(ME)
    listener = fresh.app.state.authenticator._listener
    listener.connected = False
    with queries(fresh, "identity.sessions") as found:
        for _ in range(3):
            assert (await person.client.get(ME)).status_code == 200
    listener.connected = True
    assert len(found) == 3


async def test_what_changes_while_nothing_is_heard_of_changes_is_not_missed(
    fresh: Installation,
) -> None:
    person = await fresh.person(Role.viewer)
    by_key = await fresh.with_key(person, Scope.playground_read)
    assert (await by_key.get(ME)).status_code == 200
    async with fresh.database.session() as session:
        # In one transaction: whoever listened is gone before there is anything to hear.
        await session.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
            )
        )
        await session.execute(delete(ApiKey).where(ApiKey.user_id == person.id))
    assert problem(await soon(partial(by_key.get, ME), 401)) == (401, "key_refused")


async def test_an_unknown_key_is_looked_for_each_time(fresh: Installation) -> None:
    """Nobody can fill the memory with keys that are none, and one made later is found."""
    person = await fresh.person(Role.viewer)
    key = await fresh.key(person, Scope.playground_read)
    client = await fresh.client(Authorization=f"Bearer {key}")
    async with fresh.database.session() as session:
        row = await session.scalar(delete(ApiKey).returning(ApiKey))
        assert row is not None
        columns = {column.name: getattr(row, column.name) for column in ApiKey.__table__.columns}
    for _ in range(3):
        assert (await client.get(ME)).status_code == 401
    async with fresh.database.session() as session:
        session.add(ApiKey(**columns))
    assert (await client.get(ME)).status_code == 200
