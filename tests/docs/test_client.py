"""The examples of the client library, run one after the other as the page shows them."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from tests.events.served import opened

from assay.core.config import Settings

PAGE = Path(__file__).parents[2] / "docs/client.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.usefixtures("worker")
async def test_examples_work(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names: dict[str, Any] = {"__name__": "example"}

    def run_all() -> None:
        try:
            for example in EXAMPLES:
                exec(compile(example, str(PAGE), "exec"), names)
        finally:
            names["client"].close()

    async with opened(settings.model_copy(update={"api_port": 0})) as server:
        monkeypatch.setenv("ASSAY_URL", server.url)
        monkeypatch.delenv("ASSAY_API_KEY", raising=False)
        monkeypatch.chdir(tmp_path)
        await asyncio.to_thread(run_all)
    printed = capsys.readouterr().out
    assert "1 [{'role': 'user', 'content': 'Sort this message: Where is my parcel?'}]" in printed
    assert "completed 1 of 2" in printed
    assert "\n2 0\n" in printed
    assert "\ncancelled\n" in printed
    assert "body.template_text" in printed
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "march.jsonl").read_bytes()
