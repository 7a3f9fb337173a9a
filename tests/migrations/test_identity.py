"""What the migration to users and shares does with data that is there."""

from uuid import UUID

import asyncpg
import pytest
from tests.events.reading import positions, tell

from assay import migrations
from assay.core.database import Database

BEFORE, AFTER = "2026_11_25_events", "2026_11_25_identity"
ENTRY = (
    "INSERT INTO identity.audit_log (id, user_id, action, subject) "
    "VALUES (gen_random_uuid(), $1, 'x', 'y')"
)


async def add_run(connection: asyncpg.Connection, dataset_of: UUID, prompt_of: UUID) -> UUID:
    """A run as before, of a dataset and of a prompt in these use cases."""
    run: UUID = await connection.fetchval(
        """
        WITH dataset AS (
            INSERT INTO playground.datasets (id, use_case_id, name)
            VALUES (gen_random_uuid(), $1, 'D') RETURNING id
        ), prompt AS (
            INSERT INTO playground.prompts (id, use_case_id, name)
            VALUES (gen_random_uuid(), $2, 'P') RETURNING id
        ), version AS (
            INSERT INTO playground.prompt_versions (id, prompt_id, version_number, type,
                template_text)
            SELECT gen_random_uuid(), id, 1, 'text', 'x' FROM prompt RETURNING id
        )
        INSERT INTO playground.eval_runs (id, prompt_version_id, dataset_id, models, status,
            total, completed, passed, failed, errors, cost, shards_left)
        SELECT gen_random_uuid(), version.id, dataset.id, '[]', 'completed', 0, 0, 0, 0, 0, 0, 0
        FROM version, dataset RETURNING id
        """,
        dataset_of,
        prompt_of,
    )
    return run


async def add_use_case(connection: asyncpg.Connection) -> tuple[UUID, UUID]:
    """A project with a use case."""
    row = await connection.fetchrow(
        """
        WITH project AS (
            INSERT INTO playground.projects (id, name) VALUES (gen_random_uuid(), 'P') RETURNING id
        )
        INSERT INTO playground.use_cases (id, project_id, name)
        SELECT gen_random_uuid(), id, 'U' FROM project RETURNING project_id, id
        """
    )
    return row["project_id"], row["id"]


async def add_people(connection: asyncpg.Connection, project: UUID) -> None:
    """A row in each of the new tables."""
    user = await connection.fetchval(
        "INSERT INTO identity.users (id, email, name, role) "
        "VALUES (gen_random_uuid(), 'ada@example.com', 'Ada', 'admin') RETURNING id"
    )
    await connection.execute(
        "INSERT INTO identity.api_keys (id, user_id, name, lookup, hash, scopes) "
        "VALUES (gen_random_uuid(), $1, 'K', 'ask_1', '', '{admin}')",
        user,
    )
    await connection.execute(
        "INSERT INTO playground.project_members (project_id, user_id, role, added_by) "
        "VALUES ($1, $2, 'admin', 'x')",
        project,
        user,
    )
    await connection.execute(
        "INSERT INTO gateway.provider_credentials (provider, updated_by) VALUES ('openai', 'x')"
    )
    await connection.execute(ENTRY, str(user))


async def projects_of_runs(connection: asyncpg.Connection) -> dict[UUID, UUID]:
    return {
        row["id"]: row["project_id"]
        for row in await connection.fetch("SELECT id, project_id FROM playground.eval_runs")
    }


async def test_runs_find_their_projects_there_back_and_there_again(
    own_database: Database,
) -> None:
    await migrations.downgrade(own_database, BEFORE)
    connection = await own_database.connect()
    one, use_case = await add_use_case(connection)
    two, other = await add_use_case(connection)
    expected = {
        await add_run(connection, use_case, use_case): one,
        await add_run(connection, use_case, use_case): one,
        await add_run(connection, other, other): two,
        await add_run(connection, other, use_case): two,
    }

    await migrations.upgrade(own_database, AFTER)
    assert await projects_of_runs(connection) == expected
    with pytest.raises(asyncpg.NotNullViolationError):
        await connection.execute("UPDATE playground.eval_runs SET project_id = NULL")
    await add_people(connection, one)

    await migrations.downgrade(own_database, BEFORE)
    assert await connection.fetchval("SELECT count(*) FROM playground.eval_runs") == 4
    assert await connection.fetchval("SELECT to_regnamespace('identity')") is None

    await migrations.upgrade(own_database)
    assert await projects_of_runs(connection) == expected
    assert await connection.fetchval("SELECT count(*) FROM identity.users") == 0
    await connection.execute("DELETE FROM playground.projects WHERE id = $1", one)
    assert set((await projects_of_runs(connection)).values()) == {two}
    await connection.close()


async def test_events_go_with_their_table_and_begin_anew(own_database: Database) -> None:
    await tell(own_database, 1, 2, 3)
    await migrations.downgrade(own_database, "2026_11_23_runs")
    await migrations.upgrade(own_database)
    await tell(own_database, 4)
    assert await positions(own_database) == [1]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE identity.users SET role = 'viewer'", "assay_identity"),
        ("UPDATE identity.users SET is_active = false", "assay_identity"),
        ("DELETE FROM identity.users", "assay_identity"),
        ("UPDATE identity.api_keys SET revoked_at = now()", "assay_identity"),
        ("UPDATE identity.api_keys SET scopes = '{}'", "assay_identity"),
        ("DELETE FROM playground.projects", "assay_identity"),
        ("DELETE FROM playground.project_members", "assay_identity"),
        ("DELETE FROM gateway.provider_credentials", "assay_credentials"),
        ("UPDATE identity.users SET last_login_at = now()", None),
        ("UPDATE identity.api_keys SET last_used_at = now()", None),
    ],
)
async def test_changes_by_hand_are_told_too(
    own_database: Database, change: str, told: str | None
) -> None:
    heard: list[str] = []
    connection = await own_database.connect()
    project, _ = await add_use_case(connection)
    await add_people(connection, project)
    for channel in ("assay_identity", "assay_credentials", "end"):
        await connection.add_listener(
            channel, lambda _connection, _pid, channel, _payload: heard.append(channel)
        )
    await connection.execute(change)
    # One's own come before the answer to what is asked after them.
    await connection.execute('NOTIFY "end"')
    await connection.execute("SELECT 1")
    await connection.close()
    assert [channel for channel in heard if channel != "end"] == ([told] if told else [])
    assert heard[-1] == "end"
