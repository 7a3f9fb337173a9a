"""What the walk over all routes is made of: routes, who asks, and the things that are asked for."""

import asyncio
import json
from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
from tests.agents.world import make_agents_world
from tests.apps.world import make_apps_world
from tests.consults.webhooks.world import make_webhooks_world
from tests.consults.world import make_requests_world
from tests.identity.people import Installation, Person
from tests.playground.conftest import Factory

from assay.core.ids import new_id
from assay.identity.actor import Role, Scope
from assay.identity.sessions.models import UserSession
from assay.playground.runs.models import EvalRun, RunStatus

ORDER = [Role.viewer, Role.reviewer, Role.editor, Role.admin]
# What somebody may do at most in a project that is shared with them, by their own role.
CEILING = {
    Role.viewer: Role.viewer,
    Role.reviewer: Role.reviewer,
    Role.editor: Role.admin,
    Role.admin: Role.admin,
}
INCLUDED = {
    Scope.playground_write: {Scope.playground_read},
    Scope.apps_write: {Scope.apps_read},
    Scope.consults_write: {Scope.consults_read},
    Scope.agents_write: {Scope.agents_read},
}
World = dict[str, str]
INSIDE = (
    "project_id",
    "use_case_id",
    "prompt_id",
    "version_id",
    "unused_version_id",
    "dataset_id",
    "item_id",
    "run_id",
    "ended_run_id",
    "other_run_id",
)


def enough(role: Role, needed: Role) -> bool:
    return ORDER.index(role) >= ORDER.index(needed)


@dataclass(frozen=True)
class Route:
    """Who may use a route; this was written down, and not taken from the application.

    Attributes:
        role: the least role.
        scope: what a key has to be for; `None` where any will do.
        people: whether keys are refused.
        public: whether nobody has to sign in.
        inside: the least role in the project, for what belongs to one.
        body: what is sent; ids stand in it as in the path.
        status: what those who may use it get.
        ids: where an id of the path is not that of the first thing of its kind.
        lists: the id that has to be in the answer of a list.
        query: of the address; ids stand in it as in the path.
    """

    method: str
    path: str
    status: int = 200
    role: Role = Role.viewer
    scope: Scope | None = None
    people: bool = False
    public: bool = False
    inside: Role | None = None
    body: Any = None
    ids: tuple[tuple[str, str], ...] = ()
    lists: str | None = None
    query: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def url(self, world: World) -> str:
        path = f"{self.path}?{self.query}" if self.query else self.path
        return path.format_map(world | {name: world[other] for name, other in self.ids})

    def content(self, world: World) -> dict[str, Any]:
        """The body, as an argument of a client."""
        if self.body is None:
            return {}
        text = json.dumps(self.body)
        for name, value in world.items():
            text = text.replace(f"<{name}>", value)
        return {"json": json.loads(text)}


@dataclass(frozen=True)
class Who:
    """Somebody who asks.

    Attributes:
        role: their own role, or that of the owner of their key.
        member: as what the project is shared with them; `None` where it is not.
        scopes: of their key; `None` for a person.
        project: the project of their key: this one or another one, if it is for one.
    """

    name: str
    role: Role
    member: Role | None = None
    scopes: tuple[Scope, ...] | None = None
    project: str | None = None

    @property
    def sees_project(self) -> bool:
        return self.project != "other" and (self.role is Role.admin or self.member is not None)

    @property
    def held(self) -> Role:
        """What they may do in the project."""
        if self.role is Role.admin or self.member is None:
            return self.role
        return min(CEILING[self.role], self.member, key=ORDER.index)

    def expected(self, route: Route) -> int:
        """The status that they have to get."""
        if self.scopes is not None:
            held = set(self.scopes).union(*(INCLUDED.get(scope, set()) for scope in self.scopes))
            if route.people or (route.scope is not None and route.scope not in held):
                return 403
        if not enough(self.role, route.role):
            return 403
        if route.inside is not None:
            if not self.sees_project:
                return 404
            if not enough(self.held, route.inside):
                return 403
        if self.project is not None and str(route) == "POST /api/v1/projects":
            return 403
        return route.status


async def make_world(installation: Installation, admin: Person, person: Person) -> World:
    """One of everything, by the names that ids have in paths.

    Sign-in and key are `person`'s, and so is what is in apps.
    """
    database = installation.database
    make = Factory(admin.client, database)
    use_case = await make.use_case()
    project_id = use_case["project_id"]
    prompt, dataset = await make.prompt(use_case["id"]), await make.dataset(use_case["id"])
    version, unused = await make.version(prompt["id"]), await make.version(prompt["id"])
    await make.call("PUT", f"/prompts/{prompt['id']}/labels/live", 200, {"version_number": 1})
    [item] = await make.items(dataset["id"], 1)
    runs = [await make.run(version["id"], dataset["id"]) for _ in range(3)]
    member = await installation.row(Role.viewer)
    await make.call(
        "PUT", f"/projects/{project_id}/members", 200, {"email": member.email, "role": "viewer"}
    )
    body = {"name": "Key", "scopes": [Scope.playground_read]}
    key = (await person.client.post("/api/v1/keys", json=body)).json()
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    signed_in = UserSession(id=new_id(), user_id=person.id, expires_at=expires_at)
    async with database.session() as session:
        session.add(signed_in)
        for run_id in runs:
            run = await session.get_one(EvalRun, run_id)
            run.models = [{"model": "builtin/echo"}]
            run.status = RunStatus.pending if run_id == runs[0] else RunStatus.canceled
    in_apps = await make_apps_world(database, str(person.id))
    in_consults = await make_requests_world(database, str(person.id))
    in_consults |= await make_webhooks_world(database, str(person.id))
    in_agents = await make_agents_world(database, str(person.id))
    return (
        in_apps
        | in_consults
        | in_agents
        | {
            "project_id": project_id,
            "use_case_id": use_case["id"],
            "prompt_id": prompt["id"],
            "version_id": version["id"],
            "unused_version_id": unused["id"],
            "reference": "live",
            "label": "live",
            "dataset_id": dataset["id"],
            "item_id": item["id"],
            "run_id": str(runs[0]),
            "ended_run_id": str(runs[1]),
            "other_run_id": str(runs[2]),
            "user_id": str(member.id),
            "email": member.email,
            "key_id": key["id"],
            "session_id": str(signed_in.id),
            "name": "openai",
            "token": "nothing",
        }
    )


async def ask(client: httpx2.AsyncClient, route: Route, world: World) -> tuple[int, str]:
    """The status and the body of the answer; of the feed, which does not end, its status."""
    if route.path.endswith("/sse"):
        return await _begin(client, route.path), ""
    response = await client.request(route.method, route.url(world), **route.content(world))
    return response.status_code, response.text


async def _begin(client: httpx2.AsyncClient, path: str) -> int:
    """The status of an answer whose body is not waited for."""
    status = 0

    async def hang_up() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    async def take(message: MutableMapping[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]

    headers = [(name.lower(), value) for name, value in client.headers.raw]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [*headers, (b"host", b"localhost")],
        "client": ("127.0.0.1", 50000),
        "server": ("localhost", 80),
    }
    transport = client._transport
    assert isinstance(transport, httpx2.ASGITransport)

    async def serve() -> None:
        await transport.app(scope, hang_up, take)

    # Hanging up cancels the task that serves, which must not be the one of the test.
    await asyncio.create_task(serve())
    return status


def inside_ids(world: World) -> list[UUID]:
    """The ids of all that is in the project."""
    return [UUID(world[name]) for name in INSIDE]
