import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.identity.people import installed

from assay.core.config import Settings
from assay.core.secrets import Sealed
from assay.identity.actor import Role, Scope
from assay.wiring import metadata

Run = Callable[..., Any]
OLD, NEW = "o" * 32, "n" * 32


@pytest.fixture
def settings(dsn: str, tmp_path: Path) -> Callable[..., Settings]:
    def make(**changes: Any) -> Settings:
        home = tmp_path / "home"
        given = {"database_url": dsn, "assay_home": home, "server_workers": 0, **changes}
        return Settings(**given, _env_file=None)

    return make


async def fill(settings: Settings) -> str:
    """Store a key of a provider and make an API key, which is given."""
    async with installed(settings) as installation:
        admin = await installation.person(Role.admin)
        stored = await admin.client.put("/api/v1/providers/openai", json={"api_key": "sk-word"})
        assert stored.status_code == 200
        return await installation.key(admin, Scope.admin)


async def works(settings: Settings, key: str) -> bool:
    """Whether a server with these settings starts and takes the key."""
    async with installed(settings) as installation:
        client = await installation.client(Authorization=f"Bearer {key}")
        providers = (await client.get("/api/v1/providers")).json()
        return {"openai": "stored"}.items() <= {
            provider["provider"]: provider["key"] for provider in providers
        }.items()


def loop(coroutine: Any) -> Any:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(coroutine)


def sealed(query: Run) -> list[Any]:
    return [
        query("SELECT api_key FROM gateway.provider_credentials"),
        query("SELECT value FROM identity.own_secrets"),
    ]


def test_every_column_that_is_sealed_says_so() -> None:
    found = {
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, Sealed)
    }
    assert found == {
        "provider_credentials.api_key",
        "own_secrets.value",
        "consultation_requests.callback_secret",
        "webhook_endpoints.secret",
        "webhook_endpoints.previous_secret",
        "webhook_deliveries.secret",
    }


def test_secrets_are_sealed_with_the_new_key(
    assay: Run, settings: Run, query: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = loop(fill(settings(secret_key=OLD)))
    before = sealed(query)
    monkeypatch.setenv("SECRET_KEY", NEW)
    monkeypatch.setenv("SECRET_KEY_PREVIOUS", OLD)
    ended = assay("secrets", "rotate")
    assert ended.code == 0
    assert "2 stored secrets are sealed with the new key" in ended.err
    assert all(new != old for new, old in zip(sealed(query), before, strict=True))
    assert loop(works(settings(secret_key=NEW), key))


def test_the_key_in_the_home_is_changed(
    assay: Run, settings: Run, query: Run, tmp_path: Path
) -> None:
    key = loop(fill(settings()))
    file = tmp_path / "home" / "secret_key"
    old, before = file.read_text(), sealed(query)
    assert assay("secrets", "rotate").code == 0
    assert file.read_text() != old
    assert len(file.read_text().split()) == 1
    assert all(new != old for new, old in zip(sealed(query), before, strict=True))
    assert loop(works(settings(), key))


def test_with_a_wrong_previous_key_nothing_is_changed(
    assay: Run, settings: Run, query: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = loop(fill(settings(secret_key=OLD)))
    before = sealed(query)
    monkeypatch.setenv("SECRET_KEY", NEW)
    monkeypatch.setenv("SECRET_KEY_PREVIOUS", "w" * 32)
    ended = assay("secrets", "rotate")
    assert ended.code == 2
    assert "sealed with another SECRET_KEY" in ended.err
    assert sealed(query) == before
    assert loop(works(settings(secret_key=OLD), key))


def test_the_key_before_has_to_be_given(
    assay: Run, monkeypatch: pytest.MonkeyPatch, dsn: str
) -> None:
    monkeypatch.setenv("SECRET_KEY", NEW)
    ended = assay("secrets", "rotate")
    assert ended.code == 2
    assert "SECRET_KEY_PREVIOUS is not set" in ended.err
