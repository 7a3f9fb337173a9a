import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.identity.people import installed

from assay.core.config import Settings
from assay.identity.actor import Role

Run = Callable[..., Any]
CREATE = ("keys", "create", "--user", "ada@example.com", "--name", "CI")
WRITE = ("--scope", "playground:write")


@pytest.fixture
def settings(dsn: str, tmp_path: Path) -> Settings:
    home = tmp_path / "home"
    return Settings(database_url=dsn, assay_home=home, server_workers=0, _env_file=None)


@pytest.fixture
def me(settings: Settings) -> Callable[[str], tuple[int, Any]]:
    """Asks a server whom a key acts for."""

    async def ask(key: str) -> tuple[int, Any]:
        async with installed(settings) as installation:
            client = await installation.client(Authorization=f"Bearer {key}")
            response = await client.get("/api/v1/auth/me")
            return response.status_code, response.json()

    def run(key: str) -> tuple[int, Any]:
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            return runner.run(ask(key))

    return run


@pytest.fixture(autouse=True)
def ada(settings: Settings) -> None:
    """An editor."""

    async def make() -> None:
        async with installed(settings) as installation:
            await installation.user(Role.editor, email="ada@example.com")

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(make())


def test_a_key_is_printed_alone_and_acts_for_its_user(assay: Run, me: Run) -> None:
    ended = assay(*CREATE, *WRITE)
    assert ended.code == 0
    key = ended.out.rstrip("\n")
    assert key.startswith("ask_")
    assert key not in ended.err
    status, body = me(key)
    assert (status, body["email"], body["role"]) == (200, "ada@example.com", "editor")
    assert body["scopes"] == ["playground:read", "playground:write"]


def test_keys_are_listed_without_themselves(assay: Run) -> None:
    key = assay(*CREATE, *WRITE, "--days", "30").out.strip()
    for options in ([], ["--user", "ada@example.com"]):
        table = assay("keys", "list", *options).out
        assert key[:16] in table
        assert key not in table
        assert "playground:write" in table


@pytest.mark.parametrize("length", [16, None])
def test_a_revoked_key_is_refused(assay: Run, me: Run, length: int | None) -> None:
    key = assay(*CREATE, *WRITE).out.strip()
    ended = assay("keys", "revoke", key[:length])
    assert ended.code == 0
    assert f"{key[:16]} (CI) is revoked." in ended.err
    assert key not in ended.err
    status, body = me(key)
    assert (status, body["code"]) == (401, "key_refused")
    assert key[:16] not in assay("keys", "list").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*CREATE, "--scope", "admin"], "body.scopes: admin takes the role admin; yours is editor"),
        ([*CREATE, *WRITE, "--project", str(uuid4())], "There is no project with this id."),
        ([*CREATE, *WRITE, "--days", "0"], "'--days'"),
        ([*CREATE], "Missing option '--scope'"),
        (["keys", "revoke", "ask_nobodysnobo"], "There is no API key that begins with"),
        (["keys", "list", "--user", "x@example.com"], "There is no user"),
    ],
)
def test_what_cannot_be_done_is_said(assay: Run, arguments: list[str], message: str) -> None:
    ended = assay(*arguments)
    assert ended.code == 2
    assert message in ended.err
    assert ended.out == ""
