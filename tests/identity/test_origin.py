"""Which pages and machines may use the server: without users, and with a cookie."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import httpx2
import pytest
from tests.identity.people import Installation, Person, installed, soon
from tests.identity.signing_in import LOGIN, ME, REFRESH, problem

from assay.core.config import Settings
from assay.identity.actor import Role

PROJECTS, LOGOUT = "/api/v1/projects", "/api/v1/auth/logout"
ALLOWED = "https://front.example.com"
OWN_PAGES = [
    {},
    {"Origin": "http://localhost"},
    {"Origin": ALLOWED},
    {"Origin": ALLOWED, "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"},
]
FOREIGN_PAGES = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "https://front.example.com.evil.example"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://localhost:9999"},
    {"Origin": "http://user@evil.example"},
    {"Origin": "http://[::"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": ""},
    {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
]


@pytest.fixture(scope="module")
async def local(
    settings: Settings, new_database_dsn: Callable[[], Awaitable[str]]
) -> AsyncIterator[Installation]:
    """An installation without users."""
    changes = {"database_url": await new_database_dsn(), "cors_origins": (ALLOWED,)}
    async with installed(settings, **changes) as local:
        yield local


@pytest.fixture(scope="module")
async def guarded(
    settings: Settings, new_database_dsn: Callable[[], Awaitable[str]]
) -> AsyncIterator[tuple[Installation, Person]]:
    """An installation with somebody who is signed in."""
    changes = {"database_url": await new_database_dsn(), "cors_origins": (ALLOWED,)}
    async with installed(settings, **changes) as guarded:
        yield guarded, await guarded.person(Role.editor)


@pytest.fixture
async def browser(guarded: tuple[Installation, Person]) -> httpx2.AsyncClient:
    """A client that is signed in by its cookie."""
    installation, person = guarded
    token = person.client.headers["Authorization"].partition(" ")[2]
    return await installation.client(Cookie=f"assay_access={token}")


async def test_without_users_everything_is_open_to_the_one_at_the_machine(
    local: Installation,
) -> None:
    client = await local.client()
    assert (await client.get(ME)).json() == {
        "user_id": "default",
        "email": None,
        "name": None,
        "role": "admin",
        "scopes": None,
        "project_id": None,
        "local": True,
    }
    made = await client.post(PROJECTS, json={"name": "Mine"})
    assert made.status_code == 201
    entries = (await client.get("/api/v1/audit", params={"subject": made.json()["id"]})).json()
    assert [entry["user_id"] for entry in entries] == ["default"]
    assert (await client.get("/metrics")).status_code == 200
    assert (await client.get("/api/v1/auth/sessions")).json() == []


async def test_without_users_nobody_signs_in_nor_has_keys(local: Installation) -> None:
    client = await local.client()
    change = {"current": "x", "new": "correct horse battery"}
    answers = [
        await client.put("/api/v1/auth/password", json=change),
        await client.post("/api/v1/keys", json={"name": "K", "scopes": ["admin"]}),
    ]
    for answer in answers:
        assert problem(answer) == (409, "conflict")
        assert "assay users create" in answer.json()["detail"]
    wrong = await client.post(LOGIN, json={"email": "a@example.com", "password": "x"})
    assert problem(wrong) == (401, "login_refused")


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8721", "LOCALHOST", "127.0.0.1:1", "[::1]:80", "a.localhost"]
)
async def test_names_of_this_machine_are_answered(local: Installation, host: str) -> None:
    client = await local.client(Host=host)
    assert (await client.get(ME)).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example:8721",
        "192.0.2.1",
        "0.0.0.0",
        "[::",
        "localhost@evil.example",
        "",
    ],
)
async def test_another_name_is_refused_with_what_to_do(local: Installation, host: str) -> None:
    """Pages of any site can give their own name the address of this machine."""
    client = await local.client(Host=host)
    for response in (await client.get(ME), await client.post(PROJECTS, json={"name": "Theirs"})):
        assert problem(response) == (403, "foreign_host")
        assert "`assay users create`" in response.json()["detail"]


@pytest.mark.parametrize("address", ["127.9.9.9", "::1"])
async def test_this_machine_is_answered(local: Installation, address: str) -> None:
    client = await local.client(address=address)
    assert (await client.get(ME)).status_code == 200


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1", "fe80::1", "0.0.0.0"])
async def test_other_machines_are_refused_whatever_name_they_use(
    local: Installation, address: str
) -> None:
    client = await local.client(address=address)
    assert problem(await client.get(ME)) == (403, "foreign_host")


@pytest.mark.parametrize("headers", OWN_PAGES)
async def test_without_users_own_pages_are_answered(
    local: Installation, headers: dict[str, str]
) -> None:
    client = await local.client(**headers)
    assert (await client.get(ME)).status_code == 200
    assert (await client.post(PROJECTS, json={"name": "Mine"})).status_code == 201


@pytest.mark.parametrize("headers", FOREIGN_PAGES)
async def test_without_users_pages_of_other_sites_are_refused(
    local: Installation, headers: dict[str, str]
) -> None:
    client = await local.client(**headers)
    for response in (await client.get(ME), await client.post(PROJECTS, json={"name": "Theirs"})):
        assert problem(response) == (403, "foreign_origin")
        assert "CORS_ORIGINS" in response.json()["detail"]


async def test_the_refusal_names_the_page(local: Installation) -> None:
    client = await local.client(Origin="https://evil.example")
    assert "https://evil.example" in (await client.get(ME)).json()["detail"]


async def test_health_is_for_everybody(local: Installation) -> None:
    client = await local.client(address="192.0.2.1", Host="evil.example", Origin="null")
    assert (await client.get("/health")).status_code == 200


async def test_the_first_user_ends_it_at_once_on_every_server(
    fresh: Installation, settings: Settings
) -> None:
    async with installed(settings, database_url=fresh.database.dsn) as second:
        clients = [await server.client() for server in (fresh, second)]
        for client in clients:
            assert (await client.get(PROJECTS)).status_code == 200
        body = {
            "email": "ada@example.com",
            "name": "Ada",
            "role": "admin",
            "password": "correct horse battery",
        }
        assert (await clients[0].post("/api/v1/users", json=body)).status_code == 201
        for client in clients:
            answer = await soon(partial(client.get, PROJECTS), 401)
            assert problem(answer) == (401, "unauthorized")
        signed_in = await fresh.log_in("ada@example.com")
        assert (await signed_in.get(ME)).json()["local"] is False


@pytest.mark.parametrize("headers", OWN_PAGES)
async def test_a_cookie_changes_things_from_own_pages(
    browser: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    response = await browser.post(PROJECTS, json={"name": "Mine"}, headers=headers)
    assert response.status_code == 201


@pytest.mark.parametrize("headers", FOREIGN_PAGES)
async def test_a_cookie_changes_nothing_from_pages_of_other_sites(
    browser: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        response = await browser.request(method, PROJECTS, headers=headers)
        assert problem(response) == (403, "foreign_origin")


@pytest.mark.parametrize("headers", FOREIGN_PAGES)
async def test_reading_by_cookie_changes_nothing_so_the_browser_guards_it(
    browser: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    response = await browser.get(PROJECTS, headers=headers)
    assert response.status_code == 200
    assert "access-control-allow-origin" not in response.headers


async def test_an_allowed_page_may_read_the_answer(browser: httpx2.AsyncClient) -> None:
    response = await browser.get(PROJECTS, headers={"Origin": ALLOWED})
    assert response.headers["access-control-allow-origin"] == ALLOWED
    assert response.headers["access-control-allow-credentials"] == "true"


@pytest.mark.parametrize("headers", FOREIGN_PAGES)
async def test_a_bearer_is_sent_by_no_browser_on_its_own(
    guarded: tuple[Installation, Person], headers: dict[str, str]
) -> None:
    _, person = guarded
    response = await person.client.post(PROJECTS, json={"name": "Mine"}, headers=headers)
    assert response.status_code == 201


@pytest.mark.parametrize("path", [LOGIN, REFRESH, LOGOUT])
@pytest.mark.parametrize("headers", FOREIGN_PAGES)
async def test_pages_of_other_sites_sign_nobody_in_or_out(
    guarded: tuple[Installation, Person], path: str, headers: dict[str, str]
) -> None:
    client = await guarded[0].client(**headers)
    assert problem(await client.post(path)) == (403, "foreign_origin")
