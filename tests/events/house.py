"""A server that people sign in at, and a project that some of them see."""

from dataclasses import dataclass

import httpx2
from tests.events.reading import EventReader, tell
from tests.events.served import Server
from tests.identity.people import Person

from assay.events.models import Topic
from assay.identity.actor import Role


@dataclass(frozen=True)
class House:
    """An admin and a viewer; `shared` is shared with the viewer, `closed` with nobody."""

    server: Server
    admin: Person
    viewer: Person
    shared: str
    closed: str

    async def end(self, *readers: EventReader) -> None:
        """Tell everybody, and read until that has come: nothing else comes before it."""
        await tell(self.server.database, -1, topic=Topic.projects, project_id=self.shared)
        for reader in readers:
            while -1 not in reader.numbers:
                await reader.until(events=len(reader.events) + 1)

    async def unshare(self, person: Person) -> None:
        path = f"/api/v1/projects/{self.shared}/members/{person.id}"
        assert (await self.admin.client.delete(path)).status_code == 204

    async def share(self, project: str, person: Person) -> None:
        await self.server.installation.share(self.admin, project, person, Role.viewer)


async def made(client: httpx2.AsyncClient, path: str, **body: object) -> str:
    response = await client.post(f"/api/v1{path}", json=body)
    assert response.status_code == 201, response.text
    made_id: str = response.json()["id"]
    return made_id
