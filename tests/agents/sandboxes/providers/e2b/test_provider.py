"""The sandboxes of an account at E2B: made, found, paused and destroyed."""

import asyncio

import pytest
from pydantic import SecretStr
from tests.agents.sandboxes.providers.e2b.account import E2B, KEY

from assay.agents.sandboxes.providers.e2b.opening import e2b_provider
from assay.agents.sandboxes.providers.e2b.provider import E2BProvider
from assay.agents.sandboxes.providers.types import (
    Command,
    SandboxGone,
    SandboxLimits,
    SandboxUnreachable,
    SandboxUnusable,
)
from assay.core.config import Settings

LIMITS = SandboxLimits(seconds=900.5)


async def test_a_sandbox_is_made_as_it_was_asked_for(e2b: E2B, provider: E2BProvider) -> None:
    await provider.check()
    sandbox = await provider.create("assay-1", LIMITS)
    asked = e2b.sandboxes[sandbox.id].asked
    assert asked["metadata"] == {"assay-label": "assay-1"}
    assert asked["allow_internet_access"] is False
    assert asked["timeout"] == 901
    assert asked["autoPause"] is False
    assert asked["templateID"] == "base"
    assert KEY not in str(asked)


async def test_the_template_and_the_hosts_are_passed_on(e2b: E2B) -> None:
    provider = E2BProvider(KEY, template="mine", longest_seconds=60)
    limits = SandboxLimits(network=("pypi.org", "*.example.com"))
    sandbox = await provider.create("assay-1", limits)
    asked = e2b.sandboxes[sandbox.id].asked
    assert asked["templateID"] == "mine"
    assert asked["timeout"] == 60
    assert asked["allow_internet_access"] is True
    assert asked["network"]["allowOut"] == ["pypi.org", "*.example.com"]
    assert asked["network"]["denyOut"] == ["0.0.0.0/0"]


async def test_one_label_is_one_sandbox(e2b: E2B, provider: E2BProvider) -> None:
    first = await provider.create("assay-1", LIMITS)
    await first.write_file("/work/file", b"kept")
    again = await E2BProvider(KEY).create("assay-1", LIMITS)
    assert again.id == first.id
    assert await again.read_file("/work/file") == b"kept"
    others = await asyncio.gather(*(provider.create("assay-2", LIMITS) for _ in range(3)))
    assert len({each.id for each in others}) == 1
    assert len(e2b.sandboxes) == 2


async def test_all_labels_are_found_whatever_their_number(e2b: E2B, provider: E2BProvider) -> None:
    made = {f"assay-{n}": (await provider.create(f"assay-{n}", LIMITS)).id for n in range(3)}
    await e2b.make({"templateID": "base", "timeout": 60}, None)
    await provider.pause(made["assay-1"])
    assert await provider.labels() == made


async def test_a_paused_sandbox_goes_on_with_what_was_in_it(
    e2b: E2B, provider: E2BProvider
) -> None:
    sandbox = await provider.create("assay-1", LIMITS)
    await sandbox.write_file("/work/file", b"kept")
    await provider.pause(sandbox.id)
    await provider.pause(sandbox.id)
    with pytest.raises(SandboxGone):
        await sandbox.run(Command(("true",)))
    again = await E2BProvider(KEY).open(sandbox.id, SandboxLimits(seconds=70))
    assert (await again.run(Command(("cat", "file")))).output == b"kept"
    assert e2b.sandboxes[sandbox.id].timeouts[-1] == 70


async def test_one_whose_memory_cannot_be_restored_is_booted_from_its_disk(
    e2b: E2B, provider: E2BProvider
) -> None:
    sandbox = await provider.create("assay-1", LIMITS)
    await sandbox.write_file("/work/file", b"kept")
    await provider.pause(sandbox.id)
    e2b.sandboxes[sandbox.id].unresponsive = True
    again = await provider.open(sandbox.id, LIMITS)
    assert await again.read_file("/work/file") == b"kept"


async def test_one_that_was_made_and_no_more_is_made_to_its_end(
    e2b: E2B, provider: E2BProvider
) -> None:
    asked = {"templateID": "base", "timeout": 60, "metadata": {"assay-label": "assay-1"}}
    kept = await e2b.make(asked, None)
    assert not kept.machine.path("/work").exists()
    sandbox = await provider.create("assay-1", LIMITS)
    assert sandbox.id == kept.id
    assert (await sandbox.run(Command(("touch", "/work/file")))).exit_code == 0


async def test_a_destroyed_sandbox_is_gone(provider: E2BProvider) -> None:
    sandbox = await provider.create("assay-1", LIMITS)
    await provider.destroy(sandbox.id)
    await provider.destroy(sandbox.id)
    assert await provider.labels() == {}
    for call in (provider.open(sandbox.id, LIMITS), provider.pause(sandbox.id)):
        with pytest.raises(SandboxGone, match=sandbox.id):
            await call


async def test_a_wrong_key_is_named_and_not_told(e2b: E2B) -> None:
    assert not e2b.sandboxes
    provider = E2BProvider("e2b_wrong")
    for call in (provider.check(), provider.create("assay-1", LIMITS), provider.labels()):
        with pytest.raises(SandboxUnusable, match="E2B_API_KEY") as caught:
            await call
        assert "e2b_wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (400, "Timeout is longer than the plan allows", SandboxUnusable),
        (403, "team is blocked", SandboxUnusable),
        (500, "oh dear", SandboxUnreachable),
    ],
)
async def test_what_e2b_refuses_is_told(
    e2b: E2B, provider: E2BProvider, status: int, message: str, error: type[Exception]
) -> None:
    e2b.refusal = status, message
    with pytest.raises(error, match=message):
        await provider.create("assay-1", LIMITS)


async def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2B_API_URL", "http://127.0.0.1:1")
    with pytest.raises(SandboxUnreachable):
        await E2BProvider(KEY).check()


async def test_without_a_key_it_says_what_is_missing(settings: Settings) -> None:
    provider = e2b_provider(settings)
    assert provider.name == "e2b"
    for call in (provider.check(), provider.destroy("x"), provider.labels()):
        with pytest.raises(SandboxUnusable, match="E2B_API_KEY"):
            await call
    with_key = settings.model_copy(update={"e2b_api_key": SecretStr(KEY)})
    assert isinstance(e2b_provider(with_key), E2BProvider)
