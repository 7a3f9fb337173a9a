"""The examples of asking, run one after the other as the page shows them; somebody answers."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai.models.test import TestModel
from tests.events.served import opened

from assay.client import AsyncClient
from assay.core.config import Settings

PAGE = Path(__file__).parents[2] / "docs/asking.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
ANSWERS: dict[str, tuple[Any, str | None]] = {
    "Which tone should the mail have?": ("Warm", "she waited long"),
    "Delete the old index?": ({"approved": True}, None),
    "Which colour?": ("blue", None),
    "Where does it go?": ({"street": "Rue A"}, None),
    "Refund 5000 cents of order A1?": ({"approved": True, "edits": {"cents": 4000}}, None),
    "Refund 9000 cents of order A2?": ({"approved": False}, "Too much"),
    "Call cancel_order?": ({"approved": True, "edits": {"fee": 12}}, None),
}


@contextlib.asynccontextmanager
async def somebody_answers(url: str) -> AsyncIterator[None]:
    async def answer() -> None:
        async with AsyncClient(url) as client:
            while True:
                async for each in client.requests.list(status="pending"):
                    if each.title in ANSWERS:
                        value, comment = ANSWERS[each.title]
                        await client.requests.respond(each.id, value, comment=comment)
                await asyncio.sleep(0.05)

    task = asyncio.create_task(answer())
    yield
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.usefixtures("worker")
async def test_examples_work(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {"__name__": "example"}

    def run_all() -> None:
        for example in EXAMPLES:
            exec(compile(example, str(PAGE), "exec"), names)

    async with opened(settings.model_copy(update={"api_port": 0})) as server:
        monkeypatch.setenv("ASSAY_URL", server.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "not asked")
        monkeypatch.delenv("ASSAY_API_KEY", raising=False)
        async with somebody_answers(server.url):
            await asyncio.to_thread(run_all)
            with names["agent"].override(model=TestModel(call_tools=["cancel_order"])):
                await names["main"]()
    printed = capsys.readouterr().out
    assert printed.startswith("Warm says ")
    assert "because she waited long\ndeleted\nblue Rue A\n" in printed
    assert "ask again later: pending\na True\n" in printed
    assert "refunded A1 4000\nrefused: Too much\n" in printed
    assert "is cancelled for 12" in printed
