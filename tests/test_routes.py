"""Every route of the application, asked as everybody; the table is identity/route_table.py."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import filterfalse
from uuid import uuid4

import httpx2
import pytest
from fastapi.routing import iter_route_contexts
from tests.apps.world import NOTHING
from tests.identity.people import Installation, Person, installed
from tests.identity.route_table import APP_ROUTES, ENDED, OTHER, ROUTES, TAKEN_BACK, UNUSED, V1
from tests.identity.walking import Who, World, ask, inside_ids, make_world
from tests.playground.conftest import Factory

from assay.core.config import Settings
from assay.identity.access import guard_of, is_public
from assay.identity.actor import Role, Scope

PEOPLE = [
    Who("viewer, shared as admin", Role.viewer, Role.admin),
    Who("reviewer, shared as admin", Role.reviewer, Role.admin),
    *(Who(f"editor, shared as {role}", Role.editor, role) for role in Role),
    Who("admin, not shared", Role.admin),
    Who("editor, not shared", Role.editor),
]
READ_AND_WRITE = (Scope.playground_read, Scope.playground_write)
KEYS = [
    *(Who(f"key for {scope}", Role.admin, scopes=(scope,)) for scope in Scope),
    Who("key for all", Role.admin, scopes=tuple(Scope)),
    Who("key for this project", Role.admin, scopes=READ_AND_WRITE, project="this"),
    Who("key for another project", Role.admin, scopes=READ_AND_WRITE, project="other"),
    Who("viewer's key, shared as admin", Role.viewer, Role.admin, scopes=(Scope.playground_read,)),
]


@pytest.fixture(scope="module")
async def installation(
    settings: Settings, new_database_dsn: Callable[[], Awaitable[str]]
) -> AsyncIterator[Installation]:
    async with installed(settings, database_url=await new_database_dsn()) as installation:
        yield installation


@pytest.fixture(scope="module")
async def maker(installation: Installation) -> Person:
    """The admin who makes what the others ask for."""
    return await installation.person(Role.admin)


async def meet(
    installation: Installation, maker: Person, who: Who
) -> tuple[httpx2.AsyncClient, World]:
    """Somebody to ask as, and things to ask for."""
    person = await installation.person(who.role)
    world = await make_world(installation, maker, person)
    if who.member is not None:
        await installation.share(maker, world["project_id"], person, who.member)
    if who.scopes is None:
        return person.client, world
    project = None if who.project is None else world["project_id"]
    if who.project == "other":
        project = (await Factory(maker.client, installation.database).project())["id"]
    return await installation.with_key(person, *who.scopes, project_id=project), world


@pytest.mark.parametrize("who", [*PEOPLE, *KEYS], ids=lambda who: who.name)
async def test_everybody_gets_what_is_theirs_and_nothing_else(
    installation: Installation, maker: Person, who: Who
) -> None:
    client, world = await meet(installation, maker, who)
    wrong = []
    for route in filterfalse(lambda route: route.public, ROUTES):
        status, text = await ask(client, route, world)
        if status != (expected := who.expected(route)):
            wrong.append(f"{route}: {status} where {expected} is right; {text[:200]}")
        shown = [str(id_) for id_ in inside_ids(world) if str(id_) in text]
        if route.lists and status == 200 and (world[route.lists] in text) != who.sees_project:
            wrong.append(f"{route}: lists {shown}")
        if shown and status < 400 and not who.sees_project:
            wrong.append(f"{route}: shows {shown}")
    assert not wrong, "\n".join([f"as {who.name}:", *wrong])


async def test_nobody_gets_in_but_where_it_is_public(
    installation: Installation, maker: Person
) -> None:
    world = await make_world(installation, maker, maker)
    wrong = []
    for number, route in enumerate(ROUTES):
        # From one address that many requests without a key would be held back.
        nobody = await installation.client(address=f"127.0.1.{number}")
        status, text = await ask(nobody, route, world)
        if status != (route.status if route.public else 401):
            wrong.append(f"{route}: {status} {text[:200]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/nothing"),
        ("GET", f"{V1}/nothing"),
        ("GET", f"{V1}/projects/"),
        ("PUT", f"{V1}/projects"),
        ("HEAD", f"{V1}/projects"),
        ("OPTIONS", f"{V1}/projects"),
        ("GET", f"{V1}//projects"),
        ("GET", f"{V1}/auth/login/../me"),
        ("GET", f"{V1}/auth/login%2F..%2Fme"),
        ("GET", "/health/"),
        ("GET", "//health"),
        ("GET", "/health%0a"),
        ("GET", "/HEALTH"),
        ("GET", "/health/nothing"),
    ],
)
async def test_nobody_learns_what_is_at_other_paths(
    installation: Installation, maker: Person, method: str, path: str
) -> None:
    assert maker.role is Role.admin, "without users everybody at this machine would get in"
    response = await (await installation.client()).request(method, path)
    assert response.status_code == 401
    assert method == "HEAD" or response.json()["code"] == "unauthorized"


async def test_whoever_is_signed_in_is_told_that_nothing_is_there(maker: Person) -> None:
    assert (await maker.client.get("/nothing")).status_code == 404
    assert (await maker.client.put(f"{V1}/projects")).status_code == 405


async def test_ids_of_nothing_get_404_from_every_route_with_ids(maker: Person) -> None:
    """So what others may not see looks as if it were not there."""
    names = set(re.findall(r"{(\w+)}", " ".join(route.path for route in ROUTES)))
    nothing = {name: str(uuid4()) for name in names} | {"reference": "1", "label": "none"}
    nothing |= {name: str(uuid4()) for _, name in (*UNUSED, *ENDED, *OTHER, *TAKEN_BACK)}
    nothing |= NOTHING
    nothing |= {"email": "nobody@example.com", "name": "nothing"}
    found = [
        str(route)
        for route in ROUTES
        if "_id}" in route.path and (await ask(maker.client, route, nothing))[0] != 404
    ]
    assert not found


async def test_rows_of_others_in_apps_are_404_also_for_admins(
    installation: Installation, maker: Person
) -> None:
    owner = await installation.person(Role.editor)
    world = await make_world(installation, maker, owner)
    found = [
        str(route)
        for route in APP_ROUTES
        if "_id}" in route.path and (await ask(maker.client, route, world))[0] != 404
    ]
    assert not found


async def test_members_may_leave_by_themselves_and_see_the_project_no_more(
    installation: Installation, maker: Person
) -> None:
    for role in (Role.viewer, Role.reviewer, Role.editor):
        person = await installation.person(role)
        project = await Factory(maker.client, installation.database).project()
        path = f"{V1}/projects/{project['id']}"
        await installation.share(maker, project["id"], person, Role.viewer)
        assert (await person.client.get(path)).status_code == 200
        left = await person.client.delete(f"{path}/members/{person.id}")
        assert left.status_code == 204
        assert (await person.client.get(path)).status_code == 404


def test_the_table_has_every_route_of_the_application(installation: Installation) -> None:
    routes = list(iter_route_contexts(installation.app.routes))
    there = {f"{method} {route.path_format}" for route in routes for method in route.methods or ()}
    known = {str(route) for route in ROUTES}
    assert len(known) == len(ROUTES), "a route stands in the table twice"
    unknown, gone = sorted(there - known), sorted(known - there)
    assert not unknown, f"add to ROUTES who may use {', '.join(unknown)}"
    assert not gone, f"the application has no {', '.join(gone)}: take it out of ROUTES"
    assert all(guard_of(route) or is_public(route) for route in routes)
