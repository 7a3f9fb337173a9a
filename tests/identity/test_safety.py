"""A server that others can reach does not start without a secret and somebody in charge."""

import re

import pytest
from pydantic import SecretStr
from tests.identity.people import Installation, installed

from assay.core.config import Settings
from assay.core.errors import SetupError
from assay.identity.actor import Role
from assay.identity.safety import require_safe_to_serve

SECRET = SecretStr("a secret of thirty-two characters")
NEEDS_SECRET, NEEDS_ADMIN = "set SECRET_KEY", "assay users create --role admin"


def reachable(settings: Settings, secret: SecretStr | None, host: str = "0.0.0.0") -> Settings:
    return settings.model_copy(update={"host": host, "secret_key": secret})


async def refusal(settings: Settings, installation: Installation) -> str:
    with pytest.raises(SetupError) as refused:
        await require_safe_to_serve(settings, installation.database)
    return refused.value.detail


async def test_whatever_is_missing_is_named_with_how_to_get_it(
    settings: Settings, fresh: Installation
) -> None:
    both = await refusal(reachable(settings, None), fresh)
    assert "HOST is 0.0.0.0" in both
    assert NEEDS_SECRET in both
    assert NEEDS_ADMIN in both
    only_admin = await refusal(reachable(settings, SECRET), fresh)
    assert NEEDS_SECRET not in only_admin
    assert NEEDS_ADMIN in only_admin
    await fresh.row(Role.admin)
    only_secret = await refusal(reachable(settings, None), fresh)
    assert NEEDS_SECRET in only_secret
    assert NEEDS_ADMIN not in only_secret
    await require_safe_to_serve(reachable(settings, SECRET), fresh.database)


async def test_an_admin_who_is_switched_off_and_an_editor_are_not_in_charge(
    settings: Settings, fresh: Installation
) -> None:
    await fresh.row(Role.admin, is_active=False)
    await fresh.row(Role.editor)
    assert NEEDS_ADMIN in await refusal(reachable(settings, SECRET), fresh)


async def test_on_this_machine_alone_nothing_is_needed(
    settings: Settings, fresh: Installation
) -> None:
    for host in ("127.0.0.1", "::1", "localhost", "127.1.2.3"):
        await require_safe_to_serve(reachable(settings, None, host), fresh.database)


async def test_elsewhere_both_are_needed(settings: Settings, fresh: Installation) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "assay.example.com", ""):
        detail = await refusal(reachable(settings, None, host), fresh)
        assert re.search(rf"{NEEDS_SECRET}.*{NEEDS_ADMIN}", detail), host


async def test_the_server_itself_does_not_start(settings: Settings, fresh: Installation) -> None:
    unsafe = reachable(settings, SECRET)
    with pytest.raises(SetupError, match=NEEDS_ADMIN):
        async with installed(unsafe, database_url=fresh.database.dsn):
            pass
    await fresh.row(Role.admin)
    async with installed(unsafe, database_url=fresh.database.dsn) as started:
        client = await started.client(address="192.0.2.1", base_url="http://assay.example.com")
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/api/v1/projects")).status_code == 401
