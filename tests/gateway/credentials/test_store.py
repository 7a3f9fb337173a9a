"""What a process knows of stored credentials, and model calls that are made with them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx2
import pytest
from pydantic import SecretStr
from tests.identity.people import Installation, installed

from assay.core.config import ProviderSettings, Settings
from assay.core.database import Database
from assay.core.errors import SetupError
from assay.core.listening import Listener
from assay.gateway.credentials.store import CredentialStore
from assay.gateway.errors import MissingKey, ModelError, UnknownProvider
from assay.gateway.service import Gateway
from assay.gateway.types import ModelRequest
from assay.testing.scripted_model import ScriptedModelServer

ASK = ModelRequest([{"role": "user", "content": "hello"}])


@asynccontextmanager
async def knowing(settings: Settings, database: Database) -> AsyncIterator[CredentialStore]:
    """The store of another process."""
    listener = Listener(database)
    store = CredentialStore(settings, database, listener)
    async with listener:
        await store.load()
        yield store


async def stored(client: httpx2.AsyncClient, name: str, **body: str) -> None:
    response = await client.put(f"/api/v1/providers/{name}", json=body)
    assert response.status_code == 200, response.text


def key_of(store: CredentialStore, name: str) -> str | None:
    key = store.complete(ProviderSettings(name=name)).api_key
    return key.get_secret_value() if key else None


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.005)


async def test_a_change_is_known_in_all_processes(
    installation: Installation, settings: Settings, own_database: Database
) -> None:
    client = await installation.client()
    await stored(client, "openai", api_key="sk-first")
    async with knowing(settings, own_database) as one, knowing(settings, own_database) as two:
        assert key_of(one, "openai") == key_of(two, "openai") == "sk-first"
        changes: list[str | None] = []
        one.on_change = lambda: changes.append(key_of(one, "openai"))
        await stored(client, "openai", api_key="sk-second")
        await until(lambda: key_of(one, "openai") == key_of(two, "openai") == "sk-second")
        await client.delete("/api/v1/providers/openai")
        await until(lambda: key_of(one, "openai") is None and key_of(two, "openai") is None)
        assert changes == ["sk-second", None]


async def test_of_many_changes_the_last_one_counts(
    installation: Installation, settings: Settings, own_database: Database
) -> None:
    client = await installation.client()
    async with knowing(settings, own_database) as store:
        for number in range(20):
            await stored(client, "openai", api_key=f"sk-{number}")
        await until(lambda: key_of(store, "openai") == "sk-19")
        assert store._reading is not None
        await store._reading
        assert key_of(store, "openai") == "sk-19"


async def test_a_change_while_the_database_was_away_is_not_missed(
    installation: Installation, settings: Settings, own_database: Database
) -> None:
    client = await installation.client()
    await stored(client, "openai", api_key="sk-first")
    writer = Database(own_database.dsn)
    async with knowing(settings, own_database) as store:
        connection = await writer.connect()
        async with connection.transaction():
            await connection.execute("DELETE FROM gateway.provider_credentials")
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await connection.close()
        await until(lambda: key_of(store, "openai") is None)


async def test_what_the_environment_says_is_not_mixed_with_what_is_stored(
    installation: Installation, settings: Settings, own_database: Database
) -> None:
    await stored(await installation.client(), "groq", api_key="sk-s", base_url="http://127.0.0.1:9")
    async with knowing(settings, own_database) as store:
        for given in (
            ProviderSettings(name="groq", api_key=SecretStr("sk-e")),
            ProviderSettings(name="groq", base_url="http://127.0.0.1:8"),
        ):
            assert store.complete(given) == given
        limited = store.complete(ProviderSettings(name="groq", rpm=7))
        assert limited.api_key is not None
        assert limited.api_key.get_secret_value() == "sk-s"
        assert (limited.base_url, limited.rpm) == ("http://127.0.0.1:9", 7)


async def test_calls_go_to_the_stored_address_with_the_stored_key(
    installation: Installation,
) -> None:
    gateway: Gateway = installation.app.state.gateway
    client = await installation.client()
    async with (
        ScriptedModelServer(answer="first", api_key="sk-first") as first,
        ScriptedModelServer(answer="second", api_key="sk-second") as second,
    ):
        with pytest.raises(UnknownProvider):
            gateway.model("house/model")
        await stored(client, "house", api_key="sk-first", base_url=first.base_url)
        await until(lambda: can_ask(gateway, "house/model"))
        assert (await gateway.model("house/model").complete(ASK)).text == "first"
        assert first.last_headers["Authorization"] == "Bearer sk-first"

        await stored(client, "house", api_key="sk-second", base_url=second.base_url)
        await until(lambda: gateway._given("house").base_url == second.base_url)
        assert (await gateway.model("house/model").complete(ASK)).text == "second"

        await stored(client, "house", api_key="sk-wrong", base_url=second.base_url)
        await until(lambda: key_of_gateway(gateway, "house") == "sk-wrong")
        with pytest.raises(ModelError, match="Incorrect API key"):
            await gateway.model("house/model").complete(ASK)
    await client.delete("/api/v1/providers/house")
    await until(lambda: not can_ask(gateway, "house/model"))


def can_ask(gateway: Gateway, model: str) -> bool:
    try:
        gateway.check(model)
    except (UnknownProvider, MissingKey):
        return False
    return True


def key_of_gateway(gateway: Gateway, name: str) -> str | None:
    key = gateway._given(name).api_key
    return key.get_secret_value() if key else None


async def test_a_known_provider_can_be_asked_once_its_key_is_stored(
    installation: Installation,
) -> None:
    gateway: Gateway = installation.app.state.gateway
    with pytest.raises(MissingKey, match="OPENAI_API_KEY"):
        gateway.check("openai/small")
    await stored(await installation.client(), "openai", api_key="sk-first")
    await until(lambda: can_ask(gateway, "openai/small"))


async def test_a_server_with_another_secret_key_does_not_start(
    settings: Settings, own_database: Database
) -> None:
    async with installed(settings) as installation:
        await stored(await installation.client(), "openai", api_key="sk-first")
    changed = settings.model_copy(update={"secret_key": SecretStr("t" * 32)})
    with pytest.raises(SetupError) as refusal:
        async with installed(changed):
            pass
    assert "sealed with another SECRET_KEY" in refusal.value.detail
    assert "SECRET_KEY_PREVIOUS" in refusal.value.detail
    both = changed.model_copy(update={"secret_key_previous": settings.secret_key})
    async with knowing(both, own_database) as store:
        assert key_of(store, "openai") == "sk-first"


async def test_a_key_that_cannot_be_opened_leaves_the_old_ones(
    installation: Installation, settings: Settings, own_database: Database
) -> None:
    """Another server may have got a new SECRET_KEY already."""
    client = await installation.client()
    await stored(client, "openai", api_key="sk-first")
    async with knowing(settings, own_database) as store:
        connection = await own_database.connect()
        await connection.execute("UPDATE gateway.provider_credentials SET api_key = 'broken'")
        await connection.close()
        await until(lambda: store._reading is not None and store._reading.done())
        assert key_of(store, "openai") == "sk-first"
        await stored(client, "openai", api_key="sk-second")
        await until(lambda: key_of(store, "openai") == "sk-second")
