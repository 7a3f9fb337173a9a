"""What API keys may follow, and how their streams end."""

import pytest
from tests.events.house import House
from tests.events.reading import bearer, following, tell

from assay.events.models import Topic
from assay.identity.actor import Scope

pytestmark = pytest.mark.usefixtures("quick_heart")


async def test_a_key_that_is_revoked_ends_its_stream(house: House) -> None:
    body = {"name": "Key", "scopes": [Scope.playground_read]}
    key = (await house.viewer.client.post("/api/v1/keys", json=body)).json()
    headers = {"Authorization": f"Bearer {key['key']}"}
    async with (
        following(house.server.url, headers) as by_key,
        following(house.server.url, bearer(house.viewer.client)) as in_person,
    ):
        await tell(house.server.database, 1, project_id=house.shared)
        await by_key.until(events=1)
        gone = await house.viewer.client.delete(f"/api/v1/keys/{key['id']}")
        assert gone.status_code == 204
        await by_key.ended()
        await tell(house.server.database, 2, project_id=house.shared)
        await in_person.until(events=2)
        assert by_key.numbers == [1]


async def test_a_key_of_one_project_sees_that_one_alone(house: House) -> None:
    database = house.server.database
    key = await house.server.installation.key(
        house.admin, Scope.playground_read, project_id=house.shared
    )
    async with following(house.server.url, {"Authorization": f"Bearer {key}"}) as reader:
        await tell(database, 1, project_id=house.closed)
        await tell(database, 2, project_id=house.shared)
        await tell(database, 3)
        await tell(database, 4, topic=Topic.jobs, user_id=str(house.admin.id))
        await house.end(reader)
        assert reader.numbers == [2, -1]


async def test_a_key_of_a_project_that_is_unshared_sees_nothing(house: House) -> None:
    database = house.server.database
    key = await house.server.installation.key(
        house.viewer, Scope.playground_read, project_id=house.shared
    )
    async with (
        following(house.server.url, {"Authorization": f"Bearer {key}"}) as reader,
        following(house.server.url, bearer(house.admin.client)) as admin,
    ):
        await tell(database, 1, project_id=house.shared)
        await reader.until(events=1)
        await house.unshare(house.viewer)
        await tell(database, 2, project_id=house.shared)
        await admin.until(last="project.unshared")
        await admin.until(events=3)
        await reader.until(comments=reader.comments + 2)
        await house.share(house.shared, house.viewer)
        await house.end(reader, admin)
        assert admin.numbers == [1, 2, -1]
        assert reader.numbers == [1, -1]


@pytest.mark.parametrize(
    ("scope", "seen"),
    [
        (Scope.playground_read, {"projects", "prompts", "datasets", "runs", "jobs"}),
        (Scope.playground_write, {"projects", "prompts", "datasets", "runs", "jobs"}),
        (Scope.apps_read, {"apps"}),
        (Scope.admin, {"users"}),
        (Scope.metrics_read, set()),
    ],
)
async def test_a_key_sees_the_topics_that_its_scopes_are_for(
    house: House, scope: Scope, seen: set[str]
) -> None:
    key = await house.server.installation.key(house.admin, scope)
    async with (
        following(house.server.url, {"Authorization": f"Bearer {key}"}) as by_key,
        following(house.server.url, bearer(house.admin.client)) as in_person,
    ):
        for number, topic in enumerate(Topic):
            await tell(
                house.server.database,
                number,
                topic=topic,
                project_id=house.shared,
                user_id=str(house.admin.id),
            )
        await in_person.until(events=len(Topic))
        # A comment is sent after all that is there, so the second from here is.
        await by_key.until(comments=by_key.comments + 2)
        assert {event["topic"] for event in by_key.events} == seen


async def test_what_is_in_an_app_is_its_owners_alone(house: House) -> None:
    database, viewer = house.server.database, house.viewer
    async with (
        following(house.server.url, bearer(viewer.client), topics="apps") as owner,
        following(house.server.url, bearer(house.admin.client), topics="apps") as admin,
    ):
        await tell(database, 1, topic=Topic.apps, user_id=str(viewer.id))
        await tell(database, 2, topic=Topic.apps, project_id=house.shared)
        await tell(database, 3, topic=Topic.apps, user_id=str(house.admin.id))
        await owner.until(events=1)
        await admin.until(events=1)
        assert (owner.numbers, admin.numbers) == ([1], [3])
