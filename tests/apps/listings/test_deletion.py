"""What goes with a listing, and when."""

import asyncio
from typing import Any

import httpx2
from sqlalchemy import text
from tests.apps.files.uploading import Down, make_due, removals, rows, stored, upload
from tests.apps.listings.conftest import URL, make
from tests.identity.people import Installation

from assay.core.config import Settings
from assay.core.database import Database
from assay.files.removals import remove_due
from assay.identity.actor import Role


async def with_files(client: httpx2.AsyncClient) -> tuple[Any, list[Any]]:
    files = [await upload(client, f"content {n}".encode(), f"{n}") for n in range(3)]
    listing = await make(
        client,
        audio_file={"id": files[0]["id"], "name": "visit.wav"},
        transcript_file={"file_id": files[1]["id"]},
        structured_json_file={"id": "not an id", "file_id": files[2]["id"]},
    )
    return listing, files


async def add_history(database: Database, entity_id: str, user_id: str = "default") -> None:
    statement = """
        INSERT INTO apps.history
        (id, app_id, entity_type, entity_id, source_type, status, triggered_by, timestamp, user_id)
        VALUES (gen_random_uuid(), 'voice-rx', 'listing', :entity, 'x', 'ok', 'manual', 1, :user)
    """
    async with database.session() as session:
        await session.execute(text(statement), {"entity": entity_id, "user": user_id})


async def history(database: Database) -> list[str]:
    async with database.session() as session:
        return list(await session.scalars(text("SELECT entity_id FROM apps.history ORDER BY 1")))


async def test_a_listing_takes_files_and_history_along(
    own: Installation, own_database: Database, settings: Settings
) -> None:
    client = await own.client()
    before = stored(settings)
    listing, _ = await with_files(client)
    other, others = await with_files(client)
    for entity, user in ((listing, "default"), (other, "default"), (listing, "else")):
        await add_history(own_database, entity["id"], user)
    path = f"{URL}/{listing['id']}"
    answer = await client.delete(path, params={"app_id": "voice-rx"})
    assert answer.status_code == 200
    assert answer.json() == {"deleted": True, "id": listing["id"]}
    assert (await client.get(path, params={"app_id": "voice-rx"})).status_code == 404
    assert (await client.delete(path, params={"app_id": "voice-rx"})).status_code == 404
    assert stored(settings) - before == {file["storage_path"] for file in others}
    assert await rows(own_database) == 3
    assert await removals(own_database) == 0
    assert await history(own_database) == sorted([other["id"], listing["id"]]), "of its owner"


async def test_a_file_of_another_listing_stays_until_the_last_one_goes(
    own: Installation, settings: Settings
) -> None:
    client = await own.client()
    before = stored(settings)
    file = await upload(client)
    first, second = [await make(client, audio_file={"id": file["id"]}) for _ in range(2)]
    query = {"app_id": "voice-rx"}
    await client.delete(f"{URL}/{first['id']}", params=query)
    assert (await client.get(f"/api/files/{file['id']}")).status_code == 200
    await client.delete(f"{URL}/{second['id']}", params=query)
    assert (await client.get(f"/api/files/{file['id']}")).status_code == 404
    assert stored(settings) == before


async def test_listings_with_one_file_that_are_deleted_at_once(
    own: Installation, settings: Settings
) -> None:
    client = await own.client()
    before = stored(settings)
    for _ in range(5):
        file = await upload(client)
        pair = [await make(client, audio_file={"id": file["id"]}) for _ in range(2)]
        paths = [f"{URL}/{listing['id']}" for listing in pair]
        query = {"app_id": "voice-rx"}
        answers = await asyncio.gather(*(client.delete(path, params=query) for path in paths))
        assert [answer.status_code for answer in answers] == [200, 200]
        assert (await client.get(f"/api/files/{file['id']}")).status_code == 404
    assert stored(settings) == before


async def test_files_of_others_are_not_taken_along(own: Installation) -> None:
    owner, thief = await own.person(Role.editor), await own.person(Role.editor)
    file = await upload(owner.client)
    listing = await make(thief.client, audio_file={"id": file["id"]})
    query = {"app_id": "voice-rx"}
    await thief.client.delete(f"{URL}/{listing['id']}", params=query)
    download = await owner.client.get(f"/api/files/{file['id']}/download")
    assert download.status_code == 200


async def test_a_listing_deleted_while_its_storage_is_down(
    own: Installation, own_database: Database, settings: Settings
) -> None:
    client = await own.client()
    before = stored(settings)
    listing, _ = await with_files(client)
    storage = own.app.state.storage
    with Down(own.app):
        answer = await client.delete(f"{URL}/{listing['id']}", params={"app_id": "voice-rx"})
        assert answer.status_code == 200
        assert await rows(own_database) == 0
        assert await removals(own_database) == 3
        assert await remove_due(own_database, storage) == 0
    assert len(stored(settings) - before) == 3
    await make_due(own_database)
    assert await remove_due(own_database, storage) == 3
    assert stored(settings) == before
    assert await removals(own_database) == 0


async def test_a_deletion_that_fails_loses_nothing(
    own: Installation, own_database: Database, settings: Settings
) -> None:
    client = await own.client()
    listing, files = await with_files(client)
    refuse = """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'not now'; END $$;
        CREATE CONSTRAINT TRIGGER refuse AFTER DELETE ON apps.listings
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
    """
    connection = await own_database.connect()
    await connection.execute(refuse)
    await connection.close()
    path = f"{URL}/{listing['id']}"
    answer = await client.delete(path, params={"app_id": "voice-rx"})
    assert answer.status_code == 500
    assert (await client.get(path, params={"app_id": "voice-rx"})).json() == listing
    assert {file["storage_path"] for file in files} <= stored(settings)
    assert await removals(own_database) == 0
    for file in files:
        download = await client.get(f"/api/files/{file['id']}/download")
        assert download.status_code == 200
