"""What is stored for providers: by admins over HTTP, sealed in the table, never given out."""

from typing import Any

import httpx2
import pytest
from tests.identity.people import Installation

from assay.core.config import Settings
from assay.core.database import Database
from assay.core.secrets import load_secret_key
from assay.gateway.providers.catalog import KNOWN
from assay.identity.actor import Role, Scope

KEY = "sk-never-to-be-seen"


@pytest.fixture
async def client(installation: Installation) -> httpx2.AsyncClient:
    return await installation.client()


async def listed(client: httpx2.AsyncClient) -> dict[str, dict[str, Any]]:
    response = await client.get("/api/v1/providers")
    assert response.status_code == 200
    return {provider["provider"]: provider for provider in response.json()}


async def put(client: httpx2.AsyncClient, name: str, status: int = 200, **body: Any) -> Any:
    response = await client.put(f"/api/v1/providers/{name}", json=body)
    assert response.status_code == status, response.text
    return response.json()


async def test_all_known_providers_are_listed_by_name(client: httpx2.AsyncClient) -> None:
    providers = await listed(client)
    assert list(providers) == sorted(KNOWN.keys() - {"builtin"})
    assert providers["openai"] == {
        "provider": "openai",
        "key": None,
        "base_url": "https://api.openai.com/v1",
        "updated_at": None,
    }


async def test_a_provider_of_ones_own_is_stored_changed_and_forgotten(
    client: httpx2.AsyncClient,
) -> None:
    address = "http://127.0.0.1:9/v1"
    first = await put(client, "house-2", api_key=KEY, base_url=address)
    assert (first["provider"], first["key"], first["base_url"]) == ("house-2", "stored", address)
    assert (await listed(client))["house-2"] == first
    second = await put(client, "house-2", base_url=address)
    assert second["key"] is None, "it takes the place of what was stored"
    assert second["updated_at"] > first["updated_at"]
    assert (await client.delete("/api/v1/providers/house-2")).status_code == 204
    assert "house-2" not in await listed(client)
    gone = await client.delete("/api/v1/providers/house-2")
    assert gone.status_code == 404
    assert gone.json()["detail"] == "Nothing is stored for this provider."


async def test_the_key_is_sealed_in_the_table_and_never_given_out(
    client: httpx2.AsyncClient, own_database: Database, settings: Settings
) -> None:
    said = [await client.put("/api/v1/providers/openai", json={"api_key": KEY})]
    said += [await client.get(f"/api/v1/{path}") for path in ("providers", "audit")]
    for response in said:
        assert response.status_code == 200
        assert KEY not in response.text
    connection = await own_database.connect()
    row = await connection.fetchrow("SELECT * FROM gateway.provider_credentials")
    events = await connection.fetch("SELECT * FROM events.events")
    await connection.close()
    assert row["updated_by"] == "default"
    assert KEY.encode() not in row["api_key"]
    assert load_secret_key(settings).open(row["api_key"]) == KEY
    assert [event["type"] for event in events] == ["provider.stored"]
    assert KEY not in str(events)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"api_key": ""}, "body.api_key"),
        ({"api_key": "k" * 2001}, "body.api_key"),
        ({"base_url": "ftp://127.0.0.1"}, "body.base_url"),
        ({"base_url": "http://me:pass@127.0.0.1/"}, "body.base_url"),
        ({"base_url": "http://127.0.0.1/ v1"}, "body.base_url"),
        ({"key": "x"}, "body.key"),
    ],
)
async def test_what_cannot_be_stored_is_refused_without_showing_it(
    client: httpx2.AsyncClient, body: dict[str, str], place: str
) -> None:
    problem = await put(client, "openai", 422, **body)
    assert [fault["place"] for fault in problem["errors"]] == [place]
    assert "kkkk" not in str(problem)


@pytest.mark.parametrize("name", ["Open AI", "-x", "x" * 51, "é"])
async def test_a_name_that_no_provider_has_is_refused(
    client: httpx2.AsyncClient, name: str
) -> None:
    problem = await put(client, name, 422, api_key=KEY)
    assert problem["errors"][0]["place"] == "path.name"


async def test_the_environment_wins_as_a_whole(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key is not sent to an address that somebody else has set."""
    await put(client, "groq", api_key=KEY, base_url="http://127.0.0.1:9/v1")
    monkeypatch.setenv("GROQ_API_KEY", "sk-environment")
    shown = (await listed(client))["groq"]
    assert (shown["key"], shown["base_url"]) == ("environment", KNOWN["groq"].base_url)
    monkeypatch.delenv("GROQ_API_KEY")
    monkeypatch.setenv("GROQ_BASE_URL", "http://127.0.0.1:8/v1")
    shown = (await listed(client))["groq"]
    assert (shown["key"], shown["base_url"]) == (None, "http://127.0.0.1:8/v1")
    monkeypatch.delenv("GROQ_BASE_URL")
    shown = (await listed(client))["groq"]
    assert (shown["key"], shown["base_url"]) == ("stored", "http://127.0.0.1:9/v1")


async def test_only_admins_have_to_do_with_keys_of_providers(installation: Installation) -> None:
    admin, editor = [await installation.person(role) for role in (Role.admin, Role.editor)]
    wrong_key = await installation.with_key(admin, Scope.playground_write)
    right_key = await installation.with_key(admin, Scope.admin)
    for client, allowed in (
        (editor.client, False),
        (wrong_key, False),
        (admin.client, True),
        (right_key, True),
    ):
        answers = [
            await client.get("/api/v1/providers"),
            await client.put("/api/v1/providers/openai", json={"api_key": KEY}),
            await client.delete("/api/v1/providers/openai"),
        ]
        expected = [200, 200, 204] if allowed else [403] * 3
        assert [answer.status_code for answer in answers] == expected
