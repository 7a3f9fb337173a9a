"""Everybody sees what they may see, also when that changes while they read."""

from uuid import uuid4

import pytest
from tests.events.house import House, made
from tests.events.reading import bearer, following, tell
from tests.events.served import Server

from assay.events.models import Topic
from assay.identity.actor import Role, Scope

pytestmark = pytest.mark.usefixtures("quick_heart")


async def test_nobody_reads_without_a_sign_in(house: House) -> None:
    for client in (
        await house.server.installation.client(),
        await house.server.installation.client(Authorization="Bearer ask_wrong"),
    ):
        assert (await client.get("/api/v1/sse")).status_code == 401


async def test_a_viewer_sees_what_is_shared_with_them_and_an_admin_sees_all(house: House) -> None:
    url, database = house.server.url, house.server.database
    async with (
        following(url, bearer(house.viewer.client)) as viewer,
        following(url, bearer(house.admin.client)) as admin,
    ):
        await tell(database, 1, project_id=house.shared)
        await tell(database, 2, project_id=house.closed)
        await tell(database, 3, project_id=uuid4())
        await tell(database, 4)
        await tell(database, 5, topic=Topic.jobs, user_id=str(house.viewer.id))
        await tell(database, 6, topic=Topic.jobs, user_id=str(house.admin.id))
        await house.end(viewer, admin)
        assert viewer.numbers == [1, 5, -1]
        assert admin.numbers == [1, 2, 3, 4, 5, 6, -1]


async def test_what_was_missed_is_looked_at_with_the_same_eyes(house: House) -> None:
    headers = bearer(house.viewer.client)
    async with following(house.server.url, headers) as viewer:
        pass
    await tell(house.server.database, 1, project_id=house.shared)
    await tell(house.server.database, 2, project_id=house.closed)
    await made(house.admin.client, f"/projects/{house.shared}/use-cases", name="Seen")
    await made(house.admin.client, f"/projects/{house.closed}/use-cases", name="Not seen")
    async with following(house.server.url, {**headers, "Last-Event-ID": viewer.last_id}) as again:
        await house.end(again)
        assert again.numbers == [1, -1]
        assert [event["data"].get("name") for event in again.events] == [None, "Seen", None]


async def test_what_others_do_with_users_and_keys_is_not_for_viewers(house: House) -> None:
    url = house.server.url
    async with (
        following(url, bearer(house.viewer.client)) as viewer,
        following(url, bearer(house.admin.client)) as admin,
    ):
        await house.server.installation.key(house.admin, Scope.admin)
        await house.end(viewer, admin)
        assert "key.created" not in viewer.types
        assert "key.created" in admin.types


async def test_an_unshared_project_tells_no_more(house: House) -> None:
    database = house.server.database
    async with (
        following(house.server.url, bearer(house.viewer.client)) as viewer,
        following(house.server.url, bearer(house.admin.client)) as admin,
    ):
        await tell(database, 1, project_id=house.shared)
        await viewer.until(events=1)
        await house.unshare(house.viewer)
        await tell(database, 2, project_id=house.shared)
        await tell(database, 3, user_id=str(house.viewer.id))
        await viewer.until(events=2)
        await admin.until(last="project.unshared")
        assert viewer.numbers == [1, 3]
        assert "project.unshared" not in viewer.types


async def test_a_project_tells_from_when_it_is_shared(house: House) -> None:
    database = house.server.database
    async with following(house.server.url, bearer(house.viewer.client)) as viewer:
        await tell(database, 1, project_id=house.closed)
        await tell(database, 2, project_id=house.shared)
        await viewer.until(events=1)
        await house.share(house.closed, house.viewer)
        await viewer.until(events=2)
        await tell(database, 3, project_id=house.closed)
        await house.end(viewer)
        assert viewer.numbers == [2, 3, -1]
        assert viewer.types == ["test.told", "project.shared", "test.told", "test.told"]


async def test_a_project_that_one_makes_tells_at_once(house: House) -> None:
    editor = await house.server.installation.person(Role.editor)
    async with following(house.server.url, bearer(editor.client)) as reader:
        project = await made(editor.client, "/projects", name="Mine")
        await made(editor.client, f"/projects/{project}/use-cases", name="U")
        await reader.until(events=2)
        assert reader.types == ["project.created", "use_case.created"]


async def test_a_user_who_is_switched_off_reads_no_more(house: House) -> None:
    key = await house.server.installation.key(house.viewer, Scope.playground_read)
    async with (
        following(house.server.url, bearer(house.viewer.client)) as in_person,
        following(house.server.url, {"Authorization": f"Bearer {key}"}) as by_key,
    ):
        path = f"/api/v1/users/{house.viewer.id}"
        changed = await house.admin.client.patch(path, json={"is_active": False})
        assert changed.status_code == 200
        await in_person.ended()
        await by_key.ended()
        assert in_person.events == by_key.events == []


async def test_an_admin_who_is_made_a_viewer_sees_less(house: House) -> None:
    second = await house.server.installation.person(Role.admin)
    async with following(house.server.url, bearer(second.client), topics="runs") as reader:
        await tell(house.server.database, 1, project_id=house.closed)
        await reader.until(events=1)
        path = f"/api/v1/users/{second.id}"
        assert (await house.admin.client.patch(path, json={"role": "viewer"})).status_code == 200
        await tell(house.server.database, 2, project_id=house.closed)
        await tell(house.server.database, 3, user_id=str(second.id))
        await reader.until(events=2)
        assert reader.numbers == [1, 3]


async def test_streams_end_when_the_first_user_is_made(server: Server) -> None:
    """Until then whoever is at the machine sees all; from then on people sign in."""
    async with following(server.url) as reader:
        await server.installation.user(Role.admin)
        await reader.ended()


async def test_whoever_signs_out_reads_no_more(house: House) -> None:
    """Though nothing is told of that."""
    client = await house.server.installation.log_in(house.viewer.email)
    headers = {"Authorization": f"Bearer {client.cookies['assay_access']}"}
    async with (
        following(house.server.url, headers) as signed_out,
        following(house.server.url, bearer(house.viewer.client)) as elsewhere,
    ):
        await client.post("/api/v1/auth/logout")
        await signed_out.ended()
        await house.end(elsewhere)


async def test_reviewers_hear_of_requests_and_owners_alone_of_their_webhooks(house: House) -> None:
    installation, url = house.server.installation, house.server.url
    asker, reviewer = house.viewer, await installation.person(Role.reviewer)
    async with (
        following(url, bearer(asker.client)) as asking,
        following(url, bearer(reviewer.client)) as reviewing,
        following(url, bearer((await installation.person(Role.viewer)).client)) as other,
        following(url, bearer(house.admin.client)) as admin,
    ):
        await made(asker.client, "/requests", title="Secret matter", kind="text")
        await made(house.admin.client, "/requests", title="?", kind="text", project_id=house.closed)
        await made(asker.client, "/webhooks", url="https://example.com/hook")
        await tell(house.server.database, 7, user_id=str(reviewer.id))
        await tell(house.server.database, 8, user_id=str(asker.id))
        await admin.until(last="webhook.created")
        await reviewing.until(events=2)
        await asking.until(events=3)
        assert asking.types == ["request.created", "webhook.created", "test.told"]
        assert reviewing.types == ["request.created", "test.told"]
        assert other.types == []
        assert admin.types.count("request.created") == 2
        assert "Secret matter" not in str(reviewing.events)
